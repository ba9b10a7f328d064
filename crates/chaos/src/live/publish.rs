//! Publishers: they send, and send again with the same ids until the log has acknowledged.

mod nats;

pub use nats::publish_nats;

use super::agent::agent;
use super::bed::Bed;
use super::workload::{Published, Workload};
use nearline_audience::dice::Dice;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Requests of one publisher in a second at most; its events are spread over them.
const REQUESTS_PER_S: f64 = 50.0;
/// Events of one request at least.
const TOGETHER: f64 = 10.0;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(50);
/// What a publisher that was held up sends later: events of so long.
const CATCH_UP: Duration = Duration::from_millis(500);
/// How long a publisher goes on for its last events after the run.
const PATIENCE: Duration = Duration::from_secs(60);

/// When publishers are to end.
#[derive(Debug, Default)]
pub struct Ending {
    /// Nothing new is sent any more.
    pub stop: AtomicBool,
    asked: parking_lot::Mutex<Option<Instant>>,
}

impl Ending {
    /// Asks for the end.
    pub fn ask(&self) {
        *self.asked.lock() = Some(Instant::now());
        self.stop.store(true, Relaxed);
    }

    fn is_over(&self) -> bool {
        self.asked.lock().is_some_and(|asked| asked.elapsed() > PATIENCE)
    }
}

/// Publishes over HTTP until asked to end, at `events_per_s`, to the nodes in turn.
pub fn publish_http(bed: &Bed, workload: &Workload, events_per_s: f64, mut dice: Dice, ending: &Ending) {
    let agent = agent(ATTEMPT);
    let together = (events_per_s / REQUESTS_PER_S).max(TOGETHER).ceil();
    let pause = Duration::from_secs_f64(together / events_per_s.max(0.1));
    let mut next = Instant::now();
    let mut node = dice.below(bed.engines.len());
    while !ending.stop.load(Relaxed) {
        let mut left: Vec<Published> = (0..together as u64).map(|_| workload.event(&mut dice)).collect();
        while !left.is_empty() && !ending.is_over() {
            left = attempt(&agent, &bed.in_service(node).http, workload, left);
            if !left.is_empty() {
                node += 1;
                std::thread::sleep(AGAIN);
            }
        }
        workload.give_up(left.len() as u64);
        next = (next + pause).max(Instant::now() - CATCH_UP);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Sends events once; gives those that were not acknowledged.
pub fn attempt(
    agent: &ureq::Agent,
    node: &str,
    workload: &Workload,
    events: Vec<Published>,
) -> Vec<Published> {
    let body: String = events.iter().flat_map(|event| [event.json.as_str(), "\n"]).collect();
    let sent = agent
        .post(format!("{node}/v1/events"))
        .header("content-type", "application/x-ndjson")
        .send(body.as_bytes())
        .ok()
        .and_then(|mut answer| answer.body_mut().read_to_string().ok());
    let answer: Value = sent.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    let mut left = Vec::new();
    for (at, event) in events.into_iter().enumerate() {
        match results.get(at).and_then(|result| result["status"].as_str()) {
            Some("accepted" | "duplicate") => workload.acknowledge(&event.id),
            _ => left.push(event),
        }
    }
    left
}
