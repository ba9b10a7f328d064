//! Returns: how often members come back to a title, by how long ago they played it and how often.
//!
//! Before a play each title of the history might have been the next: it is *exposed*. Sums of these and of those
//! that were, say how likely a member comes back to such a title. Only plays that are
//! [probes](super::probes) count, so that the fold does not go through a history with each play.

use super::DeltaBuilder;
use crate::symbols::Symbol;
use get_size2::GetSize;
use serde::{Deserialize, Serialize};

/// Bands of steps back: 0, 1, 2–3, 4–7, … 64 or more.
const BACK_BANDS: usize = 8;
/// Bands of plays: up to 1, 2–3, 4–7, 8–15, 16 or more.
const PLAYS_BANDS: usize = 5;
/// Bands of both together, and the last: seen before the history that is kept.
pub const RETURN_BANDS: usize = BACK_BANDS * PLAYS_BANDS + 1;

/// A band of titles that members may come back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnBand(u8);

impl ReturnBand {
    /// Titles seen before the history that is kept.
    pub const SEEN: Self = Self(RETURN_BANDS as u8 - 1);

    /// The title so many steps back in the history (the last: 0) that was played so many times.
    pub fn of(back: usize, plays: u16) -> Self {
        let back = (usize::BITS - back.leading_zeros()) as usize;
        let plays = (u16::BITS - plays.max(1).leading_zeros()) as usize - 1;
        Self((back.min(BACK_BANDS - 1) * PLAYS_BANDS + plays.min(PLAYS_BANDS - 1)) as u8)
    }

    /// Its number, below [`RETURN_BANDS`].
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// The number of the first of the bands with the same steps back; [`Self::SEEN`] is its own.
    pub fn of_back(back: usize) -> std::ops::Range<usize> {
        let first = Self::of(back, 1).number();
        first..first + PLAYS_BANDS
    }
}

/// What came of the titles of one band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, GetSize)]
pub struct ReturnCounts {
    /// How often one might have been played next.
    pub exposed: u64,
    /// How often one was.
    pub repeated: u64,
}

impl std::ops::AddAssign for ReturnCounts {
    fn add_assign(&mut self, other: Self) {
        self.exposed = self.exposed.saturating_add(other.exposed);
        self.repeated = self.repeated.saturating_add(other.repeated);
    }
}

/// Counts of one band, of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnCell {
    /// Number of the band.
    pub band: u8,
    /// What came of its titles.
    pub counts: ReturnCounts,
}

/// Counts by band while events are folded; none until there are any.
#[derive(Debug, Default)]
pub(super) struct ReturnBuilder(Vec<ReturnCounts>);

impl ReturnBuilder {
    fn count(&mut self, band: ReturnBand, exposed: u64, repeated: bool) {
        if self.0.is_empty() {
            self.0 = vec![ReturnCounts::default(); RETURN_BANDS];
        }
        self.0[band.number()] += ReturnCounts { exposed, repeated: u64::from(repeated) };
    }

    /// What was counted, by band in ascending order.
    pub fn take(&mut self) -> Vec<ReturnCell> {
        let counted = (0..).zip(std::mem::take(&mut self.0));
        counted
            .filter(|(_, counts)| counts.exposed > 0)
            .map(|(band, counts)| ReturnCell { band, counts })
            .collect()
    }
}

impl DeltaBuilder {
    /// `title` is played by whoever played `history` (the latest first, with plays) and has `seen` others before.
    /// Gives how many steps back it was, if it was there; beyond the history: [`u32::MAX`].
    pub(crate) fn return_to(
        &mut self,
        title: Symbol,
        history: impl Iterator<Item = (Symbol, u16)>,
        seen: &[Symbol],
    ) -> Option<u32> {
        let mut again = None;
        for (back, (known, plays)) in history.enumerate() {
            self.returns.count(ReturnBand::of(back, plays), 1, known == title);
            if known == title {
                again = Some(back as u32);
            }
        }
        if !seen.is_empty() {
            let was_seen = again.is_none() && seen.contains(&title);
            self.returns.count(ReturnBand::SEEN, seen.len() as u64, was_seen);
            if was_seen {
                again = Some(u32::MAX);
            }
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_grow_with_steps_and_plays() {
        let numbers = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (2, 1), (3, 1), (4, 20)]
            .map(|(back, plays)| ReturnBand::of(back, plays).number());
        assert_eq!(numbers, [0, 0, 1, 1, 2, 5, 10, 10, 19]);
        assert_eq!(ReturnBand::of(usize::MAX, u16::MAX).number() + 1, ReturnBand::SEEN.number());
        assert_eq!(ReturnBand::of_back(5), 15..20);
    }

    #[test]
    fn what_might_have_been_played_is_counted_beside_what_was() {
        let mut delta = DeltaBuilder::default();
        assert_eq!(
            delta.return_to(Symbol(7), [(Symbol(9), 1), (Symbol(7), 2)].into_iter(), &[Symbol(3), Symbol(4)]),
            Some(1)
        );
        assert_eq!(
            delta.return_to(Symbol(4), [(Symbol(9), 1)].into_iter(), &[Symbol(3), Symbol(4)]),
            Some(u32::MAX)
        );
        assert_eq!(delta.return_to(Symbol(8), [(Symbol(9), 1)].into_iter(), &[]), None);
        let cells = delta.returns.take();
        let counts: Vec<_> = cells.iter().map(|c| (c.band, c.counts.exposed, c.counts.repeated)).collect();
        assert_eq!(counts, [(0, 3, 0), (6, 1, 1), (40, 4, 1)]);
        assert_eq!(delta.returns.take(), []);
    }
}
