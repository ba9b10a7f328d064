//! Trending: which titles are taken most right now, where they are offered, and played most.
//!
//! A title's score is `lift · (plays / most plays)^¼`.
//! - **Lift** is its take rate over the overall one. Impressions and attributed plays fade with the
//!   short half-life; impressions count by how much their places are looked at
//!   ([`crate::position_bias`]); and the rate is drawn toward the overall rate by a beta prior whose
//!   strength comes from the titles themselves (empirical Bayes; the moments are those of Kleinman:
//!   "Proportions with Extraneous Variance", JASA 1973). So three plays of three impressions are
//!   hardly more than average. A title that was never shown has lift 1: nothing is known.
//! - **Plays**, attributed or not, fade alike. Their fourth root keeps a title that nobody plays from
//!   the top without drowning the lift of those that are played. Where nothing was ever shown, lift is 1
//!   for all, and titles trend by their plays.
//!
//! Where several dimensions are asked for, scores are averaged; where they hold too few titles, those of
//! `all` follow, with scores below. Equal scores are ordered by title id.

use crate::learned::Learned;
use crate::lift::{Faded, Prior, faded};
use crate::position_bias::PositionBias;
use nearline_model::aggregates::{ALL, Aggregates, TITLES_AT_ONCE};
use nearline_model::catalogue::Catalogue;
use nearline_model::symbols::{NONE, Symbol};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Power of the share of plays in the score.
const PLAYS_POWER: f64 = 0.25;

/// Boards made before, by their dimensions.
pub type Boards<'a> = &'a dyn Fn(&[&str]) -> Arc<Board>;

/// What is asked for.
#[derive(Clone, Default)]
pub struct TrendQuery<'a> {
    /// Dimensions such as `country:BR` and `device:tv`; those in which nothing is
    /// played are passed over.
    pub dimensions: &'a [&'a str],
    /// Country that the titles must be available in.
    pub country: Option<&'a str>,
    /// Titles wanted at most.
    pub limit: usize,
    /// What was worked out before; `None`: the sums alone answer.
    pub learned: Option<&'a Learned>,
    /// Only titles that it is true for; it is asked of the best first, until there are enough.
    pub admit: Option<&'a dyn Fn(&str) -> bool>,
    /// Boards made before; `None`: they are made from the sums.
    pub boards: Option<Boards<'a>>,
}

/// A title that trends, and what its score is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// The title.
    pub title: Arc<str>,
    /// Its score; comparable within one answer only.
    pub score: f64,
    /// The dimension that it trends in: one that was asked for, or `all`.
    pub dimension: String,
    /// Plays, fading with the half-life of the trend.
    pub plays: f64,
    /// Impressions, fading alike.
    pub impressions: f64,
    /// Plays attributed to them per impression; absent without impressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_rate: Option<f64>,
    /// How much the places where it was shown are looked at, relative to the mean.
    pub examination: f64,
    /// Its take rate over the overall one, corrected for its places and drawn toward 1 where little is
    /// known.
    pub lift: f64,
}

/// Those of `dimensions` in which anything is played.
pub fn known_dimensions<'a>(aggregates: &Aggregates, dimensions: &[&'a str]) -> Vec<&'a str> {
    let is_known = |name: &&str| {
        let table = aggregates.counters(name);
        table.is_some_and(|table| {
            table.titles().any(|(_, counters)| counters.faded_plays(aggregates.decays()) > 0.0)
        })
    };
    dimensions.iter().copied().filter(is_known).collect()
}

/// What trends in one dimension, or in several together, best first: the same for everybody who asks.
#[derive(Debug, Clone, Default)]
pub struct Board {
    trends: Vec<Trend>,
    /// Whether titles were left out at its end.
    is_cut: bool,
}

impl Board {
    /// The whole board of `dimensions`.
    pub fn of(aggregates: &Aggregates, bias: &PositionBias, dimensions: &[&str]) -> Self {
        let list = |name: &&str| {
            let mut sums = BoardSums::new(name);
            while sums.look(aggregates, bias) {}
            sums.trends()
        };
        Self::together(dimensions.iter().map(list).collect())
    }

    /// The board of several dimensions' trends.
    pub fn together(mut lists: Vec<Vec<Trend>>) -> Self {
        let trends = if lists.len() == 1 { lists.remove(0) } else { averaged(lists) };
        Self { trends, is_cut: false }
    }

    /// The board without what stands behind the first `most` titles.
    pub fn cut(mut self, most: usize) -> Self {
        self.is_cut |= self.trends.len() > most;
        self.trends.truncate(most);
        self.trends.shrink_to_fit();
        self
    }

    /// Whether nothing trends there.
    pub fn is_empty(&self) -> bool {
        self.trends.is_empty()
    }

    /// The first `limit` that are wanted; `None`: there may be more behind the cut.
    fn first(&self, limit: usize, wanted: impl Fn(&Trend) -> bool) -> Option<Vec<Trend>> {
        let found: Vec<Trend> =
            self.trends.iter().filter(|trend| wanted(trend)).take(limit).cloned().collect();
        (found.len() >= limit || !self.is_cut).then_some(found)
    }
}

/// The figures of one dimension, looked at piece by piece: whoever adds to the sums is not kept waiting for all.
pub struct BoardSums {
    dimension: String,
    titles: Vec<(Faded, Arc<str>)>,
    looked: Symbol,
    identity: Option<Arc<str>>,
}

