//! What a run came to: figures with their units in their names.

mod fault;
mod table;

pub use fault::FaultFigures;

use super::answered::Answered;
use super::inject::Injection;
use super::judge::Verdict;
use super::percentile::percentile;
use super::plan::Plan;
use super::query::QuerySample;
use super::seconds::Seconds;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

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
    /// Events acknowledged in a second, over the whole run with all its outages.
    pub events_per_s: f64,
    /// The same in the median second.
    pub events_per_s_p50: f64,
    /// What the plan wanted.
    pub events_per_s_wanted: u64,
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
    /// Share of all queries that were answered in time, by where their answer came from.
    pub in_time_by_source: BTreeMap<Answered, f64>,
    /// Engines that ended by themselves, and how; they were started again.
    pub engine_exits: Vec<String>,
    /// By fault.
    pub faults: Vec<FaultFigures>,
    /// Faults of the plan that were not injected, and why.
    pub skipped: Vec<String>,
    /// Unix milliseconds at which the run began: where log lines of the engines belong.
    pub started_ms: i64,
    /// Every injection.
    pub injections: Vec<Injection>,
    /// What the arrays of `seconds` hold.
    pub seconds_columns: [&'static str; 8],
    /// The run second by second.
    pub seconds: Seconds,
}

/// What was seen of a run while it went on.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// When it began, in Unix milliseconds.
    pub started_ms: i64,
    /// How long it ran.
    pub duration: Duration,
    /// Events that were never acknowledged.
    pub unacknowledged: u64,
    /// Every query, in the order in which they were due.
    pub samples: Vec<QuerySample>,
    /// The run second by second.
    pub seconds: Seconds,
    /// Every injection.
    pub injections: Vec<Injection>,
    /// Faults that were not injected, and why.
    pub skipped: Vec<String>,
    /// Engines that ended by themselves.
    pub engine_exits: Vec<String>,
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn availability<'a>(samples: impl IntoIterator<Item = &'a QuerySample>, within: Duration) -> Option<f64> {
    let (mut all, mut good) = (0_u64, 0_u64);
    for sample in samples {
        all += 1;
        good += u64::from(sample.is_in_time(within));
    }
    (all > 0).then(|| good as f64 / all as f64)
}

impl Report {
    /// Adds everything up.
    pub fn new(plan: &Plan, verdict: Option<Verdict>, observed: Observed) -> Self {
        let Observed { samples, seconds, injections, duration, .. } = observed;
        let samples = samples.as_slice();
        let within = Duration::from_millis(plan.pace.query_within_ms);
        let took: Vec<f64> = samples.iter().map(|sample| milliseconds(sample.took)).collect();
        let (mut sources, mut in_time) = (BTreeMap::new(), BTreeMap::<_, u64>::new());
        for sample in samples {
            *sources.entry(sample.answered).or_default() += 1;
            if sample.is_in_time(within) {
                *in_time.entry(sample.answered).or_default() += 1;
            }
        }
        let share = |count: u64| count as f64 / samples.len().max(1) as f64;
        let mut by_label: BTreeMap<&str, Vec<&Injection>> = BTreeMap::new();
        for injection in &injections {
            by_label.entry(&injection.label).or_default().push(injection);
        }
        let budget = |label: &str| {
            plan.faults.iter().find(|fault| fault.label() == label).and_then(|fault| fault.gap_budget_ms)
        };
        let faults: Vec<FaultFigures> = by_label
            .into_iter()
            .map(|(label, of)| FaultFigures::new(label, &of, budget(label), samples, within))
            .collect();
        let acknowledged: Vec<f64> = seconds.0.iter().map(|second| second.acknowledged as f64).collect();
        Self {
            plan: plan.name.clone(),
            duration_s: rounded(duration.as_secs_f64()),
            nodes: plan.target.as_ref().map_or(plan.nodes, |target| target.http.len()),
            verdict,
            unacknowledged: observed.unacknowledged,
            events_per_s: rounded(acknowledged.iter().sum::<f64>() / duration.as_secs_f64().max(0.001)),
            events_per_s_p50: percentile(&acknowledged, 0.5).unwrap_or_default(),
            events_per_s_wanted: plan.load.events_per_s,
            queries: samples.len() as u64,
            query_availability: availability(samples, within).unwrap_or(0.0),
            query_within_ms: plan.pace.query_within_ms,
            query_p50_ms: percentile(&took, 0.5).map(rounded),
            query_p99_ms: percentile(&took, 0.99).map(rounded),
            sources,
            in_time_by_source: in_time.into_iter().map(|(source, count)| (source, share(count))).collect(),
            engine_exits: observed.engine_exits,
            faults,
            skipped: observed.skipped,
            started_ms: observed.started_ms,
            injections,
            seconds_columns: Seconds::COLUMNS,
            seconds,
        }
    }

