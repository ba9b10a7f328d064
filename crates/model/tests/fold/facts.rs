//! Facts of members: what a replay repeats is the same, nothing that was served or committed is missing (I3, I9).

use crate::harness::{Harness, START_MS, event, record, records, small_limits, steps, stream};
use nearline_model::facts::{CaptureSettings, Known, Whereabouts};
use nearline_model::{Fact, LogRecord, Position};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

const TITLES: usize = 3;

fn coalesced() -> CaptureSettings {
    CaptureSettings { titles: TITLES, every_change: false }
}

/// Every change of a clean fold, by position.
fn clean(log: &[LogRecord]) -> BTreeMap<Position, Fact> {
    let every = CaptureSettings { titles: TITLES, every_change: true };
    let mut harness = Harness::new(0, 1, small_limits()).capture(every);
    harness.fold(log);
    harness.commit();
    harness.streamed.iter().flat_map(|part| part.facts.clone()).map(|fact| (fact.position, fact)).collect()
}

/// What happens between two batches.
#[derive(Debug, Clone, Copy)]
enum Between {
    Nothing,
    Take,
    Commit,
    Evict,
    Restart,
    Ask(u8),
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        Just(Between::Nothing),
        Just(Between::Take),
        Just(Between::Commit),
        Just(Between::Evict),
        Just(Between::Restart),
        (0..5_u8).prop_map(Between::Ask),
    ]
}

/// Folds with restarts in between; gives what queries were answered from: member, position, digest. Answers of a process that
/// died before it committed are not among them.
fn drive(log: &[LogRecord], plan: &[(usize, Between)]) -> (Harness, Vec<(String, Position, u64)>) {
    let mut harness = Harness::new(0, 1, small_limits()).capture(coalesced());
    // What was answered since the last restart is in the stream only as far as a commit was taken.
    let (mut served, mut answered, mut restarts) = (Vec::new(), Vec::new(), 0);
    let mut plan = plan.iter().cycle();
    let next =
        |harness: &Harness| log.partition_point(|record| record.position <= harness.partition.folded());
    while next(&harness) < log.len() {
        let (size, between) = *plan.next().expect("a cycle has no end");
        let from = next(&harness);
        harness.fold(&log[from..log.len().min(from + size)]);
        match between {
            Between::Take => harness.take(),
            Between::Commit => harness.commit(),
            Between::Evict => drop(harness.partition.evict(0)),
            Between::Restart if restarts < 6 => {
                restarts += 1;
                let taken = harness.partition.taken();
                served.extend(answered.drain(..).filter(|(_, position, _)| *position <= taken));
                harness.restart();
            }
            Between::Ask(member) => {
                let member = format!("m{member}");
                let snapshot = harness.snapshot(&member);
                answered.push((member, snapshot.position, Known::of_snapshot(&snapshot, TITLES).digest()));
            }
            Between::Nothing | Between::Restart => {}
        }
    }
    harness.commit();
    served.append(&mut answered);
    (harness, served)
}

fn digest(fact: &Fact) -> u64 {
    Known::decode(fact.schema_version, &fact.payload).expect("it was just made").0.digest()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn facts_are_those_of_a_clean_fold_and_none_is_missing_where_it_matters(
        steps in steps(120, 400),
        plan in prop::collection::vec((1..12_usize, between()), 1..20),
    ) {
        let log = records(&stream(&steps));
        let (clean, (harness, served)) = (clean(&log), drive(&log, &plan));
        let mut captured: BTreeMap<Position, &Fact> = BTreeMap::new();
        for part in &harness.streamed {
            prop_assert!(part.facts.is_sorted_by(|a, b| a.position < b.position));
            for fact in &part.facts {
                prop_assert!(part.after < fact.position && fact.position <= part.position);
                prop_assert!(fact.event_at_ms <= fact.known_at_ms);
                prop_assert_eq!(Some(fact), clean.get(&fact.position));
                captured.insert(fact.position, fact);
            }
        }
        // Whoever joins by event time finds what was known last as the newest.
        let mut told: BTreeMap<&str, i64> = BTreeMap::new();
        for fact in clean.values() {
            let before = told.insert(&fact.member, fact.event_at_ms);
            prop_assert!(before.is_none_or(|before| before <= fact.event_at_ms), "{} after {:?}", fact.event_at_ms, before);
        }
        // At the end of each part that was streamed, everybody's newest fact is the newest change.
        for part in &harness.streamed {
            let mut newest: BTreeMap<&str, Position> = BTreeMap::new();
            for fact in clean.range(..=part.position).map(|(_, fact)| fact) {
                newest.insert(&fact.member, fact.position);
            }
            for (member, position) in newest {
                let found = captured.range(..=part.position).rfind(|(_, fact)| *fact.member == *member);
                prop_assert_eq!(found.map(|(position, _)| *position), Some(position), "{}", member);
            }
        }
        let nobody = Known::default().digest();
        for (member, position, digest_served) in served {
            let found = captured.range(..=position).rfind(|(_, fact)| *fact.member == *member);
            prop_assert_eq!(found.map_or(nobody, |(_, fact)| digest(fact)), digest_served, "{} at {}", member, position);
        }
    }
}

#[test]
fn of_what_nobody_saw_the_last_is_kept_and_what_was_served_is_kept_too() {
    let mut harness = Harness::new(0, 1, small_limits()).capture(coalesced());
    let play = |at: u64| {
        let at_ms = START_MS + at as i64 * 1_000;
        record(
            at,
            at_ms,
            &event(&format!("e{at}"), "play", "m", &format!("t{at}"), at_ms, json!({"country": "BR"})),
        )
    };
    harness.fold(&[play(1), play(2)]);
    let served = harness.snapshot("m");
    harness.fold(&[play(3), play(4)]);
    harness.commit();
    harness.snapshot("m");
    harness.fold(&[play(5)]);
    harness.commit();
    let facts: Vec<&Fact> = harness.streamed.iter().flat_map(|part| &part.facts).collect();
    assert_eq!(facts.iter().map(|fact| fact.position).collect::<Vec<_>>(), [2, 4, 5].map(Position));
    assert_eq!(digest(facts[0]), Known::of_snapshot(&served, TITLES).digest());
    let (known, whereabouts) = Known::decode(1, &facts[2].payload).expect("readable");
    assert_eq!(whereabouts, Whereabouts { country: "BR", device: "" });
    assert_eq!((known.titles, known.seen, known.titles_1d), (4, 1, 4));
    assert_eq!(known.recent.iter().map(|title| title.title).collect::<Vec<_>>(), ["t5", "t4", "t3"]);
}

#[test]
fn a_time_later_than_the_logs_is_clamped_and_counted_and_erasure_is_a_fact() {
    let mut harness = Harness::new(0, 1, small_limits()).capture(coalesced());
    let ahead = event("e1", "play", "m", "t", START_MS + 60_000, json!({}));
    harness.fold(&[record(1, START_MS, &ahead)]);
    harness.commit();
    assert_eq!(harness.counted.clamped, 1);
    let forget = event("e2", "forget", "m", "t", START_MS + 10, json!({}));
    harness.fold(&[record(2, START_MS + 20, &forget)]);
    harness.commit();
    let facts: Vec<&Fact> = harness.streamed.iter().flat_map(|part| &part.facts).collect();
    assert_eq!((facts[0].event_at_ms, facts[0].known_at_ms), (START_MS, START_MS));
    assert_eq!((facts[1].event_at_ms, facts[1].known_at_ms), (START_MS + 10, START_MS + 20));
    assert_eq!(digest(facts[1]), Known::default().digest());
}
