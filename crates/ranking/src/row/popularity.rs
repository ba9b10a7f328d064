//! Popularity in the dimensions of a query.

use crate::query::Query;
use crate::settings::RankingSettings;
use nearline_model::aggregates::block_maxima::{BLOCK, BlockMaxima};
use nearline_model::aggregates::counters::{CounterTable, FadedPlays};
use nearline_model::aggregates::{ALL, Aggregates, OPENING};
use nearline_model::symbols::Symbol;
use smallvec::SmallVec;

/// Share that popularity everywhere has beside that of the dimensions asked for: fills up what is
/// known there.
const EVERYWHERE: f64 = 0.1;

/// Faded plays in one dimension, relative to those of its most popular title.
struct Table<'a> {
    scores: &'a [f64],
    maxima: &'a BlockMaxima,
    /// What a play of them counts for: never below 0, so that what is greater counts for no less.
    factor: f64,
}

impl<'a> Table<'a> {
    /// A table whose most popular title counts for `weight`; `None` where nothing is known or would count.
    fn of(faded: Option<&'a FadedPlays>, weight: f64) -> Option<Self> {
        let (scores, maxima) = (faded?.scores(), faded?.maxima());
        let top = maxima.greatest();
        (top > 0.0 && weight > 0.0).then(|| Self { scores, maxima, factor: weight / top })
    }
}

/// Popularity in the dimensions of a query.
pub(super) struct Popularity<'a> {
    /// Whatever counts: popularity and trend, of the dimensions asked for, of all plays, and of those that members
    /// began with.
    tables: SmallVec<[Table<'a>; 6]>,
    /// Dimensions asked for.
    asked: SmallVec<[(String, &'a [f64]); 2]>,
}

impl<'a> Popularity<'a> {
    pub fn of(aggregates: &'a Aggregates, query: &Query<'_>, settings: &RankingSettings) -> Self {
        let RankingSettings { popularity_weight, trend_weight, opening_share, .. } = *settings;
        let popularity = |name: &str| aggregates.counters(name).map(CounterTable::popularity);
        let country = query.country.map(|country| format!("country:{country}"));
        let device = query.device.map(|device| format!("device:{device}"));
        let asked = [country, device].into_iter().flatten().filter_map(|name| {
            let faded = popularity(&name).filter(|faded| faded.maxima().greatest() > 0.0)?;
            Some((name, faded))
        });
        let asked: SmallVec<[(String, &FadedPlays); 2]> = asked.collect();
        let share = 1.0 / asked.len().max(1) as f64;
        let everywhere = if asked.is_empty() { 1.0 } else { EVERYWHERE };
        let (of_all, of_opening) = (1.0 - opening_share, opening_share);
        let (all, opening) = (aggregates.counters(ALL), aggregates.counters(OPENING));
        let of_asked = asked.iter().map(|(_, faded)| (Some(*faded), popularity_weight * of_all * share));
        let of_others = [
            (all.map(CounterTable::popularity), popularity_weight * of_all * everywhere),
            (opening.map(CounterTable::popularity), popularity_weight * of_opening),
            (all.map(CounterTable::trend), trend_weight * of_all),
            (opening.map(CounterTable::trend), trend_weight * of_opening),
        ];
        let tables =
            of_asked.chain(of_others).filter_map(|(faded, weight)| Table::of(faded, weight)).collect();
        let asked = asked.into_iter().map(|(name, faded)| (name, faded.scores())).collect();
        Self { tables, asked }
    }

    /// What a title scores by its popularity.
    pub fn score(&self, title: usize) -> f64 {
        let term = |table: &Table<'_>| table.factor * table.scores.get(title).copied().unwrap_or_default();
        self.tables.iter().fold(0.0, |sum, table| sum + term(table))
    }

    /// What `titles`, of which there may be 64 at most, score by their popularity.
    pub fn of_titles(&self, titles: &[Symbol]) -> [f64; BLOCK] {
        let mut sums = [0.0; BLOCK];
        for table in &self.tables {
            for (sum, title) in sums.iter_mut().zip(titles) {
                *sum += table.factor * table.scores.get(title.index()).copied().unwrap_or_default();
            }
        }
        sums
    }

    /// What the titles of a block score by their popularity.
    pub fn of_block(&self, block: usize) -> [f64; BLOCK] {
        let mut sums = [0.0; BLOCK];
        for table in &self.tables {
            let scores = table.scores.get(block * BLOCK..).unwrap_or_default();
            sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += table.factor * score);
        }
        sums
    }

    /// What the titles of each of 64 blocks from `first` on score at most by their popularity.
    pub fn most_of_blocks(&self, first: usize) -> [f64; BLOCK] {
        let mut sums = [0.0; BLOCK];
        for table in &self.tables {
            let maxima = table.maxima.of_blocks(first, 0.0);
            sums.iter_mut().zip(maxima).for_each(|(sum, most)| *sum += table.factor * most);
        }
        sums
    }

    /// Where a title is popular: the dimensions asked for in which it is, or `all`.
    pub fn dimension(&self, title: usize) -> String {
        let is_popular = |scores: &[f64]| scores.get(title).is_some_and(|score| *score > 0.0);
        let asked = self.asked.iter().filter(|(_, scores)| is_popular(scores));
        let names: Vec<&str> = asked.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { ALL.to_owned() } else { names.join(" and ") }
    }
}
