//! Off-line policy evaluation: what another policy would have earned, from logs of the one that ran.
//!
//! A *round* is one logged decision: the reward, the propensity with which the logging policy chose its
//! action, and the probability with which the evaluated policy would have. Where a reward model's
//! predictions are given, too, the direct method and the doubly robust estimator can be computed.
//!
//! | estimator | value of a round | source |
//! | --- | --- | --- |
//! | [`Estimator::Replay`] | reward where a deterministic policy agrees, by the share that agrees | Li, Chu, Langford, Wang, WSDM 2011 |
//! | [`Estimator::Ips`] | `w · r`, `w` the policy's probability by the propensity | Horvitz, Thompson 1952; Strehl et al. 2010 |
//! | [`Estimator::Snips`] | `w · r` by the mean of `w` | Swaminathan, Joachims, NIPS 2015 |
//! | [`Estimator::Dm`] | what the model expects of the policy | |
//! | [`Estimator::Dr`] | that, plus `w · (r − prediction)` | Dudík, Langford, Li, ICML 2011 |
//!
//! Values, and bootstrap intervals for the same seed, agree with the Open Bandit Pipeline (Saito et al.,
//! NeurIPS Datasets 2021). Deliberately absent: I/O, and any model of rewards (its predictions are data).

mod bootstrap;
mod normal;

use serde::Serialize;

/// What a model of rewards says of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Of the action that was logged.
    pub logged: f64,
    /// Of the evaluated policy: the mean over its actions.
    pub policy: f64,
}

/// One logged decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// What came of it.
    pub reward: f64,
    /// Probability with which the logging policy chose the action, in (0, 1].
    pub propensity: f64,
    /// Probability with which the evaluated policy would have, in [0, 1].
    pub policy: f64,
    /// The reward model's predictions, if there is a model.
    pub prediction: Option<Prediction>,
}

/// How a value is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// The mean over rounds where a deterministic policy chooses what was logged. Right only if the
    /// logging policy chose uniformly.
    Replay,
    /// Inverse propensity scores.
    Ips,
    /// Self-normalised inverse propensity scores.
    Snips,
    /// Direct method.
    Dm,
    /// Doubly robust.
    Dr,
}

impl Estimator {
    /// All, in the order of [`Evaluation::estimates`].
    pub const ALL: [Self; 5] = [Self::Replay, Self::Ips, Self::Snips, Self::Dm, Self::Dr];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Ips => "ips",
            Self::Snips => "snips",
            Self::Dm => "dm",
            Self::Dr => "dr",
        }
    }
}

/// A two-sided confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A policy's value as one estimator sees it: reward per round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimator.
    pub estimator: Estimator,
    /// The value.
    pub value: f64,
    /// Percentiles of the bootstrap over rounds.
    pub bootstrap: Interval,
    /// By the central limit theorem; ratios (replay, SNIPS) by linearisation.
    pub normal: Interval,
}

/// How far an evaluation can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Diagnostics {
    /// Rounds.
    pub rounds: usize,
    /// Rounds that replay uses: the policy chooses what was logged, for certain.
    pub matched: usize,
    /// Reward per round of the logging policy.
    pub logged_value: f64,
    /// Mean of the weights: about 1 if the propensities are right and cover the policy.
    pub mean_weight: f64,
    /// Largest weight.
    pub max_weight: f64,
    /// Rounds that weigh as much as these weights do: `(Σw)² / Σw²` (Kish).
    pub effective_rounds: f64,
}

/// What to compute beside the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Confidence of intervals, in (0, 1).
    pub confidence: f64,
    /// Samples of the bootstrap.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u32,
    /// Weights of IPS and DR are cut off here; infinite: not at all.
    pub max_weight: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { confidence: 0.95, resamples: 1_000, seed: 12_345, max_weight: f64::INFINITY }
    }
}

/// An evaluation of one policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// One for each estimator that the data allow: DM and DR need predictions for every round.
    pub estimates: Vec<Estimate>,
    /// How far to trust them.
    pub diagnostics: Diagnostics,
}

impl Evaluation {
    /// The estimate of one estimator.
    pub fn estimate(&self, estimator: Estimator) -> Option<&Estimate> {
        self.estimates.iter().find(|estimate| estimate.estimator == estimator)
    }
}

/// What cannot be evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OffPolicyError {
    /// There is nothing to evaluate.
    #[error("there are no rounds to evaluate")]
    Empty,
    /// More rounds than can be drawn from.
    #[error("{0} rounds are more than can be evaluated at once; take a sample of at most 4,294,967,295")]
    TooMany(usize),
    /// A round that cannot be.
    #[error("round {round}: `{what}` is {found}; expected {expected}")]
    Impossible {
        /// Its place, from 0.
        round: usize,
        /// What is wrong.
        what: &'static str,
        /// What was found.
        found: f64,
        /// What is expected.
        expected: &'static str,
    },
}

/// Columns of contributions, in the order of [`Estimator::ALL`].
type Contributions = [f64; 5];

