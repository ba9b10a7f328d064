//! New and little played titles of the catalogue, by genre affinity.
//!
//! A title's score is `affinity · (0.7 · 2^-(newest year − year) + 0.3 · 50 / (plays + 50))`. The newest
//! year is the catalogue's own, so that no clock is read; the second term lets what nobody has found
//! yet stand beside what is new. The catalogue keeps no time at which a title came in.

use crate::affinity::GenreAffinity;
use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::Catalogue;
use std::sync::Arc;

/// Part of the score that the year decides.
const YEAR_WEIGHT: f64 = 0.7;
/// Plays at which the part that plays decide is half of what it is without any.
const FEW_PLAYS: f64 = 50.0;
/// Newness below which a title is not called new: older than a year and well known.
const LEAST_NEWNESS: f64 = 0.25;

/// A new title.
pub(super) struct New {
    pub title: Arc<str>,
    pub score: f64,
    pub year: Option<u16>,
    pub plays: u64,
    pub affinity: f64,
}

/// The `limit` titles with the highest scores, equal ones by id.
pub(super) fn newest(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    affinity: &GenreAffinity<'_>,
    allowed: impl Fn(&str) -> bool,
    boost: impl Fn(&str) -> f64,
    limit: usize,
) -> Vec<New> {
    let newest_year = catalogue.iter().filter_map(|title| title.year).max().unwrap_or_default();
    let mut new: Vec<New> = Vec::new();
    for title in catalogue.iter() {
        let plays = aggregates.title(&title.id).map_or(0, |symbol| aggregates.plays(symbol));
        let newness = newness(title.year, newest_year, plays);
        if newness < LEAST_NEWNESS || !allowed(&title.id) {
            continue;
        }
        let liked = affinity.to(&title.genres);
        let score = liked * newness * boost(&title.id);
        if score > 0.0 {
            let id = Arc::from(title.id.as_str());
            new.push(New { title: id, score, year: title.year, plays, affinity: liked });
        }
    }
    let order = |a: &New, b: &New| b.score.total_cmp(&a.score).then_with(|| a.title.cmp(&b.title));
    if new.len() > limit && limit > 0 {
        new.select_nth_unstable_by(limit - 1, order);
        new.truncate(limit);
    }
    new.sort_by(order);
    new
}

fn newness(year: Option<u16>, newest_year: u16, plays: u64) -> f64 {
    let age = year.map(|year| f64::from(newest_year.saturating_sub(year)));
    let by_year = age.map_or(0.0, |age| (-age).exp2());
    YEAR_WEIGHT * by_year + (1.0 - YEAR_WEIGHT) * FEW_PLAYS / (plays as f64 + FEW_PLAYS)
}

#[cfg(test)]
mod tests {
    use super::newness;

    #[test]
    fn what_is_new_or_hardly_played_is_newer_than_what_is_old_and_known() {
        assert!(newness(Some(2026), 2026, 0) > newness(Some(2026), 2026, 1_000));
        assert!(newness(Some(2026), 2026, 1_000) > newness(Some(2024), 2026, 0));
        assert!(newness(Some(2024), 2026, 0) > newness(Some(1990), 2026, 1_000));
        assert!((newness(None, 2026, 0) - 0.3).abs() < 1e-9);
    }
}
