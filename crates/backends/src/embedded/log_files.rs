//! The log on disk: one database, records by partition and position.

use super::clean_stop::leave_nothing_to_replay;
use super::database;
use super::directory::Directory;
use super::duplicate_window::{DuplicateWindow, IdHash};
use super::failure::{damaged, storage};
use super::log_block::StoredRecords;
use super::log_tail::LogTail;
use crate::log_identity::new_log_identity;
use bytes::Bytes;
use fjall::config::{BlockSizePolicy, FilterPolicy};
use fjall::{CompressionType, Database, Guard, Keyspace, KeyspaceCreateOptions, KvSeparationOptions};
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::PortError;
use parking_lot::Mutex;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

const IDENTITY_KEY: &str = "identity";
/// Memory for the tails of all partitions.
const TAILS_BYTES: usize = 16 << 20;
/// Memory for blocks that were read.
const CACHE_BYTES: u64 = 16 << 20;
/// Records held in memory until they are moved out of the journal; several times as much may wait for that.
const MEMTABLE_BYTES: u64 = 8 << 20;

/// Key of the records stored together, by the first of them: partition (2 bytes), position (8 bytes), both big-endian.
pub(super) fn record_key(partition: PartitionId, position: Position) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&partition.0.to_be_bytes());
    key[2..].copy_from_slice(&position.0.to_be_bytes());
    key
}

/// A partition as its readers see it.
pub(super) struct PartitionLog {
    /// The newest records.
    pub(super) tail: Mutex<LogTail>,
    /// Position of the last acknowledged record; 0 if there is none.
    pub(super) last: watch::Sender<Position>,
    /// Position of the first record; 0 if there is none.
    pub(super) first: AtomicU64,
}

/// The log's files, and what is in memory of them.
pub(super) struct LogFiles {
    /// The database's path, for errors.
    pub(super) what: String,
    /// Given at random when the log was made.
    pub(super) identity: String,
    /// One per partition.
    pub(super) partitions: Vec<PartitionLog>,
    pub(super) records: Keyspace,
    pub(super) database: Database,
    /// What was found damaged after opening.
    damage: OnceLock<PortError>,
    pub(super) directory: Arc<Directory>,
    /// What the ids take that the writer remembers.
    pub(super) window_bytes: AtomicUsize,
}

impl LogFiles {
    pub(super) fn open(directory: &Arc<Directory>, partitions: u16) -> Result<Self, PortError> {
        let path = directory.join("log");
        let what = format!("the log in {}", path.display());
        let fail = |error| storage(&what, error);
        let database = database::open(&path, CACHE_BYTES).map_err(fail)?;
        // Records are never changed: they are moved out of the journal once, and what is sorted is where they are.
        let aside = || KvSeparationOptions::default().compression(CompressionType::None);
        let options = || {
            KeyspaceCreateOptions::default()
                .filter_policy(FilterPolicy::disabled())
                .data_block_size_policy(BlockSizePolicy::all(16_384))
                .max_memtable_size(MEMTABLE_BYTES)
                .with_kv_separation(Some(aside()))
        };
        let records = database.keyspace("records", options).map_err(fail)?;
        let identity = identity(&what, &database)?;
        let end = |guard: Option<Guard>| guard.map(|guard| read(&what, guard)).transpose();
        let mut logs = Vec::with_capacity(usize::from(partitions));
        for partition in 0..partitions {
            let prefix = partition.to_be_bytes();
            let first = end(records.prefix(prefix).next())?.map_or(Position::START, |(first, _)| first);
            let last =
                end(records.prefix(prefix).next_back())?.map_or(Position::START, |(_, stored)| stored.last());
            logs.push(PartitionLog {
                tail: Mutex::new(LogTail::new(last, TAILS_BYTES / usize::from(partitions))),
                last: watch::Sender::new(last),
                first: AtomicU64::new(first.0),
            });
        }
        Ok(Self {
            what,
            identity,
            partitions: logs,
            records,
            database,
            damage: OnceLock::new(),
            directory: directory.clone(),
            window_bytes: AtomicUsize::new(0),
        })
    }

