//! Aggregates: sums over all members, the same whatever the order their deltas arrive in.
//!
//! [`counters`] counts titles by epoch and dimension with their decayed popularity, [`places`] by row
//! and position, [`variants`] counts by variant of an experiment, [`arms`] how artworks are taken, and
//! [`transitions`] counts which title follows which, [`probes`] keeps a few plays to try the ranking on, [`returns`] counts what members
//! come back to, and [`contests`] keeps what was shown beside what was played.
//! A delta is added once, by its position.

pub mod arms;
pub mod beginnings;
pub mod block_maxima;
pub mod contests;
pub mod counters;
mod encoding;
mod gone;
mod learning;
mod numbering;
pub mod pair;
pub mod places;
pub mod probes;
pub mod returns;
mod room;
pub mod transitions;
pub mod variants;

use crate::check_invariant;
use crate::decay::DecayWeights;
use crate::delta::Delta;
use crate::identifier::{PartitionId, Position};
use crate::settings::AggregateSettings;
use crate::symbols::{Symbol, Symbols};
use arms::Arms;
use contests::Contests;
use counters::{CounterTable, Decays};
use get_size2::GetSize;
use learning::Kind;
use places::Places;
use probes::Probes;
use returns::Returns;
use transitions::Transitions;
use variants::Variants;

pub use encoding::SNAPSHOT_VERSION;
pub use numbering::Numbering;

/// The dimension that counts everything.
pub const ALL: &str = "all";

/// In place of a dimension: plays that members began with, of which popularity and trend alone are kept.
pub const OPENING: &str = "opening";

/// Titles that are looked at in one go while the sums are held: well below a millisecond, also where none of them is in the
/// processor's cache. Who adds waits for whoever looks, and every query behind who adds.
pub const TITLES_AT_ONCE: usize = 128;

/// What adding a delta came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    Now,
    /// It had been added before.
    Before,
    /// It does not begin where the aggregates end, and nothing was added: either something before it is
    /// missing (deltas after this position must come first), or the store was rolled back and its log
    /// cut anew, so that the aggregates end in the middle of it and must be learned again.
    Gap {
        /// Position that the aggregates reflect.
        after: Position,
    },
}

/// How full a table of the sums is. Beyond its limit what is rare makes room for what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct TableSize {
    /// The table.
    pub table: &'static str,
    /// Entries in it.
    pub entries: usize,
    /// Entries at most.
    pub limit: usize,
}

/// Sums over all members.
#[derive(Debug, GetSize)]
pub struct Aggregates {
    pub(crate) settings: AggregateSettings,
    pub(crate) titles: Symbols,
    pub(crate) dimensions: Symbols,
    /// By dimension.
    pub(crate) counters: Vec<CounterTable>,
    pub(crate) transitions: Transitions,
    pub(crate) places: Places,
    pub(crate) variants: Variants,
    pub(crate) arms: Arms,
    pub(crate) probes: Probes,
    pub(crate) returns: Returns,
    pub(crate) contests: Contests,
    /// Plays of each title, ever.
    pub(crate) plays: Vec<u64>,
    /// Impressions of each title, ever.
    pub(crate) impressions: Vec<u32>,
    /// Members who began, ever.
    pub(crate) beginnings: u64,
    pub(crate) decays: Decays,
    positions: Vec<Position>,
}

impl Aggregates {
    /// Empty aggregates over `partitions`.
    pub fn new(partitions: u16, settings: AggregateSettings) -> Self {
        let decays = Decays {
            popularity: DecayWeights::new(settings.popularity_half_life_epochs),
            trend: DecayWeights::new(settings.trend_half_life_epochs),
            epochs: settings.epochs,
            newest_epoch: 0,
            popularity_landmark: 0,
            trend_landmark: 0,
        };
        Self {
            titles: Symbols::new(settings.titles),
            dimensions: Symbols::new(usize::MAX - 1),
            counters: Vec::new(),
            transitions: Transitions::new(settings.transitions),
            places: Places::new(&settings),
            variants: Variants::new(&settings),
            probes: Probes::new(partitions),
            returns: Returns::default(),
            contests: Contests::new(partitions),
            arms: Arms::new(settings.arms, settings.arm_half_life_epochs),
            plays: Vec::new(),
            impressions: Vec::new(),
            beginnings: 0,
            decays,
            positions: vec![Position::START; usize::from(partitions)],
            settings,
        }
    }

    /// Position of each partition that these aggregates reflect.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Settings that the sums are made with.
    pub fn settings(&self) -> &AggregateSettings {
        &self.settings
    }

    /// Members who began, ever.
    pub fn beginnings(&self) -> u64 {
        self.beginnings
    }

    /// How decayed popularity and plays fade.
    pub fn decays(&self) -> &Decays {
        &self.decays
    }

