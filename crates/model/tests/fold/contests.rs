//! Contests: what one request showed, of which one title was played.

use crate::harness::{START_MS, event, fold_at_once, record};
use nearline_model::Position;
use nearline_model::delta::{Contest, Delta, MOST_CANDIDATES, PositionBand};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord, PartitionId};
use serde_json::{Value, json};
use std::sync::Arc;

/// Events of one member, a second apart.
fn log(events: &[(&str, &str, Value)]) -> Vec<LogRecord> {
    let log = (1..).zip(events).map(|(position, (kind, title, fields))| {
        let at_ms = START_MS + 1_000 * position as i64;
        let mut event = event(&format!("e{position}"), kind, "ana", title, at_ms, fields.clone());
        if title.is_empty() {
            event.as_object_mut().expect("an object").remove("title");
        }
        record(position, at_ms, &event)
    });
    log.collect()
}

fn contests(events: &[(&str, &str, Value)]) -> Vec<(Delta, Contest)> {
    let deltas = fold_at_once(&log(events), FoldSettings::default()).deltas;
    let each = deltas.iter().flat_map(|delta| delta.contests.iter().map(move |contest| (delta, contest)));
    each.map(|(delta, contest)| ((**delta).clone(), contest.clone())).collect()
}

fn names((delta, contest): &(Delta, Contest)) -> (Vec<&str>, Vec<&str>) {
    let name = |at: u32| &*delta.strings[at as usize];
    (
        contest.candidates.iter().map(|candidate| name(candidate.title)).collect(),
        contest.sources.iter().map(|source| name(*source)).collect(),
    )
}

#[test]
fn a_play_is_held_against_what_the_same_request_showed() {
    let shown = |request: &str, position: u32| json!({"request": request, "position": position});
    let found = contests(&[
        ("play", "heat", json!({})),
        ("play", "ran", json!({})),
        ("impression", "alien", shown("r0", 0)),
        ("impression", "brazil", shown("r1", 0)),
        ("impression", "alien", shown("r1", 1)),
        ("impression", "ran", shown("r1", 12)),
        ("impression", "solaris", json!({})),
        ("play", "alien", json!({"request": "r1"})),
        ("play", "ran", json!({"request": "r1"})),
    ]);
    let [first, second] = &found[..] else { panic!("{found:?}") };
    assert_eq!(names(first), (vec!["alien", "brazil", "ran"], vec!["ran", "heat"]));
    assert_eq!(names(second), (vec!["ran", "brazil"], vec!["alien", "ran", "heat"]), "what is taken is out");
    let of = |at: usize| (first.1.candidates[at].band, first.1.candidates[at].shown_before);
    let band = |position| Some(PositionBand::of(position));
    assert_eq!([of(0), of(1), of(2)], [(band(1), 1), (band(0), 0), (band(12), 0)]);
    assert_eq!((first.1.position, i64::from(first.1.at_s)), (Position(8), START_MS / 1_000 + 5));
}

#[test]
fn what_stood_beside_a_title_is_known_by_the_request_alone() {
    let without = contests(&[
        ("impression", "alien", json!({})),
        ("impression", "brazil", json!({})),
        ("play", "alien", json!({})),
    ]);
    assert!(without.is_empty());
    let alone = contests(&[
        ("impression", "alien", json!({"request": "r"})),
        ("play", "alien", json!({"request": "r"})),
    ]);
    assert!(alone.is_empty(), "nothing was to be chosen");
}

#[test]
fn of_a_long_list_as_many_are_kept_evenly() {
    let titles: Vec<String> = (0..200).map(|number| format!("t{number}")).collect();
    let mut events: Vec<(&str, &str, Value)> =
        titles.iter().map(|title| ("impression", title.as_str(), json!({"request": "r"}))).collect();
    events.push(("play", "t150", json!({"request": "r"})));
    let found = contests(&events);
    let (candidates, _) = names(&found[0]);
    assert_eq!((candidates.len(), candidates[0]), (MOST_CANDIDATES, "t150"));
    let numbers: Vec<u32> =
        candidates[1..].iter().map(|title| title[1..].parse().expect("a number")).collect();
    assert!(numbers.is_sorted() && numbers[0] == 0 && numbers[62] > 190, "{numbers:?}");
}

#[test]
fn nothing_is_kept_of_whoever_is_erased() {
    let shown = || json!({"request": "r"});
    let mut events =
        vec![("impression", "alien", shown()), ("impression", "brazil", shown()), ("play", "alien", shown())];
    let mut sums = Aggregates::new(1, AggregateSettings::default());
    let kept = |sums: &Aggregates| sums.contests().by_partition().flatten().count();
    fold_at_once(&log(&events), FoldSettings::default()).deltas.iter().for_each(|delta| {
        sums.add(delta);
    });
    assert_eq!(kept(&sums), 1);
    events.push(("forget", "", json!({})));
    let erasing = Delta {
        partition: PartitionId(0),
        after: Position(3),
        position: Position(4),
        erased: fold_at_once(&log(&events), FoldSettings::default())
            .deltas
            .iter()
            .flat_map(|delta| delta.erased.clone())
            .collect(),
        strings: vec![Arc::from("")],
        ..Delta::default()
    };
    sums.add(&erasing);
    assert_eq!(kept(&sums), 0);
    let together = fold_at_once(&log(&events), FoldSettings::default());
    assert!(together.deltas.iter().all(|delta| delta.contests.is_empty()), "of one commit, too");
}
