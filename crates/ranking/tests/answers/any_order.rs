//! Aggregates are the same sums whatever the order, grouping and repetition of their deltas (I2).

use crate::harness::{Harness, Step, fold_events, records_of, steps, stream};
use nearline_model::aggregates::{ALL, Added};
use nearline_model::catalogue::Catalogue;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, Delta, FoldSettings};
use nearline_ranking::trending::{TrendQuery, trending};
use nearline_ranking::{Query, rank, similar};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

const PARTITIONS: u16 = 3;

/// Short enough that counts and decayed sums run out within a stream.
fn fading() -> AggregateSettings {
    AggregateSettings {
        epochs: 48,
        popularity_half_life_epochs: 3,
        trend_half_life_epochs: 1,
        place_epochs: 9,
        variant_epochs: 20,
        arm_half_life_epochs: 2,
        ..AggregateSettings::default()
    }
}

/// The deltas of each partition, with a commit after every so many records.
fn deltas(steps: &[Step], commits: &[usize]) -> Vec<Vec<Arc<Delta>>> {
    let log = stream(steps);
    (0..PARTITIONS)
        .map(|partition| {
            let mut harness = Harness::new(partition, PARTITIONS, FoldSettings::default());
            let records = records_of(&log, partition, PARTITIONS);
            let (mut rest, mut sizes) = (records.as_slice(), commits.iter().cycle());
            while !rest.is_empty() {
                let (batch, later) =
                    rest.split_at(rest.len().min(*sizes.next().expect("a cycle has no end")));
                harness.fold(batch);
                harness.commit();
                rest = later;
            }
            harness.deltas
        })
        .collect()
}

fn added_in_order(deltas: &[Vec<Arc<Delta>>]) -> Aggregates {
    let mut aggregates = Aggregates::new(PARTITIONS, fading());
    for delta in deltas.iter().flatten() {
        assert_eq!(aggregates.add(delta), Added::Now);
    }
    aggregates
}

/// Adds the deltas with partitions interleaved by `turns`; tries each that follows before its time,
/// and each again.
fn added_interleaved(deltas: &[Vec<Arc<Delta>>], turns: &[usize]) -> Aggregates {
    let mut aggregates = Aggregates::new(PARTITIONS, fading());
    let mut next = vec![0; deltas.len()];
    let mut turns = turns.iter().cycle();
    while next.iter().zip(deltas).any(|(next, deltas)| *next < deltas.len()) {
        let turn = turns.next().expect("a cycle has no end");
        let open: Vec<usize> = (0..deltas.len()).filter(|p| next[*p] < deltas[*p].len()).collect();
        let partition = open[turn % open.len()];
        let queue = &deltas[partition][next[partition]..];
        let after = aggregates.positions()[partition];
        if let Some(too_early) = queue.get(1) {
            assert_eq!(aggregates.add(too_early), Added::Gap { after });
        }
        assert_eq!(aggregates.add(&queue[0]), Added::Now);
        assert_eq!(aggregates.add(&queue[0]), Added::Before);
        next[partition] += 1;
    }
    aggregates
}