    /// Bytes in memory: the database's, the newest records, and the ids that duplicates are known by.
    pub(super) fn memory_bytes(&self) -> usize {
        let tails: usize = self.partitions.iter().map(|partition| partition.tail.lock().bytes()).sum();
        database::memory(&self.database) + tails + self.window_bytes.load(Ordering::Relaxed)
    }

    /// From now on the log takes and gives nothing.
    pub(super) fn found_damaged(&self, error: PortError) {
        // The first is as good as any.
        self.damage.set(error).ok();
    }

    /// Whether the log is whole, as far as is known.
    pub(super) fn check_whole(&self) -> Result<(), PortError> {
        self.damage.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// The partition, if there is one of this number.
    pub(super) fn partition(&self, partition: PartitionId) -> Result<&PartitionLog, PortError> {
        self.partitions
            .get(usize::from(partition.0))
            .ok_or_else(|| PortError::Misconfigured(format!("{} has no partition {partition}", self.what)))
    }

    /// Position of a partition's last record; 0 if there is none.
    pub(super) fn last(&self, partition: PartitionId) -> Position {
        self.partitions.get(usize::from(partition.0)).map_or(Position::START, |log| *log.last.borrow())
    }

    /// The record at `position`, if it is there.
    pub(super) fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        let log = self.partition(partition)?;
        let first = Position(log.first.load(Ordering::Acquire));
        if first.is_start() || position < first || position > *log.last.borrow() {
            return Ok(None);
        }
        Ok(self.scan(partition, position.before(), position, 1)?.pop())
    }

    /// Up to `max_records` records after `after` and not after `last`, from disk.
    pub(super) fn scan(
        &self,
        partition: PartitionId,
        after: Position,
        last: Position,
        max_records: usize,
    ) -> Result<Vec<LogRecord>, PortError> {
        self.check_whole()?;
        let next = after.next();
        // What is stored together stands under its first record, which may lie before the next one.
        let before = record_key(partition, Position::START)..=record_key(partition, next);
        let start = match self.records.range(before).next_back() {
            Some(guard) => {
                let key = guard.key().map_err(|error| storage(&self.what, error))?;
                decode_position(&self.what, &key)?
            }
            None => next,
        };
        let range = record_key(partition, start)..=record_key(partition, last);
        let mut records = Vec::with_capacity(max_records.min(1_024));
        for guard in self.records.range(range) {
            let (_, stored) = read(&self.what, guard)?;
            if stored.last() <= after {
                continue;
            }
            let stored = stored.records().map_err(|detail| damaged(&self.what, detail))?;
            let wanted = stored.after(after, max_records - records.len());
            records.extend(wanted.take_while(|record| record.position <= last));
            if records.len() >= max_records {
                break;
            }
        }
        Ok(records)
    }

    /// Fills `window` from the newest records. Gives back the newest log time.
    pub(super) fn recover(&self, window: &mut DuplicateWindow, now_ms: i64) -> Result<i64, PortError> {
        // The newest record of every partition that has not been taken yet; the newest of all is next.
        let mut tails: Vec<_> = (0..self.partitions.len() as u16)
            .map(|partition| (self.records.prefix(partition.to_be_bytes()).rev(), Vec::new()))
            .collect();
        let mut next = |partition: PartitionId| -> Result<Option<Recovered>, PortError> {
            let (values, records) = &mut tails[usize::from(partition.0)];
            if records.is_empty() {
                let Some(guard) = values.next() else { return Ok(None) };
                let (_, stored) = read(&self.what, guard)?;
                let log_ms = stored.log_ms();
                let recovered = |(position, id)| Recovered { position, partition, log_ms, id };
                records.extend(stored.ids().map(recovered));
            }
            Ok(records.pop())
        };
        let mut newest = BinaryHeap::new();
        for partition in 0..self.partitions.len() as u16 {
            newest.extend(next(PartitionId(partition))?);
        }
        let newest_ms = newest.iter().map(|record| record.log_ms).max().unwrap_or(0);
        let oldest_ms = window.oldest_ms(now_ms);
        let mut recovered = Vec::new();
        while let Some(record) = newest.pop() {
            if recovered.len() >= window.max_ids() || record.log_ms < oldest_ms {
                break;
            }
            newest.extend(next(record.partition)?);
            recovered.push(record);
        }
        for record in recovered.into_iter().rev() {
            window.remember(record.id, record.partition, record.position, record.log_ms);
        }
        Ok(newest_ms)
    }

