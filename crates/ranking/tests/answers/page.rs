//! Pages over what a fold has made: which rows, in which order, and no title twice.

use crate::harness::{START_MS, event, fold_at_once, record};
use nearline_model::catalogue::{Catalogue, Title};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord, MemberSnapshot};
use nearline_ranking::page::{MAX_ROWS, PageSources, Row, RowKind, RowReason, assemble};
use nearline_ranking::{Query, Reason};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;

/// An audience of ten that watches chains of titles, and `ana`, who began `c1`, finished `c2`, and has
/// `d1` and `c3` on her list.
fn world() -> (Aggregates, Catalogue, MemberSnapshot) {
    let mut log: Vec<LogRecord> = Vec::new();
    let mut put = |kind: &str, member: &str, title: &str, fields: Value| {
        let position = log.len() as u64 + 1;
        let at_ms = START_MS + position as i64 * 1_000;
        let event = event(&format!("e{position}"), kind, member, title, at_ms, fields);
        log.push(record(position, at_ms, &event));
    };
    for member in 0..10 {
        for title in ["c1", "c2", "c3", "c4", "c5", "c6", "d1", "d2", "d3"] {
            put("play", &format!("m{member}"), title, json!({"country": "BR"}));
        }
    }
    put("play", "ana", "c2", json!({}));
    put("progress", "ana", "c2", json!({"watched_s": 5_900, "duration_s": 6_000}));
    put("play", "ana", "c1", json!({}));
    put("progress", "ana", "c1", json!({"watched_s": 600, "duration_s": 6_000}));
    put("list_add", "ana", "d1", json!({}));
    put("list_add", "ana", "c3", json!({}));
    let mut harness = fold_at_once(&log, FoldSettings::default());
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    harness.add_to(&mut aggregates);
    let mut catalogue = Catalogue::default();
    let mut title = |id: &str, genre: &str, year: u16| {
        let genres = vec![genre.to_owned()];
        catalogue.put(Title { id: id.into(), genres, year: Some(year), ..Title::default() });
    };
    for id in ["c1", "c2", "c3", "c4", "c5", "c6"] {
        title(id, "crime", 2000);
    }
    for (n, genre) in ["crime", "drama", "crime", "drama", "crime"].into_iter().enumerate() {
        title(&format!("n{n}"), genre, 2025);
    }
    let ana = harness.snapshot("ana");
    (aggregates, catalogue, ana)
}

fn page(query: &Query<'_>, rows: usize, take: &dyn Fn(&str) -> Option<f64>) -> Vec<Row> {
    let (aggregates, catalogue, ana) = world();
    let sources = PageSources {
        aggregates: &aggregates,
        catalogue: &catalogue,
        member: Some(&ana),
        expected_take: take,
        boards: None,
        new_titles: None,
    };
    assemble(&sources, query, rows)
}

fn ids(row: &Row) -> Vec<&str> {
    row.titles.iter().map(|title| &*title.title).collect()
}

fn row(page: &[Row], kind: RowKind) -> &Row {
    page.iter().find(|row| row.kind == kind).unwrap_or_else(|| panic!("no {kind:?} in {page:#?}"))
}

fn asked() -> Query<'static> {
    Query { limit: 3, explain: true, ..Query::default() }
}

#[test]
fn a_member_with_a_history_gets_every_row_that_its_history_fills() {
    let page = page(&asked(), MAX_ROWS, &|_| None);
    let kinds: Vec<RowKind> = page.iter().map(|row| row.kind).collect();
    assert_eq!(kinds[..2], [RowKind::ContinueWatching, RowKind::TopPicks]);
    assert_eq!(ids(&page[0]), ["c1"], "c2 is finished but for the credits");
    assert_eq!(page[0].titles[0].reasons, [RowReason::Begun { watched_s: 600, duration_s: 6_000 }]);
    let new = row(&page, RowKind::NewForYou);
    assert_eq!(ids(new), ["n0", "n2", "n4"], "new, and of the genre that ana watches");
    assert!(page.iter().all(|row| !row.measured && row.titles.len() <= 3));
    for row in &page {
        assert!(row.titles.windows(2).all(|pair| pair[0].score >= pair[1].score), "{row:#?}");
        assert!(row.titles.iter().all(|title| !title.reasons.is_empty()), "{row:#?}");
    }
}

