//! What is chosen from the stream, and what it is chosen on.

use crate::harness::{START_MS, event, fold_at_once, record};
use nearline_model::Position;
use nearline_model::catalogue::Catalogue;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord};
use nearline_ranking::tuning::Tuning;
use nearline_ranking::{Learned, Query, next};
use serde_json::json;

const TITLES: usize = 60;

fn sums(events: &[(String, &str, String)]) -> Aggregates {
    let log: Vec<LogRecord> = (1..)
        .zip(events)
        .map(|(position, (member, kind, title))| {
            let at_ms = START_MS + position as i64 * 1_000;
            let event = event(&format!("e{position}"), kind, member, title, at_ms, json!({}));
            record(position, at_ms, &event)
        })
        .collect();
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    fold_at_once(&log, FoldSettings::default()).add_to(&mut aggregates);
    aggregates
}

/// Members who begin anywhere on a ring of titles and go on along it, play by play.
fn ring(members: usize) -> Vec<(String, &'static str, String)> {
    let of = |member: usize| {
        (0..6)
            .map(move |step| (format!("m{member}"), "play", format!("t{:02}", (member * 17 + step) % TITLES)))
    };
    (0..members).flat_map(of).collect()
}

fn tuning(events: &[(String, &str, String)]) -> Tuning {
    Learned::of(&sums(events), &Catalogue::default(), 100).tuning
}

#[test]
fn weights_are_chosen_that_find_what_is_played_and_equal_sums_choose_alike() {
    let events = ring(1_500);
    let chosen = tuning(&events);
    assert_eq!(chosen, tuning(&events));
    assert_eq!(chosen.groups.len(), 5);
    for group in &chosen.groups[1..3] {
        assert!(group.probes > 50, "{group:?}");
        assert!(group.gain > 0.95, "the next title of the ring follows from the last: {group:?}");
    }
    for group in &chosen.groups {
        // Weights between titles are made alike for all, so a group may lose a little by that.
        assert!(group.gain >= group.gain_of_defaults - 0.01, "{group:?}");
    }
}

#[test]
fn nothing_is_chosen_from_little() {
    assert_eq!(tuning(&ring(20)), Tuning::default());
}

#[test]
fn probes_are_bounded_and_are_the_newest() {
    let all = sums(&ring(8_000));
    let probes: Vec<_> = all.probes().iter().collect();
    assert_eq!(probes.len(), 4_096);
    assert!(probes.is_sorted_by_key(|probe| probe.position));
    assert!(probes[0].position > Position(10_000), "{}", probes[0].position);
    assert_eq!(all.encode_contents(), sums(&ring(8_000)).encode_contents());
}

#[test]
fn what_is_erased_is_no_probe_and_others_stay() {
    let plays = |member: &str| {
        let member = member.to_owned();
        (0..400).map(move |step| (member.clone(), "play", format!("t{step}"))).collect::<Vec<_>>()
    };
    let both = [plays("ana"), plays("ben")].concat();
    let count = |events: &[(String, &str, String)]| sums(events).probes().iter().count();
    let (of_ana, of_both) = (count(&plays("ana")), count(&both));
    assert!(of_ana > 20 && of_both > of_ana + 20, "{of_ana}, {of_both}");
    let forget = |member: &str| vec![(member.to_owned(), "forget", "t1".to_owned())];
    assert_eq!(count(&[both.clone(), forget("ben")].concat()), of_ana);
    assert_eq!(count(&[both, forget("ben"), forget("ana")].concat()), 0);
}

#[test]
fn titles_beyond_those_solved_together_are_ranked_as_if_they_were_among_them() {
    let aggregates = sums(&ring(600));
    let catalogue = Catalogue::default();
    let [whole, halved] = [TITLES, TITLES / 2].map(|most| Learned::of(&aggregates, &catalogue, most));
    assert_eq!((whole.associations.titles().len(), halved.associations.titles().len()), (61, 31));
    let mut same = 0;
    for title in 0..TITLES {
        let first = |learned| {
            let query = Query { limit: 1, learned: Some(learned), ..Query::default() };
            next(&aggregates, &catalogue, &format!("t{title:02}"), &query).remove(0).title
        };
        same += usize::from(first(&whole) == first(&halved));
    }
    assert!(same >= TITLES * 9 / 10, "{same} of {TITLES} titles are followed by the same");
}
