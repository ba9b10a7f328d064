//! The way of members' facts to the stream.

use crate::retry::Backoff;
use nearline_model::MemberFacts;
use nearline_ports::FactStream;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a commit waits for its facts to be in the stream.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way, with what is known of its state.
pub(crate) struct FactPath {
    stream: Arc<dyn FactStream>,
    closed: Mutex<Closed>,
}

struct Closed {
    until: Option<Instant>,
    backoff: Backoff,
}

impl FactPath {
    pub fn new(stream: Arc<dyn FactStream>) -> Self {
        Self { stream, closed: Mutex::new(Closed { until: None, backoff: Backoff::new(500, 30_000) }) }
    }

    /// Puts facts into the stream, or counts them as left out.
    pub async fn put(&self, facts: MemberFacts) {
        let count = facts.facts.len() as u64;
        if self.closed.lock().until.is_some_and(|until| Instant::now() < until) {
            metrics::counter!("nearline_facts_left_out_total", "why" => "stream_away").increment(count);
            return;
        }
        let (partition, after, position) = (facts.partition, facts.after, facts.position);
        let failure = match timeout(PATIENCE, self.stream.put(facts)).await {
            Ok(Ok(())) => {
                metrics::counter!("nearline_facts_total", "kind" => "member").increment(count);
                let mut closed = self.closed.lock();
                closed.until = None;
                closed.backoff.reset();
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        let mut closed = self.closed.lock();
        let wait = closed.backoff.next_wait();
        closed.until = Some(Instant::now() + wait);
        drop(closed);
        metrics::counter!("nearline_facts_left_out_total", "why" => "stream_away").increment(count);
        tracing::warn!(
            %partition, after = after.0, position = position.0, failure, wait_ms = wait.as_millis() as u64,
            "the fact stream does not take facts; what is left out can be made again of the log"
        );
    }
}
