//! The rules of the fold, one by one.

use crate::harness::{
    Harness, START_MS, event, fold_at_once, fold_events, reasons, record, records, small_limits, steps,
    stream,
};
use nearline_model::Position;
use nearline_model::identifier::partition_of;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord, Member, MemberSnapshot, RejectReason};
use proptest::prelude::*;
use serde_json::json;

fn titles(snapshot: &MemberSnapshot) -> Vec<&str> {
    snapshot.history.iter().map(|watched| &*watched.title).collect()
}

#[test]
fn an_id_seen_before_changes_nothing() {
    let play = event("e1", "play", "m", "t1", START_MS, json!({}));
    let other = event("e1", "play", "m", "t2", START_MS + 1_000, json!({}));
    let mut harness = Harness::new(0, 1, FoldSettings::default());
    harness.fold(&[
        record(1, START_MS, &play),
        record(2, START_MS, &play),
        record(3, START_MS + 1_000, &other),
    ]);
    assert_eq!((harness.counted.changed, harness.counted.duplicates), (1, 2));
    assert_eq!(titles(&harness.snapshot("m")), ["t1"]);
}

#[test]
fn ids_are_remembered_for_their_time_by_the_clock_of_the_log() {
    let settings = FoldSettings::default();
    let span_ms = i64::from(settings.recent_seconds) * 1_000;
    let play = event("e1", "play", "m", "t1", START_MS, json!({}));
    let mut harness = Harness::new(0, 1, settings);
    harness.fold(&[record(1, START_MS, &play), record(2, START_MS + span_ms, &play)]);
    assert_eq!(harness.counted.duplicates, 1);
    harness.fold(&[record(3, START_MS + span_ms + 1_000, &play)]);
    assert_eq!(harness.counted.duplicates, 1, "too long ago");
}

#[test]
fn ids_are_remembered_up_to_their_number() {
    let settings = FoldSettings { recent_ids: 2, ..FoldSettings::default() };
    let plays = ["e1", "e2", "e1", "e3", "e1"].iter().enumerate();
    let log: Vec<LogRecord> = plays
        .map(|(at, id)| record(at as u64 + 1, START_MS, &event(id, "play", "m", "t", START_MS, json!({}))))
        .collect();
    let mut harness = fold_at_once(&log, settings);
    assert_eq!(harness.counted.duplicates, 1, "the third is known, the fifth was pushed out by the fourth");
    assert_eq!(harness.snapshot("m").recent_ids, 2);
}

#[test]
fn redelivered_positions_are_dropped_even_with_other_contents() {
    let mut harness = Harness::new(0, 1, FoldSettings::default());
    harness.fold(&[record(5, START_MS, &event("e1", "play", "m", "t1", START_MS, json!({})))]);
    let again = harness.fold(&[record(5, START_MS, &event("e2", "play", "m", "t2", START_MS, json!({})))]);
    assert_eq!(again, Default::default());
    assert_eq!(titles(&harness.snapshot("m")), ["t1"]);
}

#[test]
fn a_time_in_the_future_is_the_time_of_the_log() {
    let tomorrow = START_MS + 86_400_000;
    let mut harness = Harness::new(0, 1, FoldSettings::default());
    harness.fold(&[record(1, START_MS, &event("e1", "play", "m", "t1", tomorrow, json!({})))]);
    let watched = &harness.snapshot("m").history[0];
    assert_eq!(i64::from(watched.at_s) * 1_000, START_MS);
}

#[test]
fn a_member_of_another_partition_is_misrouted() {
    let home = partition_of("m", 8).0;
    let away = (home + 1) % 8;
    let mut harness = Harness::new(away, 8, FoldSettings::default());
    harness.fold(&[record(1, START_MS, &event("e1", "play", "m", "t1", START_MS, json!({})))]);
    assert_eq!(reasons(&harness.counted), [RejectReason::Misrouted]);
    assert!(harness.counted.rejected[0].reject.detail.contains(&format!("p{home:02}")));
    assert_eq!(harness.partition.cached_members(), 0);
}

#[test]
fn what_is_no_event_is_refused_and_the_next_one_folded() {
    let bad = LogRecord { position: Position(1), log_ms: START_MS, payload: "{\"id\":".into() };
    let good = record(2, START_MS, &event("e1", "play", "m", "t1", START_MS, json!({})));
    let harness = fold_at_once(&[bad, good], FoldSettings::default());
    assert_eq!((reasons(&harness.counted), harness.counted.changed), (vec![RejectReason::MalformedJson], 1));
}

