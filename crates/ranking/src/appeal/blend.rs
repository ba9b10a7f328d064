//! The blend: what each feature of a title counts for beside others of the same list.

use nearline_model::delta::PositionBand;

/// What is known of a title in a list, by feature.
pub(super) type Row = [f64; WIDTH];

pub(super) const STRENGTH: usize = 0;
pub(super) const EXPOSURE: usize = 1;
pub(super) const UNKNOWN: usize = 2;
pub(super) const AGE: usize = 3;
pub(super) const CONTRAST: usize = 4;
pub(super) const TOGETHER: usize = 5;
pub(super) const ASSOCIATED: usize = 6;
pub(super) const TAKE_RATE: usize = 7;
pub(super) const TASTE: usize = 8;
pub(super) const SHOWN_BEFORE: usize = 9;
pub(super) const PLAYED_BEFORE: usize = 10;
/// The first of the bands of positions; they are all 0 in answers.
pub(super) const BANDS: usize = 11;
const WIDTH: usize = BANDS + PositionBand::COUNT;

/// Names of the features but places.
pub const FEATURES: [&str; BANDS] = [
    "strength",
    "exposure",
    "unknown",
    "age",
    "contrast",
    "together",
    "associated",
    "take_rate",
    "taste",
    "shown_before",
    "played_before",
];

/// What strength and association count for at the beginning, of one standard deviation.
const FIRST_WEIGHT: f64 = 0.3;
/// Length of a step of the weights, and what their squared gradients begin with.
const STEP: f64 = 0.1;
const FIRST_SQUARES: f64 = 1e-2;
/// Squares that spreads begin with.
const FIRST_SPREAD: f64 = 1e-3;
/// Standard deviations that a feature counts for at most.
const MOST: f64 = 5.0;

/// Weights of the features, and what they are learned with.
#[derive(Debug, Clone)]
pub(super) struct Blend {
    weights: Row,
    squared_gradients: Row,
    /// Sums of the mean squares within lists.
    spreads: Row,
    lists: f64,
}

impl Default for Blend {
    fn default() -> Self {
        let mut weights = [0.0; WIDTH];
        weights[STRENGTH] = FIRST_WEIGHT;
        weights[ASSOCIATED] = FIRST_WEIGHT;
        Self {
            weights,
            squared_gradients: [FIRST_SQUARES; WIDTH],
            spreads: [FIRST_SPREAD; WIDTH],
            lists: 1.0,
        }
    }
}

impl Blend {
    pub fn weights(&self) -> impl Iterator<Item = f64> + '_ {
        self.weights.iter().copied()
    }

    /// Takes each feature's mean over the list away, and puts all on one scale.
    fn scaled(&self, mut rows: Vec<Row>) -> Vec<Row> {
        for feature in 0..WIDTH {
            let spread = (self.spreads[feature] / self.lists).sqrt();
            rows.iter_mut().for_each(|row| row[feature] = (row[feature] / spread).clamp(-MOST, MOST));
        }
        rows
    }

    fn score(&self, row: &Row) -> f64 {
        row.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum()
    }

    /// The score of each row of one list.
    pub fn scores(&self, mut rows: Vec<Row>) -> Vec<f64> {
        centre(&mut rows);
        self.scaled(rows).iter().map(|row| self.score(row)).collect()
    }

    /// Learns that the first of `rows` was taken. Gives with which probability each was to be taken as its strength, on
    /// its own scale, and all other features said before.
    pub fn learn(&mut self, mut rows: Vec<Row>) -> Vec<f64> {
        centre(&mut rows);
        let count = rows.len().max(1) as f64;
        for feature in 0..WIDTH {
            self.spreads[feature] += rows.iter().map(|row| row[feature].powi(2)).sum::<f64>() / count;
        }
        self.lists += 1.0;
        let strengths: Vec<f64> = rows.iter().map(|row| row[STRENGTH]).collect();
        let rows = self.scaled(rows);
        let scores: Vec<f64> = rows.iter().map(|row| self.score(row)).collect();
        let beside = |((score, row), strength): ((&f64, &Row), f64)| {
            score - row[STRENGTH] * self.weights[STRENGTH] + strength
        };
        let chances = chances(&scores.iter().zip(&rows).zip(strengths).map(beside).collect::<Vec<f64>>());
        let expected = self::chances(&scores);
        for feature in 0..WIDTH {
            let mean: f64 = rows.iter().zip(&expected).map(|(row, chance)| row[feature] * chance).sum();
            let gradient = rows.first().map_or(0.0, |taken| taken[feature]) - mean;
            self.squared_gradients[feature] += gradient.powi(2);
            self.weights[feature] += STEP * gradient / self.squared_gradients[feature].sqrt();
        }
        chances
    }
}

fn centre(rows: &mut [Row]) {
    let count = rows.len().max(1) as f64;
    for feature in 0..WIDTH {
        let mean = rows.iter().map(|row| row[feature]).sum::<f64>() / count;
        rows.iter_mut().for_each(|row| row[feature] -= mean);
    }
}

/// Probabilities in proportion to the exponentials of `scores`.
fn chances(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
