//! What faults of one kind came to.

use super::{availability, rounded};
use crate::live::inject::Injection;
use crate::live::percentile::percentile;
use crate::live::query::QuerySample;
use serde::Serialize;
use std::time::Duration;

/// Figures of one kind of fault.
#[derive(Debug, Clone, Serialize)]
pub struct FaultFigures {
    /// Such as `cut redis`.
    pub fault: String,
    /// Times it was injected.
    pub injections: u64,
    /// Times an engine noticed.
    pub detected: u64,
    /// Times everything worked again within the deadline.
    pub recovered: u64,
    /// Injection to notice.
    pub detect_p50_ms: Option<f64>,
    /// Injection to notice.
    pub detect_p99_ms: Option<f64>,
    /// To a live answer that shows an event published after the fault.
    pub recover_p50_ms: Option<f64>,
    /// The same, at worst nearly.
    pub recover_p99_ms: Option<f64>,
    /// The longest time that any partition gave no live answer, of each injection: the median.
    pub gap_p50_ms: Option<f64>,
    /// The same, at worst.
    pub gap_max_ms: Option<f64>,
    /// The same, at worst, of each partition.
    pub partition_gap_max_ms: Vec<f64>,
    /// What the plan allows, and how often it was exceeded.
    pub gap_budget_ms: Option<u64>,
    /// Injections with a longer gap.
    pub gaps_over_budget: u64,
    /// Share of queries answered in time from the injection until everything was settled.
    pub query_availability: Option<f64>,
    /// What else was not as it should be, by injection.
    pub troubles: Vec<String>,
}

impl FaultFigures {
    /// Adds up the injections `of` one kind.
    pub(super) fn new(
        label: &str,
        of: &[&Injection],
        gap_budget_ms: Option<u64>,
        samples: &[QuerySample],
        within: Duration,
    ) -> Self {
        let detect: Vec<f64> = of.iter().filter_map(|injection| injection.detect_ms).collect();
        let recover: Vec<f64> = of.iter().filter_map(|injection| injection.recover_ms).collect();
        let gaps: Vec<f64> = of.iter().map(|injection| injection.gap_ms()).collect();
        let mut by_partition: Vec<f64> = Vec::new();
        for injection in of {
            by_partition.resize(by_partition.len().max(injection.gaps_ms.len()), 0.0);
            for (longest, gap) in by_partition.iter_mut().zip(&injection.gaps_ms) {
                *longest = rounded(longest.max(*gap));
            }
        }
        let is_over = |gap: &&f64| gap_budget_ms.is_some_and(|budget| **gap > budget as f64);
        let during = of.iter().flat_map(|injection| during(samples, injection));
        Self {
            fault: label.to_owned(),
            injections: of.len() as u64,
            detected: detect.len() as u64,
            recovered: recover.len() as u64,
            detect_p50_ms: percentile(&detect, 0.5).map(rounded),
            detect_p99_ms: percentile(&detect, 0.99).map(rounded),
            recover_p50_ms: percentile(&recover, 0.5).map(rounded),
            recover_p99_ms: percentile(&recover, 0.99).map(rounded),
            gap_p50_ms: percentile(&gaps, 0.5).map(rounded),
            gap_max_ms: percentile(&gaps, 1.0).map(rounded),
            partition_gap_max_ms: by_partition,
            gap_budget_ms,
            gaps_over_budget: gaps.iter().filter(is_over).count() as u64,
            query_availability: availability(during, within),
            troubles: of.iter().filter_map(|injection| injection.trouble.clone()).collect(),
        }
    }
}

/// Queries that were due from the injection until everything was settled. `samples` are in order.
fn during<'a>(samples: &'a [QuerySample], injection: &Injection) -> &'a [QuerySample] {
    let from = samples.partition_point(|sample| sample.due < injection.at);
    let to = samples.partition_point(|sample| sample.due <= injection.settled);
    &samples[from..to.max(from)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::answered::Answered;

    fn injection(at_ms: u64, settled_ms: u64, gaps_ms: [f64; 2], recover_ms: Option<f64>) -> Injection {
        Injection {
            label: "node-kill".to_owned(),
            at: Duration::from_millis(at_ms),
            lasted: Duration::ZERO,
            settled: Duration::from_millis(settled_ms),
            detect_ms: None,
            noticed: None,
            recover_ms,
            gaps_ms: gaps_ms.to_vec(),
            trouble: recover_ms.is_none().then(|| "it stayed away".to_owned()),
        }
    }

    #[test]
    fn gaps_are_the_worst_partitions_of_each_injection() {
        let (first, second) =
            (injection(0, 10, [12.0, 80.0], Some(5.0)), injection(20, 30, [250.0, 9.0], None));
        let figures = FaultFigures::new("node-kill", &[&first, &second], Some(200), &[], Duration::ZERO);
        assert_eq!((figures.gap_p50_ms, figures.gap_max_ms), (Some(80.0), Some(250.0)));
        assert_eq!(figures.partition_gap_max_ms, [250.0, 80.0]);
        assert_eq!((figures.gaps_over_budget, figures.recovered, figures.injections), (1, 1, 2));
        assert_eq!(figures.troubles, ["it stayed away"]);
    }

    #[test]
    fn availability_is_that_of_the_queries_due_meanwhile() {
        let sample = |due_ms, answered| QuerySample {
            due: Duration::from_millis(due_ms),
            took: Duration::from_millis(1),
            answered,
        };
        let samples = [
            sample(0, Answered::Failed),
            sample(11, Answered::Live),
            sample(15, Answered::Failed),
            sample(21, Answered::Failed),
        ];
        let injection = injection(10, 20, [0.0, 0.0], Some(1.0));
        let within = Duration::from_millis(100);
        let figures = FaultFigures::new("node-kill", &[&injection], None, &samples, within);
        assert_eq!(figures.query_availability, Some(0.5));
    }
}
