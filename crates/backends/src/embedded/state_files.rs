//! The state on disk: one database with members, symbols, partitions, outbox, aggregates, dead letters
//! and titles.
//!
//! Commits are not synced: they are in one order in the database's journal and can be made again from
//! the log, so a power cut only takes the latest of them.

use super::SyncPolicy;
use super::clean_stop::leave_nothing_to_replay;
use super::database;
use super::directory::Directory;
use super::failure::{storage, takes_no_more};
use super::partition_row::PartitionRow;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use nearline_model::{PartitionId, Position};
use nearline_ports::PortError;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory for blocks that were read.
const CACHE_BYTES: u64 = 32 << 20;
/// Writes held in memory until they are sorted into files, per kind of entry; several may wait for that.
const MEMTABLE_BYTES: u64 = 8 << 20;

/// Committed positions of all partitions: what the log may forget.
pub(super) struct CommittedPositions(Vec<AtomicU64>);

impl CommittedPositions {
    pub(super) fn of(&self, partition: PartitionId) -> Position {
        self.0
            .get(usize::from(partition.0))
            .map_or(Position::START, |position| Position(position.load(Ordering::Acquire)))
    }

    pub(super) fn set(&self, partition: PartitionId, position: Position) {
        if let Some(committed) = self.0.get(usize::from(partition.0)) {
            committed.store(position.0, Ordering::Release);
        }
    }
}

/// The state's files, and what is in memory of them.
pub(super) struct StateFiles {
    /// The database's path, for errors.
    pub(super) what: String,
    /// Partition (2 bytes), XXH3-64 of the member (8), member: its stored form.
    pub(super) members: Keyspace,
    /// Partition (2), number (4): text.
    pub(super) symbols: Keyspace,
    /// Partition (2): [`PartitionRow`].
    pub(super) partitions: Keyspace,
    /// Partition (2): what the fold goes on from beside members and symbols.
    pub(super) fold_states: Keyspace,
    /// Partition (2), position (8): encoded delta.
    pub(super) outbox: Keyspace,
    /// The snapshot of the aggregates (`aggregates_snapshot`), and what was chosen for the ranking.
    pub(super) aggregates: Keyspace,
    /// Position (8): letter.
    pub(super) dead_letters: Keyspace,
    /// Position (8): redrive of the letter, as JSON.
    pub(super) redrives: Keyspace,
    /// Partition (2), position (8): entry of the quarantine; partition (2) alone: its suspects.
    pub(super) quarantine: Keyspace,
    /// Id: remediation as JSON.
    pub(super) remediations: Keyspace,
    /// Title id: the title as JSON.
    pub(super) titles: Keyspace,
    /// The rows of all partitions; whoever writes to a partition holds its row.
    pub(super) rows: Vec<Mutex<PartitionRow>>,
    pub(super) committed: Arc<CommittedPositions>,
    /// The current epoch of each partition: readers do not wait for a commit that holds the row.
    pub(super) epochs: Vec<AtomicU64>,
    /// How what no log repeats is kept.
    pub(super) persist: PersistMode,
    database: Database,
    directory: Arc<Directory>,
}

impl StateFiles {
    /// Bytes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        database::memory(&self.database)
    }

    pub(super) fn open(
        directory: &Arc<Directory>,
        partitions: u16,
        sync: SyncPolicy,
    ) -> Result<Self, PortError> {
        let path = directory.join("state");
        let what = format!("the state in {}", path.display());
        let fail = |error| storage(&what, error);
        let database = database::open(&path, CACHE_BYTES).map_err(fail)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let keyspace = |name: &str| database.keyspace(name, options).map_err(fail);
        let stored = keyspace("partitions")?;
        let (mut rows, mut committed, mut epochs) = (Vec::new(), Vec::new(), Vec::new());
        for partition in 0..partitions {
            let row = match stored.get(partition.to_be_bytes()).map_err(fail)? {
                Some(bytes) => PartitionRow::decode(&what, PartitionId(partition), &bytes)?,
                None => PartitionRow::empty(),
            };
            committed.push(AtomicU64::new(row.position.0));
            epochs.push(AtomicU64::new(row.epoch.0));
            rows.push(Mutex::new(row));
        }
        Ok(Self {
            members: keyspace("members")?,
            symbols: keyspace("symbols")?,
            fold_states: keyspace("fold-states")?,
            partitions: stored,
            outbox: keyspace("outbox")?,
            aggregates: keyspace("aggregates")?,
            dead_letters: keyspace("dead-letters")?,
            redrives: keyspace("redrives")?,
            quarantine: keyspace("quarantine")?,
            remediations: keyspace("remediations")?,
            titles: keyspace("titles")?,
            rows,
            committed: Arc::new(CommittedPositions(committed)),
            epochs,
            persist: sync.mode(),
            what,
            database,
            directory: directory.clone(),
        })
    }

    /// Takes over what no log repeats: titles, dead letters with what is known of them, remediations.
    pub(super) fn take_over(&self, other: &Self) -> Result<(), PortError> {
        for (from, to) in [
            (&other.titles, &self.titles),
            (&other.dead_letters, &self.dead_letters),
            (&other.redrives, &self.redrives),
            (&other.remediations, &self.remediations),
        ] {
            for guard in from.iter() {
                let (key, value) = guard.into_inner().map_err(|error| other.failure(error))?;
                to.insert(key, value).map_err(|error| self.failure(error))?;
            }
        }
        self.database.persist(PersistMode::SyncAll).map_err(|error| self.failure(error))
    }

    /// The row of a partition, if there is one of this number.
    pub(super) fn row(&self, partition: PartitionId) -> Result<&Mutex<PartitionRow>, PortError> {
        self.rows
            .get(usize::from(partition.0))
            .ok_or_else(|| PortError::Misconfigured(format!("{} has no partition {partition}", self.what)))
    }

    /// An empty batch; `persist` says when it counts as stored.
    pub(super) fn batch(&self, items: usize, persist: PersistMode) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.database.clone(), items).durability(Some(persist))
    }

    /// What an error of the database means.
    pub(super) fn failure(&self, error: fjall::Error) -> PortError {
        let is_final = takes_no_more(&error);
        let error = storage(&self.what, error);
        if is_final {
            self.directory.watch.tell(&error);
        }
        error
    }
}

impl Drop for StateFiles {
    fn drop(&mut self) {
        if !self.directory.watch.has_write_failed() {
            leave_nothing_to_replay(&self.database, &self.directory.join("state"));
        }
    }
}
