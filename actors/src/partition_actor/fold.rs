//! Taking batches in and folding them; suspects alone, so that a crash accuses one event.

use super::{Ended, FoldBatch, PartitionActor, PendingBatch, panic_message, traced};
use actix::prelude::*;
use nearline_model::partition::{Batch, Folded};
use nearline_model::quarantine::Suspects;
use nearline_model::timestamp::format_rfc3339;
use nearline_model::{Event, LogRecord, Position};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::Instant;

/// Between two warnings of the same trouble.
const WARN_AGAIN: Duration = Duration::from_secs(60);

impl PartitionActor {
    /// Parses a batch and asks for the members it needs; false if the actor ended over it.
    pub(super) fn take_in(&mut self, message: FoldBatch, context: &mut Context<Self>) -> bool {
        let FoldBatch { records, permit } = message;
        let Some(last) = records.last().map(|record| record.position) else { return true };
        let mut pieces = pieces(records, &self.suspects, self.sums_end).into_iter().peekable();
        let mut permit = Some(permit);
        while let Some((records, alone)) = pieces.next() {
            let mut parsing = None;
            let log_ms = records.last().map_or(0, |record| record.log_ms);
            let traced = traced::events(&records);
            let (limit, quarantine) = (self.settings.fold.event_bytes, &self.quarantine);
            let parsed = catch_unwind(AssertUnwindSafe(|| {
                Batch::parse_except(records, limit, quarantine, |position| parsing = Some(position))
            }));
            let batch = match parsed {
                Ok(batch) => batch,
                Err(panic) => {
                    let message = panic_message(&*panic);
                    self.end(Ended::Panicked { position: parsing, message }, context);
                    return false;
                }
            };
            let (admitted, missing) = self.partition.with(|partition| partition.admit(batch));
            let _permit = if pieces.peek().is_none() { permit.take() } else { None };
            self.pending.push_back(PendingBatch { admitted, log_ms, traced, alone, _permit });
            self.load(missing, context);
        }
        self.prove_ownership(context);
        self.progress.write(self.incarnation, |progress| {
            progress.read.raise(last);
        });
        true
    }

    /// Folds every batch whose turn has come.
    pub(super) fn fold_ready(&mut self, context: &mut Context<Self>) {
        while !self.broken && !self.stopping {
            let Some(front) = self.pending.front() else { break };
            let is_ready = self.partition.with(|partition| partition.is_ready(&front.admitted));
            if !self.is_proven || !is_ready || self.must_commit_first() {
                break;
            }
            if (front.alone || self.after_alone) && !self.is_all_committed() {
                self.commit(context);
                break;
            }
            if let Some(batch) = self.pending.pop_front() {
                self.after_alone = batch.alone;
                self.fold(batch, context);
                self.commit_if_due(context);
            }
        }
        if !self.broken && self.report(context) {
            self.answer_waiting(context);
            let evicted = self.partition.with(|partition| partition.evict(self.cached_members));
            if evicted > 0 {
                metrics::counter!("nearline_cache_evictions_total").increment(evicted as u64);
            }
        }
    }

    fn is_all_committed(&self) -> bool {
        !self.commit_running && self.partition.with(|partition| partition.uncommitted_events() == 0)
    }

    /// Back-pressure: with one commit on its way and the next one full, folding waits.
    fn must_commit_first(&self) -> bool {
        self.commit_running && self.is_commit_full()
    }

    pub(super) fn is_commit_full(&self) -> bool {
        self.partition.with(|partition| {
            partition.uncommitted_events() >= self.settings.commit_events
                || partition.changed_members() >= self.settings.commit_members
        })
    }

    /// Counts records whose time stamp was not believed, and says so now and then.
    fn doubt_clock(&mut self, folded: &Folded) {
        for (direction, count) in [("ahead", folded.ahead), ("behind", folded.behind)] {
            if count > 0 {
                metrics::counter!("nearline_log_clock_doubted_total", "direction" => direction)
                    .increment(count);
            }
        }
        if folded.ahead > 0 && self.clock_warned.is_none_or(|warned| warned.elapsed() >= WARN_AGAIN) {
            self.clock_warned = Some(Instant::now());
            let believed_ms = self.partition.with(|partition| partition.log_time_ms());
            tracing::warn!(
                partition = %self.id,
                records = folded.ahead,
                believed = %format_rfc3339(believed_ms),
                "the log's time stamps jumped ahead; events count at the time believed until the stamps have \
                 gone on for fold.clock_settle_seconds: check the clocks of the log's hosts"
            );
        }
    }

