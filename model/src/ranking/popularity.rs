//! Popularity in the dimensions of a query.

use super::Query;
use crate::aggregates::{ALL, Aggregates};

/// Share that popularity everywhere has beside that of the dimensions asked for: fills up what is
/// known there.
const EVERYWHERE: f64 = 0.1;

/// Popularity in the dimensions of a query, each relative to its most popular title.
pub(super) struct Popularity<'a> {
    /// Name, scores, score of the most popular title, share.
    tables: Vec<(String, &'a [f64], f64, f64)>,
    weight: f64,
}

impl<'a> Popularity<'a> {
    pub fn of(aggregates: &'a Aggregates, query: &Query<'_>, weight: f64) -> Self {
        let country = query.country.map(|country| format!("country:{country}"));
        let device = query.device.map(|device| format!("device:{device}"));
        let mut tables: Vec<_> =
            [country, device].into_iter().flatten().filter_map(|name| table(aggregates, name)).collect();
        let share = 1.0 / tables.len().max(1) as f64;
        tables.iter_mut().for_each(|(_, _, _, own)| *own = share);
        if let Some(mut all) = table(aggregates, ALL.to_owned()) {
            all.3 = if tables.is_empty() { 1.0 } else { EVERYWHERE };
            tables.push(all);
        }
        Self { tables, weight }
    }

    /// What a title scores by its popularity.
    pub fn score(&self, title: usize) -> f64 {
        let shares = self
            .tables
            .iter()
            .map(|(_, scores, top, share)| scores.get(title).map_or(0.0, |score| share * score / top));
        self.weight * shares.sum::<f64>()
    }

    /// Where a title is popular: the dimensions asked for in which it is, or `all`.
    pub fn dimension(&self, title: usize) -> String {
        let is_popular = |scores: &[f64]| scores.get(title).is_some_and(|score| *score > 0.0);
        let mut names: Vec<&str> = self
            .tables
            .iter()
            .filter(|(name, scores, _, _)| name != ALL && is_popular(scores))
            .map(|(name, ..)| name.as_str())
            .collect();
        if names.is_empty() {
            names.push(ALL);
        }
        names.join(" and ")
    }
}

fn table(aggregates: &Aggregates, name: String) -> Option<(String, &[f64], f64, f64)> {
    let scores = aggregates.counters(&name)?.popularity();
    let top = scores.iter().copied().fold(0.0, f64::max);
    (top > 0.0).then_some((name, scores, top, 1.0))
}
