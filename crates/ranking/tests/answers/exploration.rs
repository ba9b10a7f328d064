//! New titles at places of a row.

use crate::harness::{START_MS, event, fold_at_once, record};
use nearline_model::catalogue::{Catalogue, Title};
use nearline_model::partition::Lookup;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord, MemberSnapshot};
use nearline_ranking::exploration::{MOST_IMPRESSIONS, Placement, SURE_PLACES, Seed};
use nearline_ranking::page::{PageSources, RowKind, assemble};
use nearline_ranking::settings::RankingSettings;
use nearline_ranking::{Learned, Query, Ranked, Reason, rank};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

/// Old titles, half of each genre; every member plays some of them.
const OLD: usize = 30;
const MEMBERS: usize = 80;

struct Service {
    aggregates: Aggregates,
    catalogue: Catalogue,
    learned: Learned,
    /// One who plays horror alone.
    member: MemberSnapshot,
}

fn genre(title: usize) -> &'static str {
    if title.is_multiple_of(2) { "horror" } else { "comedy" }
}

/// A service with new titles `n0`, `n1` and so on, of both genres in turn, and what else happens there.
fn service(new: usize, events: &[(&str, &str, usize)]) -> Service {
    let mut log: Vec<LogRecord> = Vec::new();
    let mut put = |kind: &str, member: &str, title: &str, fields: Value| {
        let position = log.len() as u64 + 1;
        let at_ms = START_MS + position as i64 * 1_000;
        log.push(record(
            position,
            at_ms,
            &event(&format!("e{position}"), kind, member, title, at_ms, fields),
        ));
    };
    for member in 0..MEMBERS {
        for step in 0..24 {
            // The first likes horror.
            let title = if member == 0 { step % 8 * 2 } else { (member * 7 + step * (1 + member % 3)) % OLD };
            put("play", &format!("m{member}"), &format!("t{title:02}"), json!({}));
        }
    }
    for (kind, title, times) in events {
        for time in 0..*times {
            put(kind, &format!("other{time}"), title, json!({}));
        }
    }
    let mut catalogue = Catalogue::default();
    let mut title = |id: String, at: usize, year: u16| {
        catalogue.put(Title { id, genres: vec![genre(at).to_owned()], year: Some(year), ..Title::default() });
    };
    (0..OLD).for_each(|at| title(format!("t{at:02}"), at, 2000));
    (0..new).for_each(|at| title(format!("n{at}"), at, 2020));
    let mut folded = fold_at_once(&log, FoldSettings::default());
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    folded.add_to(&mut aggregates);
    let Lookup::Ready(member) = folded.partition.lookup("m0", false) else { panic!("m0 is there") };
    let learned = Learned::of(&aggregates, &catalogue, 100);
    Service { aggregates, catalogue, learned, member: *member }
}

impl Service {
    fn ask<'a>(&'a self, settings: &'a RankingSettings, seed: Seed<'a>) -> Query<'a> {
        Query {
            limit: 12,
            explain: true,
            settings: Some(settings),
            learned: Some(&self.learned),
            seed: Some(seed),
            ..Query::default()
        }
    }

    fn row(&self, query: &Query<'_>) -> Vec<Ranked> {
        rank(&self.aggregates, &self.catalogue, Some(&self.member), query)
    }
}

fn settings(exploration: f64) -> RankingSettings {
    // Without what is mixed in by score, so that new titles stand where they are explored alone.
    RankingSettings { exploration, freshness: 0.0, ..RankingSettings::default() }
}

fn explored(row: &[Ranked]) -> impl Iterator<Item = (usize, &Ranked, Placement)> {
    let placed = row.iter().enumerate().filter_map(|(at, title)| Some((at, title, title.placement?)));
    placed.filter(|(_, _, placement)| placement.explored)
}

#[test]
fn titles_stand_at_a_place_as_often_as_their_propensity_says() {
    let service = service(6, &[]);
    let settings = settings(0.3);
    let askers = 30_000;
    // By title at the fifth place: the mean of 1 / propensity, which is 1 for each that can stand there, and the square of
    // its standard deviation.
    let mut found: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    let mut share = 0.0;
    for asker in 0..askers {
        let member = format!("asker{asker}");
        let row = service.row(&service.ask(&settings, Seed { member: &member, now_ms: START_MS }));
        let fifth = &row[4];
        let placement = fifth.placement.expect("others could stand there");
        assert!(placement.propensity > 0.0 && placement.propensity < 1.0, "{placement:?}");
        let (mean, variance) = found.entry(fifth.title.to_string()).or_default();
        let weight = 1.0 / placement.propensity / f64::from(askers);
        *mean += weight;
        *variance += weight.powi(2);
        share += f64::from(u8::from(placement.explored)) / f64::from(askers);
    }
    assert!((share - 0.3).abs() < 0.02, "{share}");
    for new in 0..6 {
        let (mean, variance) = found[&format!("n{new}")];
        // Where it stands at the fourth place already it cannot at the fifth: those that are liked most, in a tenth of all.
        let doubt = 4.0 * variance.sqrt();
        assert!((0.89 - doubt..1.0 + doubt).contains(&mean), "n{new}: {mean} ± {doubt}, {found:?}");
        assert!(doubt < 0.5, "n{new}: {doubt} of askers' {askers}");
    }
}

