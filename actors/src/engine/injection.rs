//! Faults on purpose, where they are allowed.

use super::Engine;
use crate::faults::{Faults, InjectedFault, LONGEST_HANG, NotInjected};
use crate::partition_actor::Inject;
use crate::partition_handle::PartitionHandle;
use nearline_model::PartitionId;
use std::time::Duration;

impl Engine {
    /// Faults to arm, where they are allowed.
    ///
    /// # Errors
    /// [`NotInjected::Disabled`].
    pub fn faults(&self) -> Result<&Faults, NotInjected> {
        self.inner.supervised.faults.as_deref().ok_or(NotInjected::Disabled)
    }

    /// Lets the actor of a partition panic, at no event.
    ///
    /// # Errors
    /// [`NotInjected`].
    pub fn inject_panic(&self, partition: PartitionId) -> Result<(), NotInjected> {
        self.inject(partition, InjectedFault::Panic)
    }

    /// Lets the actor of a partition block its thread, for ten minutes at most. All partitions on
    /// that thread stand still with it.
    ///
    /// # Errors
    /// [`NotInjected`].
    pub fn inject_hang(&self, partition: PartitionId, time: Duration) -> Result<(), NotInjected> {
        self.inject(partition, InjectedFault::Hang(time.min(LONGEST_HANG)))
    }

    /// Lets the reader of a partition bring nothing any more, until it is recreated.
    ///
    /// # Errors
    /// [`NotInjected`].
    pub fn inject_reader_stall(&self, partition: PartitionId) -> Result<(), NotInjected> {
        let faults = self.faults()?;
        self.handle(partition)?.address().ok_or(NotInjected::NoActor(partition))?;
        faults.stall_reader(partition);
        Ok(())
    }

    fn inject(&self, partition: PartitionId, fault: InjectedFault) -> Result<(), NotInjected> {
        self.faults()?;
        let handle = self.handle(partition)?;
        let address = handle.address();
        address.ok_or(NotInjected::NoActor(partition))?.do_send(Inject(fault));
        Ok(())
    }

    fn handle(&self, partition: PartitionId) -> Result<&PartitionHandle, NotInjected> {
        let partitions = &self.inner.partitions;
        let handle = partitions.get(usize::from(partition.0));
        let last = partitions.len().saturating_sub(1) as u16;
        handle.map(|handle| &**handle).ok_or(NotInjected::NoPartition(partition.0, last))
    }
}
