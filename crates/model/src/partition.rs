//! The fold of one partition: events in, member state, one delta and rejects out.
//!
//! Members are loaded lazily: [`Partition::admit`] says which members of a batch are missing, the
//! caller brings their stored form ([`Partition::loaded`]), then the batch is folded. What changed
//! goes out with [`Partition::take_commit`]; members that are committed may be evicted.
//!
//! ```
//! use nearline_model::partition::Batch;
//! use nearline_model::identifier::OwnerEpoch;
//! use nearline_model::{FoldSettings, LogRecord, Partition, PartitionId, Position};
//!
//! let settings = FoldSettings::default();
//! let mut partition = Partition::new(PartitionId(0), 1, settings.clone());
//! let play = r#"{"id":"e1","type":"play","member":"ana","title":"alien","at":"2026-03-01T20:15:00Z"}"#;
//! let record =
//!     |(position, payload)| LogRecord { position: Position(position), log_ms: 1_772_396_100_000, payload };
//! let log = [(1, play.into()), (2, play.into()), (3, "not JSON".into())].map(record);
//!
//! let (admitted, missing) = partition.admit(Batch::parse(log.to_vec(), settings.event_bytes));
//! for slot in missing {
//!     // What the store has of the member `partition.member_in(slot)`.
//!     partition.loaded(slot, None)?;
//! }
//! let folded = partition.fold(admitted, |_position, _event| {});
//! assert_eq!((folded.changed, folded.duplicates, folded.rejected.len()), (1, 1, 1));
//!
//! let commit = partition.take_commit(OwnerEpoch(1)).expect("something was folded");
//! assert_eq!((commit.expected, commit.position), (Position::START, Position(3)));
//! assert_eq!(&*commit.members[0].0, "ana");
//! # Ok::<(), nearline_model::versioned::DecodeError>(())
//! ```

mod batch;
mod cache;
mod captured;
mod commit;
mod fold_state;
mod lookup;
pub mod name_table;

pub use batch::{Batch, LogRecord, RecordMark};
pub use cache::Slot;
pub use commit::Commit;
pub use fold_state::FOLD_STATE_VERSION;
pub use lookup::Lookup;

use crate::check_invariant;
use crate::delta::DeltaBuilder;
use crate::event::Event;
use crate::facts::Capture;
use crate::identifier::{OwnerEpoch, PartitionId, Position, partition_of};
use crate::log_clock::{LogClock, Stamp};
use crate::member::{Applied, Member, RecordTime};
use crate::reject::{Reject, RejectReason};
use crate::settings::FoldSettings;
use crate::versioned::DecodeError;
use bytes::Bytes;
use cache::{Cache, Held};
use captured::held;
use fold_state::FoldState;
use get_size2::GetSize;
use name_table::NameTable;
use std::borrow::Cow;
use std::sync::Arc;

/// A batch whose members hold their place in the cache until it is folded.
#[derive(Debug)]
pub struct Admitted {
    /// The batch.
    pub batch: Batch,
    slots: Vec<Option<Slot>>,
}

/// A record that was refused, as it goes to the dead letters.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectedRecord {
    /// The record.
    pub record: LogRecord,
    /// Why it was refused.
    pub reject: Reject,
}

/// What folding a batch came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Folded {
    /// Events that changed state.
    pub changed: u64,
    /// Events dropped because their id was known.
    pub duplicates: u64,
    /// Events of erased members from before their erasure.
    pub before_erasure: u64,
    /// Records refused.
    pub rejected: Vec<RejectedRecord>,
    /// Records whose time stamp is so far ahead that it is not believed (yet): they count at the time believed.
    pub ahead: u64,
    /// Records whose time stamp lies before the time believed.
    pub behind: u64,
    /// Events whose own time was later than the log's: they count at the log's.
    pub clamped: u64,
}

impl Folded {
    /// Records that became something: a change, a duplicate, a refusal. Those that had been folded before did not.
    pub fn records(&self) -> u64 {
        self.changed + self.duplicates + self.before_erasure + self.rejected.len() as u64
    }
}