#[test]
fn who_likes_a_genre_is_offered_new_titles_of_it_first() {
    let service = service(20, &[]);
    let settings = settings(0.2);
    let mut genres = BTreeMap::from([("horror", 0), ("comedy", 0)]);
    for window in 0..400 {
        let now_ms = START_MS + window * 6 * 3_600_000;
        let row = service.row(&service.ask(&settings, Seed { member: "m0", now_ms }));
        for (_, title, _) in explored(&row) {
            let number: usize = title.title[1..].parse().expect("a number");
            *genres.get_mut(genre(number)).expect("one of both") += 1;
            assert!(matches!(title.reasons[..], [Reason::Explored { .. }]), "{:?}", title.reasons);
        }
    }
    assert!(genres["horror"] > 10 * genres["comedy"] && genres["comedy"] > 0, "{genres:?}");
}

#[test]
fn titles_are_new_until_they_were_shown_a_thousand_times_or_played_twenty_times() {
    let shown = ("impression", "n0", MOST_IMPRESSIONS as usize);
    let few = ("impression", "n1", 100);
    let played = ("play", "n2", 20);
    let service = service(4, &[shown, few, played]);
    let settings = settings(0.5);
    let mut found = HashSet::new();
    for window in 0..400 {
        let now_ms = START_MS + window * 6 * 3_600_000;
        let row = service.row(&service.ask(&settings, Seed { member: "m0", now_ms }));
        found.extend(explored(&row).map(|(_, title, _)| title.title.to_string()));
    }
    assert_eq!(found, HashSet::from(["n1", "n3"].map(str::to_owned)));
}

#[test]
fn a_row_stays_as_it_is_until_its_window_ends_and_a_page_explores_its_top_picks_alone() {
    let service = service(20, &[]);
    let settings = settings(0.3);
    let row = |now_ms| service.row(&service.ask(&settings, Seed { member: "m0", now_ms }));
    let rows: Vec<Vec<Ranked>> = (0..48).map(|hour| row(START_MS + hour * 3_600_000)).collect();
    let changes = rows.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!((1..=8).contains(&changes), "{changes} changes in two days");
    let sources = PageSources {
        aggregates: &service.aggregates,
        catalogue: &service.catalogue,
        member: Some(&service.member),
        expected_take: &|_| None,
        boards: None,
        new_titles: None,
    };
    let page = assemble(&sources, &service.ask(&settings, Seed { member: "m0", now_ms: START_MS }), 7);
    let mut all = HashSet::new();
    for row in &page {
        assert!(row.titles.iter().all(|title| all.insert(title.title.clone())), "no title twice");
        let explored = row.titles.iter().any(|title| title.placement.is_some_and(|placed| placed.explored));
        assert!(!explored || row.kind == RowKind::TopPicks, "{:?}", row.kind);
    }
    assert!(page.iter().any(|row| row.kind == RowKind::TopPicks));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn new_titles_stand_behind_the_first_places_and_the_others_keep_their_order(
        member in "[a-z]{1,8}",
        hours in 0_i64..10_000,
        share in prop::sample::select(vec![0.05, 0.3, 0.5]),
        freshness in prop::sample::select(vec![0.0, 0.5]),
        unwanted in prop::sample::subsequence((0..12_usize).collect::<Vec<_>>(), 0..12),
    ) {
        let service = service(12, &[]);
        let settings = RankingSettings { freshness, ..settings(share) };
        let unwanted: HashSet<String> = unwanted.into_iter().map(|at| format!("n{at}")).collect();
        let admit = |id: &str| !unwanted.contains(id);
        let seed = Seed { member: &member, now_ms: START_MS + hours * 3_600_000 };
        let query = Query { admit: Some(&admit), ..service.ask(&settings, seed) };
        let (plain, row) = (service.row(&Query { seed: None, ..query.clone() }), service.row(&query));
        prop_assert_eq!(row.len(), plain.len());
        prop_assert!(plain.iter().all(|title| title.placement.is_none()));
        let new: HashSet<&str> = explored(&row).map(|(_, title, _)| &*title.title).collect();
        prop_assert!(explored(&row).all(|(at, _, _)| at >= SURE_PLACES));
        prop_assert!(new.iter().all(|id| admit(id)));
        let kept = row.iter().filter(|title| !new.contains(&*title.title)).map(|title| &title.title);
        let expected = plain.iter().filter(|title| !new.contains(&*title.title)).map(|title| &title.title);
        prop_assert!(kept.eq(expected.take(row.len() - new.len())));
        prop_assert!(row.is_sorted_by(|a, b| a.score >= b.score));
        let sure = row.iter().take(SURE_PLACES).all(|title| title.placement.is_none());
        prop_assert!(sure);
        let nobody = unwanted.len() == 12;
        prop_assert!(!nobody || row.iter().all(|title| title.placement.is_none()));
    }
}
