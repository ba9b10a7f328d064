//! I9: a fact read as of a time holds nothing that was not known at that time.

use std::collections::HashMap;
use std::time::Duration;

use nearline_facts::{Order, Rules};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::tables::{Fact, fact, job, position, run, write_facts, write_labels};

const FACTS: usize = 1_000_000;
const LABELS: usize = 100_000;
const MEMBERS: usize = 40_000;

/// Facts in the order of the log, one in five late, one in twenty a correction of an earlier one.
fn facts(rng: &mut StdRng) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::with_capacity(FACTS);
    let mut now = 10_000;
    for position in 0..FACTS {
        now += i64::from(rng.random_bool(0.1));
        let (member, event_at) = if position > 0 && rng.random_bool(0.05) {
            let earlier = &facts[rng.random_range(0..position)];
            (earlier.member.clone(), earlier.event_at)
        } else {
            let skewed = MEMBERS as f64 * rng.random::<f64>().powf(1.7);
            let late = if rng.random_bool(0.2) { rng.random_range(1..5_000) } else { 0 };
            (format!("m{skewed:.0}"), now - late)
        };
        facts.push(fact(&member, event_at, now, position as u64, None));
    }
    facts
}

/// The position that answers each label, by its definition: every fact of the member is looked at, for every label.
fn brute(facts: &[Fact], labels: &[(String, i64)], rules: &Rules) -> Vec<Option<u64>> {
    let mut by_member: HashMap<&str, Vec<&Fact>> = HashMap::new();
    for fact in facts {
        by_member.entry(&fact.member).or_default().push(fact);
    }
    let delay = i64::try_from(rules.delay.as_secs() / 60).unwrap();
    let answer = |(member, at): &(String, i64)| {
        let known = by_member.get(member.as_str()).into_iter().flatten();
        let known = known.filter(|fact| fact.known_at + delay <= *at && fact.event_at <= *at);
        let best = match rules.order {
            Order::EventTime => known.max_by_key(|fact| (fact.event_at, fact.known_at, fact.position)),
            Order::AsServed => known.max_by_key(|fact| fact.position),
        };
        best.map(|fact| fact.position)
    };
    labels.iter().map(answer).collect()
}

#[test]
fn i9_a_million_facts_and_a_hundred_thousand_labels_are_joined_without_a_leak_and_the_naive_join_leaks() {
    let mut rng = StdRng::seed_from_u64(9);
    let facts = facts(&mut rng);
    let end = facts[FACTS - 1].known_at;
    let labels: Vec<(String, i64)> = (0..LABELS)
        .map(|_| (facts[rng.random_range(0..FACTS)].member.clone(), rng.random_range(9_000..end + 10)))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    for (number, part) in facts.chunks(FACTS / 4).enumerate() {
        let mut part = part.to_vec();
        if number % 2 == 1 {
            part.shuffle(&mut rng);
        }
        write_facts(&folder.path().join(format!("facts/{number}.parquet")), &part, 100_000);
    }
    let borrowed: Vec<(&str, i64)> = labels.iter().map(|(member, at)| (member.as_str(), *at)).collect();
    write_labels(&folder.path().join("labels.parquet"), &borrowed);
    for order in [Order::EventTime, Order::AsServed] {
        let rules = Rules { order, delay: Duration::from_secs(120), ..Rules::default() };
        let (report, result) = run(&job(folder.path(), rules.clone()));
        let expected = brute(&facts, &labels, &rules);
        for (row, expected) in expected.iter().enumerate() {
            assert_eq!(position(&result, row), *expected, "{order:?}: label {row} is {:?}", labels[row]);
        }
        assert_eq!(report.facts_read, FACTS as u64, "every row group may hold an answer");
    }
    assert!(leaks(&facts, &labels) > 1_000, "a join by event_at alone was to leak");
}

/// How many labels a join by `event_at` alone gives something that was not known yet.
fn leaks(facts: &[Fact], labels: &[(String, i64)]) -> usize {
    let blind: Vec<Fact> =
        facts.iter().map(|fact| Fact { known_at: fact.event_at, ..fact.clone() }).collect();
    let naive = brute(&blind, labels, &Rules::default());
    let later = |(found, (_, at)): (&Option<u64>, &(String, i64))| {
        found.is_some_and(|position| facts[position as usize].known_at > *at)
    };
    naive.iter().zip(labels).filter(|pair| later(*pair)).count()
}
