//! The contract of the ports: one suite that every adapter passes, real or simulated.
//!
//! Each port's promises are in a file of its own, as functions over a [`Fixture`]. `contract_suite!` makes a
//! test of each of them for one adapter.

pub mod catalogue_store;
pub mod dead_letters;
pub mod event_log;
pub mod fact_stream;
pub mod membership;
pub mod quarantine;
pub mod remediation_journal;
pub mod state_store;

use crate::{Appended, NewEvent, PortError, Ports};
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::identifier::{OwnerEpoch, partition_of};
use nearline_model::{Commit, Delta, LogRecord, PartitionId, Position, RecordMark};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// One adapter over data of its own: every test gets an empty one, with at least 4 partitions.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Fresh handles on the same data, as a restarted process would open them. Callers have dropped
    /// earlier handles, and their readers, before.
    async fn ports(&self) -> Ports;

    /// Handles as another process has them, beside those that are open; the same ones where a second
    /// process is impossible.
    async fn ports_beside(&self, open: &Ports) -> Ports {
        open.clone()
    }
}

/// How long anything that must happen may take.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The outcome of `future`, which must come before the deadline.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("no {what} after {DEADLINE:?}"),
    }
}

/// An event of `member`; the payload names both.
pub fn event(member: &str, id: &str) -> NewEvent {
    let payload = Bytes::from(format!("{{\"id\":\"{id}\",\"member\":\"{member}\"}}"));
    NewEvent { member: member.into(), id: id.into(), payload }
}

/// `count` names of members that belong to `partition`.
pub fn members_of(partition: PartitionId, partitions: u16, count: usize) -> Vec<String> {
    (0..).map(|n| format!("m{n}")).filter(|m| partition_of(m, partitions) == partition).take(count).collect()
}

/// Appends and expects every event to be acknowledged.
pub async fn append(ports: &Ports, events: Vec<NewEvent>) -> Vec<Appended> {
    let outcomes = soon("acknowledgement", ports.log.append(events)).await;
    outcomes.into_iter().map(|outcome| outcome.expect("acknowledged")).collect()
}

/// Reads on until there are `count` records, or more if the last batch brought more.
pub async fn read(reader: &mut dyn crate::LogReader, count: usize, max_records: usize) -> Vec<LogRecord> {
    let mut records = Vec::new();
    while records.len() < count {
        let batch = soon("records", reader.next_batch(max_records)).await.expect("a batch");
        assert!((1..=max_records).contains(&batch.len()), "a batch of {} for {max_records}", batch.len());
        records.extend(batch);
    }
    records
}

/// A commit of `members` (name, stored form) from `expected` to `position`, with a telling delta.
pub fn commit(
    partition: PartitionId,
    epoch: OwnerEpoch,
    expected: u64,
    position: u64,
    members: &[(&str, &str)],
) -> Arc<Commit> {
    let delta =
        Delta { partition, after: Position(expected), position: Position(position), ..Delta::default() };
    Arc::new(Commit {
        partition,
        epoch,
        expected: Position(expected),
        position: Position(position),
        mark: RecordMark::new(position),
        members: members
            .iter()
            .map(|(name, form)| ((*name).into(), Bytes::copy_from_slice(form.as_bytes())))
            .collect(),
        first_symbol: 1,
        symbols: Vec::new(),
        fold_state: format!("fold state at {position}").into_bytes(),
        stepped_over: Vec::new(),
        facts: Vec::new(),
        delta: Arc::new(delta),
        delta_bytes: format!("delta {expected}..{position}").into(),
    })
}

/// Whether a write was refused because a later epoch was given out.
pub fn is_fenced(outcome: &Result<(), PortError>) -> bool {
    matches!(outcome, Err(PortError::Fenced { .. }))
}

