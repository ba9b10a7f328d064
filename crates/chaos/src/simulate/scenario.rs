//! What one seed stands for: events, settings, and what breaks when.

mod events;
pub mod faults;

use super::titles::TitlePlan;
use events::{bring_strangers, draw_events, follow_clock};
use faults::Fault;
use nearline_audience::dice::Dice;
use nearline_model::FoldSettings;
use nearline_model::settings::AggregateSettings;
use nearline_ports::NewEvent;
use nearline_ranking::settings::{RankingSettings, Repeats};

/// Unix milliseconds at which worlds begin: 2026-03-01T00:00:00Z.
pub const START_MS: i64 = 1_772_323_200_000;

/// Faults happen, and events are published, before this virtual time.
pub const CALM_MS: u64 = 1_500;

/// Milliseconds within which a query must be answered.
pub const QUERY_DEADLINE_MS: u64 = 100;

/// Milliseconds that an answer may be late: timers have this resolution.
pub const TIMER_MS: u64 = 2;

/// How ids of poisonous events begin.
pub const POISON: &str = "poison";

/// How ids of the events that close a partition's log begin.
pub const CLOSING: &str = "closing-";

/// What kind of event a publisher made: known here without parsing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// An impression of a title, by number.
    Impression(u8),
    /// A play of a title, by number.
    Play(u8),
    /// The member is erased.
    Forget,
    /// Nothing that is counted apart.
    Other,
    /// Refused: to be found in the dead letters.
    Bad,
    /// Folding it panics each time: stepped over, and to be found in the dead letters.
    Poison,
}

/// An event to publish.
#[derive(Debug, Clone)]
pub struct Planned {
    /// As published.
    pub event: NewEvent,
    /// The event's own time, Unix milliseconds.
    pub at_ms: i64,
    /// What it counts as.
    pub counted: Counted,
    /// Virtual milliseconds after which it is published.
    pub publish_ms: u64,
    /// Whether its publisher sends it once more after it was acknowledged, and when.
    pub again_after_ms: Option<u64>,
}

/// A whole world's plan.
#[derive(Debug)]
pub struct Scenario {
    /// Partitions of the log.
    pub partitions: u16,
    /// Nodes.
    pub nodes: usize,
    /// Events by publisher.
    pub publishers: Vec<Vec<Planned>>,
    /// The catalogue, and how it changes.
    pub catalogue: TitlePlan,
    /// Whether facts are captured.
    pub captures_facts: bool,
    /// What breaks, by virtual millisecond.
    pub faults: Vec<(u64, Fault)>,
    /// Whether nodes prove that they can work: where nothing would tell them otherwise, calls are spared.
    pub needs_proofs: bool,
    /// The node that may not write once everything else is well again.
    pub banned: Option<usize>,
    /// The partition whose log is damaged once everything else is well again.
    pub damaged: Option<u16>,
    /// Whether strangers bring more names, countries and devices than there is room for.
    pub full_tables: bool,
    /// Titles that the sums have room for.
    pub counted_titles: usize,
    /// How long the log knows an id.
    pub duplicate_window_ms: i64,
    /// Records that a message of the log may hold: in a quarter of the seeds, more than one.
    pub block_records: u16,
    /// The servers' own faults, in a thousand calls.
    pub server_fault_per_mille: u64,
    /// Calls lost, unanswered and repeated, in a thousand each.
    pub trouble_per_mille: u64,
    /// Slow calls in a thousand.
    pub slow_per_mille: u64,
    /// Panics while folding, in a thousand records.
    pub panic_per_mille: u64,
    /// Events after which a partition commits.
    pub commit_events: u64,
    /// Milliseconds after which it does.
    pub commit_interval_ms: u64,
    /// Members held in memory.
    pub cached_members: usize,
    /// Records read at once.
    pub batch_events: usize,
    /// Milliseconds between snapshots of the aggregates.
    pub snapshot_interval_ms: u64,
    /// Nodes that add every delta; the others follow.
    pub adding_nodes: usize,
    /// Event ids that a member remembers.
    pub recent_ids: usize,
    /// Milliseconds of silence after which a node counts as dead.
    pub lease_ms: u64,
    /// Rebuilds within the window after which a node gives a partition away, or gives itself up.
    pub node_rebuilds: usize,
    /// Length of that window, in milliseconds.
    pub node_window_ms: u64,
    /// Titles between which weights are solved at most.
    pub solved_titles: usize,
    /// Milliseconds that a node that starts waits for the catalogue.
    pub catalogue_wait_ms: u64,
    /// Whether titles seen before may be offered again.
    pub repeats: Repeats,
    /// Share of places that go to new titles.
    pub exploration: f64,
    /// Seconds by which a stamp of the log may jump and be believed.
    pub clock_jump_seconds: u32,
}