/// Bytes that a partition holds in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionMemory {
    /// Members in the cache.
    pub members: usize,
    /// Titles, devices, rows, artworks.
    pub names: usize,
}

/// State of one partition.
#[derive(Debug)]
pub struct Partition {
    id: PartitionId,
    partitions: u16,
    settings: FoldSettings,
    names: NameTable,
    names_taken: usize,
    clock: LogClock,
    cache: Cache,
    changed: Vec<Slot>,
    delta: DeltaBuilder,
    folded: Position,
    /// Of the record there; `None`: nothing was folded since it was restored.
    mark: Option<RecordMark>,
    taken: Position,
    uncommitted_events: u64,
    /// Whether every member that the store may have is in the cache: nothing was stored when the fold
    /// began, and nothing was evicted since. Then members that are not there need no loading.
    has_all_members: bool,
    capture: Option<Capture>,
}

impl Partition {
    /// A partition with nothing folded yet.
    pub fn new(id: PartitionId, partitions: u16, settings: FoldSettings) -> Self {
        let names = NameTable::new(settings.symbols_per_partition);
        Self {
            id,
            partitions,
            settings,
            names_taken: names.len(),
            names,
            clock: LogClock::default(),
            cache: Cache::default(),
            changed: Vec::new(),
            delta: DeltaBuilder::new(partitions),
            folded: Position::START,
            mark: None,
            taken: Position::START,
            uncommitted_events: 0,
            has_all_members: true,
            capture: None,
        }
    }

    /// A partition as the store has it: `symbols` from number 1 on, nothing cached. `fold_state` is that of the
    /// last commit; `None` where an earlier version stored none.
    ///
    /// # Errors
    /// [`DecodeError`] where a symbol is stored twice, or the fold state cannot be read.
    pub fn restore(
        id: PartitionId,
        partitions: u16,
        settings: FoldSettings,
        position: Position,
        symbols: &[Arc<str>],
        fold_state: Option<&[u8]>,
    ) -> Result<Self, DecodeError> {
        let mut partition = Self::new(id, partitions, settings);
        let state = fold_state.map(FoldState::decode).transpose()?;
        partition.clock = state.as_ref().map(|state| state.clock).unwrap_or_default();
        let names = partition.names.restore(symbols, state.map(|state| state.names));
        names.map_err(|detail| DecodeError::Damaged { what: "symbol table", detail })?;
        partition.names_taken = partition.names.len();
        (partition.folded, partition.taken) = (position, position);
        partition.has_all_members = position.is_start();
        Ok(partition)
    }

    /// Number of the partition.
    pub fn id(&self) -> PartitionId {
        self.id
    }

    /// Position of the last record folded.
    pub fn folded(&self) -> Position {
        self.folded
    }

    /// Position of the last commit that was taken, or that it was restored from.
    pub fn taken(&self) -> Position {
        self.taken
    }

    /// Records folded since the last commit was taken.
    pub fn uncommitted_events(&self) -> u64 {
        self.uncommitted_events
    }

    /// Members changed since the last commit was taken.
    pub fn changed_members(&self) -> usize {
        self.changed.len()
    }

    /// Members in the cache.
    pub fn cached_members(&self) -> usize {
        self.cache.len()
    }

    /// Bytes that it holds in memory: a walk over all members in the cache.
    pub fn memory(&self) -> PartitionMemory {
        PartitionMemory { members: self.cache.memory_bytes(), names: self.names.get_heap_size() }
    }

    /// The partition's symbols, number 0 included.
    pub fn symbols(&self) -> &[Arc<str>] {
        self.names.since(0)
    }

    /// Symbols known at this time.
    pub fn live_symbols(&self) -> usize {
        self.names.live()
    }

    /// The time of the log that is believed, Unix milliseconds; 0: nothing was folded yet.
    pub fn log_time_ms(&self) -> i64 {
        self.clock.believed_ms()
    }

    /// What the fold goes on from beside members and symbols, as the next commit stores it.
    pub fn fold_state(&self) -> Vec<u8> {
        FoldState { clock: self.clock, names: self.names.form() }.encode()
    }