/// Evaluates a policy on `rounds`.
///
/// # Errors
/// [`OffPolicyError`] for no rounds, or the first round whose numbers cannot be.
pub fn evaluate(rounds: &[Round], options: &Options) -> Result<Evaluation, OffPolicyError> {
    check(rounds)?;
    let count = rounds.len() as f64;
    let weights = Weights::of(rounds);
    let contributions: Vec<Contributions> =
        rounds.iter().map(|round| weights.contributions(round, options.max_weight)).collect();
    let has_predictions = rounds.iter().all(|round| round.prediction.is_some());
    let tail = (1.0 - options.confidence.clamp(0.0, 1.0)) / 2.0;
    let mut means = bootstrap::resampled_means(&contributions, options.resamples, options.seed);
    let deviations = normal::normal_quantile(1.0 - tail);
    let mut estimates = Vec::with_capacity(Estimator::ALL.len());
    for (column, estimator) in Estimator::ALL.into_iter().enumerate() {
        if matches!(estimator, Estimator::Dm | Estimator::Dr) && !has_predictions {
            continue;
        }
        let value = contributions.iter().map(|row| row[column]).sum::<f64>() / count;
        let squares = rounds.iter().zip(&contributions).map(|(round, row)| {
            // Ratios vary less than their parts: with the denominator the numerator rises.
            let explained = match estimator {
                Estimator::Replay => {
                    value * weights.matches(round) / weights.mean_match.max(f64::MIN_POSITIVE)
                }
                Estimator::Snips => value * weight(round) / weights.mean.max(f64::MIN_POSITIVE),
                _ => value,
            };
            (row[column] - explained).powi(2)
        });
        let error = (squares.sum::<f64>() / (count - 1.0).max(1.0) / count).sqrt();
        means[column].sort_unstable_by(f64::total_cmp);
        let at = |share| bootstrap::quantile(&means[column], share);
        estimates.push(Estimate {
            estimator,
            value,
            bootstrap: Interval { low: at(tail), high: at(1.0 - tail) },
            normal: Interval { low: value - deviations * error, high: value + deviations * error },
        });
    }
    Ok(Evaluation { estimates, diagnostics: weights.diagnostics(rounds) })
}

fn check(rounds: &[Round]) -> Result<(), OffPolicyError> {
    if rounds.is_empty() {
        return Err(OffPolicyError::Empty);
    }
    if u32::try_from(rounds.len()).is_err() {
        return Err(OffPolicyError::TooMany(rounds.len()));
    }
    for (at, round) in rounds.iter().enumerate() {
        let impossible =
            |what, found, expected| OffPolicyError::Impossible { round: at, what, found, expected };
        if !(round.propensity > 0.0 && round.propensity <= 1.0) {
            return Err(impossible("propensity", round.propensity, "above 0, at most 1"));
        }
        if !(0.0..=1.0).contains(&round.policy) {
            return Err(impossible("policy", round.policy, "0 to 1"));
        }
        let predictions = round.prediction.map_or([0.0, 0.0], |model| [model.logged, model.policy]);
        for (what, value) in
            [("reward", round.reward), ("prediction", predictions[0]), ("prediction", predictions[1])]
        {
            if !value.is_finite() {
                return Err(impossible(what, value, "a finite number"));
            }
        }
    }
    Ok(())
}

fn weight(round: &Round) -> f64 {
    round.policy / round.propensity
}

/// Means that contributions are normalised by.
struct Weights {
    mean: f64,
    mean_match: f64,
}

impl Weights {
    fn of(rounds: &[Round]) -> Self {
        let count = rounds.len() as f64;
        let matched = rounds.iter().filter(|round| round.policy == 1.0).count();
        Self { mean: rounds.iter().map(weight).sum::<f64>() / count, mean_match: matched as f64 / count }
    }

    fn matches(&self, round: &Round) -> f64 {
        f64::from(u8::from(round.policy == 1.0))
    }

    fn contributions(&self, round: &Round, max_weight: f64) -> Contributions {
        let (weight, cut) = (weight(round), weight(round).min(max_weight));
        let by = |value: f64, mean: f64| if mean > 0.0 { value / mean } else { 0.0 };
        let (dm, dr) = round
            .prediction
            .map_or((0.0, 0.0), |model| (model.policy, model.policy + cut * (round.reward - model.logged)));
        [
            by(self.matches(round) * round.reward, self.mean_match),
            cut * round.reward,
            by(weight * round.reward, self.mean),
            dm,
            dr,
        ]
    }

    fn diagnostics(&self, rounds: &[Round]) -> Diagnostics {
        let count = rounds.len() as f64;
        let sum = self.mean * count;
        let squares: f64 = rounds.iter().map(|round| weight(round).powi(2)).sum();
        Diagnostics {
            rounds: rounds.len(),
            matched: (self.mean_match * count).round() as usize,
            logged_value: rounds.iter().map(|round| round.reward).sum::<f64>() / count,
            mean_weight: self.mean,
            max_weight: rounds.iter().map(weight).fold(0.0, f64::max),
            effective_rounds: if squares > 0.0 { sum * sum / squares } else { 0.0 },
        }
    }
}
