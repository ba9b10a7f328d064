//! Contests kept: what requests showed, of which one title was played, for the ranking to learn from.
//!
//! As with [probes](super::probes), each partition keeps its newest, the same number at most, so that what is kept
//! follows from the partition's own log, and an erased member's are dropped.

use super::gone::Gone;
use crate::delta::{Candidate, Delta, contests_kept};
use crate::identifier::{PartitionId, Position};
use crate::symbols::Symbol;
use get_size2::GetSize;
use std::collections::VecDeque;

/// A contest: of what one request showed, one title was played.
#[derive(Debug, Clone, PartialEq, Eq, GetSize)]
pub struct KeptContest {
    /// The title played, then those that were not. Titles are numbers of the sums.
    pub candidates: Box<[Candidate]>,
    /// Titles that the member had played before, most recent first.
    pub sources: Box<[Symbol]>,
    /// Event time of the impression that was played, Unix seconds.
    pub at_s: u32,
    /// Position of the play.
    pub position: Position,
    /// Fingerprint of the member.
    pub member: u64,
}

/// Contests of all partitions.
#[derive(Debug, Default, GetSize)]
pub struct Contests {
    partitions: Vec<VecDeque<KeptContest>>,
    kept: usize,
}

impl Contests {
    pub(crate) fn new(partitions: u16) -> Self {
        Self { partitions: vec![VecDeque::new(); usize::from(partitions)], kept: contests_kept(partitions) }
    }

    /// Drops those of members that `delta` erases.
    pub(super) fn erase(&mut self, delta: &Delta) {
        if let Some(contests) = self.partitions.get_mut(usize::from(delta.partition.0))
            && !delta.erased.is_empty()
        {
            contests.retain(|contest| !delta.erased.contains(&contest.member));
        }
    }

    /// Drops titles that are `gone`, and contests that they decided or were the only others of.
    pub(super) fn forget(&mut self, gone: &Gone) {
        for contests in &mut self.partitions {
            contests.retain_mut(|contest| {
                let is_won_by_gone = contest.candidates.first().is_none_or(|played| gone.has(played.title));
                if contest.candidates.iter().any(|candidate| gone.has(candidate.title)) {
                    let left = contest.candidates.iter().filter(|candidate| !gone.has(candidate.title));
                    contest.candidates = left.copied().collect();
                }
                if contest.sources.iter().any(|source| gone.has(*source)) {
                    let left = contest.sources.iter().filter(|source| !gone.has(**source));
                    contest.sources = left.copied().collect();
                }
                !is_won_by_gone && contest.candidates.len() > 1
            });
        }
    }

    pub(crate) fn push(&mut self, partition: PartitionId, contest: KeptContest) {
        if contest.candidates.len() < 2 {
            return;
        }
        if let Some(contests) = self.partitions.get_mut(usize::from(partition.0)) {
            while contests.len() >= self.kept {
                contests.pop_front();
            }
            contests.push_back(contest);
        }
    }

    /// Those of each partition, in the order of its log.
    pub fn by_partition(&self) -> impl Iterator<Item = &VecDeque<KeptContest>> {
        self.partitions.iter()
    }
}
