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

use crate::aggregates::counters::TitleCounters;
use crate::aggregates::{ALL, Aggregates};
use crate::catalogue::Catalogue;
use crate::position_bias::PositionBias;
use crate::symbols::Symbol;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Power of the share of plays in the score.
const PLAYS_POWER: f64 = 0.25;
/// Least and most impressions that the prior counts for.
const PRIOR_STRENGTH: std::ops::RangeInclusive<f64> = 20.0..=10_000.0;
/// The prior's impressions where there are too few titles to learn it from.
const DEFAULT_STRENGTH: f64 = 200.0;
/// Titles with impressions that the prior's strength is learned from at least.
const LEAST_TITLES: usize = 10;
/// Half-lives after which an epoch no longer counts: it weighs less than a thousandth.
const KEPT_HALF_LIVES: f64 = 10.0;

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
            table.titles().any(|(_, counters)| counters.faded_plays(&aggregates.decays) > 0.0)
        })
    };
    dimensions.iter().copied().filter(is_known).collect()
}

/// The titles that trend in the dimensions asked for.
pub fn trending(aggregates: &Aggregates, catalogue: &Catalogue, query: &TrendQuery<'_>) -> Vec<Trend> {
    let bias = PositionBias::of(aggregates);
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

/// A title's figures in one dimension, faded.
struct Faded {
    title: Symbol,
    plays: f64,
    impressions: f64,
    attributed: f64,
    examination: f64,
}

impl Faded {
    /// Impressions at places of mean examination that would have been looked at as much.
    fn examined(&self) -> f64 {
        self.impressions * self.examination
    }
}

/// Half-life of the lifts that the ranking uses, in 30-minute epochs: a day.
const LIFT_HALF_LIFE: f64 = 48.0;

/// Titles whose figures are looked at in one go: well below a millisecond.
const TITLES_AT_ONCE: u32 = 1_024;

/// The take-rate lifts of titles, from sums that are looked at piece by piece: whoever adds to them is not
/// kept waiting for all.
#[derive(Default)]
pub struct Lifts {
    titles: Vec<Faded>,
    looked: Symbol,
}

impl Lifts {
    /// Looks at the next titles; false if there are none.
    pub fn look(&mut self, aggregates: &Aggregates) -> bool {
        let last = (aggregates.title_count() as Symbol).min(self.looked.saturating_add(TITLES_AT_ONCE));
        let next = self.looked + 1..=last;
        let is_more = !next.is_empty();
        if let Some(table) = aggregates.counters(ALL) {
            let counters = next.filter_map(|title| Some((title, table.title(title)?)));
            self.titles.extend(faded(aggregates, PositionBias::of(aggregates), counters, LIFT_HALF_LIFE));
        }
        self.looked = last;
        is_more
    }

    /// The lift of every title looked at that was shown or played in the epochs kept, fading within a day;
    /// those of all others are 1.
    pub fn of_titles(&self) -> Vec<(Symbol, f64)> {
        let prior = Prior::of(&self.titles);
        self.titles.iter().map(|title| (title.title, prior.lift(title))).collect()
    }
}

/// The take-rate lift of every title that was shown in the epochs kept, fading within a day; those of all
/// others are 1.
pub fn lifts(aggregates: &Aggregates) -> Vec<(Symbol, f64)> {
    let mut lifts = Lifts::default();
    while lifts.look(aggregates) {}
    lifts.of_titles()
}

/// Titles played in one dimension, best first.
fn in_dimension(aggregates: &Aggregates, bias: &PositionBias, name: &str) -> Vec<Trend> {
    let Some(table) = aggregates.counters(name) else { return Vec::new() };
    let half_life = f64::from(aggregates.settings.trend_half_life_epochs.max(1));
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

/// Figures of titles, in their order.
fn faded<'a>(
    aggregates: &Aggregates,
    bias: &PositionBias,
    titles: impl Iterator<Item = (Symbol, &'a TitleCounters)>,
    half_life: f64,
) -> Vec<Faded> {
    let newest = aggregates.newest_epoch();
    // Epochs past their time are swept out now and then: they must not count until then.
    let kept = ((half_life * KEPT_HALF_LIVES) as u32).min(aggregates.settings.epochs.saturating_sub(1));
    let weights: Vec<f64> = (0..=kept).map(|age| (-f64::from(age) / half_life).exp2()).collect();
    titles
        .map(|(title, counters)| {
            let (mut impressions, mut attributed) = (0.0, 0.0);
            for (epoch, counts) in counters.epochs.iter().rev() {
                let Some(weight) = weights.get(newest.saturating_sub(*epoch) as usize) else { break };
                impressions += weight * f64::from(counts.impressions);
                attributed += weight * f64::from(counts.attributed);
            }
            let plays = counters.faded_plays(&aggregates.decays);
            let examination = bias.of_title(aggregates.places().title(title));
            Faded { title, plays, impressions, attributed, examination }
        })
        .filter(|title| title.plays > 0.0 || title.impressions > 0.0)
        .collect()
}

/// A sum that does not depend on the order of its terms: each is rounded to 2⁻³² first.
fn exact_sum(terms: impl Iterator<Item = f64>) -> f64 {
    const UNIT: f64 = (1_u64 << 32) as f64;
    terms.map(|term| (term * UNIT).round() as i128).sum::<i128>() as f64 / UNIT
}

/// The beta prior of take rates: overall rate and the impressions that it counts for.
struct Prior {
    rate: f64,
    strength: f64,
}

impl Prior {
    fn of(titles: &[Faded]) -> Self {
        let shown = || titles.iter().filter(|title| title.impressions > 0.0);
        let sum = |value: fn(&Faded) -> f64| exact_sum(shown().map(value));
        let (attributed, examined) = (sum(|title| title.attributed), sum(Faded::examined));
        if attributed <= 0.0 || examined <= 0.0 {
            return Self { rate: 0.0, strength: DEFAULT_STRENGTH };
        }
        let rate = (attributed / examined).min(1.0);
        let count = shown().count();
        let spread = exact_sum(shown().map(|title| {
            let own = (title.attributed / title.examined()).min(1.0);
            title.examined() * (own - rate).powi(2)
        }));
        let squares = exact_sum(shown().map(|title| title.examined().powi(2)));
        let variance = rate * (1.0 - rate);
        let degrees = count.saturating_sub(1) as f64;
        let correlation =
            (spread - variance * degrees) / (variance * (examined - squares / examined - degrees));
        let strength = match 1.0 / correlation - 1.0 {
            _ if count < LEAST_TITLES => DEFAULT_STRENGTH,
            strength if strength.is_finite() && correlation > 0.0 => {
                strength.clamp(*PRIOR_STRENGTH.start(), *PRIOR_STRENGTH.end())
            }
            // No more spread than chance makes: all titles are alike.
            _ => *PRIOR_STRENGTH.end(),
        };
        Self { rate, strength }
    }

    /// Mean of the posterior over the overall rate.
    fn lift(&self, title: &Faded) -> f64 {
        if self.rate <= 0.0 || title.impressions <= 0.0 {
            return 1.0;
        }
        let posterior = (self.rate * self.strength + title.attributed) / (self.strength + title.examined());
        posterior / self.rate
    }
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
