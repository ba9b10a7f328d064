//! Where a record is in the log.

use get_size2::GetSize;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// Place of a record in the log. No two records have the same one; those of one partition grow in steps of the number of
/// partitions ([`position_of`](super::position_of)).
///
/// They are compared; what else is worked out of them has a name here. Its only field is for where numbers come in and
/// go out: adapters, tables, documents of the API, tests.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, GetSize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first record.
    pub const START: Self = Self(0);
    /// After every record.
    pub const MAX: Self = Self(u64::MAX);

    /// Whether no record is at or before it.
    pub const fn is_start(self) -> bool {
        self.0 == 0
    }

    /// The lowest position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        self.further(1)
    }

    /// The highest position before this one; there is none before the start.
    #[must_use]
    pub const fn before(self) -> Self {
        self.back(1)
    }

    /// So much further on; the end of all positions is not passed.
    #[must_use]
    pub const fn further(self, by: u64) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// So much further back; the start is not passed.
    #[must_use]
    pub const fn back(self, by: u64) -> Self {
        Self(self.0.saturating_sub(by))
    }

    /// Most records that may lie after `earlier` up to this one; 0 if that one is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Position {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
