//! What a sample came to: distances, weights, and the plan in words, JSON and HTML.

mod html;
mod schema;
mod terminal;

use serde::Serialize;

pub use html::{fragment, html};
pub use schema::SCHEMA;
pub use terminal::text;

/// Distances between distributions over strata.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Distances {
    /// Total variation between the data and the sample, 0 to 1.
    pub variation_from_data: f64,
    /// Total variation between the target and the sample.
    pub variation_from_target: f64,
    /// Kullback-Leibler divergence of the sample from the data, in nats.
    pub kl_from_data: f64,
    /// Kullback-Leibler divergence of the sample from the target, in nats.
    pub kl_from_target: f64,
    /// Average standardised difference of strata's shares between target and sample.
    pub asmd_from_target: f64,
    /// Kish's effective size of the sample under inverse inclusion probabilities.
    pub effective_size: f64,
    /// The least and the largest weight.
    pub weights: (f64, f64),
}

impl Distances {
    /// The distances of rows per stratum: the data's, the target's and the sample's.
    pub fn new(data: &[f64], target: &[f64], sample: &[f64]) -> Self {
        let weights: Vec<(f64, f64)> = data
            .iter()
            .zip(sample)
            .filter(|(_, taken)| **taken > 0.0)
            .map(|(data, taken)| (data / taken, *taken))
            .collect();
        let sum: f64 = weights.iter().map(|(weight, taken)| weight * taken).sum();
        let squares: f64 = weights.iter().map(|(weight, taken)| weight * weight * taken).sum();
        let least = weights.iter().map(|(weight, _)| *weight).fold(f64::INFINITY, f64::min);
        let (data, target, sample) = (shares(data), shares(target), shares(sample));
        Self {
            variation_from_data: variation(&data, &sample),
            variation_from_target: variation(&target, &sample),
            kl_from_data: divergence(&sample, &data),
            kl_from_target: divergence(&sample, &target),
            asmd_from_target: standardised(&target, &sample),
            effective_size: if squares > 0.0 { sum * sum / squares } else { 0.0 },
            weights: if least.is_finite() {
                (least, weights.iter().map(|(weight, _)| *weight).fold(0.0, f64::max))
            } else {
                (0.0, 0.0)
            },
        }
    }
}

fn shares(rows: &[f64]) -> Vec<f64> {
    let sum: f64 = rows.iter().sum();
    rows.iter().map(|rows| if sum > 0.0 { rows / sum } else { 0.0 }).collect()
}

/// Half the sum of absolute differences.
pub fn variation(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).sum::<f64>() / 2.0
}

/// Kullback-Leibler divergence of `one` from `other`, in nats; infinite where `other` has nothing and `one` has some.
pub fn divergence(one: &[f64], other: &[f64]) -> f64 {
    let terms = one.iter().zip(other).filter(|(one, _)| **one > 0.0);
    // JSON has no infinity; the largest number stands for it.
    terms
        .map(|(one, other)| if *other > 1e-15 { one * (one / other).ln() } else { f64::MAX })
        .sum::<f64>()
        .clamp(0.0, f64::MAX)
}

fn standardised(target: &[f64], sample: &[f64]) -> f64 {
    let used: Vec<f64> = target
        .iter()
        .zip(sample)
        .filter(|(target, _)| **target > 0.0 && **target < 1.0)
        .map(|(target, sample)| (sample - target).abs() / (target * (1.0 - target)).sqrt())
        .collect();
    if used.is_empty() { 0.0 } else { used.iter().sum::<f64>() / used.len() as f64 }
}
