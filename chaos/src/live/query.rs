//! Query clients: so many queries a second, whatever becomes of them. A query's time runs from when it
//! was due, so that one slow answer does not hide those that waited behind it.

use super::publish::agent;
use super::workload::Workload;
use crate::dice::Dice;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A query that was not answered by now never will be.
const GIVE_UP: Duration = Duration::from_millis(2_000);

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// The partition's actor.
    Live,
    /// The store.
    Store,
    /// The aggregates.
    Popular,
    /// Nowhere: an error, or nothing in time.
    Failed,
}

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

/// The queries of a run.
#[derive(Debug)]
pub struct Queries {
    started: Instant,
    per_s: f64,
    next: AtomicU64,
    /// Whether to go on.
    pub stop: AtomicBool,
    samples: Mutex<Vec<QuerySample>>,
}

impl Queries {
    /// `per_s` queries a second from `started` on.
    pub fn new(started: Instant, per_s: u64) -> Self {
        Self {
            started,
            per_s: per_s as f64,
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            samples: Mutex::default(),
        }
    }

    /// One client: takes the next query that is due, asks, and again.
    pub fn ask(&self, nodes: &[String], workload: &Workload, mut dice: Dice) {
        let agent = agent(GIVE_UP);
        while !self.stop.load(Relaxed) {
            let number = self.next.fetch_add(1, Relaxed);
            let due = Duration::from_secs_f64(number as f64 / self.per_s);
            std::thread::sleep((self.started + due).saturating_duration_since(Instant::now()));
            let path = format!("/v1/members/{}/recommendations?limit=5", workload.any_member(&mut dice));
            let mut answered = Answered::Failed;
            for attempt in 0..nodes.len() {
                let left = GIVE_UP.saturating_sub(self.started.elapsed().saturating_sub(due));
                if left.is_zero() {
                    break;
                }
                let node = &nodes[(number as usize + attempt) % nodes.len()];
                answered = ask_once(&agent, &format!("{node}{path}"));
                if answered != Answered::Failed {
                    break;
                }
            }
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

fn ask_once(agent: &ureq::Agent, url: &str) -> Answered {
    let Ok(mut answer) = agent.get(url).call() else { return Answered::Failed };
    if answer.status() != 200 {
        return Answered::Failed;
    }
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    match serde_json::from_str::<Value>(&text).unwrap_or_default()["source"].as_str() {
        Some("live") => Answered::Live,
        Some("store") => Answered::Store,
        Some("popular") => Answered::Popular,
        _ => Answered::Failed,
    }
}