#[test]
fn forget_erases_the_member_and_nothing_from_before_comes_back() {
    let play = |id: &str, at_ms| event(id, "play", "m", "t1", at_ms, json!({"country": "BR"}));
    let forget = event("f1", "forget", "m", "t1", START_MS + 60_000, json!({}));
    let mut harness = Harness::new(0, 1, FoldSettings::default());
    harness.fold(&[
        record(1, START_MS, &play("e1", START_MS)),
        record(2, START_MS, &event("e2", "list_add", "m", "t2", START_MS, json!({}))),
        record(3, START_MS, &event("e3", "thumb", "m", "t2", START_MS, json!({"value": -1}))),
        record(4, START_MS, &event("e4", "impression", "m", "t3", START_MS, json!({}))),
        record(5, START_MS + 60_000, &forget),
    ]);
    harness.commit();
    harness.partition.evict(0);
    let folded = harness.fold(&[
        record(6, START_MS + 61_000, &play("e1", START_MS)),
        record(7, START_MS + 62_000, &play("late", START_MS + 59_000)),
        record(8, START_MS + 63_000, &event("f0", "forget", "m", "t1", START_MS, json!({}))),
    ]);
    assert_eq!(
        (folded.changed, folded.duplicates, folded.before_erasure),
        (1, 1, 1),
        "a late `forget` is one"
    );
    let erased = harness.snapshot("m");
    assert!(erased.history.is_empty() && erased.seen.is_empty() && erased.list.is_empty());
    assert!(erased.opinions.is_empty() && erased.open_impressions.is_empty() && erased.newest_at.is_none());
    assert_eq!(erased.erased_at.as_deref(), Some("2026-03-01T00:01:00.000Z"));
    let folded = harness.fold(&[record(9, START_MS + 70_000, &play("new", START_MS + 70_000))]);
    assert_eq!(folded.changed, 1, "life goes on");
    assert_eq!(titles(&harness.snapshot("m")), ["t1"]);
}

#[test]
fn forget_erases_what_arrived_before_it_though_its_clock_is_behind() {
    let of = |id: &str, kind: &str, at_ms| event(id, kind, "m", "t1", at_ms, json!({}));
    let mut harness = Harness::new(0, 1, FoldSettings::default());
    harness.fold(&[
        record(1, START_MS, &of("f1", "forget", START_MS)),
        record(2, START_MS + 9_000, &of("e1", "play", START_MS + 5_000)),
        record(3, START_MS + 9_000, &of("e2", "list_add", START_MS + 6_000)),
        record(4, START_MS + 9_000, &of("f2", "forget", START_MS - 60_000)),
    ]);
    let erased = harness.snapshot("m");
    assert!(erased.history.is_empty() && erased.list.is_empty(), "{erased:?}");
    assert_eq!(erased.erased_at.as_deref(), Some("2026-03-01T00:00:00.000Z"), "it is not set back");
    let folded = harness.fold(&[record(5, START_MS + 10_000, &of("e3", "play", START_MS - 1))]);
    assert_eq!(folded.before_erasure, 1, "nothing from before the first one comes back");
    let folded = harness.fold(&[
        record(6, START_MS + 11_000, &of("e4", "play", START_MS + 11_000)),
        record(7, START_MS + 12_000, &of("f1-again", "forget", START_MS)),
        record(8, START_MS + 700_000, &of("f0", "forget", START_MS - 1)),
    ]);
    assert_eq!((folded.changed, folded.before_erasure), (1, 2), "one that comes again takes nothing");
    assert_eq!(titles(&harness.snapshot("m")), ["t1"]);
}