    /// Whether every invariant held: nothing lost, doubled, uncounted or different, and everything
    /// recovered, and settled without trouble.
    pub fn held(&self) -> bool {
        let verdict = self.verdict.as_ref().is_none_or(|verdict| {
            verdict.lost == 0
                && verdict.doubled == 0
                && verdict.uncounted == 0
                && verdict.partitions_differing == 0
        });
        verdict
            && self.unacknowledged == 0
            && self
                .faults
                .iter()
                .all(|fault| fault.recovered == fault.injections && fault.troubles.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(recover_ms: Option<f64>) -> Observed {
        let injection = Injection {
            label: "panic".to_owned(),
            at: Duration::from_millis(500),
            lasted: Duration::ZERO,
            settled: Duration::from_millis(600),
            detect_ms: None,
            noticed: None,
            recover_ms,
            gaps_ms: vec![20.0],
            trouble: None,
        };
        let sample = |answered, took_ms| QuerySample {
            due: Duration::from_millis(550),
            took: Duration::from_millis(took_ms),
            answered,
        };
        let second = |acknowledged| super::super::seconds::Second { acknowledged, ..Default::default() };
        Observed {
            duration: Duration::from_secs(2),
            samples: vec![
                sample(Answered::Live, 5),
                sample(Answered::Store, 99),
                sample(Answered::Store, 101),
                sample(Answered::Failed, 2_000),
            ],
            seconds: Seconds(vec![second(300), second(100), second(0)]),
            injections: vec![injection],
            ..Observed::default()
        }
    }

    fn report(observed: Observed) -> Report {
        let plan = Plan::parse("name = \"a\"\n[[faults]]\nkind = \"panic\"\ngap_budget_ms = 10\n");
        Report::new(&plan.expect("a plan"), None, observed)
    }

    #[test]
    fn answers_that_come_too_late_are_none_and_those_in_time_are_told_apart_by_source() {
        let report = report(observed(Some(30.0)));
        assert_eq!(report.query_availability, 0.5);
        assert_eq!(report.in_time_by_source[&Answered::Live], 0.25);
        assert_eq!(report.in_time_by_source[&Answered::Store], 0.25);
        assert_eq!((report.sources[&Answered::Store], report.sources[&Answered::Failed]), (2, 1));
    }

    #[test]
    fn the_rate_of_events_that_was_reached_stands_beside_the_one_wanted() {
        let report = report(observed(Some(30.0)));
        assert_eq!(
            (report.events_per_s, report.events_per_s_p50, report.events_per_s_wanted),
            (200.0, 100.0, 300)
        );
        let json: serde_json::Value = serde_json::to_value(&report).expect("JSON");
        assert_eq!(json["injections"][0]["at_s"], 0.5);
        assert_eq!(json["faults"][0]["gaps_over_budget"], 1);
        assert!(
            report.table().contains("200 a second acknowledged") && report.table().contains("300 wanted")
        );
    }

    #[test]
    fn a_run_that_was_not_recovered_from_does_not_hold() {
        assert!(report(observed(Some(30.0))).held());
        assert!(!report(observed(None)).held());
        let troubled = |trouble: &str| {
            let mut observed = observed(Some(30.0));
            observed.injections[0].trouble = Some(trouble.to_owned());
            report(observed)
        };
        assert!(!troubled("n1 ended with exit status: 1").held());
        assert!(troubled("n1 did not end").table().contains("TROUBLE with panic: n1 did not end"));
    }
}
