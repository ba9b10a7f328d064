//! Titles that members come back to.

use crate::harness::{START_MS, event, fold_at_once, record};
use nearline_model::catalogue::Catalogue;
use nearline_model::partition::Lookup;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord, MemberSnapshot};
use nearline_ranking::settings::{RankingSettings, Repeats};
use nearline_ranking::{Learned, Query, rank};
use serde_json::{Value, json};

const TITLES: usize = 60;

struct Service {
    aggregates: Aggregates,
    learned: Learned,
    member: MemberSnapshot,
}

/// A service of members who play `of` member and step, and the state of the first.
fn service(members: usize, steps: usize, of: impl Fn(usize, usize) -> usize) -> Service {
    service_told(members, steps, of, &json!({}))
}

/// The same; `told` is what publishers tell of each play.
fn service_told(members: usize, steps: usize, of: impl Fn(usize, usize) -> usize, told: &Value) -> Service {
    let plays = (0..steps).flat_map(|step| (0..members).map(move |member| (member, step)));
    let log: Vec<LogRecord> = (1..)
        .zip(plays)
        .map(|(position, (member, step))| {
            let at_ms = START_MS + position as i64 * 1_000;
            let title = format!("t{:02}", of(member, step) % TITLES);
            let event =
                event(&format!("e{position}"), "play", &format!("m{member}"), &title, at_ms, told.clone());
            record(position, at_ms, &event)
        })
        .collect();
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    let mut folded = fold_at_once(&log, FoldSettings::default());
    folded.add_to(&mut aggregates);
    let Lookup::Ready(member) = folded.partition.lookup("m0", false) else { panic!("m0 is there") };
    let learned = Learned::of(&aggregates, &Catalogue::default(), 100);
    Service { aggregates, learned, member: *member }
}

impl Service {
    fn row(&self, repeats: Repeats, limit: usize, exclude: Vec<&str>) -> Vec<(String, f64)> {
        let settings = RankingSettings { repeats, ..RankingSettings::default() };
        let learned = Some(&self.learned);
        let query = Query { limit, exclude, settings: Some(&settings), learned, ..Query::default() };
        let row = rank(&self.aggregates, &Catalogue::default(), Some(&self.member), &query);
        row.into_iter().map(|ranked| (ranked.title.to_string(), ranked.score)).collect()
    }

    fn knows(&self, title: &str) -> bool {
        self.member.history.iter().any(|watched| &*watched.title == title)
    }
}

/// Two of three plays are of one of three favourites; the others are of anything.
fn with_favourites() -> Service {
    service(1_200, 12, |member, step| match step % 3 {
        2 => member * 31 + step * 7,
        _ => member * 17 + (step / 3 + step) % 3 * 11,
    })
}

#[test]
fn what_members_come_back_to_is_offered_again_before_what_they_do_not_know() {
    let service = with_favourites();
    let row = service.row(Repeats::Learned, 10, Vec::new());
    let favourites: Vec<String> = [0, 11, 22].map(|title| format!("t{title:02}")).to_vec();
    assert!(row.iter().take(2).all(|(title, _)| favourites.contains(title)), "{row:?}");
    assert!(favourites.iter().all(|favourite| row.iter().any(|(title, _)| title == favourite)), "{row:?}");
    assert!(row.iter().any(|(title, _)| !service.knows(title)), "there is room for others: {row:?}");
    assert!(row.is_sorted_by(|a, b| a.1 >= b.1));
    let plays = service.member.history.iter().find(|watched| *watched.title == *favourites[0]);
    assert!(plays.is_some_and(|watched| watched.plays > 1));
}

#[test]
fn a_longer_row_begins_with_the_shorter_one() {
    let service = with_favourites();
    let row = |limit| service.row(Repeats::Learned, limit, Vec::new());
    let whole = row(TITLES);
    for limit in [1, 3, 10, 25] {
        assert_eq!(row(limit), whole[..limit], "{limit}");
    }
    assert!(whole.iter().all(|(title, _)| whole.iter().filter(|(other, _)| other == title).count() == 1));
}

#[test]
fn what_is_excluded_or_not_to_be_repeated_is_not_offered() {
    let service = with_favourites();
    assert!(service.row(Repeats::Never, TITLES, Vec::new()).iter().all(|(title, _)| !service.knows(title)));
    let row = service.row(Repeats::Learned, TITLES, vec!["t11"]);
    assert!(row.iter().all(|(title, _)| title != "t11"));
}

#[test]
fn what_is_excluded_changes_the_order_of_no_others() {
    let service = with_favourites();
    let whole = service.row(Repeats::Learned, TITLES, Vec::new());
    for excluded in
        [vec!["t11"], vec!["t00", "t22"], whole.iter().step_by(2).map(|(title, _)| &**title).collect()]
    {
        let others = |(title, _): &&(String, f64)| !excluded.contains(&title.as_str());
        let left: Vec<(String, f64)> = whole.iter().filter(others).cloned().collect();
        for limit in [5, TITLES] {
            let row = service.row(Repeats::Learned, limit, excluded.clone());
            assert_eq!(row, left[..limit.min(left.len())], "without {excluded:?}");
        }
    }
}

#[test]
fn where_nobody_comes_back_nothing_changes() {
    let service = service(600, 6, |member, step| member * 17 + step);
    assert!(!service.learned.tuning.groups.is_empty(), "weights were chosen");
    assert_eq!(service.learned.tuning.returning, None);
    let [learned, never] =
        [Repeats::Learned, Repeats::Never].map(|repeats| service.row(repeats, 20, Vec::new()));
    assert_eq!(learned, never);
}

#[test]
fn who_goes_on_with_what_is_begun_comes_back_to_nothing() {
    let twice = |member, step| member * 17 + step / 2 * 7;
    let watched = |seconds: u32| {
        let told = json!({"watched_s": seconds, "duration_s": 5_400});
        service_told(600, 8, twice, &told)
    };
    let (begun, finished) = (watched(600), watched(5_300));
    assert!(finished.aggregates.returns().are_any() && finished.learned.tuning.returning.is_some());
    assert!(!begun.aggregates.returns().are_any());
    assert!(begun.member.history.iter().all(|watched| watched.is_begun() && watched.plays == 1));
    let row = begun.row(Repeats::Learned, 20, Vec::new());
    assert_eq!(row, begun.row(Repeats::Never, 20, Vec::new()));
    assert!(!row.is_empty() && row.iter().all(|(title, _)| !begun.knows(title)));
}

#[test]
fn settings_may_be_written_as_a_switch_or_by_name() {
    let of = |text: &str| serde_json::from_str::<Repeats>(text).ok();
    assert_eq!(of("false"), Some(Repeats::Never));
    assert_eq!(of("true"), Some(Repeats::Always));
    assert_eq!(of("\"learned\""), Some(Repeats::Learned));
    assert_eq!(of("\"often\""), None);
    let written = serde_json::to_string(&Repeats::Never).ok();
    assert_eq!(written.and_then(|text| of(&text)), Some(Repeats::Never));
}
