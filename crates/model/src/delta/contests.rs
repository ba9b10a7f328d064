//! Contests: what one request showed, of which one title was played, kept for a while so that it can be learned
//! what decides between titles that are shown together.

use super::{DeltaBuilder, PositionBand};
use crate::identifier::{Position, fingerprint};
use crate::symbols::Symbol;
use get_size2::GetSize;
use serde::{Deserialize, Serialize};

/// Titles of a contest at most, the one played among them; of more, as many are taken evenly.
pub const MOST_CANDIDATES: usize = 64;
/// Titles played before that are kept of a contest at most, the latest.
pub const MOST_CONTEST_SOURCES: usize = 32;
/// Contests that are kept of all partitions together, about: at most 3 MB, mostly half a megabyte.
const KEPT: usize = 4_096;
/// Contests that are kept of one partition at least.
const KEPT_OF_ONE: usize = 32;

/// Contests that are kept of one of so many partitions, the newest: in the sums, and so in a delta.
pub(crate) fn contests_kept(partitions: u16) -> usize {
    (KEPT / usize::from(partitions.max(1))).max(KEPT_OF_ONE)
}

/// A title of a contest: a symbol, or in a delta an index into its strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, GetSize)]
pub struct Candidate<Title = Symbol> {
    /// The title.
    pub title: Title,
    /// Where it stood in its row; `None`: not told.
    pub band: Option<PositionBand>,
    /// How often other requests had shown it to the member shortly before, without a play; 255 are that many or more.
    pub shown_before: u8,
}

impl<Title> Candidate<Title> {
    /// The same, its title numbered otherwise.
    pub(crate) fn numbered<Other>(&self, title: Other) -> Candidate<Other> {
        Candidate { title, band: self.band, shown_before: self.shown_before }
    }
}

/// A contest, of a delta.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contest {
    /// Fingerprint of the member, so that nothing is kept of whoever is erased.
    pub member: u64,
    /// Position of the play.
    pub position: Position,
    /// Event time of the impression that was played, Unix seconds.
    pub at_s: u32,
    /// The title played, then those that were not.
    pub candidates: Vec<Candidate<u32>>,
    /// Titles that the member had played before, most recent first: indices into the delta's strings.
    pub sources: Vec<u32>,
}

impl DeltaBuilder {
    /// Of `others`, `played` was taken by `member`, who had played `sources` before (most recent first). Titles are
    /// symbols. Without another there was nothing to choose.
    pub(crate) fn contest(
        &mut self,
        member: &str,
        (position, at_s): (Position, u32),
        played: Candidate,
        others: &[Candidate],
        sources: impl Iterator<Item = Symbol>,
    ) {
        let most = others.len().min(MOST_CANDIDATES - 1);
        let plain = |candidate: &Candidate| candidate.numbered(candidate.title.0);
        let mut candidates = vec![plain(&played)];
        for other in (0..most).map(|at| others[at * others.len() / most]) {
            if candidates.iter().all(|known| known.title != other.title.0) {
                candidates.push(plain(&other));
            }
        }
        if candidates.len() < 2 {
            return;
        }
        let sources = sources.take(MOST_CONTEST_SOURCES).map(|source| source.0).collect();
        if self.contests.len() >= self.contests_kept {
            self.contests.pop_front();
        }
        self.contests.push_back(Contest { member: fingerprint(member), position, at_s, candidates, sources });
    }
}
