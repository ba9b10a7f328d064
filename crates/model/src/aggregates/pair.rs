//! The sums of one pair of titles: what is played after what.

use get_size2::GetSize;

/// One play right before another.
pub(super) const UNIT: f64 = 1_024.0;

/// Sums of one pair, in fixed point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, GetSize)]
pub struct Pair {
    pub(super) next: u32,
    pub(super) near: u32,
}

impl Pair {
    /// From stored sums.
    pub(crate) fn from_parts(next: u32, near: u32) -> Self {
        Self { next, near }
    }

    /// The sums as they are stored.
    pub(crate) fn parts(self) -> (u32, u32) {
        (self.next, self.near)
    }

    /// Plays after the title, 0.85 per step between.
    pub fn next(self) -> f64 {
        f64::from(self.next) / UNIT
    }

    /// Plays after the title, 0.97 per step between.
    pub fn near(self) -> f64 {
        f64::from(self.near) / UNIT
    }

    /// The greater of both sums, each by itself.
    pub(crate) fn max_of_each(self, other: Self) -> Self {
        Self { next: self.next.max(other.next), near: self.near.max(other.near) }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.next = self.next.saturating_add(other.next);
        self.near = self.near.saturating_add(other.near);
    }
}
