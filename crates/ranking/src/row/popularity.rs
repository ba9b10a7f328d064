//! Popularity in the dimensions of a query.

use crate::query::Query;
use crate::settings::RankingSettings;
use nearline_model::aggregates::block_maxima::BlockMaxima;
use nearline_model::aggregates::counters::{CounterTable, FadedPlays};
use nearline_model::aggregates::{ALL, Aggregates, OPENING};

/// Share that popularity everywhere has beside that of the dimensions asked for: fills up what is
/// known there.
const EVERYWHERE: f64 = 0.1;

/// Popularity in one dimension.
struct Table<'a> {
    name: String,
    scores: &'a [f64],
    maxima: &'a BlockMaxima,
    /// Score of the most popular title.
    top: f64,
    share: f64,
}

impl<'a> Table<'a> {
    fn of(aggregates: &'a Aggregates, name: String) -> Option<Self> {
        let faded = aggregates.counters(&name)?.popularity();
        Self::faded(name, faded)
    }

    fn faded(name: String, faded: &'a FadedPlays) -> Option<Self> {
        let top = faded.maxima().greatest();
        (top > 0.0).then_some(Self { name, scores: faded.scores(), maxima: faded.maxima(), top, share: 1.0 })
    }

    fn share_of(&self, score: Option<f64>) -> f64 {
        score.map_or(0.0, |score| self.share * score / self.top)
    }
}

/// Popularity in the dimensions of a query, each relative to its most popular title.
pub(super) struct Popularity<'a> {
    tables: Vec<Table<'a>>,
    weight: f64,
    trend: Option<Table<'a>>,
    trend_weight: f64,
    /// Popularity and trend of plays that members began with.
    opening: [Option<Table<'a>>; 2],
    opening_share: f64,
}

impl<'a> Popularity<'a> {
    pub fn of(aggregates: &'a Aggregates, query: &Query<'_>, settings: &RankingSettings) -> Self {
        let RankingSettings { popularity_weight: weight, trend_weight, opening_share, .. } = *settings;
        let country = query.country.map(|country| format!("country:{country}"));
        let device = query.device.map(|device| format!("device:{device}"));
        let asked = [country, device].into_iter().flatten();
        let mut tables: Vec<Table<'_>> = asked.filter_map(|name| Table::of(aggregates, name)).collect();
        let share = 1.0 / tables.len().max(1) as f64;
        tables.iter_mut().for_each(|table| table.share = share);
        if let Some(mut all) = Table::of(aggregates, ALL.to_owned()) {
            all.share = if tables.is_empty() { 1.0 } else { EVERYWHERE };
            tables.push(all);
        }
        let trend = aggregates.counters(ALL).filter(|_| trend_weight > 0.0);
        let trend = trend.and_then(|counters| Table::faded(ALL.to_owned(), counters.trend()));
        let opening = aggregates.counters(OPENING).filter(|_| opening_share > 0.0);
        let faded = |faded: Option<&'a FadedPlays>| Table::faded(OPENING.to_owned(), faded?);
        let opening = [faded(opening.map(CounterTable::popularity)), faded(opening.map(CounterTable::trend))];
        Self { tables, weight, trend, trend_weight, opening, opening_share }
    }

    /// What a title scores by its popularity.
    pub fn score(&self, title: usize) -> f64 {
        self.weighed(|table| table.scores.get(title).copied())
    }

    /// What the titles of a block score at most by their popularity.
    pub fn most_of_block(&self, block: usize) -> f64 {
        self.weighed(|table| table.maxima.of_block(block))
    }

    fn weighed(&self, score: impl Fn(&Table<'_>) -> Option<f64>) -> f64 {
        let share = |table: &Option<Table<'_>>| table.as_ref().map_or(0.0, |t| t.share_of(score(t)));
        let popular: f64 = self.tables.iter().map(|table| table.share_of(score(table))).sum();
        let [popular_first, trending_first] = self.opening.each_ref().map(share);
        let blend = |all: f64, first: f64| (1.0 - self.opening_share) * all + self.opening_share * first;
        self.weight * blend(popular, popular_first)
            + self.trend_weight * blend(share(&self.trend), trending_first)
    }

    /// Where a title is popular: the dimensions asked for in which it is, or `all`.
    pub fn dimension(&self, title: usize) -> String {
        let is_popular = |scores: &[f64]| scores.get(title).is_some_and(|score| *score > 0.0);
        let mut names: Vec<&str> = self
            .tables
            .iter()
            .filter(|table| table.name != ALL && is_popular(table.scores))
            .map(|table| table.name.as_str())
            .collect();
        if names.is_empty() {
            names.push(ALL);
        }
        names.join(" and ")
    }
}
