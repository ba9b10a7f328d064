//! Trending over what a delta has counted: lift, shrinkage, places, dimensions that hold too few titles.

use nearline_model::Position;
use nearline_model::aggregates::{ALL, Added};
use nearline_model::catalogue::{Catalogue, Title};
use nearline_model::delta::{Cell, Counts, PlaceCell, PositionBand, TakeCounts};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, Delta};
use nearline_ranking::trending::{Trend, TrendQuery, trending};
use std::sync::Arc;

const EPOCH: u32 = 984_660;

/// Title, country, epoch, impressions, attributed plays, plays.
type Row<'a> = (&'a str, &'a str, u32, u32, u32, u32);

fn delta(rows: &[Row<'_>]) -> Delta {
    let mut delta = Delta { position: Position(1), ..Delta::default() };
    let mut number = |text: &str| match delta.strings.iter().position(|known| **known == *text) {
        Some(at) => at as u32,
        None => {
            delta.strings.push(Arc::from(text));
            delta.strings.len() as u32 - 1
        }
    };
    let mut cells = Vec::new();
    for (title, country, epoch, impressions, attributed, plays) in rows {
        let counts = Counts { impressions: *impressions, attributed: *attributed, plays: *plays, quality: 0 };
        cells.push(Cell { title: number(title), epoch: *epoch, country: number(country), device: 0, counts });
    }
    delta.cells = cells;
    delta
}

fn sums(delta: &Delta) -> Aggregates {
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    assert_eq!(aggregates.add(delta), Added::Now);
    aggregates
}

fn trends(aggregates: &Aggregates, dimensions: &[&str]) -> Vec<Trend> {
    trending(
        aggregates,
        &Catalogue::default(),
        &TrendQuery { dimensions, limit: 20, ..TrendQuery::default() },
    )
}

fn ids(trends: &[Trend]) -> Vec<&str> {
    trends.iter().map(|trend| &*trend.title).collect()
}

/// Titles of average take rate that everything else is held against.
const AVERAGE: [Row<'static>; 3] = [
    ("many", "US", EPOCH, 20_000, 3_000, 3_000),
    ("some", "US", EPOCH, 2_000, 300, 300),
    ("more", "BR", EPOCH, 8_000, 1_200, 1_200),
];

#[test]
fn three_plays_of_three_impressions_do_not_beat_three_thousand() {
    let rows = [&AVERAGE[..], &[("lucky", "US", EPOCH, 3, 3, 3)]].concat();
    let found = trends(&sums(&delta(&rows)), &[]);
    assert_eq!(ids(&found), ["many", "more", "some", "lucky"]);
    let lucky = &found[3];
    assert_eq!(lucky.take_rate, Some(1.0));
    assert!(lucky.lift > 1.0 && lucky.lift < 1.2, "{lucky:?}");
}

#[test]
fn what_is_taken_more_often_trends_above_what_is_shown_more_often() {
    let rows = [&AVERAGE[..], &[("hot", "US", EPOCH, 1_000, 400, 400)]].concat();
    let found = trends(&sums(&delta(&rows)), &[]);
    assert_eq!(ids(&found)[0], "hot");
    assert!(found[0].lift > 2.0 && found[1].lift < 1.1, "{found:?}");
}

#[test]
fn what_was_taken_long_ago_trends_less_than_what_is_taken_now() {
    let half_life = AggregateSettings::default().trend_half_life_epochs;
    let rows =
        [("before", "US", EPOCH - 4 * half_life, 1_000, 300, 300), ("now", "US", EPOCH, 1_000, 300, 300)];
    let found = trends(&sums(&delta(&rows)), &[]);
    assert_eq!(ids(&found), ["now", "before"]);
    assert!((found[1].plays - 300.0 / 16.0).abs() < 1e-6 && (found[0].plays - 300.0).abs() < 1e-6);
    assert!((found[1].impressions - 1_000.0 / 16.0).abs() < 1e-6);
}

#[test]
fn without_any_impression_titles_trend_by_their_plays() {
    let rows =
        [("b", "US", EPOCH, 0, 0, 30), ("a", "US", EPOCH, 0, 0, 20), ("c", "US", EPOCH - 600, 0, 0, 900)];
    let found = trends(&sums(&delta(&rows)), &[]);
    assert_eq!(ids(&found)[..2], ["b", "a"]);
    assert!(found.iter().all(|trend| trend.lift == 1.0 && trend.take_rate.is_none()), "{found:?}");
}

#[test]
fn a_title_at_a_bad_place_is_not_held_to_the_take_rate_of_a_good_one() {
    // Both are shown at both places, which tells the places apart: the first is seen four times as much.
    // `deep` is mostly at the bad place and is twice as good.
    let mut delta =
        delta(&[("front", "US", EPOCH, 11_000, 2_050, 2_050), ("deep", "US", EPOCH, 11_000, 1_400, 1_400)]);
    let places = [(1, 0, 10_000, 2_000), (1, 20, 1_000, 50), (3, 0, 1_000, 400), (3, 20, 10_000, 1_000)];
    delta.places = places
        .iter()
        .map(|(title, position, impressions, attributed)| PlaceCell {
            title: *title,
            epoch: EPOCH,
            row: 0,
            band: Some(PositionBand::of(*position)),
            counts: TakeCounts { impressions: *impressions, attributed: *attributed, quality: 0 },
        })
        .collect();
    let half_life = AggregateSettings::default().trend_half_life_epochs;
    // A period later: the one before the newest is what bias is estimated from.
    let later = AggregateSettings::default().place_epochs;
    delta.cells.push(Cell { epoch: EPOCH + later, ..delta.cells[0] });
    delta.cells[2].counts = Counts { impressions: 1, ..Counts::default() };
    assert!(later <= 2 * half_life, "counts are still to be seen");
    let found = trends(&sums(&delta), &[]);
    assert!(found[0].take_rate < found[1].take_rate, "the plain rate misleads: {found:?}");
    assert_eq!(ids(&found), ["deep", "front"]);
    assert!(found[0].examination < 0.6 && found[1].examination > 1.4, "{found:?}");
    assert!(found[0].lift / found[1].lift > 1.7, "{found:?}");
}

#[test]
fn a_dimension_with_few_titles_is_filled_up_from_all() {
    let aggregates = sums(&delta(&AVERAGE));
    let found = trends(&aggregates, &["country:BR", "device:unheard-of"]);
    assert_eq!(ids(&found), ["more", "many", "some"]);
    assert_eq!(found.iter().map(|trend| &*trend.dimension).collect::<Vec<_>>(), ["country:BR", ALL, ALL]);
    assert!(found.is_sorted_by(|a, b| a.score > b.score), "{found:?}");
    assert_eq!(ids(&trends(&aggregates, &["country:FR"])), ["many", "more", "some"]);
    assert!(trends(&Aggregates::new(1, AggregateSettings::default()), &["country:BR"]).is_empty());
}

#[test]
fn what_is_wanted_changes_no_score() {
    // A boost multiplies scores: it would order titles otherwise where a filter stands beside it.
    let rows =
        [&AVERAGE[..], &[("rare", "BR", EPOCH, 900, 20, 20), ("late", "US", EPOCH, 900, 40, 40)]].concat();
    let (aggregates, catalogue) = (sums(&delta(&rows)), Catalogue::default());
    let dimensions = ["country:BR"];
    let all = TrendQuery { dimensions: &dimensions, limit: 20, ..TrendQuery::default() };
    let unfiltered = trending(&aggregates, &catalogue, &all);
    assert_eq!(unfiltered.len(), 5);
    for left_out in ["rare", "more", "many", "some", "late"] {
        let admit = |id: &str| id != left_out;
        let found = trending(&aggregates, &catalogue, &TrendQuery { admit: Some(&admit), ..all.clone() });
        let wanted: Vec<Trend> = unfiltered.iter().filter(|trend| admit(&trend.title)).cloned().collect();
        assert_eq!(found, wanted, "without {left_out}");
    }
}

#[test]
fn what_is_not_available_in_the_country_does_not_trend_there() {
    let mut catalogue = Catalogue::default();
    catalogue.put(Title { id: "many".into(), countries: vec!["US".into()], ..Title::default() });
    let query =
        TrendQuery { dimensions: &["country:BR"], country: Some("BR"), limit: 2, ..TrendQuery::default() };
    assert_eq!(ids(&trending(&sums(&delta(&AVERAGE)), &catalogue, &query)), ["more", "some"]);
}