    /// Takes in a batch: parses it and finds its members. Gives back the members that must be loaded.
    pub fn admit(&mut self, batch: Batch) -> (Admitted, Vec<Slot>) {
        let mut missing = Vec::new();
        let mut slots = Vec::with_capacity(batch.len());
        for (_, event) in batch.events() {
            slots.push(event.as_ref().ok().and_then(|event| {
                if partition_of(&event.member, self.partitions) != self.id {
                    return None;
                }
                let (slot, held) = self.cache.pin(&event.member);
                if held == Held::New {
                    if self.has_all_members {
                        self.cache.fill_new(slot);
                    } else {
                        missing.push(slot);
                    }
                }
                Some(slot)
            }));
        }
        (Admitted { batch, slots }, missing)
    }

    /// The member in `slot`.
    pub fn member_in(&self, slot: Slot) -> &str {
        self.cache.name(slot)
    }

    /// Brings the stored form of the member in `slot`; `None`: the store has none.
    ///
    /// # Errors
    /// [`DecodeError`] where the stored form cannot be read.
    pub fn loaded(&mut self, slot: Slot, stored: Option<&[u8]>) -> Result<(), DecodeError> {
        let Some(stored) = stored else {
            self.cache.fill_new(slot);
            self.cache.pack_idle(slot);
            return Ok(());
        };
        let state = Member::decode(stored)?;
        let newest = state.history.iter().map(|watched| watched.position).max().unwrap_or_default();
        check_invariant!(
            I3,
            newest <= self.folded,
            "member {} is stored with position {newest}, the fold is at {}",
            self.cache.name(slot),
            self.folded
        );
        self.cache.fill(slot, stored, state);
        Ok(())
    }

    /// Whether every member of the batch is loaded.
    pub fn is_ready(&self, admitted: &Admitted) -> bool {
        admitted.slots.iter().flatten().all(|slot| self.cache.is_ready(*slot))
    }

