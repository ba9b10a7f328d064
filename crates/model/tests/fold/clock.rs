//! A log whose clock jumps: what was counted stays counted, and life goes on.

use crate::harness::{Harness, START_MS, event, record};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord};
use serde_json::json;

const DAY_MS: i64 = 86_400_000;

struct Log {
    records: Vec<LogRecord>,
}

impl Log {
    /// One more event, whose publisher has the log's clock.
    fn add(&mut self, kind: &str, member: &str, title: &str, at_ms: i64) {
        let at = self.records.len() as u64 + 1;
        let fields = json!({"country": "BR", "row": "top", "request": format!("r{}", (at - 1) / 2)});
        self.records.push(record(at, at_ms, &event(&format!("e{at}"), kind, member, title, at_ms, fields)));
    }

    /// Impressions and plays of a minute.
    fn minute(&mut self, at_ms: i64) {
        for second in 0..30 {
            let (member, at_ms) = (format!("m{}", second % 5), at_ms + second * 2_000);
            self.add("impression", &member, "t", at_ms);
            self.add("play", &member, "t", at_ms + 1_000);
        }
    }
}

fn folded(log: &Log) -> (Harness, Aggregates) {
    let mut harness = Harness::new(0, 1, FoldSettings::default());
    for records in log.records.chunks(13) {
        harness.fold(records);
        harness.commit();
        harness.restart();
    }
    let mut sums = Aggregates::new(1, AggregateSettings::default());
    harness.add_to(&mut sums);
    (harness, sums)
}

/// Impressions and attributed plays of `t` in the window, everywhere and in the row.
fn taken(sums: &Aggregates) -> Vec<(u32, u32)> {
    let title = sums.title("t").expect("counted");
    let of = |dimension: &str| {
        let counters = sums.counters(dimension).and_then(|table| table.title(title));
        counters
            .into_iter()
            .flat_map(|counters| &counters.epochs)
            .fold((0, 0), |(shown, taken), (_, counts)| {
                (shown + counts.impressions, taken + counts.attributed)
            })
    };
    ["all", "country:BR", "row:top"].map(of).to_vec()
}

#[test]
fn a_second_of_a_clock_that_is_days_ahead_spoils_no_sums() {
    for ahead_ms in [DAY_MS, 3 * DAY_MS, 400 * DAY_MS] {
        let mut log = Log { records: Vec::new() };
        log.minute(START_MS);
        log.minute(START_MS + 60_000 + ahead_ms);
        log.minute(START_MS + 120_000);
        let (harness, sums) = folded(&log);
        assert_eq!(taken(&sums), [(90, 90); 3], "{ahead_ms}");
        assert_eq!(harness.counted.ahead, 60);
        assert_eq!(sums.newest_epoch(), nearline_model::delta::epoch_of(START_MS));
    }
}

#[test]
fn a_member_erased_while_the_clock_was_ahead_is_known_again_by_what_comes_after() {
    for ahead_ms in [DAY_MS, 3 * DAY_MS, 400 * DAY_MS] {
        let mut log = Log { records: Vec::new() };
        log.add("play", "m", "before", START_MS);
        log.add("forget", "m", "before", START_MS + 500 + ahead_ms);
        log.add("play", "m", "after", START_MS + 1_000);
        let (mut harness, _) = folded(&log);
        let member = harness.snapshot("m");
        assert_eq!(member.history.iter().map(|w| &*w.title).collect::<Vec<_>>(), ["after"], "{ahead_ms}");
        assert_eq!(member.newest_at.as_deref(), Some("2026-03-01T00:00:01.000Z"));
    }
}

#[test]
fn what_comes_after_an_erasure_while_the_clock_is_doubted_is_kept() {
    let mut log = Log { records: Vec::new() };
    log.add("play", "m", "before", START_MS);
    let ahead_ms = START_MS + 3 * DAY_MS;
    log.add("forget", "m", "before", ahead_ms);
    log.add("play", "m", "after", ahead_ms + 10);
    let (mut harness, _) = folded(&log);
    let member = harness.snapshot("m");
    assert_eq!(member.history.iter().map(|w| &*w.title).collect::<Vec<_>>(), ["after"]);
}

#[test]
fn a_first_record_from_the_future_is_outgrown() {
    let mut log = Log { records: Vec::new() };
    log.add("play", "m", "first", START_MS + 400 * DAY_MS);
    log.add("thumb", "m", "first", START_MS + 400 * DAY_MS + 10);
    log.records[1].payload =
        event("e2", "thumb", "m", "first", START_MS + 400 * DAY_MS + 10, json!({"value": -1}))
            .to_string()
            .into();
    log.add("forget", "n", "x", START_MS + 400 * DAY_MS + 20);
    for minute in 0..10 {
        log.add("play", "other", "t", START_MS + minute * 60_000);
    }
    let now_ms = START_MS + 600_000;
    log.add("play", "m", "second", now_ms);
    log.add("play", "n", "second", now_ms);
    let (mut harness, _) = folded(&log);
    assert_eq!(harness.partition.log_time_ms(), now_ms);
    let history = |harness: &mut Harness, member: &str| {
        harness.snapshot(member).history.iter().map(|w| w.title.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(history(&mut harness, "m"), ["first", "second"], "what came later is later");
    assert_eq!(history(&mut harness, "n"), ["second"]);
    assert_eq!(harness.snapshot("m").newest_at.as_deref(), Some("2026-03-01T00:10:00.000Z"));
}

#[test]
fn a_client_ahead_of_the_log_is_bounded_by_the_time_that_is_believed() {
    let mut harness = Harness::new(0, 1, FoldSettings::default());
    let ahead = START_MS + 3 * DAY_MS;
    harness.fold(&[
        record(1, START_MS, &event("e1", "play", "m", "a", ahead, json!({}))),
        record(2, ahead, &event("e2", "play", "m", "b", ahead + DAY_MS, json!({}))),
        record(3, START_MS + 5_000, &event("e3", "play", "m", "c", START_MS + 5_000, json!({}))),
    ]);
    let history: Vec<_> =
        harness.snapshot("m").history.iter().map(|w| (w.title.to_string(), w.at_s)).collect();
    let start_s = (START_MS / 1_000) as u32;
    let expected = [("a", start_s), ("b", start_s), ("c", start_s + 5)];
    assert_eq!(history, expected.map(|(title, at_s)| (title.to_owned(), at_s)));
}

#[test]
fn a_clock_that_falls_back_for_a_second_takes_nothing_out_of_the_window() {
    let mut log = Log { records: Vec::new() };
    log.minute(START_MS);
    // The log's clock says 1970, the publisher's is right.
    let at_ms = START_MS + 61_000;
    log.add("impression", "m1", "t", at_ms);
    log.add("play", "m1", "t", at_ms + 500);
    for record in &mut log.records[60..] {
        record.log_ms = 1_000;
    }
    log.minute(START_MS + 120_000);
    let (harness, sums) = folded(&log);
    assert_eq!(taken(&sums), [(61, 61); 3]);
    assert_eq!(harness.counted.behind, 2);
}
