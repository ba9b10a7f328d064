//! Taste over the whole history, beside the last plays.

use crate::harness::{START_MS, event, fold_at_once, record};
use nearline_model::catalogue::{Catalogue, Title};
use nearline_model::partition::Lookup;
use nearline_model::settings::AggregateSettings;
use nearline_model::symbols::NONE;
use nearline_model::{Aggregates, FoldSettings, LogRecord, MemberSnapshot};
use nearline_ranking::page::{PageSources, Row, RowKind, RowReason, assemble};
use nearline_ranking::settings::RankingSettings;
use nearline_ranking::{Learned, Query, rank, score_titles};
use serde_json::json;

/// Titles of each of the three genres, by their first letter.
const TITLES: usize = 24;
const GENRES: [&str; 3] = ["drama", "horror", "western"];

struct Service {
    aggregates: Aggregates,
    catalogue: Catalogue,
    learned: Learned,
    /// Twelve horror films, then six dramas.
    member: MemberSnapshot,
}

fn title(genre: &str, at: usize) -> String {
    format!("{}{:02}", &genre[..1], at % TITLES)
}

/// Most play dramas, some also horror or westerns.
fn service() -> Service {
    let mut plays: Vec<(String, String)> = Vec::new();
    for member in 0..90 {
        for step in 0..10 {
            let genre = if step % 5 == 4 { GENRES[1 + member % 2] } else { GENRES[0] };
            plays.push((format!("m{member}"), title(genre, member * 5 + step * (1 + member % 4))));
        }
    }
    plays.extend((0..12).map(|at| ("long".to_owned(), title("horror", at))));
    plays.extend((0..6).map(|at| ("long".to_owned(), title("drama", at))));
    let log = (1..).zip(&plays).map(|(position, (member, title))| {
        let at_ms = START_MS + position as i64 * 1_000;
        record(position, at_ms, &event(&format!("e{position}"), "play", member, title, at_ms, json!({})))
    });
    let log: Vec<LogRecord> = log.collect();
    let mut folded = fold_at_once(&log, FoldSettings::default());
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    folded.add_to(&mut aggregates);
    let mut catalogue = Catalogue::default();
    for genre in GENRES {
        for at in 0..TITLES {
            catalogue.put(Title { id: title(genre, at), genres: vec![genre.to_owned()], ..Title::default() });
        }
    }
    let learned = Learned::of(&aggregates, &catalogue, 100);
    let Lookup::Ready(member) = folded.partition.lookup("long", false) else { panic!("it is there") };
    Service { aggregates, catalogue, learned, member: *member }
}

impl Service {
    fn horror(&self, taste: f64) -> usize {
        let settings = RankingSettings { taste, ..RankingSettings::default() };
        let query =
            Query { limit: 10, settings: Some(&settings), learned: Some(&self.learned), ..Query::default() };
        let row = rank(&self.aggregates, &self.catalogue, Some(&self.member), &query);
        row.iter().filter(|ranked| ranked.title.starts_with('h')).count()
    }

    fn page(&self, member: Option<&MemberSnapshot>) -> Vec<Row> {
        let sources = PageSources {
            aggregates: &self.aggregates,
            catalogue: &self.catalogue,
            member,
            expected_take: &|_| None,
            boards: None,
            new_titles: None,
        };
        let query = Query { limit: 4, explain: true, learned: Some(&self.learned), ..Query::default() };
        assemble(&sources, &query, 8)
    }
}

#[test]
fn what_fills_the_history_counts_though_the_last_plays_were_of_something_else() {
    let service = service();
    let (without, with) = (service.horror(0.0), service.horror(1.0));
    assert!(with > without && with >= 5, "{without} without taste, {with} with it");
}

#[test]
fn a_page_has_a_row_of_the_genre_that_the_member_plays_more_than_others_do() {
    let service = service();
    let page = service.page(Some(&service.member));
    let row = page.iter().find(|row| row.kind == RowKind::BecauseYouLike).expect("there is one");
    assert_eq!(row.genre.as_deref(), Some("horror"), "most titles of the others are dramas");
    let is_new_horror =
        |id: &str| id.starts_with('h') && service.member.history.iter().all(|watched| *watched.title != *id);
    assert!(row.titles.len() >= 3 && row.titles.iter().all(|title| is_new_horror(&title.title)), "{row:?}");
    let RowReason::Liked { genre, share } = &row.titles[0].reasons[0] else { panic!("{row:?}") };
    assert_eq!((&**genre, *share), ("horror", 12.0 / 18.0));
    let nobodys = service.page(None);
    assert!(nobodys.iter().all(|row| row.kind != RowKind::BecauseYouLike));
}

#[test]
fn who_plays_what_all_play_leans_to_nothing() {
    let mut service = service();
    service.member.history.retain(|watched| watched.title.starts_with('d'));
    let page = service.page(Some(&service.member));
    let genres: Vec<_> = page.iter().filter_map(|row| row.genre.as_deref()).collect();
    assert_eq!(genres, [""; 0], "six dramas where four of five plays are dramas");
}

#[test]
fn the_search_passes_over_nothing_that_taste_lifts() {
    let service = service();
    for solved in [0, 1, 10, 100] {
        let learned = Learned::of(&service.aggregates, &service.catalogue, solved);
        for taste in [0.5, 1.0, 3.0] {
            let settings = RankingSettings { taste, ..RankingSettings::default() };
            let query =
                Query { limit: 3, settings: Some(&settings), learned: Some(&learned), ..Query::default() };
            let (sums, catalogue, member) = (&service.aggregates, &service.catalogue, Some(&service.member));
            let ids = sums.titles_after(NONE).map(|title| sums.title_id(title).clone());
            let ids: Vec<_> = ids.collect();
            let names: Vec<&str> = ids.iter().map(|id| &**id).collect();
            let mut scored: Vec<(f64, &str)> = score_titles(sums, catalogue, member, &query, &names)
                .into_iter()
                .zip(names.clone())
                .collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
            let row = rank(sums, catalogue, member, &query);
            let found: Vec<(f64, &str)> = row.iter().map(|ranked| (ranked.score, &*ranked.title)).collect();
            assert_eq!(found, scored[..3], "{solved} solved, taste {taste}");
        }
    }
}
