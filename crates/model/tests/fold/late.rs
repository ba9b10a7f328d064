//! Events that arrive late: event time decides, whatever the order of arrival.

use crate::harness::{Harness, START_MS, event, record};
use nearline_model::{FoldSettings, LogRecord, MemberSnapshot};
use proptest::prelude::*;
use serde_json::{Value, json};

/// An event of `m`: type, title, seconds after the start, fields.
type Told<'a> = (&'a str, &'a str, i64, Value);

/// Folds events of `m` in the order given, all of them received a day later.
fn fold_in_order(told: &[Told<'_>]) -> Harness {
    let mut harness = Harness::new(0, 1, FoldSettings::default());
    harness.fold(&log(told));
    harness.commit();
    harness
}

fn log(told: &[Told<'_>]) -> Vec<LogRecord> {
    let records = told.iter().enumerate().map(|(at, (kind, title, at_s, fields))| {
        let event = event(&format!("e{at}"), kind, "m", title, START_MS + at_s * 1_000, fields.clone());
        record(at as u64 + 1, START_MS + 86_400_000, &event)
    });
    records.collect()
}

fn history(snapshot: &MemberSnapshot) -> Vec<(&str, u32)> {
    snapshot.history.iter().map(|watched| (&*watched.title, watched.watched_s)).collect()
}

#[test]
fn a_finished_title_stays_finished_when_older_progress_comes_late() {
    let mut harness = fold_in_order(&[
        ("progress", "a", 5_400, json!({"watched_s": 5_390, "duration_s": 5_400})),
        ("progress", "a", 600, json!({"watched_s": 600, "duration_s": 5_000})),
    ]);
    let snapshot = harness.snapshot("m");
    assert_eq!(history(&snapshot), [("a", 5_390)]);
    assert_eq!(snapshot.history[0].duration_s, 5_400);
}

#[test]
fn a_title_taken_off_the_list_stays_off_when_the_older_addition_comes_late() {
    let mut harness = fold_in_order(&[
        ("list_remove", "a", 20, json!({})),
        ("list_add", "a", 10, json!({})),
        ("list_add", "b", 30, json!({})),
        ("list_remove", "b", 25, json!({})),
        ("list_add", "c", 5, json!({})),
    ]);
    let list: Vec<String> = harness.snapshot("m").list.iter().map(|title| title.to_string()).collect();
    assert_eq!(list, ["c", "b"], "in the order in which they were put there");
}

#[test]
fn a_thumb_and_a_rating_are_the_newest_given_not_the_last_to_arrive() {
    let mut harness = fold_in_order(&[
        ("thumb", "a", 20, json!({"value": 2})),
        ("thumb", "a", 10, json!({"value": -1})),
        ("rating", "a", 15, json!({"value": 4.5})),
        ("rating", "a", 12, json!({"value": 1})),
        ("thumb", "b", 30, json!({"value": 0})),
        ("thumb", "b", 29, json!({"value": -1})),
    ]);
    let snapshot = harness.snapshot("m");
    let opinions: Vec<_> = snapshot.opinions.iter().map(|o| (&*o.title, o.thumb, o.rating)).collect();
    assert_eq!(opinions, [("a", Some(2), Some(4.5))]);
}

#[test]
fn at_equal_times_the_later_in_the_log_is_the_newer() {
    let mut harness = fold_in_order(&[
        ("play", "a", 10, json!({})),
        ("play", "b", 10, json!({})),
        ("thumb", "a", 10, json!({"value": 1})),
        ("thumb", "a", 10, json!({"value": -1})),
        ("progress", "a", 10, json!({"watched_s": 7})),
    ]);
    let snapshot = harness.snapshot("m");
    assert_eq!(history(&snapshot), [("b", 0), ("a", 7)]);
    assert_eq!(snapshot.opinions[0].thumb, Some(-1));
}

#[test]
fn a_late_play_follows_what_was_watched_before_it() {
    let harness = fold_in_order(&[
        ("play", "a", 10, json!({})),
        ("play", "c", 30, json!({})),
        ("play", "b", 20, json!({})),
    ]);
    let delta = &harness.deltas[0];
    let name = |at: u32| &*delta.strings[at as usize];
    let runs: Vec<_> = delta
        .transition_runs()
        .map(|(to, from)| (name(to), from.iter().map(|from| name(*from)).collect::<Vec<_>>()))
        .collect();
    assert_eq!(runs, [("a", vec![""]), ("c", vec!["a", ""]), ("b", vec!["a", ""])]);
}

#[test]
fn what_is_older_than_a_full_history_was_seen() {
    let settings = FoldSettings { history_titles: 2, ..FoldSettings::default() };
    let mut harness = Harness::new(0, 1, settings);
    let progress = json!({"watched_s": 60, "duration_s": 600});
    let told = [("play", "b", 20, json!({})), ("play", "c", 30, json!({})), ("progress", "a", 10, progress)];
    harness.fold(&log(&told));
    let snapshot = harness.snapshot("m");
    assert_eq!(history(&snapshot), [("b", 0), ("c", 0)]);
    assert_eq!(snapshot.seen.iter().map(|title| &**title).collect::<Vec<_>>(), ["a"]);
}

/// What a member is known by, positions in the log aside.
fn known(snapshot: &MemberSnapshot) -> Value {
    let history: Vec<_> =
        snapshot.history.iter().map(|w| json!([&*w.title, w.at_s, w.watched_s, w.duration_s])).collect();
    json!({"history": history, "list": snapshot.list, "opinions": snapshot.opinions, "newest": snapshot.newest_at})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Milliseconds apart, so that many times share a second; restarts in between, so that what is stored counts.
    #[test]
    fn any_order_of_a_members_events_leaves_the_same_history_list_opinions_and_progress(
        kinds in prop::collection::vec((0..7_usize, 0..5_u8, 0..4_u8), 1..40),
        apart_ms in prop::sample::select(vec![1_i64, 7, 333, 1_000, 61_001]),
        keys in prop::collection::vec(any::<u64>(), 40),
        batch in 1..9_usize,
    ) {
        const KINDS: [&str; 7] = ["play", "progress", "thumb", "rating", "list_add", "list_remove", "impression"];
        let events = kinds.iter().enumerate().map(|(at, (kind, title, value))| {
            let kind = KINDS[*kind];
            let mut fields = json!({});
            match kind {
                "play" if *value > 1 => fields["duration_s"] = json!(u32::from(*value) * 1_000),
                "progress" => fields = json!({"watched_s": u32::from(*value) * 10}),
                "thumb" => fields["value"] = json!(i32::from(*value) - 1),
                "rating" => fields["value"] = json!([0.0, 0.5, 3.0, 5.0][usize::from(*value)]),
                _ => {}
            }
            let at_ms = START_MS + at as i64 * apart_ms;
            event(&format!("e{at}"), kind, "m", &format!("t{title}"), at_ms, fields)
        });
        let events: Vec<Value> = events.collect();
        let mut shuffled: Vec<usize> = (0..events.len()).collect();
        shuffled.sort_by_key(|at| keys[*at]);
        let fold = |order: &[usize], batch: usize| {
            let mut harness = Harness::new(0, 1, FoldSettings::default());
            let records = order.iter().enumerate().map(|(at, event)| {
                record(at as u64 + 1, START_MS + 86_400_000, &events[*event])
            });
            for records in records.collect::<Vec<_>>().chunks(batch) {
                harness.fold(records);
                harness.commit();
                harness.restart();
            }
            known(&harness.snapshot("m"))
        };
        let in_order: Vec<usize> = (0..events.len()).collect();
        prop_assert_eq!(fold(&shuffled, batch), fold(&in_order, events.len()));
    }
}
