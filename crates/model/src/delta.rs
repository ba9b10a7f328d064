//! Deltas: what a stretch of a partition's log adds to the aggregates.
//!
//! A delta names its strings itself, so that any node can add it without the partition's table.

mod arms;
mod contests;
mod counted;
mod encoding;
mod places;
mod probes;
mod returns;
mod variants;

pub use arms::{ArmCell, ArmCounts, ShownArtwork};
pub(crate) use contests::contests_kept;
pub use contests::{Candidate, Contest, MOST_CANDIDATES, MOST_CONTEST_SOURCES};
pub(crate) use encoding::CountsV1;
pub use encoding::DELTA_VERSION;
pub use places::{PlaceCell, PositionBand};
pub use probes::Probe;
pub(crate) use probes::is_probe;
pub use returns::{RETURN_BANDS, ReturnBand, ReturnCell, ReturnCounts};
pub use variants::{MAX_VARIANT_BYTES, VariantCell, is_variant_name, variant_of, variant_suffix};

use crate::aggregates::transitions::BEGINNING;
use crate::identifier::{PartitionId, Position};
use crate::symbols::{NONE, Symbol, Symbols};
use arms::ArmBuilder;
use counted::Counted;
use get_size2::GetSize;
use hashbrown::HashMap;
use returns::ReturnBuilder;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use variants::VariantBuilder;

/// Length of an epoch of event time, in milliseconds: 30 minutes.
pub const EPOCH_MS: i64 = 30 * 60 * 1_000;

/// The epoch of an event time.
pub fn epoch_of(at_ms: i64) -> u32 {
    (at_ms.max(0) / EPOCH_MS) as u32
}

/// Counts of one cell: what was shown, what of that was played, what was played at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, GetSize)]
pub struct Counts {
    /// Impressions in this epoch.
    pub impressions: u32,
    /// Plays attributed to those impressions.
    pub attributed: u32,
    /// Plays and first ratings in this epoch, attributed or not.
    pub plays: u32,
    /// Attributed plays that were watched for long enough.
    pub quality: u32,
}

impl Counts {
    /// Impressions and plays: how often the cell was met.
    pub(crate) fn events(&self) -> u64 {
        u64::from(self.impressions) + u64::from(self.plays)
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.impressions = self.impressions.saturating_add(other.impressions);
        self.attributed = self.attributed.saturating_add(other.attributed);
        self.plays = self.plays.saturating_add(other.plays);
        self.quality = self.quality.saturating_add(other.quality);
    }
}

/// What became of impressions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, GetSize)]
pub struct TakeCounts {
    /// Impressions in this epoch.
    pub impressions: u32,
    /// Plays attributed to those impressions.
    pub attributed: u32,
    /// Those of them that were watched for long enough.
    pub quality: u32,
}

impl TakeCounts {
    fn count(&mut self, stage: Stage) {
        match stage {
            Stage::Shown => self.impressions += 1,
            Stage::Taken => self.attributed += 1,
            Stage::Quality => self.quality += 1,
        }
    }
}

/// How far an impression has come: each stage is counted once, in the epoch of the impression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GetSize)]
pub enum Stage {
    /// It was shown.
    Shown,
    /// It was played.
    Taken,
    /// The play was watched for long enough.
    Quality,
}

/// Where an impression counts in the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GetSize)]
pub struct Showing {
    /// The title.
    pub title: Symbol,
    /// Epoch of the impression.
    pub epoch: u32,
    /// Country.
    pub country: Symbol,
    /// Device.
    pub device: Symbol,
    /// Row of the page.
    pub row: Symbol,
    /// Band of positions in the row.
    pub band: Option<PositionBand>,
    /// `EXPERIMENT-VARIANT`, or none.
    pub variant: Symbol,
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
    /// watched before, most recent first; last the beginning, where it is not too far back). Of probes more may stand
    /// behind a beginning: what the member knew beside, which is in no pair; of a play of what was played before, all.
    pub transitions: Vec<u32>,
    /// Counts by row and position, each cell once, in ascending order.
    pub places: Vec<PlaceCell>,
    /// Counts by variant of an experiment, each cell once, in ascending order.
    pub variants: Vec<VariantCell>,
    /// Counts of artworks, each arm and epoch once, in ascending order.
    pub arms: Vec<ArmCell>,
    /// Fingerprints of members erased: earlier probes of theirs are dropped.
    pub erased: Vec<u64>,
    /// Plays to try the ranking on, in the order of their runs.
    pub probes: Vec<Probe>,
    /// Plays that members began with, by title and epoch, each once, in ascending order.
    pub openings: Vec<Opening>,
    /// What came of titles that members might have come back to, by band in ascending order.
    pub returns: Vec<ReturnCell>,
    /// What requests showed, of which one title was played, in the order of the log.
    pub contests: Vec<Contest>,
}

/// Plays of one title in one epoch that were the first of their members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The title, an index into [`Delta::strings`].
    pub title: u32,
    /// Epoch of event time.
    pub epoch: u32,
    /// How many.
    pub plays: u32,
}

