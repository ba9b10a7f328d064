//! A partition given away because an operator asks.

use super::Engine;
use nearline_model::PartitionId;
use std::sync::atomic::Ordering::Relaxed;

/// Why a partition stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotGivenAway {
    /// Nothing to give.
    #[error("partition {0} is not held by this node; ask the node that owns it")]
    NotHeld(PartitionId),
    /// Nobody to give it to.
    #[error(
        "no other node would take partition {0}: this one is on its own, or the others have declined it; add a node first"
    )]
    NobodyTakesIt(PartitionId),
}

impl Engine {
    /// Lets another node take `partition`, by the same decision that gives away what fails here again and again: this node does
    /// not take it again for as long as that window lasts, unless nobody else does.
    ///
    /// # Errors
    /// [`NotGivenAway`]; nothing was changed.
    pub fn give_away(&self, partition: PartitionId) -> Result<(), NotGivenAway> {
        let handle = self.inner.partitions.get(usize::from(partition.0));
        let handle = handle.filter(|handle| handle.epoch.load().is_given() && handle.address().is_some());
        let handle = handle.ok_or(NotGivenAway::NotHeld(partition))?;
        if !handle.can_give_away.load(Relaxed) {
            return Err(NotGivenAway::NobodyTakesIt(partition));
        }
        self.inner.ownership.decline(partition);
        Ok(())
    }
}
