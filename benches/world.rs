//! What the benches measure on: a seeded audience, folded in memory by one partition.
//!
//! A package beside the program, so that `cargo bench` builds the model and the ranking alone. End to end,
//! with the log, the store and HTTP, is measured by `nearline bench`.

use nearline_audience::{Audience, AudienceSettings};
use nearline_model::Position;
use nearline_model::catalogue::Catalogue;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::partition::{Batch, Commit, Lookup};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord, MemberSnapshot, Partition, PartitionId};

/// As the program has it: the fold allocates.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events of one batch, as the engine reads them.
pub const BATCH_EVENTS: usize = 1_024;
/// Time of the first event: 2026-03-01T00:00:00Z.
const START_MS: i64 = 1_772_323_200_000;
/// Event time between two events, milliseconds.
const STEP_MS: i64 = 50;

/// An audience, and one partition that folds all of its events.
pub struct World {
    /// The audience.
    audience: Audience,
    /// Folds everything.
    pub partition: Partition,
    /// Sums of everything committed.
    pub aggregates: Aggregates,
    settings: FoldSettings,
    members: usize,
    last: u64,
}

impl World {
    /// An audience of `members` and `titles` whose first `events` events are folded, committed and added up.
    pub fn new(members: usize, titles: usize, events: usize) -> Self {
        let settings = FoldSettings::default();
        let mut world = Self {
            audience: Audience::new(AudienceSettings { members, titles, ..AudienceSettings::default() }),
            partition: Partition::new(PartitionId(0), 1, settings.clone()),
            aggregates: Aggregates::new(1, AggregateSettings::default()),
            settings,
            members,
            last: 0,
        };
        for _ in 0..events.div_ceil(BATCH_EVENTS) {
            let records = world.records(BATCH_EVENTS);
            world.fold(records);
            let commit = world.commit();
            world.aggregates.add(&commit.delta);
        }
        world
    }

    /// The next `count` records of the log.
    pub fn records(&mut self, count: usize) -> Vec<LogRecord> {
        let record = |_| {
            self.last += 1;
            let log_ms = START_MS + self.last as i64 * STEP_MS;
            let payload = self.audience.next_event(log_ms).json.into();
            LogRecord { position: Position(self.last), log_ms, payload }
        };
        (0..count).map(record).collect()
    }

    /// Parses records and folds them; all must be valid.
    pub fn fold(&mut self, records: Vec<LogRecord>) {
        let (admitted, missing) = self.partition.admit(Batch::parse(records, self.settings.event_bytes));
        assert!(missing.is_empty(), "nothing was evicted");
        let folded = self.partition.fold(admitted, |_, _| {});
        assert!(folded.rejected.is_empty(), "the audience is valid: {:?}", folded.rejected);
    }

    /// The commit of everything folded since the last one.
    pub fn commit(&mut self) -> Commit {
        self.partition.take_commit(OwnerEpoch(1)).expect("something was folded")
    }

    /// What the audience chooses from.
    pub fn catalogue(&self) -> Catalogue {
        let mut catalogue = Catalogue::default();
        self.audience.titles().into_iter().for_each(|title| catalogue.put(title));
        catalogue
    }

    /// The first `count` members that have watched anything.
    pub fn snapshots(&mut self, count: usize) -> Vec<MemberSnapshot> {
        let partition = &mut self.partition;
        let snapshot = |number| match partition.lookup(&Audience::member_id(number), false) {
            Lookup::Ready(snapshot) => Some(*snapshot),
            other => panic!("nothing was evicted: {other:?}"),
        };
        let watched = (0..self.members).filter_map(snapshot).filter(|member| !member.history.is_empty());
        watched.take(count).collect()
    }
}
