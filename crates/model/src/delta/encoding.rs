//! Encoded form of a delta, and what must hold of one that is read.

use super::{ArmCell, Cell, Counts, Delta, Opening, PlaceCell, Probe, ReturnCell, VariantCell};
use crate::identifier::{PartitionId, Position};
use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Newest version of an encoded delta. Version 5 is [`Delta`] as it stands.
pub const DELTA_VERSION: u8 = 5;

const WHAT: &str = "delta";

/// Version 1: neither quality plays nor sections behind the transitions.
#[derive(Serialize, Deserialize)]
struct DeltaV1 {
    partition: PartitionId,
    after: Position,
    position: Position,
    strings: Vec<Arc<str>>,
    cells: Vec<CellV1>,
    transitions: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct CellV1 {
    title: u32,
    epoch: u32,
    country: u32,
    device: u32,
    counts: CountsV1,
}

/// Counts of version 1 of deltas and aggregates.
#[derive(Serialize, Deserialize)]
pub(crate) struct CountsV1 {
    impressions: u32,
    attributed: u32,
    plays: u32,
}

impl From<CountsV1> for Counts {
    fn from(CountsV1 { impressions, attributed, plays }: CountsV1) -> Self {
        Self { impressions, attributed, plays, quality: 0 }
    }
}

impl From<CellV1> for Cell {
    fn from(CellV1 { title, epoch, country, device, counts }: CellV1) -> Self {
        Self { title, epoch, country, device, counts: counts.into() }
    }
}

/// Version 2: no probes.
#[derive(Serialize, Deserialize)]
struct DeltaV2 {
    partition: PartitionId,
    after: Position,
    position: Position,
    strings: Vec<Arc<str>>,
    cells: Vec<Cell>,
    transitions: Vec<u32>,
    places: Vec<PlaceCell>,
    variants: Vec<VariantCell>,
    arms: Vec<ArmCell>,
}

/// Version 3: nothing of returns.
#[derive(Serialize, Deserialize)]
struct DeltaV3 {
    partition: PartitionId,
    after: Position,
    position: Position,
    strings: Vec<Arc<str>>,
    cells: Vec<Cell>,
    transitions: Vec<u32>,
    places: Vec<PlaceCell>,
    variants: Vec<VariantCell>,
    arms: Vec<ArmCell>,
    erased: Vec<u64>,
    probes: Vec<ProbeV3>,
    openings: Vec<Opening>,
}

/// Version 4: no contests.
#[derive(Serialize, Deserialize)]
struct DeltaV4 {
    partition: PartitionId,
    after: Position,
    position: Position,
    strings: Vec<Arc<str>>,
    cells: Vec<Cell>,
    transitions: Vec<u32>,
    places: Vec<PlaceCell>,
    variants: Vec<VariantCell>,
    arms: Vec<ArmCell>,
    erased: Vec<u64>,
    probes: Vec<Probe>,
    openings: Vec<Opening>,
    returns: Vec<ReturnCell>,
}

#[derive(Serialize, Deserialize)]
struct ProbeV3 {
    member: u64,
    position: Position,
    epoch: u32,
    is_repeat: bool,
    run: u32,
}

impl From<ProbeV3> for Probe {
    fn from(ProbeV3 { member, position, epoch, is_repeat, run }: ProbeV3) -> Self {
        Self { member, position, epoch, again: is_repeat.then_some(u32::MAX), run }
    }
}

impl From<DeltaV3> for Delta {
    fn from(delta: DeltaV3) -> Self {
        Self {
            partition: delta.partition,
            after: delta.after,
            position: delta.position,
            strings: delta.strings,
            cells: delta.cells,
            transitions: delta.transitions,
            places: delta.places,
            variants: delta.variants,
            arms: delta.arms,
            erased: delta.erased,
            probes: delta.probes.into_iter().map(Probe::from).collect(),
            openings: delta.openings,
            ..Self::default()
        }
    }
}

impl From<DeltaV4> for Delta {
    fn from(delta: DeltaV4) -> Self {
        Self {
            partition: delta.partition,
            after: delta.after,
            position: delta.position,
            strings: delta.strings,
            cells: delta.cells,
            transitions: delta.transitions,
            places: delta.places,
            variants: delta.variants,
            arms: delta.arms,
            erased: delta.erased,
            probes: delta.probes,
            openings: delta.openings,
            returns: delta.returns,
            contests: Vec::new(),
        }
    }
}

impl From<DeltaV2> for Delta {
    fn from(delta: DeltaV2) -> Self {
        let DeltaV2 { partition, after, position, strings, cells, transitions, places, variants, arms } =
            delta;
        let sections = Self { strings, cells, transitions, places, variants, arms, ..Self::default() };
        Self { partition, after, position, ..sections }
    }
}

impl From<DeltaV1> for Delta {
    fn from(delta: DeltaV1) -> Self {
        let DeltaV1 { partition, after, position, strings, cells, transitions } = delta;
        let cells = cells.into_iter().map(Cell::from).collect();
        Self { partition, after, position, strings, cells, transitions, ..Self::default() }
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
    /// [`DecodeError`] for a version from the future or damaged bytes, an index without a string
    /// among them.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (version, body) = versioned::split(WHAT, DELTA_VERSION, bytes)?;
        let delta = match version {
            1 => versioned::decode::<DeltaV1>(WHAT, body)?.into(),
            2 => versioned::decode::<DeltaV2>(WHAT, body)?.into(),
            3 => versioned::decode::<DeltaV3>(WHAT, body)?.into(),
            4 => versioned::decode::<DeltaV4>(WHAT, body)?.into(),
            _ => versioned::decode::<Self>(WHAT, body)?,
        };
        delta.check()?;
        Ok(delta)
    }

    /// Checks that every index has its string and that transitions are whole runs.
    ///
    /// # Errors
    /// [`DecodeError::Damaged`] with the first that is not so.
    pub fn check(&self) -> Result<(), DecodeError> {
        let damaged = |detail| Err(DecodeError::Damaged { what: WHAT, detail });
        if self.strings.first().is_none_or(|first| !first.is_empty()) {
            return damaged("its first string is not the empty one".to_owned());
        }
        let runs: usize = self.transition_runs().map(|(_, from)| from.len() + 2).sum();
        if runs != self.transitions.len() {
            return damaged("its transitions end within a run".to_owned());
        }
        let runs = self.transition_runs().count();
        if self.probes.iter().any(|probe| probe.run as usize >= runs)
            || !self.probes.is_sorted_by_key(|probe| probe.run)
        {
            return damaged(format!("its probes are not in the order of its {runs} runs"));
        }
        let cells = self.cells.iter().flat_map(|cell| [cell.title, cell.country, cell.device]);
        let runs = self.transition_runs().flat_map(|(to, from)| from.iter().copied().chain([to]));
        let places = self.places.iter().flat_map(|cell| [cell.title, cell.row]);
        let variants = self.variants.iter().map(|cell| cell.variant);
        let arms = self.arms.iter().flat_map(|cell| [cell.title, cell.artwork, cell.segment]);
        let openings = self.openings.iter().map(|opening| opening.title);
        let contests = self.contests.iter().flat_map(|contest| {
            let candidates = contest.candidates.iter().map(|candidate| candidate.title);
            candidates.chain(contest.sources.iter().copied())
        });
        let used = cells.chain(runs).chain(places).chain(variants).chain(arms).chain(openings);
        let mut used = used.chain(contests);
        match used.find(|index| *index as usize >= self.strings.len()) {
            Some(index) => {
                damaged(format!("it names string {index} of {}, which is not there", self.strings.len()))
            }
            None => Ok(()),
        }
    }
}