#[test]
fn rows_stand_in_the_order_of_their_measured_takes() {
    let take = |row: &str| (row == "my_list").then_some(0.5);
    let page = page(&asked(), MAX_ROWS, &take);
    assert_eq!(page[0].kind, RowKind::MyList);
    assert!(page[0].measured && page[0].expected_take == 0.5);
    assert_eq!(ids(&page[0]), ["c3", "d1"], "the latest addition first");
    assert!(page[1..].iter().all(|row| !ids(row).contains(&"c3")), "shown above already");
    assert_eq!(page[1].kind, RowKind::ContinueWatching);
}

#[test]
fn a_row_that_follows_a_title_names_it_and_gives_it_as_the_reason() {
    let take = |row: &str| (row == "because_you_watched").then_some(0.9);
    let page = page(&asked(), 1, &take);
    assert_eq!(page[0].because.as_deref(), Some("c1"), "the latest of the history");
    assert!(!ids(&page[0]).contains(&"c2"), "watched before");
    let RowReason::Ranked(Reason::BecauseYouWatched { title, weight }) = &page[0].titles[0].reasons[0] else {
        panic!("{:?}", page[0].titles[0].reasons);
    };
    assert!(&**title == "c1" && *weight > 0.0);
}

#[test]
fn filters_and_exclusions_hold_for_every_row_and_boosts_for_ranked_ones() {
    let not_c = |id: &str| !id.starts_with('c');
    let query = Query { exclude: vec!["d1", "n0"], admit: Some(&not_c), ..asked() };
    let filtered = page(&query, MAX_ROWS, &|_| None);
    for id in filtered.iter().flat_map(ids) {
        assert!(!id.starts_with('c') && id != "d1" && id != "n0", "{id}");
    }
    assert!(!filtered.is_empty() && filtered.iter().all(|row| row.kind != RowKind::ContinueWatching));
    let d2_first = |id: &str| if id == "d2" { 100.0 } else { 1.0 };
    let boosted = page(&Query { boost: Some(&d2_first), ..asked() }, MAX_ROWS, &|_| None);
    assert_eq!(ids(row(&boosted, RowKind::TopPicks))[0], "d2");
}

#[test]
fn somebody_unknown_gets_what_is_popular_trending_and_new() {
    let (aggregates, catalogue, _) = world();
    let expected_take = |_: &str| None;
    let sources = PageSources {
        aggregates: &aggregates,
        catalogue: &catalogue,
        member: None,
        expected_take: &expected_take,
        boards: None,
        new_titles: None,
    };
    let page = assemble(&sources, &asked(), MAX_ROWS);
    let kinds: Vec<RowKind> = page.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [RowKind::TopPicks, RowKind::TrendingNow, RowKind::NewForYou]);
    let nothing = PageSources {
        aggregates: &Aggregates::new(1, AggregateSettings::default()),
        catalogue: &Catalogue::default(),
        ..sources
    };
    assert_eq!(assemble(&nothing, &asked(), MAX_ROWS), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_title_stands_twice_and_no_row_is_too_short(
        limit in 1_usize..8,
        rows in 1_usize..=MAX_ROWS,
        takes in prop::collection::vec(prop::option::of(0.0_f64..1.0), 7),
    ) {
        let names = ["continue_watching", "top_picks", "because_you_watched", "because_you_like", "trending_now", "my_list", "new_for_you"];
        let take = |row: &str| takes[names.iter().position(|name| *name == row).expect("a known row")];
        let page = page(&Query { limit, ..Query::default() }, rows, &take);
        let shown: Vec<&str> = page.iter().flat_map(ids).collect();
        prop_assert_eq!(shown.iter().collect::<HashSet<_>>().len(), shown.len(), "{:?}", page);
        prop_assert!(page.len() <= rows);
        for row in &page {
            prop_assert!((row.kind.least_titles().min(limit)..=limit).contains(&row.titles.len()));
        }
        prop_assert!(page.windows(2).all(|pair| pair[0].expected_take >= pair[1].expected_take));
    }
}
