//! Exponential decay that commutes: forward decay in exact integers.
//!
//! Forward decay (Cormode, Shkapenyuk, Srivastava, Xu: "Forward Decay: A Practical Time Decay Model
//! for Streaming Systems", ICDE 2009) weighs an event at time *t* by a growing function *g(t)* and
//! divides by *g(now)* only when read, so a sum is never touched again as time goes on. Here
//! *g(t) = 2^(t / half-life)*. A floating-point sum would depend on the order of its terms; so each
//! half-life has an integer sum of its own (weights within it are 16-bit fixed point), and integers
//! can be added in any order.

use get_size2::GetSize;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Half-lives kept behind the newest: what is older weighs less than 2⁻³² and is dropped.
pub const KEPT_HALF_LIVES: u32 = 32;

const FRACTION_BITS: u32 = 16;

/// The weight of one event at the start of a half-life.
pub(crate) const UNIT: f64 = (1_u32 << FRACTION_BITS) as f64;

/// A decayed sum: per half-life the exact sum of weights that fell into it, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, GetSize)]
pub struct DecayedSum {
    /// There are hundreds of thousands of sums, most of one half-life.
    buckets: SmallVec<[(u32, u64); 1]>,
}

/// Weights of one half-life's epochs, in 16-bit fixed point: `round(2^16 · 2^(i / half_life))`.
#[derive(Debug, Clone, GetSize)]
pub struct DecayWeights {
    weights: Vec<u64>,
}

impl DecayWeights {
    /// Weights for a half-life of `half_life_epochs` epochs (at least 1).
    pub fn new(half_life_epochs: u32) -> Self {
        let half_life = half_life_epochs.max(1);
        let weight = |i: u32| (f64::from(i) / f64::from(half_life)).exp2() * UNIT;
        Self { weights: (0..half_life).map(|i| weight(i).round() as u64).collect() }
    }

    /// Epochs of a half-life.
    pub fn half_life_epochs(&self) -> u32 {
        self.weights.len() as u32
    }

    /// The half-life that `epoch` lies in, and the weight of one event there.
    pub fn place(&self, epoch: u32) -> (u32, u64) {
        let half_life = self.weights.len() as u32;
        (epoch / half_life, self.weights[(epoch % half_life) as usize])
    }
}

/// Two to the power of `bucket − landmark`, exact, made of its bits: it is asked for with every event.
fn power_of_two(bucket: u32, landmark: u32) -> f64 {
    let exponent = (i64::from(bucket) - i64::from(landmark)).clamp(-1_000, 1_000);
    f64::from_bits(((exponent + 1_023) as u64) << 52)
}

impl DecayedSum {
    /// Adds `count` events at `epoch`; what lies too far behind `newest_epoch` is dropped, whenever
    /// it arrives, so that the result does not depend on the order of arrival.
    pub fn add(&mut self, weights: &DecayWeights, epoch: u32, count: u64, newest_epoch: u32) {
        let (bucket, weight) = weights.place(epoch);
        let oldest = weights.place(newest_epoch).0.saturating_sub(KEPT_HALF_LIVES);
        if bucket >= oldest {
            let at = self.buckets.partition_point(|(b, _)| *b < bucket);
            match self.buckets.get_mut(at) {
                Some((b, sum)) if *b == bucket => *sum += weight * count,
                _ => self.buckets.insert(at, (bucket, weight * count)),
            }
        }
        self.expire(oldest);
    }

    /// Adds another sum, made with the same weights.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, sum) in &other.buckets {
            let at = self.buckets.partition_point(|(b, _)| b < bucket);
            match self.buckets.get_mut(at) {
                Some((b, known)) if b == bucket => *known += sum,
                _ => self.buckets.insert(at, (*bucket, *sum)),
            }
        }
    }

    /// The buckets from `oldest` on, as they are stored.
    pub(crate) fn kept(&self, oldest: u32) -> &[(u32, u64)] {
        &self.buckets[self.buckets.partition_point(|(bucket, _)| *bucket < oldest)..]
    }

    /// Drops buckets before `oldest`.
    pub fn expire(&mut self, oldest: u32) {
        let expired = self.buckets.partition_point(|(bucket, _)| *bucket < oldest);
        if expired > 0 {
            self.buckets.drain(..expired);
        }
    }

    /// The sum in units of one event at the start of half-life `landmark`. Scaling by a power of two
    /// is exact, so comparisons do not depend on the landmark.
    pub fn value(&self, landmark: u32) -> f64 {
        self.buckets.iter().map(|(bucket, sum)| *sum as f64 / UNIT * power_of_two(*bucket, landmark)).sum()
    }

    /// The sum of half-lives up to `landmark`, in units of one event at its start.
    pub fn value_up_to(&self, landmark: u32) -> f64 {
        let buckets = self.buckets.iter().take_while(|(bucket, _)| *bucket <= landmark);
        buckets.map(|(bucket, sum)| *sum as f64 / UNIT * power_of_two(*bucket, landmark)).sum()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_half_life_halves() {
        let weights = DecayWeights::new(48);
        let (mut old, mut new) = (DecayedSum::default(), DecayedSum::default());
        old.add(&weights, 100, 2, 148);
        new.add(&weights, 148, 1, 148);
        assert!((old.value(0) - new.value(0)).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn order_of_arrival_does_not_matter(
            mut events in prop::collection::vec((0_u32..400, 1_u64..5), 1..60), seed in any::<u64>()
        ) {
            let weights = DecayWeights::new(6);
            let fold = |events: &[(u32, u64)]| {
                let (mut sum, mut newest) = (DecayedSum::default(), 0);
                for (epoch, count) in events {
                    newest = newest.max(*epoch);
                    sum.add(&weights, *epoch, *count, newest);
                }
                sum.expire(weights.place(newest).0.saturating_sub(KEPT_HALF_LIVES));
                sum
            };
            let forward = fold(&events);
            let n = events.len();
            for i in 0..n {
                events.swap(i, (seed as usize).wrapping_mul(i + 7) % n);
            }
            prop_assert_eq!(forward, fold(&events));
        }
    }
}
