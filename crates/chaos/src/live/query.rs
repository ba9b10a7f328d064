//! Query clients: so many queries a second, whatever becomes of them. A query's time runs from when it
//! was due, so that one slow answer does not hide those that waited behind it.

use super::answered::Answered;
use super::balancer::Balancer;
use super::workload::Workload;
use nearline_audience::dice::Dice;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A query that was not answered by now never will be.
const GIVE_UP: Duration = Duration::from_millis(2_000);

/// One query.
#[derive(Debug, Clone, Copy)]
pub struct QuerySample {
    /// When it was due, since the start of the run.
    pub due: Duration,
    /// How long after that it was answered.
    pub took: Duration,
    /// From where.
    pub answered: Answered,
}

impl QuerySample {
    /// Whether it was answered within `within`, from whatever source.
    pub fn is_in_time(&self, within: Duration) -> bool {
        self.answered != Answered::Failed && self.took <= within
    }
}

/// The queries of a run.
#[derive(Debug)]
pub struct Queries {
    started: Instant,
    per_s: f64,
    hedge: Option<Duration>,
    next: AtomicU64,
    /// Whether to end.
    pub stop: AtomicBool,
    samples: Mutex<Vec<QuerySample>>,
}

impl Queries {
    /// `per_s` queries a second from `started` on, hedged after `hedge_ms`, if that is not 0.
    pub fn new(started: Instant, per_s: u64, hedge_ms: u64) -> Self {
        Self {
            started,
            per_s: per_s as f64,
            hedge: (hedge_ms > 0).then(|| Duration::from_millis(hedge_ms)),
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            samples: Mutex::default(),
        }
    }

    /// One client: takes the next query that is due, asks, and again.
    pub async fn ask(&self, balancer: &Balancer, workload: &Workload, mut dice: Dice) {
        while !self.stop.load(Relaxed) {
            let number = self.next.fetch_add(1, Relaxed);
            let due = Duration::from_secs_f64(number as f64 / self.per_s);
            tokio::time::sleep_until((self.started + due).into()).await;
            let path = format!("/v1/members/{}/recommendations?limit=5", workload.any_member(&mut dice));
            let until = (self.started + due + GIVE_UP).into();
            let (answered, _) = balancer.ask(&path, number as usize, self.hedge, until).await;
            let took = self.started.elapsed().saturating_sub(due);
            self.samples.lock().push(QuerySample { due, took, answered });
        }
    }

    /// All queries so far.
    pub fn take(&self) -> Vec<QuerySample> {
        let mut samples = std::mem::take(&mut *self.samples.lock());
        samples.sort_by_key(|sample| sample.due);
        samples
    }
}