    /// Folds a batch whose members are loaded. `observe` sees each record before it is applied, but
    /// those in quarantine.
    pub fn fold(
        &mut self,
        admitted: Admitted,
        mut observe: impl FnMut(Position, Option<&Event<'_>>),
    ) -> Folded {
        let mut folded = Folded::default();
        let mut records = 0;
        let mut newest = None;
        for ((record, event), slot) in admitted.batch.events().zip(&admitted.slots) {
            let fresh = record.position > self.folded;
            if fresh {
                if !batch::is_quarantined(event) {
                    observe(record.position, event.as_ref().ok());
                }
                self.fold_event(record, event, *slot, &mut folded);
                check_invariant!(
                    I4,
                    record.position > self.folded,
                    "{} after {}",
                    record.position,
                    self.folded
                );
                self.folded = record.position;
                newest = Some(record);
                self.uncommitted_events += 1;
                records += 1;
            }
            if let Some(slot) = slot {
                self.cache.unpin(*slot);
            }
        }
        self.mark = newest.map_or(self.mark, |record| Some(record.mark()));
        let accounted = folded.records();
        check_invariant!(I1, accounted == records, "{accounted} of {records} records are accounted for");
        folded
    }

    fn fold_event(
        &mut self,
        record: &LogRecord,
        event: &Result<Event<'_>, Reject>,
        slot: Option<Slot>,
        folded: &mut Folded,
    ) {
        let log_ms = self.read_clock(record.log_ms, folded);
        let result = match (event, slot) {
            (Err(reject), _) => Err(reject.clone()),
            (Ok(event), None) => Err(Reject::new(
                RejectReason::Misrouted,
                format!(
                    "member {:?} belongs to partition {}, not to {}; publish to nearline.events.<member>",
                    event.member,
                    partition_of(&event.member, self.partitions),
                    self.id
                ),
            )),
            (Ok(event), Some(slot)) => {
                // The log's clock bounds the client's: a time from the future is the log's time.
                let record = RecordTime { position: record.position, at_ms: event.at_ms.min(log_ms), log_ms };
                folded.clamped += u64::from(event.at_ms > log_ms);
                if let Some(capture) = &mut self.capture {
                    self.cache.unpack(slot);
                    capture.before(&held(&self.cache, slot), &self.names, log_ms);
                }
                let applied = self.cache.unpack(slot).apply(
                    event,
                    record,
                    &mut self.names,
                    &self.settings,
                    &mut self.delta,
                );
                match applied {
                    Ok(applied) => {
                        if applied != Applied::Duplicate {
                            if self.cache.mark_changed(slot) {
                                self.changed.push(slot);
                            }
                            if let Some(capture) = &mut self.capture {
                                let held = held(&self.cache, slot);
                                capture.changed(&held, &self.names, event, record.position, log_ms);
                            }
                        }
                        Ok(applied)
                    }
                    Err(full) => Err(Reject::new(RejectReason::TooManySymbols, full.to_string())),
                }
            }
        };
        match result {
            Ok(Applied::Changed) => folded.changed += 1,
            Ok(Applied::Duplicate) => folded.duplicates += 1,
            Ok(Applied::BeforeErasure) => folded.before_erasure += 1,
            Err(reject) => folded.rejected.push(RejectedRecord { record: record.clone(), reject }),
        }
    }

    fn read_clock(&mut self, stamp_ms: i64, folded: &mut Folded) -> i64 {
        let (log_ms, stamp) = self.clock.read(stamp_ms, &self.settings);
        match stamp {
            Stamp::Believed => {}
            Stamp::Ahead => folded.ahead += 1,
            Stamp::Behind => folded.behind += 1,
        }
        log_ms
    }

    /// The commit of everything folded since the last one; `None` if nothing was. The caller tells
    /// the outcome with [`Partition::committed`].
    pub fn take_commit(&mut self, epoch: OwnerEpoch) -> Option<Commit> {
        if self.folded == self.taken {
            return None;
        }
        let facts = self.take_facts();
        let (cache, mut room) = (&mut self.cache, Vec::new());
        let members = self
            .changed
            .drain(..)
            .map(|slot| {
                cache.take_changed(slot);
                room.clear();
                room = cache.unpacked(slot).encode_behind(std::mem::take(&mut room));
                (Box::from(cache.name(slot)), Bytes::copy_from_slice(&room))
            })
            .collect();
        let delta = self.delta.take(self.id, self.taken, self.folded, self.names.symbols());
        let commit = Commit {
            partition: self.id,
            epoch,
            expected: self.taken,
            position: self.folded,
            mark: self.mark,
            members,
            first_symbol: self.names_taken as u32,
            symbols: self.names.since(self.names_taken).to_vec(),
            fold_state: self.fold_state(),
            stepped_over: Vec::new(),
            facts,
            // Of no more room than they take: a store may hold them for a while.
            delta_bytes: delta.encode().into_boxed_slice().into(),
            delta: Arc::new(delta),
        };
        check_invariant!(
            I2,
            commit.delta.after == commit.expected && commit.delta.position == commit.position,
            "a delta from {} to {} goes with a commit from {} to {}",
            commit.delta.after,
            commit.delta.position,
            commit.expected,
            commit.position
        );
        check_invariant!(
            I3,
            commit.first_symbol as usize + commit.symbols.len() == self.names.len(),
            "{} symbols from number {} on do not end at {}",
            commit.symbols.len(),
            commit.first_symbol,
            self.names.len()
        );
        self.names_taken = self.names.len();
        self.taken = self.folded;
        self.uncommitted_events = 0;
        Some(commit)
    }

    /// The store has what `commit` wrote: its members may be packed and evicted.
    pub fn committed(&mut self, commit: &Commit) {
        for (member, stored) in &commit.members {
            self.cache.committed(member, stored);
        }
    }

    /// Beside members that are changed or about to be, at most `most` lie ready to be changed; the others lie
    /// in their stored form.
    pub fn unpack_at_most(&mut self, most: usize) {
        self.cache.unpack_at_most(most);
    }

    /// Evicts members that are committed and not needed, until at most `limit` are cached.
    pub fn evict(&mut self, limit: usize) -> usize {
        let evicted = self.cache.evict(limit);
        self.has_all_members &= evicted == 0;
        evicted
    }

    /// All cached members that are loaded, with their state.
    pub fn members(&self) -> impl Iterator<Item = (&str, Cow<'_, Member>)> {
        self.cache.iter()
    }
}