    /// Numbers of titles given out: as many titles are counted, or fewer where some made room for others (then
    /// their id is empty).
    pub fn title_count(&self) -> usize {
        self.titles.len() - 1
    }

    /// Numbers of titles given out after `title`; every title's after [`NONE`](crate::symbols::NONE).
    pub fn titles_after(&self, title: Symbol) -> impl ExactSizeIterator<Item = Symbol> + use<> {
        self.titles.after(title)
    }

    /// How full the tables are.
    pub fn tables(&self) -> [TableSize; 7] {
        let settings = &self.settings;
        let of = |kind: Kind| {
            let prefix = kind.dimension("");
            self.dimension_names().filter(|name| name.starts_with(&*prefix)).count()
        };
        [
            ("titles", self.titles.live(), settings.titles),
            ("countries", of(Kind::Country), self.room(Kind::Country)),
            ("devices", of(Kind::Device), self.room(Kind::Device)),
            ("rows", of(Kind::Row), self.room(Kind::Row)),
            ("variants", self.variants.len(), settings.variants),
            ("transitions", self.transitions.len(), settings.transitions),
            ("arms", self.arms.len(), settings.arms),
        ]
        .map(|(table, entries, limit)| TableSize { table, entries, limit })
    }

    /// Bytes that they hold in memory: a walk over all of them.
    pub fn memory_bytes(&self) -> usize {
        self.get_heap_size()
    }

    /// Distinct title-to-title transitions.
    pub fn transition_count(&self) -> usize {
        self.transitions.len()
    }

    /// The newest epoch of event time seen.
    pub fn newest_epoch(&self) -> u32 {
        self.decays.newest_epoch
    }

    /// Adds a delta, once.
    pub fn add(&mut self, delta: &Delta) -> Added {
        let at = usize::from(delta.partition.0);
        let Some(&position) = self.positions.get(at) else {
            check_invariant!(I2, false, "delta of {}, which is no partition", delta.partition);
            return Added::Before;
        };
        if delta.position <= position {
            return Added::Before;
        }
        if delta.after != position {
            return Added::Gap { after: position };
        }
        self.add_contents(delta);
        self.positions[at] = delta.position;
        Added::Now
    }

    /// Position of one partition.
    pub fn position(&self, partition: PartitionId) -> Position {
        self.positions.get(usize::from(partition.0)).copied().unwrap_or_default()
    }

    fn dimensions_of<const N: usize>(&mut self, names: &[&str; N]) -> [Option<Symbol>; N] {
        names.map(|name| {
            let dimension = self.dimensions.intern(name).ok();
            while self.counters.len() < self.dimensions.len() {
                self.counters.push(CounterTable::default());
            }
            dimension
        })
    }

    /// The counters of a dimension such as `all`, `country:BR` or `device:tv`.
    pub fn counters(&self, dimension: &str) -> Option<&CounterTable> {
        self.counters.get(self.dimensions.get(dimension)?.index())
    }

    /// Names of all dimensions counted.
    pub fn dimension_names(&self) -> impl Iterator<Item = &str> {
        let names = self.dimensions.since(1).iter().map(|name| &**name);
        names.filter(|name| !name.is_empty() && *name != OPENING)
    }

    /// Which title follows which.
    pub fn transitions(&self) -> &Transitions {
        &self.transitions
    }

    /// What is known of artworks.
    pub fn arms(&self) -> &Arms {
        &self.arms
    }

    /// Recent plays to try the ranking on.
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// What requests showed lately, of which one title was played.
    pub fn contests(&self) -> &Contests {
        &self.contests
    }

    /// How often members come back to titles.
    pub fn returns(&self) -> &Returns {
        &self.returns
    }

    /// Counts by title, row and position.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Number of a title, if it was ever counted.
    pub fn title(&self, id: &str) -> Option<Symbol> {
        self.titles.get(id)
    }

    /// Id of a title.
    pub fn title_id(&self, title: Symbol) -> &std::sync::Arc<str> {
        self.titles.text(title)
    }

    /// How often a title, or the beginning, was there to be followed.
    pub fn occurrences(&self, title: Symbol) -> u64 {
        if title == transitions::BEGINNING { self.beginnings } else { self.plays(title) }
    }

    /// Plays of every title, ever, by title number; those of titles beyond its end are 0.
    pub fn all_plays(&self) -> &[u64] {
        &self.plays
    }

    /// Impressions of a title, ever; 2³² − 1 are that many or more.
    pub fn impressions(&self, title: Symbol) -> u32 {
        self.impressions.get(title.index()).copied().unwrap_or_default()
    }

    /// Plays of a title, ever.
    pub fn plays(&self, title: Symbol) -> u64 {
        self.plays.get(title.index()).copied().unwrap_or_default()
    }
}
