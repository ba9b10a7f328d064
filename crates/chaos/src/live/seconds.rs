//! The run second by second: what was published, asked, and answered from where.

use super::answered::Answered;
use super::percentile::percentile;
use super::plan::Plan;
use super::query::QuerySample;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use std::time::Duration;

/// One second of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Second {
    /// Events that the log acknowledged.
    pub acknowledged: u64,
    /// Queries that were due, by [`Answered::ALL`].
    pub queries: [u64; 4],
    /// Those answered in time.
    pub in_time: u64,
    /// Their latency.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
}

/// All seconds of a run; in JSON an array of arrays as [`Seconds::COLUMNS`] says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seconds(pub Vec<Second>);

impl Seconds {
    /// What a second's array holds.
    pub const COLUMNS: [&str; 8] =
        ["acknowledged", "live", "store", "popular", "failed", "in_time", "p50_ms", "p99_ms"];

    /// Adds up what was due or acknowledged in each second.
    pub fn new(plan: &Plan, duration: Duration, samples: &[QuerySample], acknowledged: &[u64]) -> Self {
        let within = Duration::from_millis(plan.pace.query_within_ms);
        let mut seconds = vec![Second::default(); duration.as_secs() as usize + 1];
        let mut took_ms: Vec<Vec<f64>> = vec![Vec::new(); seconds.len()];
        for sample in samples {
            let at = (sample.due.as_secs() as usize).min(seconds.len() - 1);
            let source = Answered::ALL.iter().position(|source| *source == sample.answered).unwrap_or(3);
            seconds[at].queries[source] += 1;
            seconds[at].in_time += u64::from(sample.is_in_time(within));
            took_ms[at].push(sample.took.as_secs_f64() * 1_000.0);
        }
        for (at, second) in seconds.iter_mut().enumerate() {
            second.acknowledged = acknowledged.get(at).copied().unwrap_or_default();
            let rounded = |share| percentile(&took_ms[at], share).map(|ms| (ms * 100.0).round() / 100.0);
            (second.p50_ms, second.p99_ms) = (rounded(0.5), rounded(0.99));
        }
        Self(seconds)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for second in &self.0 {
            let [live, store, popular, failed] = second.queries;
            let counts = (second.acknowledged, live, store, popular, failed, second.in_time);
            let (acknowledged, live, store, popular, failed, in_time) = counts;
            rows.serialize_element(&(
                acknowledged,
                live,
                store,
                popular,
                failed,
                in_time,
                second.p50_ms,
                second.p99_ms,
            ))?;
        }
        rows.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_query_counts_in_the_second_in_which_it_was_due() {
        let plan = Plan::parse("name = \"a\"\n[[faults]]\nkind = \"panic\"\n").expect("a plan");
        let sample = |due_ms, took_ms, answered| QuerySample {
            due: Duration::from_millis(due_ms),
            took: Duration::from_millis(took_ms),
            answered,
        };
        let samples = [
            sample(100, 3, Answered::Live),
            sample(900, 150, Answered::Store),
            sample(1_100, 5, Answered::Failed),
        ];
        let seconds = Seconds::new(&plan, Duration::from_millis(1_500), &samples, &[7]);
        assert_eq!(
            serde_json::to_string(&seconds).expect("JSON"),
            "[[7,1,1,0,0,1,3.0,150.0],[0,0,0,0,1,0,5.0,5.0]]"
        );
    }
}