impl Scenario {
    /// Draws the scenario of `seed`. Each kind of trouble is in about half of the seeds, so that some
    /// have little of it and go deep.
    pub fn draw(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let mut shape = dice.fork(1);
        let (partitions, nodes) = (shape.within(2, 4) as u16, shape.within(1, 3) as usize);
        let jumps = faults::draw_jumps(&mut dice.fork(5));
        let mut publishers = draw_events(&mut dice.fork(2), partitions);
        jumps.iter().for_each(|jump| follow_clock(&mut dice.fork(6), &mut publishers, *jump));
        let mut strangers = dice.fork(13);
        let full_tables = strangers.chance(150);
        if full_tables {
            bring_strangers(&mut strangers, &mut publishers);
        }
        let mut faults = faults::draw_faults(&mut dice.fork(3), partitions, nodes);
        faults.extend(jumps);
        let rare = faults::draw_rare(&dice.fork(11), partitions, nodes);
        let needs_proofs = rare.iter().any(|(_, fault)| fault.is_told_by_proofs());
        faults.extend(rare);
        faults.sort_by_key(|(at_ms, _)| *at_ms);
        let banned = faults::draw_ban(&mut dice.fork(12), nodes);
        let mut blocks = dice.fork(15);
        let sometimes =
            |dice: &mut Dice, low, high| if dice.chance(500) { dice.within(low, high) } else { 0 };
        Self {
            partitions,
            nodes,
            publishers,
            faults,
            needs_proofs: needs_proofs || banned.is_some(),
            banned,
            damaged: faults::draw_damaged(&mut dice.fork(14), partitions),
            full_tables,
            counted_titles: AggregateSettings::default().titles,
            block_records: if blocks.chance(250) { blocks.within(2, 6) as u16 } else { 1 },
            duplicate_window_ms: shape.within(5, 2_000) as i64,
            server_fault_per_mille: sometimes(&mut shape, 1, 60),
            trouble_per_mille: sometimes(&mut shape, 1, 60),
            slow_per_mille: sometimes(&mut shape, 10, 200),
            panic_per_mille: sometimes(&mut shape, 1, 15),
            commit_events: shape.within(1, 30),
            commit_interval_ms: shape.within(10, 200),
            cached_members: shape.within(1, 12) as usize * usize::from(partitions),
            batch_events: shape.within(1, 24) as usize,
            snapshot_interval_ms: shape.within(20, 200),
            adding_nodes: dice.fork(8).within(1, 3) as usize,
            recent_ids: 256,
            lease_ms: shape.within(100, 400),
            node_rebuilds: if shape.chance(500) { 1 } else { usize::MAX },
            node_window_ms: shape.within(200, 3_000),
            solved_titles: shape.within(0, 10) as usize,
            catalogue_wait_ms: shape.within(5, 1_000),
            repeats: match (shape.chance(200), shape.chance(300)) {
                (true, _) => Repeats::Always,
                (false, true) => Repeats::Learned,
                (false, false) => Repeats::Never,
            },
            clock_jump_seconds: FoldSettings::default().clock_jump_seconds,
            catalogue: TitlePlan::draw(&mut dice.fork(4), CALM_MS),
            captures_facts: dice.fork(7).chance(300),
            exploration: [0.0, 0.05, 0.5][dice.fork(8).below(3)],
        }
    }

    /// Settings of the ranking.
    pub fn ranking(&self) -> RankingSettings {
        RankingSettings { repeats: self.repeats, exploration: self.exploration, ..RankingSettings::default() }
    }

    /// Settings of the sums. Room for countries is a fourth of that for dimensions.
    pub fn aggregates(&self) -> AggregateSettings {
        let all = AggregateSettings::default();
        let dimensions = if self.full_tables { 12 } else { all.dimensions };
        AggregateSettings { titles: self.counted_titles, dimensions, ..all }
    }

    /// Settings of the fold: limits small enough to be reached.
    pub fn fold(&self) -> FoldSettings {
        let all = FoldSettings::default();
        FoldSettings {
            history_titles: 4,
            seen_titles: 5,
            list_titles: 3,
            open_impressions: 4,
            transition_window: 3,
            recent_ids: self.recent_ids,
            symbols_per_partition: if self.full_tables { 8 } else { all.symbols_per_partition },
            clock_jump_seconds: self.clock_jump_seconds,
            ..all
        }
    }
}