impl BoardSums {
    /// Nothing looked at yet.
    pub fn new(dimension: &str) -> Self {
        Self { dimension: dimension.to_owned(), titles: Vec::new(), looked: NONE, identity: None }
    }

    /// Looks at the next titles; false if there are none. Sums in the place of others are begun anew.
    pub fn look(&mut self, aggregates: &Aggregates, bias: &PositionBias) -> bool {
        let identity = aggregates.title_id(NONE);
        if !self.identity.as_ref().is_some_and(|known| Arc::ptr_eq(known, identity)) {
            *self = Self { identity: Some(identity.clone()), ..Self::new(&self.dimension) };
        }
        let next = aggregates.titles_after(self.looked).take(TITLES_AT_ONCE);
        self.looked = self.looked.further(next.len());
        let (is_more, Some(table)) = (next.len() > 0, aggregates.counters(&self.dimension)) else {
            return false;
        };
        let half_life = f64::from(aggregates.settings().trend_half_life_epochs.max(1));
        let counters = next.filter_map(|title| Some((title, table.title(title)?)));
        let figures = faded(aggregates, bias, counters, half_life).into_iter();
        self.titles.extend(figures.map(|title| {
            let id = aggregates.title_id(title.title).clone();
            (title, id)
        }));
        is_more
    }

    /// What was looked at, best first.
    pub fn trends(self) -> Vec<Trend> {
        let prior = Prior::of(self.titles.iter().map(|(title, _)| title));
        let top = self.titles.iter().map(|(title, _)| title.plays).fold(0.0, f64::max);
        let trend = |(title, id): &(Faded, Arc<str>)| {
            let lift = prior.lift(title);
            Trend {
                title: id.clone(),
                score: lift * (title.plays / top).powf(PLAYS_POWER),
                dimension: self.dimension.clone(),
                plays: title.plays,
                impressions: title.impressions,
                take_rate: (title.impressions > 0.0).then(|| title.attributed / title.impressions),
                examination: title.examination,
                lift,
            }
        };
        let mut trends: Vec<Trend> =
            self.titles.iter().filter(|(title, _)| title.plays > 0.0).map(trend).collect();
        sort(&mut trends);
        trends
    }
}

/// The titles that trend in the dimensions asked for.
pub fn trending(aggregates: &Aggregates, catalogue: &Catalogue, query: &TrendQuery<'_>) -> Vec<Trend> {
    let learned = query.learned.filter(|learned| learned.associations.are_of(aggregates));
    let bias =
        || learned.map_or_else(|| PositionBias::of(aggregates), |learned| learned.position_bias.clone());
    let whole = |dimensions: &[&str]| Board::of(aggregates, &bias(), dimensions);
    let board = |dimensions: &[&str]| match query.boards {
        Some(boards) => boards(dimensions),
        None => Arc::new(whole(dimensions)),
    };
    let first = |dimensions: &[&str], limit: usize, wanted: &dyn Fn(&Trend) -> bool| {
        let shown = |trend: &Trend| {
            wanted(trend)
                && catalogue.is_available(&trend.title, query.country)
                && query.admit.is_none_or(|admit| admit(&trend.title))
        };
        let found = board(dimensions).first(limit, shown);
        found.unwrap_or_else(|| whole(dimensions).first(limit, shown).unwrap_or_default())
    };
    let known: Vec<&str> = match query.boards {
        Some(boards) => {
            query.dimensions.iter().copied().filter(|name| !boards(&[*name]).is_empty()).collect()
        }
        None => known_dimensions(aggregates, query.dimensions),
    };
    if known.is_empty() {
        return first(&[ALL], query.limit, &|_| true);
    }
    let mut trends = first(&known, query.limit, &|_| true);
    if trends.len() < query.limit {
        let mut own = board(&known);
        if own.is_cut {
            own = Arc::new(whole(&known));
        }
        let within: HashSet<Arc<str>> = own.trends.iter().map(|trend| trend.title.clone()).collect();
        let is_other = |trend: &Trend| !within.contains(&trend.title);
        let mut more = first(&[ALL], query.limit - trends.len(), &is_other);
        // Below all that trend where it was asked for, in their own order; and the same whichever of them are wanted.
        let least = own.trends.last().map_or(1.0, |trend| trend.score);
        let top = board(&[ALL]).trends.first().map_or(1.0, |trend| trend.score);
        let scale = if top > 0.0 { 0.5 * least / top } else { 0.0 };
        more.iter_mut().for_each(|trend| trend.score *= scale);
        trends.extend(more);
    }
    trends
}

fn sort(trends: &mut [Trend]) {
    trends.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.title.cmp(&b.title)));
}

/// Trends of several dimensions together: the mean score; figures are those of the dimension where the
/// title trends most.
fn averaged(lists: Vec<Vec<Trend>>) -> Vec<Trend> {
    let share = 1.0 / lists.len().max(1) as f64;
    let mut together: BTreeMap<Arc<str>, (f64, Trend)> = BTreeMap::new();
    for trend in lists.into_iter().flatten() {
        match together.get_mut(&trend.title) {
            None => {
                together.insert(trend.title.clone(), (trend.score * share, trend));
            }
            Some((score, best)) => {
                *score += trend.score * share;
                if trend.score > best.score {
                    *best = trend;
                }
            }
        }
    }
    let mut trends: Vec<Trend> =
        together.into_values().map(|(score, trend)| Trend { score, ..trend }).collect();
    sort(&mut trends);
    trends
}
