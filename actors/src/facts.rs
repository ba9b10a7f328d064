//! Facts on their way to the stream: those of members with each commit, decisions from a bounded queue.
//!
//! What is known of members can be made again of the log, so a stream that is away holds nothing up: after a failure the path
//! is left alone for a while, and what falls into that time is a gap that whoever reads the stream finds. Decisions
//! cannot be made again; those beyond the queue are counted.

mod decisions;
mod path;

pub use decisions::Offer;
pub(crate) use decisions::{DecisionQueue, Made};
pub(crate) use path::FactPath;

use nearline_model::facts::CaptureSettings;

/// Which facts are captured.
#[derive(Debug, Clone, PartialEq)]
pub struct FactSettings {
    /// Whether any are.
    pub capture: bool,
    /// The newest titles of history, list and opinions that a fact spells out: at most so many each.
    pub titles: usize,
    /// Share of the answers that are kept as decisions, 0 to 1.
    pub decision_share: f64,
    /// Decisions that may wait for the stream.
    pub decision_queue: usize,
}

impl Default for FactSettings {
    fn default() -> Self {
        Self {
            capture: false,
            titles: CaptureSettings::default().titles,
            decision_share: 1.0,
            decision_queue: 10_000,
        }
    }
}

impl FactSettings {
    pub(crate) fn of_members(&self) -> CaptureSettings {
        CaptureSettings { titles: self.titles, every_change: false }
    }
}
