//! Attribution of plays to impressions against a brute-force oracle: the events by event time, each
//! once, all of them at hand.

use crate::harness::{START_MS, event, fold_at_once, record};
use nearline_model::delta::epoch_of;
use nearline_model::{FoldSettings, LogRecord};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const HOUR_MS: i64 = 3_600_000;
/// The default of `quality_window_seconds`.
const WINDOW_MS: i64 = 14_400_000;

/// A title shown to a member, and what came of it.
#[derive(Debug, Clone)]
struct Showing {
    member: u8,
    title: u8,
    country: usize,
    gap_ms: i64,
    /// From the impression to the play; before it, or too late, for some.
    play_ms: Option<i64>,
    is_lost: bool,
    /// From the play to the progress that tells enough was watched, if there is one.
    watched_ms: Option<i64>,
    /// Delivery after the event, of the impression, of the play and of the progress.
    late_ms: [i64; 3],
    /// Redelivery after the first delivery, of the same.
    again_ms: [Option<i64>; 3],
}

fn showings() -> impl Strategy<Value = Vec<Showing>> {
    let again = || prop::option::weighted(0.15, 0..300_000_i64);
    // Around both ends of the span, and in between.
    let play =
        prop_oneof![-5_000..5_000_i64, 0..HOUR_MS, HOUR_MS - 5_000..HOUR_MS + 5_000, Just(HOUR_MS), Just(0)];
    let watched = prop_oneof![-5_000..5_000_i64, 0..WINDOW_MS, WINDOW_MS - 5_000..WINDOW_MS + 5_000, Just(0)];
    let showing = (
        (0..4_u8, 0..5_u8, 0..3_usize, 0..120_000_i64),
        (prop::option::weighted(0.7, play), prop::bool::weighted(0.1)),
        prop::option::weighted(0.5, watched),
        ([0..60_000_i64, 0..60_000_i64, 0..60_000_i64], [again(), again(), again()]),
    );
    let showing =
        showing.prop_map(
            |((member, title, country, gap_ms), (play_ms, is_lost), watched_ms, (late_ms, again_ms))| {
                Showing { member, title, country, gap_ms, play_ms, is_lost, watched_ms, late_ms, again_ms }
            },
        );
    prop::collection::vec(showing, 1..80)
}

/// Impressions, attributed plays, quality plays by title, epoch and country.
type Cells = BTreeMap<(String, u32, String), (u32, u32, u32)>;

/// The log in the order of delivery, and the exact answer.
fn log_and_answer(showings: &[Showing]) -> (Vec<LogRecord>, Cells) {
    let (mut deliveries, mut answer): (Vec<(i64, Value)>, Cells) = Default::default();
    let mut shown_ms = START_MS;
    // Member, title, time of each attributed play with its cell, and of each time enough was watched.
    let (mut taken, mut watched) = (Vec::new(), Vec::new());
    for (at, showing) in showings.iter().enumerate() {
        shown_ms += showing.gap_ms;
        let country = ["", "BR", "JP"][showing.country];
        let (member, title) = (format!("m{}", showing.member), format!("t{}", showing.title));
        let mut fields = json!({"request": format!("r{at}")});
        if !country.is_empty() {
            fields["country"] = json!(country);
        }
        // Read in progress events only: plays carry none here.
        let enough = json!({"watched_s": 120});
        let mut deliver = |which: usize, kind: &str, at_ms: i64| {
            let fields = if kind == "progress" { enough.clone() } else { fields.clone() };
            let event = event(&format!("{kind}-{at}"), kind, &member, &title, at_ms, fields);
            let first_ms = at_ms + showing.late_ms[which];
            deliveries.extend(showing.again_ms[which].map(|again_ms| (first_ms + again_ms, event.clone())));
            deliveries.push((first_ms, event));
        };
        let cell = (title.clone(), epoch_of(shown_ms), country.to_owned());
        if !showing.is_lost {
            deliver(0, "impression", shown_ms);
            answer.entry(cell.clone()).or_default().0 += 1;
        }
        if let Some(play_ms) = showing.play_ms {
            deliver(1, "play", shown_ms + play_ms);
            if !showing.is_lost && (0..=HOUR_MS).contains(&play_ms) {
                answer.entry(cell.clone()).or_default().1 += 1;
                taken.push((showing.member, showing.title, shown_ms + play_ms, cell));
            }
            if let Some(watched_ms) = showing.watched_ms {
                deliver(2, "progress", shown_ms + play_ms + watched_ms);
                watched.push((showing.member, showing.title, shown_ms + play_ms + watched_ms));
            }
        }
    }
    for (member, title, play_ms, cell) in taken {
        let is_quality = |(by, what, at_ms): &(u8, u8, i64)| {
            (*by, *what) == (member, title) && (play_ms..=play_ms + WINDOW_MS).contains(at_ms)
        };
        if watched.iter().any(is_quality) {
            answer.entry(cell).or_default().2 += 1;
        }
    }
    deliveries.sort_by_key(|(at_ms, _)| *at_ms);
    let records = deliveries.iter().enumerate();
    (records.map(|(at, (log_ms, event))| record(at as u64 + 1, *log_ms, event)).collect(), answer)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn impressions_and_their_plays_are_counted_as_by_the_oracle(showings in showings()) {
        let (log, answer) = log_and_answer(&showings);
        let harness = fold_at_once(&log, FoldSettings::default());
        let mut counted = Cells::new();
        // No delta where every impression is lost and nothing is played.
        for delta in &harness.deltas {
            let text = |local: u32| delta.strings[local as usize].to_string();
            for cell in &delta.cells {
                let counts = counted.entry((text(cell.title), cell.epoch, text(cell.country))).or_default();
                counts.0 += cell.counts.impressions;
                counts.1 += cell.counts.attributed;
                counts.2 += cell.counts.quality;
            }
        }
        counted.retain(|_, counts| *counts != (0, 0, 0));
        prop_assert_eq!(counted, answer);
    }
}
