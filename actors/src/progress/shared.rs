//! Numbers that one actor writes and everybody reads, with their own types.

use nearline_model::identifier::OwnerEpoch;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An epoch; none at first.
#[derive(Debug, Default)]
pub(crate) struct SharedEpoch(AtomicU64);

impl SharedEpoch {
    pub(crate) fn load(&self) -> OwnerEpoch {
        OwnerEpoch(self.0.load(Relaxed))
    }

    pub(crate) fn store(&self, epoch: OwnerEpoch) {
        self.0.store(epoch.0, Relaxed);
    }
}
