//! Probes: recent plays with what was played before them, for the ranking to try itself on.
//!
//! Each partition keeps its newest, the same number at most, so that what is kept follows from the
//! partition's own log. Members are fingerprints, by which an erased one's are dropped.

use super::gone::Gone;
use super::transitions::BEGINNING;
use crate::delta::Delta;
use crate::identifier::{PartitionId, Position};
use crate::symbols::Symbol;
use get_size2::GetSize;
use std::collections::VecDeque;

/// Probes kept of all partitions together, about.
const KEPT: usize = 4_096;
/// Probes kept of one partition at least.
const KEPT_OF_ONE: usize = 32;
/// Titles before a play that are kept at most: who looks which place a title had must leave out what was known.
pub const MOST_SOURCES: usize = 256;

/// Those of `sources` that pairs are counted of: all up to the first beginning, and that, where nothing stands behind it.
pub(super) fn paired<T: PartialEq>(sources: &[T], beginning: T) -> &[T] {
    match sources.iter().position(|source| *source == beginning) {
        Some(at) if at + 1 < sources.len() => &sources[..at],
        _ => sources,
    }
}

/// A play, and what its member had played before.
#[derive(Debug, Clone, PartialEq, Eq, GetSize)]
pub struct KeptProbe {
    /// The title played.
    pub title: Symbol,
    /// Titles before it, most recent first; last the beginning
    /// ([`BEGINNING`]), where it is not too far back. Titles behind it were known, and are in no pair with this play.
    pub sources: Box<[Symbol]>,
    /// How many steps back the member had played the title before; beyond the history, or where it is not known:
    /// [`u32::MAX`]. It is none of its own sources.
    pub again: Option<u32>,
    /// Epoch of event time.
    pub epoch: u32,
    /// Position of the play.
    pub position: Position,
    /// Fingerprint of the member.
    pub member: u64,
}

impl KeptProbe {
    /// Titles among the sources, most recent first.
    pub fn known(&self) -> impl Iterator<Item = Symbol> {
        self.sources.iter().copied().filter(|source| *source != BEGINNING)
    }

    /// How many of them pairs were counted of, the most recent.
    pub fn paired(&self) -> usize {
        paired(&self.sources, BEGINNING).iter().filter(|source| **source != BEGINNING).count()
    }

    /// Whether the member's first title is among them, as far as it was played before.
    pub fn has_begun(&self) -> bool {
        self.sources.last() == Some(&BEGINNING)
    }
}

/// Probes of all partitions.
#[derive(Debug, Default, GetSize)]
pub struct Probes {
    partitions: Vec<VecDeque<KeptProbe>>,
    kept: usize,
}

impl Probes {
    pub(crate) fn new(partitions: u16) -> Self {
        let kept = (KEPT / usize::from(partitions.max(1))).max(KEPT_OF_ONE);
        Self { partitions: vec![VecDeque::new(); usize::from(partitions)], kept }
    }

    /// Drops those of members that `delta` erases.
    pub(super) fn erase(&mut self, delta: &Delta) {
        if let Some(probes) = self.partitions.get_mut(usize::from(delta.partition.0))
            && !delta.erased.is_empty()
        {
            probes.retain(|probe| !delta.erased.contains(&probe.member));
        }
    }

    /// Drops those of plays of titles that are `gone`; of others, what was played before from
    /// the first such title on. Numbers are given out again.
    pub(super) fn forget(&mut self, gone: &Gone) {
        for probes in &mut self.partitions {
            probes.retain_mut(|probe| {
                if let Some(end) = probe.sources.iter().position(|source| gone.has(*source)) {
                    let rest = &probe.sources[..end];
                    probe.sources = rest.strip_suffix(&[BEGINNING]).unwrap_or(rest).into();
                }
                !gone.has(probe.title) && !probe.sources.is_empty()
            });
        }
    }

    /// Keeps `probe`, unless nothing is known of what was played before it.
    pub(crate) fn push(&mut self, partition: PartitionId, probe: KeptProbe) {
        if probe.sources.is_empty() {
            return;
        }
        if let Some(probes) = self.partitions.get_mut(usize::from(partition.0)) {
            while probes.len() >= self.kept {
                probes.pop_front();
            }
            probes.push_back(probe);
        }
    }

    /// Those of each partition, oldest first.
    pub fn by_partition(&self) -> impl Iterator<Item = &VecDeque<KeptProbe>> {
        self.partitions.iter()
    }

    /// All, partition by partition, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &KeptProbe> {
        self.partitions.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(sources: &[u32]) -> KeptProbe {
        let sources = sources.iter().map(|source| Symbol(*source)).collect();
        KeptProbe { title: Symbol(9), sources, again: None, epoch: 0, position: Position(1), member: 1 }
    }

    #[test]
    fn what_stands_behind_a_beginning_is_known_and_in_no_pair() {
        let told = [&[3, 2, 0][..], &[3, 2, 0, 1], &[0, 3, 0], &[0, 3], &[0], &[3, 2]].map(|sources| {
            let probe = probe(sources);
            (probe.known().count(), probe.paired(), probe.has_begun())
        });
        let expected =
            [(2, 2, true), (3, 2, false), (1, 0, true), (1, 0, false), (0, 0, true), (2, 2, false)];
        assert_eq!(told, expected);
    }
}
