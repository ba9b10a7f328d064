//! What goes into the store in one step.

use super::RecordMark;
use crate::delta::Delta;
use crate::facts::Fact;
use crate::identifier::{OwnerEpoch, PartitionId, Position};
use crate::quarantine::{Quarantine, Quarantined};
use bytes::Bytes;
use std::sync::Arc;

/// One atomic step of the store: state as of `position`.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The partition.
    pub partition: PartitionId,
    /// Epoch of the owner; the store refuses the commit if a later one has been given out.
    pub epoch: OwnerEpoch,
    /// Position of the commit before: the store must be there.
    pub expected: Position,
    /// Position that this state reflects.
    pub position: Position,
    /// Fingerprint of the record there: the state belongs to a log that has this record.
    pub mark: Option<RecordMark>,
    /// Changed members and their stored form.
    pub members: Vec<(Box<str>, Bytes)>,
    /// Number of the first of `symbols`.
    pub first_symbol: u32,
    /// Symbols given out since the commit before.
    pub symbols: Vec<Arc<str>>,
    /// What the fold goes on from beside members and symbols, encoded; [`Partition::restore`](super::Partition::restore) reads it.
    pub fold_state: Vec<u8>,
    /// The events between that were stepped over, with why: the state depends on them, so that whatever a
    /// store is set back to, they are there where the state is.
    pub stepped_over: Vec<Quarantined>,
    /// What became known of members, by position; none unless it is captured. The store has no part in it.
    pub facts: Vec<Fact>,
    /// What it adds to the aggregates.
    pub delta: Arc<Delta>,
    /// The delta's encoded form, for the outbox.
    pub delta_bytes: Bytes,
}

impl Commit {
    /// Whether the record at `position` is part of this step.
    pub fn covers(&self, position: Position) -> bool {
        self.expected < position && position <= self.position
    }

    /// The same, with those events of `quarantine` that it stepped over.
    pub fn stepping_over(mut self, quarantine: &Quarantine) -> Self {
        self.stepped_over = quarantine.between(self.expected, self.position).cloned().collect();
        self
    }
}
