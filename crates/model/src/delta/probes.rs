//! Probes: a share of all plays, kept for a while with what was played before, so that the ranking can try
//! itself on them.

use super::DeltaBuilder;
use crate::identifier::{Position, fingerprint};
use serde::{Deserialize, Serialize};

/// One of so many plays is a probe, by its position.
const PROBE_SHARE: u64 = 8;

/// A play that is a probe, of a delta: one of its runs, with whose it is and when it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Fingerprint of the member, so that what is erased is no probe any more.
    pub member: u64,
    /// Position of the play.
    pub position: Position,
    /// Epoch of event time.
    pub epoch: u32,
    /// How many steps back the member had played the title before; beyond the history, or where it is not known:
    /// [`u32::MAX`].
    pub again: Option<u32>,
    /// Number of the run, from 0, in [`Delta::transition_runs`](super::Delta::transition_runs).
    pub run: u32,
}

/// Whether the play at `position` is a probe. Positions are dense, so they are mixed before.
pub(crate) fn is_probe(position: Position) -> bool {
    // The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    let mixed = (position.0 ^ (position.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).is_multiple_of(PROBE_SHARE)
}

impl DeltaBuilder {
    /// The run that was collected last is of a probe.
    pub(crate) fn probe(&mut self, member: &str, position: Position, epoch: u32, again: Option<u32>) {
        if let Some(run) = self.runs.checked_sub(1) {
            self.probes.push(Probe { member: fingerprint(member), position, epoch, again, run });
        }
    }

    /// Nothing of `member` is a probe any more.
    pub(crate) fn erase(&mut self, member: &str) {
        let member = fingerprint(member);
        self.probes.retain(|probe| probe.member != member);
        self.contests.retain(|contest| contest.member != member);
        if !self.erased.contains(&member) {
            self.erased.push(member);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_of_eight_plays_is_a_probe() {
        let probes = (1..=80_000).filter(|position| is_probe(Position(*position))).count();
        assert!((9_500..10_500).contains(&probes), "{probes}");
    }
}
