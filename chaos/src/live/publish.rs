//! Publishers: they send, and send again with the same ids until the log has acknowledged.

use super::ChaosError;
use super::workload::{Published, Workload};
use crate::dice::Dice;
use async_nats::HeaderMap;
use async_nats::jetstream;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Events of one request.
const TOGETHER: u64 = 10;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(50);
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

/// An HTTP client whose requests end within `timeout`.
pub fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .max_idle_connections_per_host(4)
        .build()
        .into()
}

/// Publishes over HTTP until asked to end, at `events_per_s`, to the nodes in turn.
pub fn publish_http(
    nodes: &[String],
    workload: &Workload,
    events_per_s: f64,
    mut dice: Dice,
    ending: &Ending,
) {
    let agent = agent(ATTEMPT);
    let pause = Duration::from_secs_f64(TOGETHER as f64 / events_per_s.max(0.1));
    let mut next = Instant::now();
    let mut node = dice.below(nodes.len());
    while !ending.stop.load(Relaxed) {
        let mut left: Vec<Published> = (0..TOGETHER).map(|_| workload.event(&mut dice)).collect();
        while !left.is_empty() && !ending.is_over() {
            left = attempt(&agent, &nodes[node % nodes.len()], workload, left);
            if !left.is_empty() {
                node += 1;
                std::thread::sleep(AGAIN);
            }
        }
        workload.give_up(left.len() as u64);
        next = (next + pause).max(Instant::now() - 4 * pause);
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

/// Publishes over NATS until asked to end.
///
/// # Errors
/// Where NATS cannot be reached at first.
pub async fn publish_nats(
    url: String,
    workload: Arc<Workload>,
    events_per_s: f64,
    bad_per_mille: u64,
    mut dice: Dice,
    ending: Arc<Ending>,
) -> Result<(), ChaosError> {
    let client = async_nats::connect(&url)
        .await
        .map_err(|error| ChaosError::Engine(format!("a publisher does not reach {url}: {error}")))?;
    let stream = jetstream::new(client);
    let pause = Duration::from_secs_f64(1.0 / events_per_s.max(0.1));
    while !ending.stop.load(Relaxed) {
        let event = if dice.chance(bad_per_mille) {
            workload.bad_event(&mut dice)
        } else {
            workload.event(&mut dice)
        };
        while !publish_once(&stream, &event).await {
            if ending.is_over() {
                workload.give_up(1);
                return Ok(());
            }
            tokio::time::sleep(AGAIN).await;
        }
        workload.acknowledge(&event.id);
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

async fn publish_once(stream: &jetstream::Context, event: &Published) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", event.id.as_str());
    let subject = format!("nearline.events.{}", event.member);
    let acknowledged = async {
        let sent = stream.publish_with_headers(subject, headers, event.json.clone().into()).await.ok()?;
        sent.await.ok()
    };
    matches!(tokio::time::timeout(ATTEMPT, acknowledged).await, Ok(Some(_)))
}
