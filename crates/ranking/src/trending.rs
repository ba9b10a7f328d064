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
use crate::lift::{Prior, faded};
use crate::position_bias::PositionBias;
use nearline_model::aggregates::{ALL, Aggregates};
use nearline_model::catalogue::Catalogue;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Power of the share of plays in the score.
const PLAYS_POWER: f64 = 0.25;
/// What is asked for.
#[derive(Debug, Clone, Default)]
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

/// The titles that trend in the dimensions asked for.
pub fn trending(aggregates: &Aggregates, catalogue: &Catalogue, query: &TrendQuery<'_>) -> Vec<Trend> {
    let learned = query.learned.filter(|learned| learned.associations.are_of(aggregates));
    let bias = learned.map_or_else(|| PositionBias::of(aggregates), |learned| learned.position_bias.clone());
    let bias = &bias;
    let known = known_dimensions(aggregates, query.dimensions);
    let everywhere = |within: &[Trend]| {
        let known = |trend: &Trend| within.iter().any(|before| before.title == trend.title);
        let mut trends = in_dimension(aggregates, bias, ALL);
        trends.retain(|trend| !known(trend));
        trends
    };
    let mut trends = match known.as_slice() {
        [] => everywhere(&[]),
        [one] => in_dimension(aggregates, bias, one),
        several => averaged(several.iter().map(|name| in_dimension(aggregates, bias, name)).collect()),
    };
    trends.retain(|trend| catalogue.is_available(&trend.title, query.country));
    if !known.is_empty() && trends.len() < query.limit {
        let least = trends.last().map_or(1.0, |trend| trend.score);
        let mut more = everywhere(&trends);
        more.retain(|trend| catalogue.is_available(&trend.title, query.country));
        let top = more.first().map_or(1.0, |trend| trend.score);
        // Below all that trend where it was asked for, in their own order.
        more.iter_mut().for_each(|trend| trend.score *= 0.5 * least / top);
        trends.extend(more);
    }
    trends.truncate(query.limit);
    trends
}

/// Titles played in one dimension, best first.
fn in_dimension(aggregates: &Aggregates, bias: &PositionBias, name: &str) -> Vec<Trend> {
    let Some(table) = aggregates.counters(name) else { return Vec::new() };
    let half_life = f64::from(aggregates.settings().trend_half_life_epochs.max(1));
    let titles = faded(aggregates, bias, table.titles(), half_life);
    let prior = Prior::of(&titles);
    let top = titles.iter().map(|title| title.plays).fold(0.0, f64::max);
    let mut trends: Vec<Trend> = titles
        .iter()
        .filter(|title| title.plays > 0.0)
        .map(|title| {
            let lift = prior.lift(title);
            Trend {
                title: aggregates.title_id(title.title).clone(),
                score: lift * (title.plays / top).powf(PLAYS_POWER),
                dimension: name.to_owned(),
                plays: title.plays,
                impressions: title.impressions,
                take_rate: (title.impressions > 0.0).then(|| title.attributed / title.impressions),
                examination: title.examination,
                lift,
            }
        })
        .collect();
    sort(&mut trends);
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
