//! Events that are stepped over, and those that are suspect: part of a partition's committed state.

use crate::PortError;
use async_trait::async_trait;
use nearline_model::PartitionId;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::quarantine::{Quarantine, Quarantined, Suspects};

/// What is kept of a partition's troublesome events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionFaults {
    /// Events that every fold steps over.
    pub quarantine: Quarantine,
    /// Events that crashed an owner and are not folded yet.
    pub suspects: Suspects,
}

/// The quarantine of all partitions, in the store of their state: an entry is there before any commit
/// that steps over its event, and stays as long as the state. Such a commit brings the entry along once
/// more (`Commit::stepped_over`): a store that was set back in between has forgotten it.
#[async_trait]
pub trait QuarantineStore: Send + Sync + 'static {
    /// What is kept of a partition. Read after the partition was acquired, it holds everything that
    /// earlier owners have put there, and nothing will be added by them.
    async fn troubles(&self, partition: PartitionId) -> Result<PartitionFaults, PortError>;

    /// Replaces the suspects of a partition.
    ///
    /// Refused with [`PortError::Fenced`] if a later epoch was given out.
    async fn suspect(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        suspects: &Suspects,
    ) -> Result<(), PortError>;

    /// Puts an event into quarantine, durably. Idempotent: an entry that is there already stays as it
    /// is.
    ///
    /// Refused with [`PortError::Fenced`] if a later epoch was given out, and with
    /// [`PortError::UnexpectedPosition`] if the store is at the event's position or behind it: somebody
    /// has folded it, and what is folded is never stepped over afterwards.
    async fn quarantine(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        entry: &Quarantined,
    ) -> Result<(), PortError>;
}
