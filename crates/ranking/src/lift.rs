//! Take-rate lift: how much more a title is taken where it is offered than others are.
//!
//! Impressions and attributed plays fade with a half-life; impressions count by how much their places are
//! looked at ([`crate::position_bias`]); and the rate is drawn toward the overall rate by a beta prior whose
//! strength comes from the titles themselves (empirical Bayes; the moments are those of Kleinman:
//! "Proportions with Extraneous Variance", JASA 1973).

use crate::position_bias::PositionBias;
use nearline_model::aggregates::counters::TitleCounters;
use nearline_model::aggregates::{ALL, Aggregates, TITLES_AT_ONCE};
use nearline_model::symbols::{NONE, Symbol};

/// Least and most impressions that the prior counts for.
const PRIOR_STRENGTH: std::ops::RangeInclusive<f64> = 20.0..=10_000.0;
/// The prior's impressions where there are too few titles to learn it from.
const DEFAULT_STRENGTH: f64 = 200.0;
/// Titles with impressions that the prior's strength is learned from at least.
const LEAST_TITLES: usize = 10;
/// Half-lives after which an epoch no longer counts: it weighs less than a thousandth.
const KEPT_HALF_LIVES: f64 = 10.0;

/// A title's figures in one dimension, faded.
pub(crate) struct Faded {
    pub title: Symbol,
    pub plays: f64,
    pub impressions: f64,
    pub attributed: f64,
    pub examination: f64,
}

impl Faded {
    /// Impressions at places of mean examination that would have been looked at as much.
    fn examined(&self) -> f64 {
        self.impressions * self.examination
    }
}

/// Half-life of the lifts that the ranking uses, in 30-minute epochs: a day.
const LIFT_HALF_LIFE: f64 = 48.0;

/// The take-rate lifts of titles, from sums that are looked at piece by piece: whoever adds to them is not
/// kept waiting for all.
pub struct Lifts {
    titles: Vec<Faded>,
    looked: Symbol,
    bias: PositionBias,
}

impl Lifts {
    /// Nothing looked at yet, where places are looked at as much as `bias` says.
    pub fn new(bias: PositionBias) -> Self {
        Self { titles: Vec::new(), looked: NONE, bias }
    }

    /// Looks at the next titles; false if there are none.
    pub fn look(&mut self, aggregates: &Aggregates) -> bool {
        let next = aggregates.titles_after(self.looked).take(TITLES_AT_ONCE);
        self.looked = self.looked.further(next.len());
        let is_more = next.len() > 0;
        if let Some(table) = aggregates.counters(ALL) {
            let counters = next.filter_map(|title| Some((title, table.title(title)?)));
            self.titles.extend(faded(aggregates, &self.bias, counters, LIFT_HALF_LIFE));
        }
        is_more
    }

    /// How much places are looked at.
    pub fn position_bias(&self) -> PositionBias {
        self.bias.clone()
    }

    /// The lift of every title looked at that was shown or played in the epochs kept, fading within a day;
    /// those of all others are 1.
    pub fn of_titles(&self) -> Vec<(Symbol, f64)> {
        let prior = Prior::of(self.titles.iter());
        self.titles.iter().map(|title| (title.title, prior.lift(title))).collect()
    }
}

/// The take-rate lift of every title that was shown in the epochs kept, fading within a day; those of all
/// others are 1.
pub fn lifts(aggregates: &Aggregates) -> Vec<(Symbol, f64)> {
    let mut lifts = Lifts::new(PositionBias::of(aggregates));
    while lifts.look(aggregates) {}
    lifts.of_titles()
}

/// Figures of titles, in their order.
pub(crate) fn faded<'a>(
    aggregates: &Aggregates,
    bias: &PositionBias,
    titles: impl Iterator<Item = (Symbol, &'a TitleCounters)>,
    half_life: f64,
) -> Vec<Faded> {
    let newest = aggregates.newest_epoch();
    // Epochs past their time are swept out now and then: they must not count until then.
    let kept = ((half_life * KEPT_HALF_LIVES) as u32).min(aggregates.settings().epochs.saturating_sub(1));
    let weights: Vec<f64> = (0..=kept).map(|age| (-f64::from(age) / half_life).exp2()).collect();
    titles
        .map(|(title, counters)| {
            let (mut impressions, mut attributed) = (0.0, 0.0);
            for (epoch, counts) in counters.epochs.iter().rev() {
                let Some(weight) = weights.get(newest.saturating_sub(*epoch) as usize) else { break };
                impressions += weight * f64::from(counts.impressions);
                attributed += weight * f64::from(counts.attributed);
            }
            let plays = counters.faded_plays(aggregates.decays());
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
pub(crate) struct Prior {
    rate: f64,
    strength: f64,
}

impl Prior {
    pub fn of<'a>(titles: impl Iterator<Item = &'a Faded> + Clone) -> Self {
        let shown = || titles.clone().filter(|title| title.impressions > 0.0);
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
    pub fn lift(&self, title: &Faded) -> f64 {
        if self.rate <= 0.0 || title.impressions <= 0.0 {
            return 1.0;
        }
        let posterior = (self.rate * self.strength + title.attributed) / (self.strength + title.examined());
        posterior / self.rate
    }
}