/// Makes one test of every promise of the ports named (of all, if none is) for the adapter that `$fixture`
/// makes: a path of an `async fn() -> impl Fixture`.
#[macro_export]
macro_rules! contract_suite {
    ($fixture:path) => {
        $crate::contract_suite!($fixture: event_log state_store dead_letters quarantine remediation_journal
            catalogue_store membership fact_stream);
    };
    ($fixture:path: $($port:ident)+) => {
        $($crate::contract_suite!(@$port $fixture);)+
    };
    (@event_log $fixture:path) => {
        $crate::contract_suite!(@promises event_log, $fixture,
            an_append_gives_growing_positions_in_the_members_partition
            a_duplicate_is_reported_with_the_first_position_and_stored_once
            a_duplicate_within_one_append_is_stored_once
            a_duplicate_is_known_after_reopening
            a_reader_from_the_beginning_gets_everything_in_order
            a_reader_from_the_middle_gets_what_follows
            a_reader_waits_for_new_records
            a_reader_never_gets_more_than_it_asked_for
            a_cancelled_read_loses_nothing
            many_readers_and_appenders_see_the_same_order
            log_time_does_not_run_backwards
            payloads_come_back_byte_for_byte
            bounds_name_the_first_and_last_record
            records_survive_reopening
            an_empty_append_is_answered
            an_id_is_matched_among_its_members_own
            a_record_is_found_by_its_position
            an_identity_is_kept
            an_event_of_a_known_id_with_other_content_is_a_conflict);
    };
    (@state_store $fixture:path) => {
        $crate::contract_suite!(@promises state_store, $fixture,
            an_empty_partition_is_acquired_at_position_zero
            the_first_beginning_is_kept_until_the_partition_is_forgotten
            every_acquisition_raises_the_epoch
            an_epoch_is_never_given_out_again_after_reopening
            acquisition_returns_symbols_position_and_the_first_settings
            what_is_forgotten_is_folded_from_the_start_by_a_new_owner
            names_are_those_of_the_symbols_asked_for
            a_commit_is_visible_as_a_whole
            a_commit_survives_reopening
            members_come_back_in_the_order_asked
            partitions_do_not_see_each_others_members
            only_the_owner_loads_as_the_owner
            an_older_epoch_is_fenced
            an_unexpected_position_is_refused_and_nothing_is_written
            the_same_commit_twice_is_a_success
            a_repeated_commit_of_an_older_epoch_is_fenced
            racing_commits_of_one_position_leave_one_state
            a_scan_returns_every_member
            the_outbox_keeps_order_and_limit
            a_snapshot_trims_the_outbox_entries_it_covers
            a_lesser_snapshot_is_ignored
            a_snapshot_survives_reopening
            what_was_chosen_for_the_ranking_is_kept_until_it_is_chosen_anew
            a_large_commit_is_stored_whole
            state_of_another_log_is_refused_and_left_as_it_is);
    };
    (@dead_letters $fixture:path) => {
        $crate::contract_suite!(@promises dead_letters, $fixture,
            a_letter_put_twice_is_one
            letters_are_listed_by_position_with_a_limit
            letters_survive_reopening
            a_letter_is_found_by_position_and_gone_once_removed
            what_is_known_of_a_redrive_stays_though_the_letter_is_written_again);
    };
    (@quarantine $fixture:path) => {
        $crate::contract_suite!(@promises quarantine, $fixture,
            an_empty_quarantine_is_empty
            quarantined_events_and_suspects_survive_reopening
            an_entry_that_is_there_stays_as_it_is
            a_commit_brings_along_what_it_stepped_over
            an_older_epoch_puts_nothing_into_quarantine
            what_is_folded_is_never_put_into_quarantine);
    };
    (@remediation_journal $fixture:path) => {
        $crate::contract_suite!(@promises remediation_journal, $fixture,
            remediations_come_back_newest_first_with_a_limit
            the_same_remediation_again_replaces_what_was_known
            remediations_survive_reopening
            the_journal_drops_the_oldest_of_too_many);
    };
    (@catalogue_store $fixture:path) => {
        $crate::contract_suite!(@promises catalogue_store, $fixture,
            a_watch_gets_old_and_new_titles
            the_first_batch_of_an_empty_catalogue_is_empty
            the_latest_version_of_a_title_wins
            no_title_is_lost_between_the_first_batch_and_the_changes
            every_watcher_gets_every_title
            titles_survive_reopening);
    };
    (@fact_stream $fixture:path) => {
        $crate::contract_suite!(@promises fact_stream, $fixture,
            an_empty_stream_has_no_entries
            entries_come_back_in_order_as_they_were_put
            facts_survive_reopening_and_numbers_go_on
            what_a_replay_puts_again_is_there_once_at_least
            a_large_part_covers_all_of_it_whatever_it_is_cut_into);
    };
    (@membership $fixture:path) => {
        $crate::contract_suite!(@promises membership, $fixture,
            a_watcher_gets_what_is_announced_its_own_included
            a_late_watcher_gets_the_last_announcement_of_each_node
            all_watchers_hear_all_nodes_in_one_order
            a_node_that_withdraws_is_gone_for_everybody
            a_later_process_of_one_name_replaces_the_earlier
            a_question_reaches_the_node_it_is_for
            a_question_to_nobody_fails_at_once);
    };
    (@promises $port:ident, $fixture:path, $($behaviour:ident)+) => {
        mod $port {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $behaviour() {
                    let fixture = $fixture().await;
                    $crate::contract::$port::$behaviour(&fixture).await;
                }
            )+
        }
    };
}
