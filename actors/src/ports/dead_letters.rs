//! Where refused events go, with the reason: nothing is lost.

use super::PortError;
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::{PartitionId, Position};
use serde::{Deserialize, Serialize};

/// A refused event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Partition it arrived on.
    pub partition: PartitionId,
    /// Its place in the log: the letter's identity, so that a replay writes it again harmlessly.
    pub position: Position,
    /// The log's time stamp, Unix milliseconds.
    pub log_ms: i64,
    /// Stable code of the reason.
    pub reason: String,
    /// What exactly was wrong.
    pub detail: String,
    /// The event as it was published.
    pub payload: Bytes,
}

/// The dead letters of all partitions.
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// Stores letters durably. A letter that is there already is replaced.
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), PortError>;

    /// Up to `limit` letters, ordered by position, after position `after`.
    async fn list(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, PortError>;
}
