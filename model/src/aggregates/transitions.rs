//! Title-to-title transitions: how often, and how closely, one title was played after another.
//!
//! A play adds to the pair of each title watched before it a weight of 0.85 per step back. Weights
//! are 16-bit fixed point, so that sums do not depend on their order.

use crate::symbols::Symbol;
use hashbrown::HashMap;

/// Weight of one step back.
pub const STEP_WEIGHT: f64 = 0.85;

/// Weights of a source by its steps back, in 16-bit fixed point: `round(2^16 · 0.85^step)`.
fn step_weight(step: usize) -> u64 {
    static WEIGHTS: std::sync::LazyLock<Vec<u64>> = std::sync::LazyLock::new(|| {
        (0..64).map(|step| (65_536.0 * STEP_WEIGHT.powi(step)).round() as u64).collect()
    });
    WEIGHTS.get(step).copied().unwrap_or_default()
}

/// What follows one title.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Followers {
    /// Weight of each title that followed.
    pub(crate) weights: HashMap<Symbol, u64>,
    /// Sum of all weights.
    pub(crate) total: u64,
}

impl Followers {
    /// Share of each follower among all.
    pub fn shares(&self) -> impl Iterator<Item = (Symbol, f64)> {
        let total = self.total.max(1) as f64;
        self.weights.iter().map(move |(title, weight)| (*title, *weight as f64 / total))
    }
}

/// Transitions from every title.
#[derive(Debug)]
pub struct Transitions {
    pub(crate) from: Vec<Followers>,
    pairs: usize,
    limit: usize,
}

impl Transitions {
    pub(crate) fn new(limit: usize) -> Self {
        Self { from: Vec::new(), pairs: 0, limit }
    }

    /// Adds a play of `to` after `sources`, most recent first.
    pub(crate) fn add(&mut self, to: Symbol, sources: impl Iterator<Item = Option<Symbol>>) {
        for (step, source) in sources.enumerate() {
            if let Some(from) = source {
                self.add_weight(from, to, step_weight(step));
            }
        }
    }

    /// The followers of `from`, to add to.
    fn followers_mut(&mut self, from: Symbol) -> &mut Followers {
        let at = from as usize;
        if self.from.len() <= at {
            self.from.resize_with(at + 1, Followers::default);
        }
        &mut self.from[at]
    }

    /// Sets the stored sum of all weights, those included that found no room.
    pub(crate) fn restore_total(&mut self, from: Symbol, total: u64) {
        self.followers_mut(from).total = total;
    }

    pub(crate) fn add_weight(&mut self, from: Symbol, to: Symbol, weight: u64) {
        let has_room = self.pairs < self.limit;
        let followers = self.followers_mut(from);
        followers.total += weight;
        match followers.weights.get_mut(&to) {
            Some(known) => *known += weight,
            None if has_room => {
                followers.weights.insert(to, weight);
                self.pairs += 1;
            }
            None => {
                metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => "transitions")
                    .increment(1);
            }
        }
    }

    /// What follows `title`.
    pub fn after(&self, title: Symbol) -> Option<&Followers> {
        self.from.get(title as usize).filter(|followers| followers.total > 0)
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }
}
