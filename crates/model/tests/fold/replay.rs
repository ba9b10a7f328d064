//! Batches, commits, evictions, restarts and redeliveries leave no trace (I2, I3, I4).

use crate::harness::{Harness, fold_at_once, records, small_limits, steps, stream};
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, LogRecord};
use proptest::prelude::*;

/// What happens between two batches.
#[derive(Debug, Clone, Copy)]
enum Between {
    Nothing,
    Take,
    Confirm,
    Commit,
    Evict,
    Restart,
    Redeliver(usize),
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        Just(Between::Nothing),
        Just(Between::Take),
        Just(Between::Confirm),
        Just(Between::Commit),
        Just(Between::Evict),
        Just(Between::Restart),
        (1..8_usize).prop_map(Between::Redeliver),
    ]
}

fn contents(harness: &Harness) -> Vec<u8> {
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    harness.add_to(&mut aggregates);
    assert_eq!(aggregates.positions(), [harness.store.position], "every delta was added");
    aggregates.encode_contents()
}

/// Reads on from the partition's position, as a reader does after every restart.
fn drive(log: &[LogRecord], plan: &[(usize, Between)], unpacked: usize) -> Harness {
    let mut harness = Harness::new(0, 1, small_limits()).packing(unpacked);
    let mut plan = plan.iter().cycle();
    let next =
        |harness: &Harness| log.partition_point(|record| record.position <= harness.partition.folded());
    let mut restarts = 0;
    while next(&harness) < log.len() {
        let (size, between) = *plan.next().expect("a cycle has no end");
        let from = next(&harness);
        harness.fold(&log[from..log.len().min(from + size)]);
        match between {
            Between::Nothing => {}
            Between::Take => harness.take(),
            Between::Confirm => harness.confirm(),
            Between::Commit => harness.commit(),
            Between::Evict => {
                harness.partition.evict(0);
            }
            Between::Restart if restarts < 8 => {
                restarts += 1;
                harness.restart();
            }
            Between::Restart => harness.commit(),
            Between::Redeliver(records) => {
                let folded = harness.partition.folded();
                let to = next(&harness);
                let again = harness.fold(&log[to.saturating_sub(records)..to]);
                assert_eq!(again, Default::default(), "records folded before are dropped");
                assert_eq!(harness.partition.folded(), folded);
            }
        }
    }
    harness.commit();
    harness
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_between_batches_the_same_log_leaves_the_same_bytes(
        steps in steps(120, 400),
        plan in prop::collection::vec((1..12_usize, between()), 1..20),
        unpacked in 0..4_usize,
    ) {
        let log = records(&stream(&steps));
        let (at_once, driven) = (fold_at_once(&log, small_limits()), drive(&log, &plan, unpacked));
        prop_assert_eq!(&driven.store, &at_once.store);
        prop_assert_eq!(contents(&driven), contents(&at_once));
    }

    #[test]
    fn every_record_is_folded_or_refused_with_a_reason(steps in steps(120, 400)) {
        let log = records(&stream(&steps));
        let counted = fold_at_once(&log, small_limits()).counted;
        let sum = counted.changed + counted.duplicates + counted.before_erasure + counted.rejected.len() as u64;
        prop_assert_eq!(sum, log.len() as u64);
    }

    #[test]
    fn what_is_cached_is_what_is_stored(steps in steps(60, 400)) {
        let mut harness = fold_at_once(&records(&stream(&steps)), small_limits());
        let members: Vec<_> = harness.store.members.keys().cloned().collect();
        let cached: Vec<_> = members.iter().map(|member| harness.snapshot(member)).collect();
        harness.restart();
        let stored: Vec<_> = members.iter().map(|member| harness.snapshot(member)).collect();
        prop_assert_eq!(cached, stored);
    }
}

#[test]
fn members_on_their_way_to_the_store_are_not_evicted() {
    let log = records(&stream(&[]));
    let mut harness = Harness::new(0, 1, small_limits());
    harness.fold(&log);
    let play = crate::harness::event("e", "play", "m", "t", crate::harness::START_MS, serde_json::json!({}));
    harness.fold(&[crate::harness::record(1, crate::harness::START_MS, &play)]);
    assert_eq!(harness.partition.evict(0), 0, "changed");
    harness.take();
    assert_eq!(harness.partition.evict(0), 0, "on its way");
    harness.confirm();
    assert_eq!(harness.partition.evict(0), 1);
    assert_eq!(harness.partition.cached_members(), 0);
    assert_eq!(harness.snapshot("m").history.len(), 1, "loaded again");
}

#[test]
fn nothing_folded_is_nothing_to_commit() {
    let mut harness = Harness::new(0, 1, small_limits());
    assert!(harness.partition.take_commit(OwnerEpoch(1)).is_none());
    harness.fold(&[LogRecord { position: Position(9), log_ms: 0, payload: "no JSON".into() }]);
    let commit =
        harness.partition.take_commit(OwnerEpoch(1)).expect("a refused record moves the position on");
    assert_eq!((commit.expected, commit.position, commit.members.len()), (Position::START, Position(9), 0));
    assert!(harness.partition.take_commit(OwnerEpoch(1)).is_none());
}