#[test]
fn the_history_holds_each_title_once_and_hands_the_oldest_to_seen() {
    let settings = FoldSettings { history_titles: 2, seen_titles: 2, ..FoldSettings::default() };
    let plays = ["a", "b", "a", "c", "d", "e"].map(|title| ("play", title, json!({})));
    let mut harness = fold_events(settings, &plays);
    let snapshot = harness.snapshot("m");
    assert_eq!(titles(&snapshot), ["d", "e"]);
    assert_eq!(snapshot.seen.iter().map(|title| &**title).collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn a_title_seen_long_ago_returns_to_the_history() {
    let settings = FoldSettings { history_titles: 2, ..FoldSettings::default() };
    let plays = ["a", "b", "c", "a"].map(|title| ("play", title, json!({})));
    let mut harness = fold_events(settings, &plays);
    let snapshot = harness.snapshot("m");
    assert_eq!(titles(&snapshot), ["c", "a"]);
    assert_eq!(snapshot.seen.iter().map(|title| &**title).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn progress_thumbs_ratings_and_lists_are_kept() {
    let mut harness = fold_events(
        FoldSettings::default(),
        &[
            ("play", "a", json!({"duration_s": 5400})),
            ("progress", "a", json!({"watched_s": 1200.5})),
            ("thumb", "a", json!({"value": 1})),
            ("rating", "a", json!({"value": 4.5})),
            ("thumb", "a", json!({"value": -1})),
            ("rating", "b", json!({"value": 0.5})),
            ("list_add", "c", json!({})),
            ("list_add", "d", json!({})),
            ("list_add", "c", json!({})),
            ("list_remove", "d", json!({})),
        ],
    );
    let snapshot = harness.snapshot("m");
    assert_eq!(titles(&snapshot), ["a", "b"]);
    assert_eq!((snapshot.history[0].watched_s, snapshot.history[0].duration_s), (1_200, 5_400));
    let opinions: Vec<_> = snapshot.opinions.iter().map(|o| (&*o.title, o.thumb, o.rating)).collect();
    assert_eq!(opinions, [("a", Some(-1), Some(4.5)), ("b", None, Some(0.5))]);
    assert_eq!(snapshot.list.iter().map(|title| &**title).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn a_rating_counts_as_a_play_the_first_time_only() {
    let rating = |value: f64| ("rating", "a", json!({"value": value}));
    let harness = fold_events(FoldSettings::default(), &[rating(3.0), rating(4.0)]);
    let plays: u32 = harness.deltas[0].cells.iter().map(|cell| cell.counts.plays).sum();
    assert_eq!(plays, 1);
}

#[test]
fn a_low_rating_is_no_sign_of_interest() {
    let low = |title| ("rating", title, json!({"value": 0.5}));
    let mut harness = fold_events(
        FoldSettings::default(),
        &[
            ("play", "a", json!({})),
            low("bad"),
            ("rating", "poor", json!({"value": 2.0})),
            ("play", "b", json!({})),
        ],
    );
    let delta = &harness.deltas[0];
    let name = |at: u32| &*delta.strings[at as usize];
    let played: Vec<_> = delta.cells.iter().map(|cell| (name(cell.title), cell.counts.plays)).collect();
    assert_eq!(played, [("a", 1), ("b", 1)], "neither popular nor trending");
    let runs: Vec<_> = delta
        .transition_runs()
        .map(|(to, from)| (name(to), from.iter().map(|from| name(*from)).collect::<Vec<_>>()))
        .collect();
    assert_eq!(runs, [("a", vec![""]), ("b", vec!["a", ""])], "neither followed nor following");
    assert_eq!(titles(&harness.snapshot("m")), ["a", "bad", "poor", "b"], "known all the same");
}

#[test]
fn what_a_member_comes_back_to_follows_nothing() {
    let titles = ["a", "b", "c"].iter().cycle().take(60);
    let plays: Vec<_> = titles.map(|title| ("play", *title, json!({}))).collect();
    let harness = fold_events(FoldSettings::default(), &plays);
    let delta = &harness.deltas[0];
    let name = |at: u32| &*delta.strings[at as usize];
    let runs: Vec<(&str, Vec<&str>)> = delta
        .transition_runs()
        .map(|(to, from)| (name(to), from.iter().map(|from| name(*from)).collect()))
        .collect();
    assert_eq!(runs[..3], [("a", vec![""]), ("b", vec!["a", ""]), ("c", vec!["b", "a", ""])]);
    assert!(runs.len() > 3 && runs.len() < 30, "probes alone are recorded, one of eight: {}", runs.len());
    let again: Vec<u32> = delta.probes.iter().filter(|p| p.again.is_some()).map(|p| p.run).collect();
    assert_eq!(again, (3..runs.len() as u32).collect::<Vec<_>>());
    for (to, known) in &runs[3..] {
        assert_eq!((known[0], known.contains(to)), ("", false), "all behind the beginning, in no pair");
    }
    let mut sums = Aggregates::new(1, AggregateSettings::default());
    sums.add(delta);
    let next = |from, to| {
        let [from, to] = [from, to].map(|title| sums.title(title).expect("played"));
        sums.transitions().after(from).map_or(0.0, |after| after.get(to).next())
    };
    assert_eq!((next("a", "b"), next("b", "c")), (1.0, 1.0));
    assert_eq!((next("c", "a"), next("b", "a")), (0.0, 0.0), "nobody chose it anew");
    assert_eq!(sums.plays(sums.title("a").expect("played")), 20);
}

#[test]
fn thumbs_ratings_and_progress_can_be_taken_back() {
    let mut harness = fold_events(
        FoldSettings::default(),
        &[
            ("play", "a", json!({"duration_s": 5400})),
            ("progress", "a", json!({"watched_s": 1200})),
            ("thumb", "a", json!({"value": -1})),
            ("rating", "a", json!({"value": 4.5})),
            ("thumb", "a", json!({"value": 0})),
            ("rating", "b", json!({"value": 0})),
        ],
    );
    let opinions = |snapshot: &MemberSnapshot| {
        snapshot.opinions.iter().map(|o| (o.title.to_string(), o.thumb, o.rating)).collect::<Vec<_>>()
    };
    let snapshot = harness.snapshot("m");
    assert_eq!(opinions(&snapshot), [("a".to_owned(), None, Some(4.5))]);
    assert_eq!(titles(&snapshot), ["a"], "a rating that was never given makes nothing known");
    let at = |seconds: i64| START_MS + 100_000 + seconds * 1_000;
    harness.fold(&[
        record(11, at(0), &event("x1", "rating", "m", "a", at(0), json!({"value": 0.0}))),
        record(12, at(1), &event("x2", "progress", "m", "a", at(1), json!({"watched_s": 0}))),
    ]);
    let snapshot = harness.snapshot("m");
    assert_eq!(opinions(&snapshot), []);
    assert_eq!((snapshot.history[0].watched_s, snapshot.history[0].duration_s), (0, 5400));
}

#[test]
fn a_full_symbol_table_takes_new_titles_and_keeps_those_that_are_used() {
    let settings = FoldSettings { symbols_per_partition: 4, ..FoldSettings::default() };
    let mut harness = Harness::new(0, 1, settings);
    let mut log = Vec::new();
    let mut add = |member: &str, title: &str| {
        let at = log.len() as u64 + 1;
        let at_ms = START_MS + at as i64 * 1_000;
        let event = event(&format!("e{at}"), "play", member, title, at_ms, json!({}));
        log.push(record(at, at_ms, &event));
    };
    add("m", "old");
    add("m", "known");
    for junk in 0..50 {
        add(&format!("stranger{junk}"), &format!("junk{junk}"));
        add("m", "new");
        add("n", "new");
    }
    add("n", "known");
    for records in log.chunks(7) {
        harness.fold(records);
        harness.commit();
        harness.restart();
    }
    assert_eq!(reasons(&harness.counted), [], "nothing that was accepted is refused");
    assert_eq!(titles(&harness.snapshot("m")), ["old", "known", "new"]);
    assert_eq!(titles(&harness.snapshot("n")), ["new", "known"]);
    assert_eq!(titles(&harness.snapshot("stranger3")), ["junk3"], "whoever watched it has watched it");
    assert_eq!(harness.partition.live_symbols(), 4);
    let plays = |title: &str| -> u32 {
        let of = |delta: &nearline_model::Delta| -> u32 {
            let cells = delta.cells.iter().filter(|cell| *delta.strings[cell.title as usize] == *title);
            cells.map(|cell| cell.counts.plays).sum()
        };
        harness.deltas.iter().map(|delta| of(delta)).sum()
    };
    assert_eq!((plays("new"), plays("junk49"), plays("known")), (100, 1, 2), "every play counts");
}

#[test]
fn a_title_that_made_room_and_comes_back_is_the_one_that_members_know() {
    let settings = FoldSettings { symbols_per_partition: 4, ..FoldSettings::default() };
    let mut log = Vec::new();
    let mut add = |kind: &str, member: &str, title: &str| {
        let at = log.len() as u64 + 1;
        let at_ms = START_MS + at as i64 * 1_000;
        log.push(record(at, at_ms, &event(&format!("e{at}"), kind, member, title, at_ms, json!({}))));
    };
    for kept in ["a", "b"] {
        add("play", "other", kept);
    }
    add("list_add", "m", "back");
    add("play", "m", "back");
    (0..20).for_each(|junk| add("play", &format!("stranger{junk}"), &format!("junk{junk}")));
    add("play", "m", "back");
    let mut harness = fold_at_once(&log, settings);
    let snapshot = harness.snapshot("m");
    assert_eq!((titles(&snapshot), snapshot.list.len()), (vec!["back"], 1));
    let at_ms = START_MS + 100_000;
    let removal = event("x", "list_remove", "m", "back", at_ms, json!({}));
    harness.fold(&[record(100, at_ms, &removal)]);
    assert!(harness.snapshot("m").list.is_empty(), "what was taken off the list is not on it");
}

#[test]
fn a_member_with_more_new_names_than_its_share_is_refused_titles_and_nobody_else_is() {
    let settings = FoldSettings { symbols_per_partition: 1_000, ..FoldSettings::default() };
    let mut log = Vec::new();
    for junk in 0..100_u64 {
        let fields = json!({"device": format!("device{}", junk / 50)});
        let event = event(&format!("e{junk}"), "play", "stranger", &format!("junk{junk}"), START_MS, fields);
        log.push(record(junk + 1, START_MS, &event));
    }
    let other = event("x", "play", "m", "new", START_MS, json!({"device": "tv"}));
    log.push(record(200, START_MS, &other));
    let mut harness = fold_at_once(&log, settings);
    let refused = reasons(&harness.counted);
    assert_eq!(
        (refused[0], refused.len()),
        (RejectReason::TooManySymbols, 38),
        "64 names: 62 titles, 2 devices"
    );
    assert!(harness.counted.rejected[0].reject.detail.contains("all that one member may"));
    assert_eq!(titles(&harness.snapshot("m")), ["new"]);
}

#[test]
fn limits_of_zero_are_limits_of_one() {
    let settings = FoldSettings {
        history_titles: 0,
        seen_titles: 0,
        list_titles: 0,
        recent_ids: 0,
        open_impressions: 0,
        transition_window: 0,
        ..FoldSettings::default()
    };
    let kinds = ["impression", "play", "list_add", "impression", "play", "list_add"];
    let events: Vec<_> =
        kinds.iter().enumerate().map(|(at, kind)| (*kind, ["a", "b"][at % 2], json!({}))).collect();
    let mut harness = fold_events(settings, &events);
    let snapshot = harness.snapshot("m");
    assert_eq!((snapshot.history.len(), snapshot.list.len(), snapshot.recent_ids), (1, 1, 1));
}

proptest! {
    #[test]
    fn no_list_grows_beyond_its_limit(steps in steps(200, 30)) {
        let limits = small_limits();
        let mut harness = fold_at_once(&records(&stream(&steps)), limits.clone());
        prop_assert!(harness.partition.live_symbols() <= limits.symbols_per_partition);
        let members: Vec<_> = harness.store.members.keys().cloned().collect();
        for member in members {
            let snapshot = harness.snapshot(&member);
            prop_assert!(snapshot.history.len() <= limits.history_titles);
            prop_assert!(snapshot.seen.len() <= limits.seen_titles);
            prop_assert!(snapshot.list.len() <= limits.list_titles);
            prop_assert!(snapshot.opinions.len() <= limits.list_titles);
            prop_assert!(snapshot.open_impressions.len() <= limits.open_impressions);
            prop_assert!(snapshot.open_plays <= limits.open_impressions);
            prop_assert!(snapshot.recent_ids <= limits.recent_ids);
            let stored = Member::decode(&harness.store.members[&member]).expect("just stored");
            prop_assert!(stored.open.taken.len() <= limits.open_plays);
            prop_assert!(stored.open.watched.len() <= limits.open_plays);
            let mut watched = titles(&snapshot);
            watched.extend(snapshot.seen.iter().map(|title| &**title));
            let distinct: std::collections::BTreeSet<_> = watched.iter().collect();
            prop_assert_eq!(distinct.len(), watched.len(), "a title stands in one place");
        }
    }
}
