//! One record.

use crate::identifier::{PartitionId, Position};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a fact tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FactKind {
    /// A member's state after an event: [`Known`](super::Known).
    Member,
    /// A row that was offered: [`Decision`](super::Decision).
    Row,
    /// A page of rows that was offered: [`Decision`](super::Decision).
    Page,
}

impl FactKind {
    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Row => "row",
            Self::Page => "page",
        }
    }
}

/// A fact. A member's is identified by partition, position and ordinal; a decision by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The member that it is of.
    pub member: Box<str>,
    /// When the newest thing happened that it tells of, Unix milliseconds; never later than `known_at_ms` (I9).
    pub event_at_ms: i64,
    /// When it became known, Unix milliseconds: by the log's clock; of a decision, by the node's.
    pub known_at_ms: i64,
    /// The member's partition.
    pub partition: PartitionId,
    /// Position of the log that it reflects; of a decision that was made without the member's state, 0.
    pub position: Position,
    /// Which of several at the position it is.
    pub ordinal: u32,
    /// What it tells.
    pub kind: FactKind,
    /// Form of the payload.
    pub schema_version: u16,
    /// What exactly.
    pub payload: Bytes,
}
