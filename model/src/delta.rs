//! Deltas: what a stretch of a partition's log adds to the aggregates.
//!
//! A delta names its strings itself, so that any node can add it without the partition's table.

use crate::identifier::{PartitionId, Position};
use crate::symbols::{NONE, Symbol, Symbols};
use crate::versioned::{self, DecodeError};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Length of an epoch of event time, in milliseconds: 30 minutes.
pub const EPOCH_MS: i64 = 30 * 60 * 1_000;

/// Newest version of an encoded delta.
pub const DELTA_VERSION: u8 = 2;

/// The epoch of an event time.
pub fn epoch_of(at_ms: i64) -> u32 {
    (at_ms.max(0) / EPOCH_MS) as u32
}

/// Counts of one cell: what was shown, what of that was played, what was played at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Impressions in this epoch.
    pub impressions: u32,
    /// Plays attributed to those impressions.
    pub attributed: u32,
    /// Plays and first ratings in this epoch, attributed or not.
    pub plays: u32,
}

/// Counts of one title, epoch, country and device. Strings are indices into [`Delta::strings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The title.
    pub title: u32,
    /// Epoch of event time.
    pub epoch: u32,
    /// The country.
    pub country: u32,
    /// The device.
    pub device: u32,
    /// What was counted.
    pub counts: Counts,
}

/// Counts of one artwork arm: impressions that showed it, and plays attributed to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmCounts {
    /// Impressions in this epoch.
    pub impressions: u32,
    /// Plays attributed to those impressions.
    pub takes: u32,
}

/// Counts of one artwork of a title, for one affinity segment and epoch. Strings are indices into
/// [`Delta::strings`].
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

/// What the log after `after`, up to and including `position`, adds to the aggregates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The partition.
    pub partition: PartitionId,
    /// Position of the commit before.
    pub after: Position,
    /// Position of this commit.
    pub position: Position,
    /// Strings that the indices mean; the first is empty.
    pub strings: Vec<Arc<str>>,
    /// Counts, each cell once, in ascending order.
    pub cells: Vec<Cell>,
    /// Transitions, one run each: the title played, the number of sources, the sources (titles
    /// watched before, most recent first).
    pub transitions: Vec<u32>,
    /// Counts of artworks, each arm and epoch once, in ascending order. Since version 2.
    pub arms: Vec<ArmCell>,
}

/// Version 1.
#[derive(Deserialize)]
struct DeltaV1 {
    partition: PartitionId,
    after: Position,
    position: Position,
    strings: Vec<Arc<str>>,
    cells: Vec<Cell>,
    transitions: Vec<u32>,
}

impl From<DeltaV1> for Delta {
    fn from(old: DeltaV1) -> Self {
        let DeltaV1 { partition, after, position, strings, cells, transitions } = old;
        Self { partition, after, position, strings, cells, transitions, arms: Vec::new() }
    }
}

impl Delta {
    /// The encoded form.
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(DELTA_VERSION, self)
    }

    /// Reads an encoded form of any version.
    ///
    /// # Errors
    /// [`DecodeError`] for a version from the future or damaged bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match versioned::split("delta", DELTA_VERSION, bytes)? {
            (1, body) => Ok(versioned::decode::<DeltaV1>("delta", body)?.into()),
            (_, body) => versioned::decode("delta", body),
        }
    }

    /// The runs of [`Delta::transitions`]: the title played and its sources, most recent first.
    pub fn transition_runs(&self) -> impl Iterator<Item = (u32, &[u32])> {
        let mut rest = self.transitions.as_slice();
        std::iter::from_fn(move || {
            let (&[to, sources], tail) = rest.split_first_chunk::<2>()?;
            let (from, tail) = tail.split_at_checked(sources as usize)?;
            rest = tail;
            Some((to, from))
        })
    }
}

/// Collects a delta while events are folded.
#[derive(Debug, Default)]
pub struct DeltaBuilder {
    cells: HashMap<(Symbol, u32, Symbol, Symbol), Counts>,
    transitions: Vec<u32>,
    /// By title, artwork, segment and epoch.
    arms: HashMap<(Symbol, Symbol, Symbol, u32), ArmCounts>,
}

impl DeltaBuilder {
    /// The counts of a cell, to add to.
    pub fn count(&mut self, title: Symbol, at_ms: i64, country: Symbol, device: Symbol) -> &mut Counts {
        self.cells.entry((title, epoch_of(at_ms), country, device)).or_default()
    }

    /// The counts of an artwork arm, to add to.
    pub fn arm(&mut self, title: Symbol, at_ms: i64, artwork: Symbol, segment: Symbol) -> &mut ArmCounts {
        self.arms.entry((title, artwork, segment, epoch_of(at_ms))).or_default()
    }

    /// A play of `to` after `sources`, most recent first.
    pub fn transition(&mut self, to: Symbol, sources: impl Iterator<Item = Symbol>) {
        let start = self.transitions.len();
        self.transitions.extend([to, 0]);
        self.transitions.extend(sources);
        match (self.transitions.len() - start - 2) as u32 {
            0 => self.transitions.truncate(start),
            sources => self.transitions[start + 1] = sources,
        }
    }

    /// Whether nothing was collected.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.transitions.is_empty() && self.arms.is_empty()
    }

    /// Gives out what was collected since the last time, and starts anew.
    pub fn take(
        &mut self,
        partition: PartitionId,
        after: Position,
        position: Position,
        symbols: &Symbols,
    ) -> Delta {
        let mut strings: Vec<Arc<str>> = vec![Arc::from("")];
        let mut numbers: HashMap<Symbol, u32> = HashMap::from_iter([(NONE, 0)]);
        let mut local = |symbol: Symbol| {
            *numbers.entry(symbol).or_insert_with(|| {
                strings.push(symbols.text(symbol).clone());
                strings.len() as u32 - 1
            })
        };
        let mut collected: Vec<_> = self.cells.drain().collect();
        collected.sort_unstable_by_key(|(key, _)| *key);
        let cells = collected
            .into_iter()
            .map(|((title, epoch, country, device), counts)| Cell {
                title: local(title),
                epoch,
                country: local(country),
                device: local(device),
                counts,
            })
            .collect();
        let mut transitions = std::mem::take(&mut self.transitions);
        let mut at = 0;
        while at < transitions.len() {
            let run = transitions[at + 1] as usize;
            transitions[at] = local(transitions[at]);
            for source in &mut transitions[at + 2..at + 2 + run] {
                *source = local(*source);
            }
            at += 2 + run;
        }
        let mut collected: Vec<_> = self.arms.drain().collect();
        collected.sort_unstable_by_key(|(key, _)| *key);
        let arms = collected
            .into_iter()
            .map(|((title, artwork, segment, epoch), counts)| ArmCell {
                title: local(title),
                artwork: local(artwork),
                segment: local(segment),
                epoch,
                counts,
            })
            .collect();
        Delta { partition, after, position, strings, cells, transitions, arms }
    }
}
