//! Means over queries, with how far they may be off, and times.

use super::figure;
use super::metrics::{mean, ndcg_of_one, reciprocal_rank};
use hdrhistogram::Histogram;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where the title that was played stood in the list recommended just before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Number of the event, from 0, in the order of time.
    pub event: usize,
    /// Event time, Unix milliseconds.
    pub at_ms: i64,
    /// Number of the member.
    pub member: u32,
    /// Titles that the member had seen before.
    pub seen: usize,
    /// Plays of the title so far, by anybody.
    pub plays: u64,
    /// Seconds of event time since the member's last play; `None`: it is the first.
    pub gap_s: Option<i64>,
    /// Rank (from 1) in the member's own list, if it was in it.
    pub rank: Option<usize>,
    /// Rank (from 1) in the popular titles that the member had not seen, if it was in them.
    pub popular: Option<usize>,
}

/// Means over a number of queries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// Queries.
    pub queries: usize,
    /// Share of queries with the title in the list.
    pub hit_rate: f64,
    /// Standard error of the hit rate; queries of one member are taken as one draw.
    pub hit_rate_error: f64,
    /// Mean reciprocal rank.
    pub mrr: f64,
    /// Mean nDCG.
    pub ndcg: f64,
}

impl Scores {
    /// Means over `outcomes`, of the rank that `rank` picks.
    pub fn of<'a>(
        outcomes: impl IntoIterator<Item = &'a Outcome>,
        rank: impl Fn(&Outcome) -> Option<usize>,
    ) -> Self {
        let ranks: Vec<(u32, Option<usize>)> =
            outcomes.into_iter().map(|outcome| (outcome.member, rank(outcome))).collect();
        let hits = || ranks.iter().map(|(member, rank)| (*member, f64::from(u8::from(rank.is_some()))));
        let hit_rate = mean(hits().map(|(_, hit)| hit));
        Self {
            queries: ranks.len(),
            hit_rate,
            hit_rate_error: clustered_error(hits(), hit_rate),
            mrr: mean(ranks.iter().map(|(_, rank)| reciprocal_rank(*rank))),
            ndcg: mean(ranks.iter().map(|(_, rank)| ndcg_of_one(*rank))),
        }
    }

    /// The means as JSON, named with the length of the list.
    pub fn json(&self, k: usize) -> Map<String, Value> {
        Map::from_iter([
            ("queries".to_owned(), Value::from(self.queries)),
            (format!("hit_rate_at_{k}"), figure(self.hit_rate)),
            (format!("hit_rate_at_{k}_standard_error"), figure(self.hit_rate_error)),
            (format!("mrr_at_{k}"), figure(self.mrr)),
            (format!("ndcg_at_{k}"), figure(self.ndcg)),
        ])
    }
}

/// Standard error of the mean of a figure of members' queries, with members as clusters: what one does is not independent.
pub(crate) fn clustered_error(figures: impl IntoIterator<Item = (u32, f64)>, mean: f64) -> f64 {
    let (mut members, mut count): (BTreeMap<u32, f64>, usize) = (BTreeMap::new(), 0);
    for (member, figure) in figures {
        *members.entry(member).or_default() += figure - mean;
        count += 1;
    }
    members.values().map(|residual| residual * residual).sum::<f64>().sqrt() / count as f64
}

/// Times of one kind of step.
pub struct Timing(Histogram<u64>);

impl Default for Timing {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are valid"))
    }
}

impl Timing {
    /// Counts one step.
    pub fn add(&mut self, took: Duration) {
        self.0.saturating_record(took.as_nanos() as u64);
    }

    /// The time that a share of all steps took at most, in microseconds.
    pub fn quantile_us(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(member: u32, rank: Option<usize>) -> Outcome {
        Outcome { event: 0, at_ms: 0, member, seen: 0, plays: 0, gap_s: None, rank, popular: None }
    }

    #[test]
    fn means_are_as_worked_out_by_hand() {
        let outcomes =
            [outcome(1, Some(1)), outcome(1, None), outcome(2, Some(3)), outcome(3, None), outcome(3, None)];
        let scores = Scores::of(&outcomes, |outcome| outcome.rank);
        assert_eq!(scores.queries, 5);
        assert!((scores.hit_rate - 0.4).abs() < 1e-12);
        assert!((scores.mrr - (1.0 + 1.0 / 3.0) / 5.0).abs() < 1e-12);
        assert!((scores.ndcg - 1.5 / 5.0).abs() < 1e-12);
        // Residuals of the members: 0.6 − 0.4, 0.6, −0.4 − 0.4.
        let expected = (0.2_f64.powi(2) + 0.6_f64.powi(2) + 0.8_f64.powi(2)).sqrt() / 5.0;
        assert!((scores.hit_rate_error - expected).abs() < 1e-12);
    }

    #[test]
    fn nothing_measured_is_null_and_not_zero() {
        let json = Scores::of(&[], |outcome| outcome.rank).json(10);
        assert_eq!((&json["queries"], &json["hit_rate_at_10"]), (&Value::from(0), &Value::Null));
    }

    #[test]
    fn times_are_told_in_microseconds() {
        let mut timing = Timing::default();
        (1..=100).for_each(|us| timing.add(Duration::from_micros(us)));
        assert!((timing.quantile_us(0.5) - 50.0).abs() < 0.5, "{}", timing.quantile_us(0.5));
        assert!((timing.quantile_us(0.99) - 99.0).abs() < 0.5);
    }
}
