//! Numbers that one actor writes and everybody reads, with their own types.

use nearline_model::Position;
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

/// A position; before the first record at first.
#[derive(Debug, Default)]
pub(crate) struct SharedPosition(AtomicU64);

impl SharedPosition {
    pub(crate) fn load(&self) -> Position {
        Position(self.0.load(Relaxed))
    }

    pub(crate) fn store(&self, position: Position) {
        self.0.store(position.0, Relaxed);
    }

    /// Puts `position` here; the one that was here.
    pub(crate) fn swap(&self, position: Position) -> Position {
        Position(self.0.swap(position.0, Relaxed))
    }

    /// Puts `position` here unless a later one is here.
    pub(crate) fn raise(&self, position: Position) {
        self.0.fetch_max(position.0, Relaxed);
    }
}