    fn fold(&mut self, batch: PendingBatch, context: &mut Context<Self>) {
        let started = Instant::now();
        let (partition_id, log_ms) = (self.id, batch.log_ms);
        let mut span = self.fold_span(&batch.traced);
        let (probe, faults) = (self.settings.fault_probe.clone(), self.faults.clone());
        let mut watched = self.watches.watched();
        let mut folding = None;
        let shared = &self.partition;
        // What a panic leaves half-changed is never used again: the actor ends, its state is reloaded.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let observe = |position, event: Option<&Event<'_>>| {
                folding = Some(position);
                if let Some(faults) = &faults {
                    faults.meet(event);
                }
                if let Some(probe) = &probe {
                    probe(partition_id, position, event);
                }
                if let (Some(watched), Some(event)) = (&mut watched, event) {
                    watched.note(&event.member);
                }
            };
            shared.with(|partition| partition.fold(batch.admitted, observe))
        }));
        self.worker.moved();
        match outcome {
            Ok(folded) => {
                // Whoever was replaced while it folded leaves no trace.
                if !self.report(context) {
                    return;
                }
                if let Some(watched) = watched {
                    self.watches.tell(watched, self.folded());
                }
                self.progress.write(self.incarnation, |progress| {
                    progress.events.fetch_add(folded.records(), Relaxed);
                    progress.behind.folded(log_ms);
                });
                for (outcome, count) in [
                    ("changed", folded.changed),
                    ("duplicate", folded.duplicates),
                    ("before_erasure", folded.before_erasure),
                    ("rejected", folded.rejected.len() as u64),
                ] {
                    if count > 0 {
                        metrics::counter!("nearline_fold_events_total", "outcome" => outcome)
                            .increment(count);
                    }
                }
                if folded.clamped > 0 {
                    metrics::counter!("nearline_fold_clamped_total").increment(folded.clamped);
                }
                for rejected in &folded.rejected {
                    let reason = rejected.reject.reason.code();
                    metrics::counter!("nearline_rejects_total", "reason" => reason).increment(1);
                }
                self.doubt_clock(&folded);
                self.tell_of(span, &folded, &batch.traced);
                self.rejected.extend(folded.rejected);
                metrics::histogram!("nearline_fold_batch_duration_seconds").record(started.elapsed());
            }
            Err(panic) => {
                let message = panic_message(&*panic);
                span.fail(&message);
                self.end(Ended::Panicked { position: folding, message }, context);
            }
        }
    }
}

/// Cuts `records` before and behind each suspect and the one at `sums_end`: these stand alone (`true`).
fn pieces(
    records: Vec<LogRecord>,
    suspects: &Suspects,
    sums_end: Option<Position>,
) -> Vec<(Vec<LogRecord>, bool)> {
    if suspects.is_empty() && sums_end.is_none() {
        return vec![(records, false)];
    }
    let mut pieces: Vec<(Vec<LogRecord>, bool)> = Vec::new();
    for record in records {
        let alone = suspects.contains(record.position) || sums_end == Some(record.position);
        match pieces.last_mut() {
            Some((piece, false)) if !alone => piece.push(record),
            _ => pieces.push((vec![record], alone)),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspects_stand_alone_and_nothing_is_lost_or_moved() {
        let record =
            |position| LogRecord { position: Position(position), log_ms: 0, payload: bytes::Bytes::new() };
        let mut suspects = Suspects::default();
        let cut_with = |suspects: &Suspects, sums_end: Option<u64>| -> Vec<(Vec<u64>, bool)> {
            let pieces = pieces((1..=9).map(record).collect(), suspects, sums_end.map(Position));
            let positions = |piece: Vec<LogRecord>| piece.iter().map(|record| record.position.0).collect();
            pieces.into_iter().map(|(piece, alone)| (positions(piece), alone)).collect()
        };
        let cut = |suspects: &Suspects| cut_with(suspects, None);
        assert_eq!(cut(&suspects), [((1..=9).collect::<Vec<_>>(), false)]);
        for position in [1, 5, 6, 77] {
            suspects.crashed(Position(position), "crash");
        }
        let expected = [
            (vec![1], true),
            (vec![2, 3, 4], false),
            (vec![5], true),
            (vec![6], true),
            (vec![7, 8, 9], false),
        ];
        assert_eq!(cut(&suspects), expected);
        let cut_at_eight =
            [expected[..4].to_vec(), vec![(vec![7], false), (vec![8], true), (vec![9], false)]];
        assert_eq!(cut_with(&suspects, Some(8)), cut_at_eight.concat());
    }
}
