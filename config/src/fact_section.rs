//! `[facts]`: what was known of members and what they were offered, kept for training.

use nearline_actors::{EngineSettings, FactSettings};
use nearline_backends::nats::NatsSettings;
use serde::{Deserialize, Serialize};

/// `[facts]`: which facts are captured, and how many are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FactSection {
    /// Whether facts are captured.
    pub capture: bool,
    /// The newest titles of history, list and opinions that a fact spells out: at most so many each.
    pub titles: usize,
    /// Share of the answers that are kept as decisions, 0 to 1.
    pub decision_share: f64,
    /// Decisions that may wait for the stream; more are counted and left out.
    pub decision_queue: usize,
    /// Bytes of the stream at most; the oldest facts go. 0 in a cluster: no limit.
    pub stream_bytes: u64,
}

impl Default for FactSection {
    fn default() -> Self {
        let FactSettings { capture, titles, decision_share, decision_queue } =
            EngineSettings::default().facts;
        let stream_bytes = NatsSettings::default().fact_stream_bytes;
        Self { capture, titles, decision_share, decision_queue, stream_bytes }
    }
}

impl FactSection {
    /// The engine's part of it.
    pub fn settings(&self) -> FactSettings {
        FactSettings {
            capture: self.capture,
            titles: self.titles,
            decision_share: self.decision_share,
            decision_queue: self.decision_queue,
        }
    }
}
