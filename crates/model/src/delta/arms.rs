//! Artworks: counts by arm, which is an artwork of a title in an affinity segment.

use crate::symbols::{NONE, Symbol};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// Counts of one artwork arm: impressions that showed it, and plays attributed to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmCounts {
    /// Impressions in this epoch.
    pub impressions: u32,
    /// Plays attributed to those impressions.
    pub takes: u32,
}

/// Counts of one artwork of a title, for one affinity segment and epoch. Strings are indices into
/// the delta's strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmCell {
    /// The title.
    pub title: u32,
    /// The artwork.
    pub artwork: u32,
    /// The segment that the artwork was chosen for; 0: none named.
    pub segment: u32,
    /// Epoch of the impression's time.
    pub epoch: u32,
    /// What was counted.
    pub counts: ArmCounts,
}

/// An artwork of a title, shown in an epoch for a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShownArtwork {
    /// The title.
    pub title: Symbol,
    /// The artwork; none named: not counted.
    pub artwork: Symbol,
    /// The segment that it was chosen for.
    pub segment: Symbol,
    /// Epoch of the impression.
    pub epoch: u32,
}

/// Collects the counts by arm of a delta.
#[derive(Debug, Default)]
pub(super) struct ArmBuilder {
    cells: HashMap<ShownArtwork, ArmCounts>,
}

impl ArmBuilder {
    pub fn count(&mut self, shown: ShownArtwork, impressions: u32, takes: u32) {
        if shown.artwork != NONE {
            let counts = self.cells.entry(shown).or_default();
            counts.impressions += impressions;
            counts.takes += takes;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub fn take(&mut self, local: &mut impl FnMut(Symbol) -> u32) -> Vec<ArmCell> {
        let mut collected: Vec<_> = self.cells.drain().collect();
        collected.sort_unstable_by_key(|(shown, _)| *shown);
        let cell = |(shown, counts): (ShownArtwork, ArmCounts)| ArmCell {
            title: local(shown.title),
            artwork: local(shown.artwork),
            segment: local(shown.segment),
            epoch: shown.epoch,
            counts,
        };
        collected.into_iter().map(cell).collect()
    }
}
