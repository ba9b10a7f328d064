//! Which owner of a partition comes after which.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Epoch of a partition's owner: every take-over gets a higher one, and the store refuses commits
/// of a lower one. Like [`PartitionId`](super::PartitionId) it is made and read where numbers come in and
/// go out (stores, tests) by its only field; nothing else is worked out of it but the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerEpoch(pub u64);

impl OwnerEpoch {
    /// Of no owner: lower than every epoch that a store gives.
    pub const NONE: Self = Self(0);

    /// Whether a store has given it.
    pub const fn is_given(self) -> bool {
        self.0 > 0
    }

    /// The lowest epoch that is higher.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for OwnerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
