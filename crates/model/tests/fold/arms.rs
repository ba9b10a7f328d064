//! Artwork arms: impressions count where they name an artwork, takes where a play belongs to one.

use crate::harness::{START_MS, event, fold_at_once, fold_events, record};
use nearline_model::aggregates::arms::{ArtworkTally, Tally};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings};
use serde_json::{Value, json};

const HALF_LIFE_MS: i64 = 1_440 * 1_800_000;

fn shown(artwork: &str, segment: &str) -> Value {
    json!({"request": format!("r-{artwork}-{segment}"), "artwork": artwork, "propensity": 0.5, "segment": segment})
}

fn played(artwork: &str, segment: &str) -> Value {
    json!({"request": format!("r-{artwork}-{segment}")})
}

fn tallies(aggregates: &Aggregates, title: &str, artworks: &[&str], segment: &str) -> Vec<ArtworkTally> {
    let title = aggregates.title(title).expect("counted");
    aggregates.arms().tallies(title, artworks.iter().copied(), segment)
}

fn tally(shown: f64, taken: f64) -> Tally {
    Tally { shown, taken }
}

fn close(a: Tally, b: Tally) -> bool {
    (a.shown - b.shown).abs() < 1e-3 && (a.taken - b.taken).abs() < 1e-3
}

#[test]
fn an_artwork_is_taken_where_a_play_belongs_to_its_impression() {
    let events = [
        ("impression", "t", shown("a", "drama")),
        ("impression", "t", shown("b", "drama")),
        ("impression", "t", shown("a", "comedy")),
        ("impression", "t", json!({"request": "plain"})),
        ("play", "t", played("a", "drama")),
        ("play", "t", played("a", "drama")),
        ("play", "t", json!({"request": "plain"})),
    ];
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    fold_events(FoldSettings::default(), &events).add_to(&mut aggregates);
    let drama = tallies(&aggregates, "t", &["a", "b", "never"], "drama");
    assert!(close(drama[0].segment, tally(1.0, 1.0)), "a second play takes nothing: {:?}", drama[0]);
    assert!(close(drama[0].others, tally(1.0, 0.0)), "{:?}", drama[0]);
    assert!(close(drama[1].segment, tally(1.0, 0.0)), "{:?}", drama[1]);
    assert_eq!(drama[2], ArtworkTally::default());
    assert!(close(aggregates.arms().overall(), tally(3.0, 1.0)), "an impression without artwork is no arm");
    assert_eq!(aggregates.arms().len(), 3);
}

#[test]
fn an_impression_that_arrives_after_its_play_is_taken_too() {
    let late = event("i", "impression", "m", "t", START_MS, shown("a", "drama"));
    let play = event("p", "play", "m", "t", START_MS + 5_000, played("a", "drama"));
    let records = [record(1, START_MS + 6_000, &play), record(2, START_MS + 7_000, &late)];
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    fold_at_once(&records, FoldSettings::default()).add_to(&mut aggregates);
    assert!(close(tallies(&aggregates, "t", &["a"], "drama")[0].segment, tally(1.0, 1.0)));
}

#[test]
fn what_was_learned_fades_by_half_in_a_half_life() {
    let events = [(START_MS, shown("a", "drama")), (START_MS + HALF_LIFE_MS, shown("b", "drama"))];
    let records: Vec<_> = (1..)
        .zip(&events)
        .map(|(position, (at_ms, fields))| {
            let event = event(&format!("e{position}"), "impression", "m", "t", *at_ms, fields.clone());
            record(position, *at_ms, &event)
        })
        .collect();
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    let believing = FoldSettings { clock_jump_seconds: u32::MAX, ..FoldSettings::default() };
    fold_at_once(&records, believing).add_to(&mut aggregates);
    let tallies = tallies(&aggregates, "t", &["a", "b"], "drama");
    assert!(close(tallies[0].segment, tally(0.5, 0.0)), "{tallies:?}");
    assert!(close(tallies[1].segment, tally(1.0, 0.0)), "{tallies:?}");
}

#[test]
fn beyond_their_limit_arms_are_not_counted_and_those_known_still_are() {
    let events: Vec<_> =
        ["a", "b", "c", "a"].map(|artwork| ("impression", "t", shown(artwork, "drama"))).into();
    let settings = AggregateSettings { arms: 2, ..AggregateSettings::default() };
    let mut aggregates = Aggregates::new(1, settings.clone());
    fold_events(FoldSettings::default(), &events).add_to(&mut aggregates);
    assert!(aggregates.arms().len() <= 2);
    assert!(close(tallies(&aggregates, "t", &["a"], "drama")[0].segment, tally(2.0, 0.0)));
    let stored = aggregates.encode();
    assert_eq!(Aggregates::decode(&stored, 1, &settings).expect("just written").encode(), stored);
}