    /// Removes the records of a partition up to `limit`, but never its last one.
    pub(super) fn trim(&self, partition: PartitionId, limit: Position) -> Result<u64, PortError> {
        const CHUNK: usize = 4_096;
        let log = self.partition(partition)?;
        let limit = limit.min(log.last.borrow().before());
        let mut removed = 0;
        loop {
            let first = Position(log.first.load(Ordering::Acquire));
            if first.is_start() || first > limit {
                return Ok(removed);
            }
            let fail = |error| storage(&self.what, error);
            let mut batch = self.database.batch().durability(Some(fjall::PersistMode::Buffer));
            let mut next_first = first;
            for guard in self.records.range(record_key(partition, Position::START)..).take(CHUNK + 1) {
                let (start, stored) = read(&self.what, guard)?;
                next_first = next_first.max(start);
                if let Some(kept) = stored.first_after(limit) {
                    // What is stored together goes together; until then its beginning is passed over.
                    next_first = next_first.max(kept);
                    break;
                }
                if batch.len() == CHUNK {
                    break;
                }
                removed += stored.ids().count() as u64;
                batch.remove(&self.records, record_key(partition, start));
            }
            batch.commit().map_err(fail)?;
            log.first.store(next_first.0, Ordering::Release);
        }
    }
}

impl LogFiles {
    /// Makes this the log of that identity.
    pub(super) fn set_identity(&self, identity: &str) -> Result<(), PortError> {
        let fail = |error| storage(&self.what, error);
        let meta = self.database.keyspace("meta", KeyspaceCreateOptions::default).map_err(fail)?;
        let mut batch = self.database.batch().durability(Some(fjall::PersistMode::SyncAll));
        batch.insert(&meta, IDENTITY_KEY, identity.as_bytes());
        batch.commit().map_err(fail)
    }
}

impl Drop for LogFiles {
    fn drop(&mut self) {
        if !self.directory.watch.has_write_failed() && self.damage.get().is_none() {
            leave_nothing_to_replay(&self.database, &self.directory.join("log"));
        }
    }
}

/// The log's identity; a log that has none yet is given one.
fn identity(what: &str, database: &Database) -> Result<String, PortError> {
    let fail = |error| storage(what, error);
    let meta = database.keyspace("meta", KeyspaceCreateOptions::default).map_err(fail)?;
    if let Some(found) = meta.get(IDENTITY_KEY).map_err(fail)? {
        return String::from_utf8(found.to_vec())
            .map_err(|error| damaged(what, format!("its identity: {error}")));
    }
    let identity = new_log_identity();
    let mut batch = database.batch().durability(Some(fjall::PersistMode::SyncAll));
    batch.insert(&meta, IDENTITY_KEY, identity.as_bytes());
    batch.commit().map_err(fail)?;
    Ok(identity)
}

/// A record found at the tail, ordered by time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Recovered {
    log_ms: i64,
    position: Position,
    partition: PartitionId,
    id: IdHash,
}

/// The position that a value stands under, and the records in it.
fn read(what: &str, guard: Guard) -> Result<(Position, StoredRecords), PortError> {
    let (key, value) = guard.into_inner().map_err(|error| storage(what, error))?;
    let first = decode_position(what, &key)?;
    let stored = StoredRecords::read(first, Bytes::from(value)).map_err(|detail| damaged(what, detail))?;
    Ok((first, stored))
}

/// Reads a value through; gives its key.
pub(super) fn check(what: &str, guard: Guard) -> Result<Vec<u8>, PortError> {
    let (key, value) = guard.into_inner().map_err(|error| storage(what, error))?;
    let first = decode_position(what, &key)?;
    let stored = StoredRecords::read(first, Bytes::from(value));
    stored.and_then(|stored| stored.records()).map_err(|detail| damaged(what, detail))?;
    Ok(key.to_vec())
}

fn decode_position(what: &str, key: &[u8]) -> Result<Position, PortError> {
    match key.last_chunk::<8>() {
        Some(position) if key.len() == 10 => Ok(Position(u64::from_be_bytes(*position))),
        _ => Err(damaged(what, format!("a record's key has {} bytes, not 10", key.len()))),
    }
}
