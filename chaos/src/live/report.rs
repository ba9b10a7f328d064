//! What a run came to: figures with their units in their names.

use super::inject::Injection;
use super::judge::Verdict;
use super::percentile::percentile;
use super::plan::Plan;
use super::query::{Answered, QuerySample};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;
use std::collections::BTreeMap;
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
    /// Share of queries answered in time while it lasted and until recovery.
    pub query_availability: Option<f64>,
}

/// Everything of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The plan.
    pub plan: String,
    /// How long it ran.
    pub duration_s: f64,
    /// Engines.
    pub nodes: usize,
    /// What was found; absent where log and store are not known.
    #[serde(flatten)]
    pub verdict: Option<Verdict>,
    /// Events that were never acknowledged.
    pub unacknowledged: u64,
    /// Queries.
    pub queries: u64,
    /// Share of queries answered within `query_within_ms`.
    pub query_availability: f64,
    /// The bound that availability is about.
    pub query_within_ms: u64,
    /// Time from when a query was due to its answer.
    pub query_p50_ms: Option<f64>,
    /// The same.
    pub query_p99_ms: Option<f64>,
    /// Queries by where their answer came from.
    pub sources: BTreeMap<Answered, u64>,
    /// By fault.
    pub faults: Vec<FaultFigures>,
    /// Faults of the plan that were not injected, and why.
    pub skipped: Vec<String>,
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn is_in_time(sample: &QuerySample, within: Duration) -> bool {
    sample.answered != Answered::Failed && sample.took <= within
}

fn availability<'a>(samples: impl Iterator<Item = &'a QuerySample>, within: Duration) -> Option<f64> {
    let (mut all, mut good) = (0_u64, 0_u64);
    for sample in samples {
        all += 1;
        good += u64::from(is_in_time(sample, within));
    }
    (all > 0).then(|| good as f64 / all as f64)
}

impl Report {
    /// Adds everything up.
    pub fn new(
        plan: &Plan,
        duration: Duration,
        verdict: Option<Verdict>,
        unacknowledged: u64,
        samples: &[QuerySample],
        injections: &[Injection],
        skipped: Vec<String>,
    ) -> Self {
        let within = Duration::from_millis(plan.pace.query_within_ms);
        let took: Vec<f64> = samples.iter().map(|sample| milliseconds(sample.took)).collect();
        let mut sources = BTreeMap::new();
        for sample in samples {
            *sources.entry(sample.answered).or_default() += 1;
        }
        let mut by_label: BTreeMap<&str, Vec<&Injection>> = BTreeMap::new();
        for injection in injections {
            by_label.entry(&injection.label).or_default().push(injection);
        }
        let faults = by_label.into_iter().map(|(label, of)| figures(label, &of, samples, within)).collect();
        Self {
            plan: plan.name.clone(),
            duration_s: rounded(duration.as_secs_f64()),
            nodes: plan.target.as_ref().map_or(plan.nodes, |target| target.http.len()),
            verdict,
            unacknowledged,
            queries: samples.len() as u64,
            query_availability: availability(samples.iter(), within).unwrap_or(0.0),
            query_within_ms: plan.pace.query_within_ms,
            query_p50_ms: percentile(&took, 0.5).map(rounded),
            query_p99_ms: percentile(&took, 0.99).map(rounded),
            sources,
            faults,
            skipped,
        }
    }

    /// Whether every invariant held: nothing lost, doubled, uncounted or different, and everything
    /// recovered.
    pub fn held(&self) -> bool {
        let verdict = self.verdict.as_ref().is_none_or(|verdict| {
            verdict.lost == 0
                && verdict.doubled == 0
                && verdict.uncounted == 0
                && verdict.partitions_differing == 0
        });
        verdict
            && self.unacknowledged == 0
            && self.faults.iter().all(|fault| fault.recovered == fault.injections)
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!("plan {}: {} s, {} node(s)\n", self.plan, self.duration_s, self.nodes);
        if let Some(verdict) = &self.verdict {
            text.push_str(&format!(
                "acknowledged {}  lost {}  doubled {}  uncounted {}  dead letters {}  partitions equal to the fold {} of {}\n",
                verdict.acknowledged, verdict.lost, verdict.doubled, verdict.uncounted, verdict.dead_lettered,
                verdict.partitions_equal, verdict.partitions_equal + verdict.partitions_differing
            ));
        } else {
            text.push_str(
                "not judged: the plan names neither log nor store (target.nats_url, target.redis_url)\n",
            );
        }
        text.push_str(&format!(
            "queries {}  answered within {} ms {:.3} %  p50 {} ms  p99 {} ms  {:?}\n",
            self.queries,
            self.query_within_ms,
            self.query_availability * 100.0,
            readable(self.query_p50_ms),
            readable(self.query_p99_ms),
            self.sources
        ));
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "fault",
            "injections",
            "recovered",
            "detect p50 ms",
            "detect p99 ms",
            "recover p50 ms",
            "recover p99 ms",
            "queries in time",
        ]);
        for fault in &self.faults {
            table.add_row([
                fault.fault.clone(),
                fault.injections.to_string(),
                fault.recovered.to_string(),
                readable(fault.detect_p50_ms),
                readable(fault.detect_p99_ms),
                readable(fault.recover_p50_ms),
                readable(fault.recover_p99_ms),
                fault.query_availability.map_or("-".to_owned(), |share| format!("{:.2} %", share * 100.0)),
            ]);
        }
        text.push_str(&format!("{table}\n"));
        for skipped in &self.skipped {
            text.push_str(&format!("not injected: {skipped}\n"));
        }
        for finding in self.verdict.iter().flat_map(|verdict| &verdict.findings) {
            text.push_str(&format!("VIOLATED {finding}\n"));
        }
        text
    }
}

fn readable(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.1}"))
}

fn figures(label: &str, of: &[&Injection], samples: &[QuerySample], within: Duration) -> FaultFigures {
    let detect: Vec<f64> = of.iter().filter_map(|injection| injection.detect_ms).collect();
    let recover: Vec<f64> = of.iter().filter_map(|injection| injection.recover_ms).collect();
    let during = samples.iter().filter(|sample| of.iter().any(|injection| is_during(sample, injection)));
    FaultFigures {
        fault: label.to_owned(),
        injections: of.len() as u64,
        detected: detect.len() as u64,
        recovered: recover.len() as u64,
        detect_p50_ms: percentile(&detect, 0.5).map(rounded),
        detect_p99_ms: percentile(&detect, 0.99).map(rounded),
        recover_p50_ms: percentile(&recover, 0.5).map(rounded),
        recover_p99_ms: percentile(&recover, 0.99).map(rounded),
        query_availability: availability(during, within),
    }
}

fn is_during(sample: &QuerySample, injection: &Injection) -> bool {
    let recovery = Duration::from_secs_f64(injection.recover_ms.unwrap_or(0.0) / 1_000.0);
    (injection.at..=injection.at + injection.lasted.max(recovery)).contains(&sample.due)
}