fn answers(aggregates: &Aggregates) -> Vec<String> {
    let catalogue = Catalogue::default();
    let query = |country, device| Query { limit: 100, country, device, explain: true, ..Query::default() };
    let mut answers = vec![
        format!("{:?}", rank(aggregates, &catalogue, None, &query(None, None))),
        format!("{:?}", rank(aggregates, &catalogue, None, &query(Some("BR"), Some("tv")))),
    ];
    for dimensions in [&[][..], &["device:phone"], &["country:BR", "device:tv"]] {
        let query = TrendQuery { dimensions, limit: 100, ..TrendQuery::default() };
        answers.push(format!("{:?}", trending(aggregates, &catalogue, &query)));
    }
    answers.extend((0..9).map(|title| {
        format!(
            "{:?}",
            similar(aggregates, &catalogue, &format!("t{title}"), &Query { limit: 100, ..Query::default() })
        )
    }));
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn order_and_grouping_of_deltas_do_not_matter(
        steps in steps(150, 3_600),
        commits in prop::collection::vec(1..30_usize, 1..6),
        turns in prop::collection::vec(0..6_usize, 1..20),
    ) {
        let one_each = added_in_order(&deltas(&steps, &[usize::MAX]));
        let many = added_interleaved(&deltas(&steps, &commits), &turns);
        prop_assert_eq!(many.encode_contents(), one_each.encode_contents());
        prop_assert_eq!(many.positions(), one_each.positions());
        prop_assert_eq!(answers(&many), answers(&one_each));
    }

    #[test]
    fn stored_and_read_again_they_are_the_same_and_go_on_the_same(
        steps in steps(150, 3_600), commits in prop::collection::vec(1..30_usize, 1..6), split in 0..10_usize,
    ) {
        let deltas: Vec<_> = deltas(&steps, &commits).into_iter().flatten().collect();
        let (early, late) = deltas.split_at(split.min(deltas.len()));
        let mut kept = Aggregates::new(PARTITIONS, fading());
        for delta in early {
            kept.add(delta);
        }
        let stored = kept.encode();
        let mut read = Aggregates::decode(&stored, PARTITIONS, &fading()).expect("just written");
        prop_assert_eq!(read.encode(), stored);
        prop_assert_eq!(answers(&read), answers(&kept));
        for delta in late {
            prop_assert_eq!(kept.add(delta), read.add(delta));
        }
        prop_assert_eq!(read.encode(), kept.encode());
        prop_assert_eq!(answers(&read), answers(&kept));
    }
}

#[test]
fn beyond_the_limit_of_transitions_they_are_stored_and_read_all_the_same() {
    let plays = ["a", "b", "c", "d", "e"].map(|title| ("play", title, json!({})));
    let harness = fold_events(FoldSettings::default(), &plays);
    let settings = AggregateSettings { transitions: 5, titles: 4, dimensions: 1, arms: 1, ..fading() };
    let mut aggregates = Aggregates::new(1, settings.clone());
    harness.add_to(&mut aggregates);
    assert_eq!((aggregates.transition_count(), aggregates.title_count()), (4, 4));
    let stored = aggregates.encode();
    let read = Aggregates::decode(&stored, 1, &settings).expect("just written");
    assert_eq!(read.encode(), stored);
}

#[test]
fn titles_are_counted_by_country_device_and_altogether() {
    let fields = json!({"country": "BR", "device": "tv"});
    let events = [("play", "a", fields.clone()), ("impression", "a", fields), ("play", "b", json!({}))];
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    fold_events(FoldSettings::default(), &events).add_to(&mut aggregates);
    let counts = |dimension: &str, title: &str| {
        let counters = aggregates.counters(dimension)?.title(aggregates.title(title)?)?;
        Some(counters.epochs.iter().map(|(_, c)| (c.impressions, c.plays)).collect::<Vec<_>>())
    };
    for dimension in [ALL, "country:BR", "device:tv"] {
        assert_eq!(counts(dimension, "a"), Some(vec![(1, 1)]), "{dimension}");
    }
    assert_eq!(counts(ALL, "b"), Some(vec![(0, 1)]));
    assert_eq!(counts("country:BR", "b"), None);
}

#[test]
fn impressions_and_their_plays_are_counted_by_row_position_and_variant() {
    let shown = json!({"request": "r1-x-home-b", "row": "top10", "position": 12});
    let played = json!({"request": "r1-x-home-b"});
    let watched = json!({"watched_s": 300});
    let events = [
        ("impression", "a", shown.clone()),
        ("impression", "b", shown),
        ("play", "a", played),
        ("progress", "a", watched.clone()),
        ("progress", "a", watched),
    ];
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    fold_events(FoldSettings::default(), &events).add_to(&mut aggregates);
    let title = aggregates.title("a").expect("counted");
    for dimension in [ALL, "row:top10", "position:10-14"] {
        let counters = aggregates.counters(dimension).and_then(|table| table.title(title));
        let (_, counts) = counters.expect(dimension).epochs[0];
        assert_eq!((counts.impressions, counts.attributed, counts.quality), (1, 1, 1), "{dimension}");
    }
    assert_eq!(aggregates.variants().collect::<Vec<_>>(), [("home", "b")]);
    let variant = aggregates.variant_counts("home", "b").expect("counted").totals();
    assert_eq!((variant.impressions, variant.attributed, variant.quality), (2, 1, 1));
    assert_eq!(aggregates.variant_counts("home", "a"), None);
}
