//! Events in quarantine are stepped over by every fold alike, as if the log did not have them (I3).

use crate::harness::{Harness, event, fold_at_once, record, records, small_limits, steps, stream};
use nearline_model::Position;
use nearline_model::partition::Batch;
use nearline_model::quarantine::{Quarantine, Quarantined};
use nearline_model::{LogRecord, Partition, PartitionId, RejectReason};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

/// Folds `log` in pieces of `size` records, stepping over `quarantine`; gives members as stored, what
/// was refused as poison, and the positions that the observer saw.
fn fold_except(
    log: &[LogRecord],
    size: usize,
    quarantine: &Quarantine,
) -> (Partition, Vec<(Position, String)>, Vec<Position>) {
    let mut partition = Partition::new(PartitionId(0), 1, small_limits());
    let (mut refused, mut seen) = (Vec::new(), Vec::new());
    for piece in log.chunks(size) {
        let batch = Batch::parse_except(piece.to_vec(), 65_536, quarantine, |position| {
            assert!(quarantine.get(position).is_none(), "what is in quarantine is not even parsed");
        });
        let (admitted, missing) = partition.admit(batch);
        for slot in missing {
            partition.loaded(slot, None).expect("nothing is stored");
        }
        let folded = partition.fold(admitted, |position, _| seen.push(position));
        for rejected in folded.rejected {
            if rejected.reject.reason == RejectReason::Poison {
                let stored = log.iter().find(|record| record.position == rejected.record.position);
                assert_eq!(Some(&rejected.record), stored, "the letter holds the event as published");
                refused.push((rejected.record.position, rejected.reject.detail));
            }
        }
    }
    (partition, refused, seen)
}

fn members(partition: &Partition) -> BTreeMap<String, Vec<u8>> {
    partition.members().map(|(member, state)| (member.to_owned(), state.encode())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_fold_that_steps_over_events_is_the_fold_of_a_log_without_them(
        steps in steps(60, 600),
        which in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        size in 1_usize..20,
    ) {
        let log = records(&stream(&steps));
        let quarantine: Quarantine = which
            .iter()
            .map(|index| Quarantined::new(log[index.index(log.len())].position, 3, "crash", 0))
            .collect();
        let (stepped, refused, seen) = fold_except(&log, size, &quarantine);
        let expected: Vec<_> =
            quarantine.iter().map(|entry| (entry.position, entry.reject().detail)).collect();
        prop_assert_eq!(&refused, &expected, "each is refused once, in order, for a reason that repeats");
        prop_assert!(seen.iter().all(|position| quarantine.get(*position).is_none()));
        prop_assert_eq!(stepped.folded(), log.last().expect("at least one").position);

        let without: Vec<_> =
            log.iter().filter(|record| quarantine.get(record.position).is_none()).cloned().collect();
        let (clean, _, _) = fold_except(&without, 1_000, &Quarantine::default());
        prop_assert_eq!(members(&stepped), members(&clean));
        prop_assert_eq!(stepped.symbols(), clean.symbols());
        // However it is cut.
        let (whole, _, _) = fold_except(&log, 1_000, &quarantine);
        prop_assert_eq!(members(&stepped), members(&whole));
    }
}

#[test]
fn an_event_that_was_stepped_over_is_no_duplicate_when_it_comes_again() {
    let play = event("e1", "play", "m", "t1", 1_772_323_200_000, json!({}));
    let log = [record(1, 1_772_323_200_000, &play), record(2, 1_772_323_201_000, &play)];
    let quarantine: Quarantine = [Quarantined::new(Position(1), 3, "crash", 0)].into_iter().collect();
    let (partition, refused, _) = fold_except(&log, 10, &quarantine);
    assert_eq!(refused.len(), 1);
    let (_, member) = partition.members().next().expect("one member");
    assert_eq!(member.history.len(), 1, "published again, it counts");
    let mut plain: Harness = fold_at_once(&log, small_limits());
    assert_eq!(plain.snapshot("m").history.len(), 1);
    assert_eq!(plain.counted.duplicates, 1, "without quarantine the second is a duplicate");
}
