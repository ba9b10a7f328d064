//! Where refused events go, with the reason: nothing is lost.

use crate::PortError;
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

/// Reason of a letter that is there, but cannot be read: forged, or damaged.
pub const UNREADABLE: &str = "unreadable-letter";

impl DeadLetter {
    /// What stands for a letter that cannot be read, so that it hides no other: all that is known of it.
    pub fn unreadable(
        partition: PartitionId,
        position: Position,
        log_ms: i64,
        why: impl std::fmt::Display,
        payload: Bytes,
    ) -> Self {
        let detail = format!("the letter itself cannot be read ({why}): it is damaged, or not one of ours");
        Self { partition, position, log_ms, reason: UNREADABLE.to_owned(), detail, payload }
    }
}

/// What is known of publishing a letter's event again. It is kept apart from the letter, which a
/// replay may write once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// End of the partition's log before the event was published again: it stands behind it.
    pub log_last: Position,
    /// Where it was published again; none while that is not known.
    pub position: Option<Position>,
}

/// The dead letters of all partitions.
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// Stores letters durably. A letter that is there already is replaced.
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), PortError>;

    /// Up to `limit` letters, ordered by position, after position `after`. One that cannot be read stands there as
    /// [`DeadLetter::unreadable`].
    async fn list(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, PortError>;

    /// The letter of the event at `position`.
    async fn get(&self, position: Position) -> Result<Option<DeadLetter>, PortError>;

    /// Drops the letter of the event at `position` for good, with what is known of its redrive.
    async fn remove(&self, position: Position) -> Result<(), PortError>;

    /// What is known of the redrive of the letter at `position`.
    async fn redrive(&self, position: Position) -> Result<Option<Redrive>, PortError>;

    /// Keeps what is known of a redrive, durably.
    async fn put_redrive(&self, position: Position, redrive: Redrive) -> Result<(), PortError>;
}
