//! The eleven labels under five rules, and random histories.

use std::time::Duration;

use nearline_facts::{Order, Rules};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::tables::{Fact, answers, fact, job, run, write_facts, write_labels};

fn facts() -> Vec<Fact> {
    vec![
        fact("a", 10, 10, 1, Some("v1")),
        fact("a", 20, 20, 2, Some("v2")),
        // About 15, known at 40.
        fact("a", 15, 40, 3, Some("late15")),
        // A correction of 20, known at 50.
        fact("a", 20, 50, 4, Some("v2fix")),
        // Both times are equal: the position decides.
        fact("b", 30, 30, 5, Some("b1")),
        fact("b", 30, 30, 6, Some("b1again")),
        // The newest fact holds a null: it is the value.
        fact("c", 60, 60, 7, Some("c1")),
        fact("c", 60, 60, 8, None),
        fact("d", 5, 5, 9, Some("d1")),
        fact("d", 99, 99, 10, Some("FORGET")),
    ]
}

const LABELS: [(&str, i64); 11] = [
    ("a", 9),
    ("a", 10),
    ("a", 19),
    ("a", 45),
    ("a", 55),
    ("b", 30),
    ("c", 61),
    ("d", 100),
    ("e", 50),
    ("a", 20),
    ("a", 20),
];

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// What the definition says: of the facts that were known, the newest.
fn brute(facts: &[Fact], (member, at): (&str, i64), rules: &Rules) -> String {
    let minutes = |duration: Duration| i64::try_from(duration.as_secs() / 60).unwrap();
    let known_by = at - minutes(rules.delay);
    let seen = facts.iter().filter(|fact| {
        let known = if rules.strict { fact.known_at < known_by } else { fact.known_at <= known_by };
        fact.member == member && known && fact.event_at <= at
    });
    let best = match rules.order {
        Order::EventTime => seen.max_by_key(|fact| (fact.event_at, fact.known_at, fact.position)),
        Order::AsServed => seen.max_by_key(|fact| fact.position),
    };
    match best {
        None => "none".to_owned(),
        Some(fact) if rules.ttl.is_some_and(|ttl| fact.event_at < at - minutes(ttl)) => "expired".to_owned(),
        Some(fact) => fact.value.clone().unwrap_or_else(|| "null".to_owned()),
    }
}

#[test]
fn eleven_labels_are_answered_as_written_under_each_of_five_rules() {
    let folder = tempfile::tempdir().unwrap();
    write_facts(&folder.path().join("facts/all.parquet"), &facts(), 4);
    write_labels(&folder.path().join("labels.parquet"), &LABELS);
    let cases: [(Rules, [&str; 11]); 5] = [
        (
            Rules::default(),
            ["none", "v1", "v1", "v2", "v2fix", "b1again", "null", "FORGET", "none", "v2", "v2"],
        ),
        (
            Rules { order: Order::AsServed, ..Rules::default() },
            ["none", "v1", "v1", "late15", "v2fix", "b1again", "null", "FORGET", "none", "v2", "v2"],
        ),
        (
            Rules { delay: minutes(5), ..Rules::default() },
            ["none", "none", "v1", "v2", "v2fix", "none", "none", "d1", "none", "v1", "v1"],
        ),
        (
            Rules { ttl: Some(minutes(15)), ..Rules::default() },
            ["none", "v1", "v1", "expired", "expired", "b1again", "null", "FORGET", "none", "v2", "v2"],
        ),
        (
            Rules { strict: true, ..Rules::default() },
            ["none", "none", "v1", "v2", "v2fix", "none", "null", "FORGET", "none", "v1", "v1"],
        ),
    ];
    for (rules, expected) in cases {
        let (report, result) = run(&job(folder.path(), rules.clone()));
        assert_eq!(answers(&result), expected, "{rules:?}");
        let brute: Vec<String> = LABELS.iter().map(|label| brute(&facts(), *label, &rules)).collect();
        assert_eq!(brute, expected, "the definition, {rules:?}");
        let counts = report.counts;
        assert_eq!(counts.ok + counts.none + counts.expired + counts.null, 11);
        assert_eq!(counts.none, expected.iter().filter(|answer| **answer == "none").count() as u64);
    }
}

/// Many members, each with a history of its own, so that one join tries many histories.
fn histories(seed: u64, members: usize) -> (Vec<Fact>, Vec<(String, i64)>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut facts, mut labels) = (Vec::new(), Vec::new());
    for member in 0..members {
        // Names on both sides of what fits into a view.
        let name =
            if member % 2 == 0 { format!("m{member}") } else { format!("a-much-longer-member-{member}") };
        let mut known_at = 0;
        for place in 0..12 {
            known_at += rng.random_range(0..=3);
            let late = [0, 0, 0, 1, 5, 9][rng.random_range(0..6)];
            let position = (member * 12 + place) as u64;
            let value = format!("{name}@{place}");
            facts.push(fact(&name, (known_at - late).max(0), known_at, position, Some(&value)));
        }
        labels.extend((0..known_at + 2).map(|at| (name.clone(), at)));
    }
    (facts, labels)
}

#[test]
fn two_thousand_random_histories_are_answered_by_the_definition_in_whatever_order_facts_come() {
    for seed in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let (facts, labels) = histories(seed, 500);
        // Shuffled over three files: neither rows nor files are in the order of the log.
        let mut rng = StdRng::seed_from_u64(seed);
        let mut files = [Vec::new(), Vec::new(), Vec::new()];
        for fact in facts.iter().cloned() {
            let file = &mut files[rng.random_range(0..3)];
            let place = rng.random_range(0..=file.len());
            file.insert(place, fact);
        }
        for (number, file) in files.iter().enumerate() {
            write_facts(&folder.path().join(format!("facts/{number}.parquet")), file, 700);
        }
        let labels: Vec<(&str, i64)> = labels.iter().map(|(member, at)| (member.as_str(), *at)).collect();
        write_labels(&folder.path().join("labels.parquet"), &labels);
        for order in [Order::EventTime, Order::AsServed] {
            for (delay, strict) in [(0, false), (2, false), (1, true)] {
                let rules = Rules { order, strict, delay: minutes(delay), ..Rules::default() };
                let (_, result) = run(&job(folder.path(), rules.clone()));
                let expected: Vec<String> =
                    labels.iter().map(|label| brute(&facts, *label, &rules)).collect();
                assert!(answers(&result) == expected, "seed {seed}, {rules:?}");
            }
        }
    }
}

#[test]
fn equal_positions_are_told_apart_by_their_times_and_not_by_the_order_of_the_rows() {
    let mut facts = vec![fact("a", 1, 3, 5, Some("older")), fact("a", 2, 2, 5, Some("newer"))];
    for _ in 0..2 {
        facts.reverse();
        let folder = tempfile::tempdir().unwrap();
        write_facts(&folder.path().join("facts/all.parquet"), &facts, 4);
        write_labels(&folder.path().join("labels.parquet"), &[("a", 9)]);
        let (_, result) = run(&job(folder.path(), Rules { order: Order::AsServed, ..Rules::default() }));
        assert_eq!(answers(&result), ["newer"]);
    }
}
