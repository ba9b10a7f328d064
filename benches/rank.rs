//! Queries, in memory: rows, pages, trends, for members in turn, over catalogues of several sizes.

use divan::{Bencher, Divan, black_box};
use nearline_benches::World;
use nearline_model::aggregates::ALL;
use nearline_model::catalogue::Catalogue;
use nearline_model::symbols::NONE;
use nearline_model::{Aggregates, MemberSnapshot};
use nearline_ranking::artwork::probabilities;
use nearline_ranking::page::{MAX_ROWS, NewTitles, PageSources, assemble};
use nearline_ranking::trending::{Board, TrendQuery, trending};
use nearline_ranking::{Learned, Query, next, rank, score_titles, similar};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const TITLES: [usize; 3] = [1_000, 10_000, 100_000];
/// A page is assembled of so many titles, too.
const MOST_TITLES: usize = 200_000;
const MEMBERS: usize = 20_000;
const EVENTS: usize = 400_000;
/// Members who ask in turn.
const ASKING: usize = 256;
/// Titles between which weights are solved, as the program does.
const SOLVED: usize = 2_048;
/// Titles of a row.
const LIMIT: usize = 20;
/// Titles that the engine keeps of what trends.
const BOARD_TITLES: usize = 1_000;

fn main() {
    // Each of the asking members several times, or two seconds.
    let divan = Divan::default().sample_count(1_024).max_time(Duration::from_secs(2));
    divan.config_with_args().main();
}

/// What queries are answered from.
struct Sources {
    aggregates: Aggregates,
    catalogue: Catalogue,
    learned: Learned,
    members: Vec<MemberSnapshot>,
    /// A title of each member's history.
    titles: Vec<String>,
}

impl Sources {
    /// Those of an audience that chooses from so many titles; made once.
    fn of(titles: usize) -> &'static Self {
        static MADE: [OnceLock<Sources>; TITLES.len() + 1] = [const { OnceLock::new() }; TITLES.len() + 1];
        let at = TITLES.iter().position(|size| *size == titles).unwrap_or(TITLES.len());
        MADE[at].get_or_init(|| {
            let mut world = World::new(MEMBERS, titles, EVENTS);
            let (catalogue, members) = (world.catalogue(), world.snapshots(ASKING));
            let learned = Learned::of(&world.aggregates, &catalogue, SOLVED);
            let titles = members.iter().map(|member| member.history[0].title.to_string()).collect();
            Self { aggregates: world.aggregates, catalogue, learned, members, titles }
        })
    }

    fn query(&self) -> Query<'_> {
        Query { limit: LIMIT, country: Some("BR"), learned: Some(&self.learned), ..Query::default() }
    }
}

/// Measures `ask`, for one member after another.
fn in_turn<T>(bencher: Bencher<'_, '_>, sources: &Sources, ask: impl Fn(usize) -> T) {
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % sources.members.len();
        ask(black_box(next))
    });
}

#[divan::bench(args = TITLES)]
fn rank_a_row(bencher: Bencher<'_, '_>, titles: usize) {
    let sources = Sources::of(titles);
    let query = sources.query();
    in_turn(bencher, sources, |member| {
        rank(&sources.aggregates, &sources.catalogue, Some(&sources.members[member]), &query)
    });
}

#[divan::bench(args = TITLES)]
fn rank_a_row_with_reasons(bencher: Bencher<'_, '_>, titles: usize) {
    let sources = Sources::of(titles);
    let query = Query { explain: true, ..sources.query() };
    in_turn(bencher, sources, |member| {
        rank(&sources.aggregates, &sources.catalogue, Some(&sources.members[member]), &query)
    });
}

/// No bound is known of a boost.
#[divan::bench(args = TITLES)]
fn rank_a_row_with_a_boost(bencher: Bencher<'_, '_>, titles: usize) {
    let sources = Sources::of(titles);
    let boost = |id: &str| if id.ends_with('7') { 2.0 } else { 1.0 };
    let query = Query { boost: Some(&boost), ..sources.query() };
    in_turn(bencher, sources, |member| {
        rank(&sources.aggregates, &sources.catalogue, Some(&sources.members[member]), &query)
    });
}

/// What the search is held against: every title scored, none sorted.
#[divan::bench(args = TITLES)]
fn score_every_title(bencher: Bencher<'_, '_>, titles: usize) {
    let sources = Sources::of(titles);
    let query = sources.query();
    let title_ids = sources.aggregates.titles_after(NONE).map(|title| sources.aggregates.title_id(title));
    let known: Vec<&str> = title_ids.map(|id| &**id).collect();
    in_turn(bencher, sources, |member| {
        score_titles(&sources.aggregates, &sources.catalogue, Some(&sources.members[member]), &query, &known)
    });
}

#[divan::bench(args = TITLES)]
fn similar_titles(bencher: Bencher<'_, '_>, titles: usize) {
    let sources = Sources::of(titles);
    let query = sources.query();
    in_turn(bencher, sources, |member| {
        similar(&sources.aggregates, &sources.catalogue, &sources.titles[member], &query)
    });
}

#[divan::bench(args = TITLES)]
fn next_titles(bencher: Bencher<'_, '_>, titles: usize) {
    let sources = Sources::of(titles);
    let query = sources.query();
    in_turn(bencher, sources, |member| {
        next(&sources.aggregates, &sources.catalogue, &sources.titles[member], &query)
    });
}

/// As the engine does it: what is the same for everybody who asks is made beforehand.
#[divan::bench(args = TITLES.into_iter().chain([MOST_TITLES]))]
fn assemble_a_page(bencher: Bencher<'_, '_>, titles: usize) {
    let sources = Sources::of(titles);
    let query = Query { device: Some("tv"), ..sources.query() };
    let bias = &sources.learned.position_bias;
    let asked: [&[&str]; 4] = [&[ALL], &["country:BR"], &["device:tv"], &["country:BR", "device:tv"]];
    let board = |names: &[&str]| Arc::new(Board::of(&sources.aggregates, bias, names).cut(BOARD_TITLES));
    let boards = asked.map(|names| (names, board(names)));
    let boards = |names: &[&str]| {
        let (_, board) = boards.iter().find(|(known, _)| *known == names).expect("all that is asked for");
        board.clone()
    };
    let new_titles = NewTitles::of(&sources.aggregates, &sources.catalogue);
    in_turn(bencher, sources, |member| {
        let page = PageSources {
            aggregates: &sources.aggregates,
            catalogue: &sources.catalogue,
            member: Some(&sources.members[member]),
            expected_take: &|_| None,
            boards: Some(&boards),
            new_titles: Some(&new_titles),
        };
        assemble(&page, &query, MAX_ROWS)
    });
}

/// The chances of a title's artworks for one segment, nothing remembered.
#[divan::bench]
fn artwork_probabilities(bencher: Bencher<'_, '_>) {
    let sources = Sources::of(TITLES[0]);
    let titles: Vec<_> = sources.catalogue.iter().filter(|title| title.artworks.len() > 1).collect();
    in_turn(bencher, sources, |member| {
        probabilities(&sources.aggregates, titles[member % titles.len()], "drama", 0.01)
    });
}

#[divan::bench(args = TITLES)]
fn trending_titles(bencher: Bencher<'_, '_>, titles: usize) {
    let sources = Sources::of(titles);
    let query = TrendQuery {
        dimensions: &["country:BR", "device:tv"],
        country: Some("BR"),
        limit: LIMIT,
        learned: Some(&sources.learned),
        ..TrendQuery::default()
    };
    in_turn(bencher, sources, |_| trending(&sources.aggregates, &sources.catalogue, &query));
}