impl Default for Delta {
    fn default() -> Self {
        Self {
            partition: PartitionId(0),
            after: Position::START,
            position: Position::START,
            strings: vec![Arc::from("")],
            cells: Vec::new(),
            transitions: Vec::new(),
            places: Vec::new(),
            variants: Vec::new(),
            arms: Vec::new(),
            erased: Vec::new(),
            probes: Vec::new(),
            openings: Vec::new(),
            returns: Vec::new(),
            contests: Vec::new(),
        }
    }
}

impl Delta {
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
    counted: Counted,
    transitions: Vec<u32>,
    /// Runs in `transitions`.
    runs: u32,
    variants: VariantBuilder,
    arms: ArmBuilder,
    erased: Vec<u64>,
    probes: Vec<Probe>,
    openings: HashMap<(Symbol, u32), u32>,
    returns: ReturnBuilder,
    contests: VecDeque<Contest>,
    /// Contests that the sums keep of the partition.
    contests_kept: usize,
}

impl DeltaBuilder {
    /// A builder for one of so many partitions.
    pub fn new(partitions: u16) -> Self {
        Self { contests_kept: contests_kept(partitions), ..Self::default() }
    }

    /// A member began with `title`.
    pub fn open(&mut self, title: Symbol, at_ms: i64) {
        *self.openings.entry((title, epoch_of(at_ms))).or_default() += 1;
    }

    /// A title was played.
    pub fn played(&mut self, title: Symbol, at_ms: i64, country: Symbol, device: Symbol) {
        self.counted.played(title, epoch_of(at_ms), country, device);
    }

    /// An impression has come as far as `stage`.
    pub fn stage(&mut self, stage: Stage, showing: &Showing) {
        self.counted.stage(stage, showing);
        self.variants.count(stage, showing.variant, showing.epoch);
    }

    /// An artwork was shown so many times, and taken so many.
    pub fn arm(&mut self, shown: ShownArtwork, impressions: u32, takes: u32) {
        self.arms.count(shown, impressions, takes);
    }

    /// A play of `to` after `sources`, most recent first; `known` is what the member knew beside, which is in no pair.
    /// False if there is neither.
    pub fn transition(
        &mut self,
        to: Symbol,
        sources: impl Iterator<Item = Symbol>,
        known: &[Symbol],
    ) -> bool {
        let start = self.transitions.len();
        self.transitions.extend([to.0, 0]);
        self.transitions.extend(sources.map(|source| source.0));
        if !known.is_empty() {
            self.transitions.push(BEGINNING.0);
            self.transitions.extend(known.iter().map(|known| known.0));
        }
        match (self.transitions.len() - start - 2) as u32 {
            0 => self.transitions.truncate(start),
            sources => {
                self.transitions[start + 1] = sources;
                self.runs += 1;
            }
        }
        self.transitions.len() > start
    }

    /// Whether nothing was collected.
    pub fn is_empty(&self) -> bool {
        self.counted.is_empty()
            && self.transitions.is_empty()
            && self.variants.is_empty()
            && self.arms.is_empty()
            && self.erased.is_empty()
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
        let (mut cells, mut places) = self.counted.take();
        let mut title = (0, 0);
        for cell in &mut cells {
            if cell.title != title.0 {
                title = (cell.title, local(Symbol(cell.title)));
            }
            cell.title = title.1;
            renumber([&mut cell.country, &mut cell.device], &mut local);
        }
        let mut transitions = std::mem::take(&mut self.transitions);
        self.runs = 0;
        let mut at = 0;
        while at < transitions.len() {
            let run = transitions[at + 1] as usize;
            renumber([&mut transitions[at]], &mut local);
            renumber(&mut transitions[at + 2..at + 2 + run], &mut local);
            at += 2 + run;
        }
        for place in &mut places {
            renumber([&mut place.title, &mut place.row], &mut local);
        }
        let variants = self.variants.take(&mut local);
        let arms = self.arms.take(&mut local);
        let (erased, probes) = (std::mem::take(&mut self.erased), std::mem::take(&mut self.probes));
        let mut openings: Vec<_> = self.openings.drain().collect();
        openings.sort_unstable();
        let opening = |((title, epoch), plays)| Opening { title: local(title), epoch, plays };
        let openings = openings.into_iter().map(opening).collect();
        let mut contests: Vec<Contest> = std::mem::take(&mut self.contests).into();
        for contest in &mut contests {
            renumber(contest.candidates.iter_mut().map(|candidate| &mut candidate.title), &mut local);
            renumber(&mut contest.sources, &mut local);
        }
        Delta {
            partition,
            after,
            position,
            strings,
            cells,
            transitions,
            places,
            variants,
            arms,
            erased,
            probes,
            openings,
            returns: self.returns.take(),
            contests,
        }
    }
}

/// Numbers of the partition become the delta's own.
fn renumber<'a>(numbers: impl IntoIterator<Item = &'a mut u32>, local: &mut impl FnMut(Symbol) -> u32) {
    numbers.into_iter().for_each(|number| *number = local(Symbol(*number)));
}
