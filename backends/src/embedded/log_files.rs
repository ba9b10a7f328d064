//! The log on disk: one database, records by partition and position.

use super::directory::Directory;
use super::duplicate_window::{DuplicateWindow, IdHash};
use super::failure::{damaged, storage};
use super::log_tail::LogTail;
use bytes::Bytes;
use fjall::config::{BlockSizePolicy, FilterPolicy};
use fjall::{Database, Guard, Keyspace, KeyspaceCreateOptions};
use nearline_actors::ports::PortError;
use nearline_model::{LogRecord, PartitionId, Position};
use parking_lot::Mutex;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Bytes before the payload: log time (8), hash of the event's id (16).
pub(super) const HEADER_BYTES: usize = 24;

/// Memory for the tails of all partitions.
const TAILS_BYTES: usize = 64 << 20;

/// Key of a record: partition (2 bytes), position (8 bytes), both big-endian.
pub(super) fn record_key(partition: PartitionId, position: Position) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&partition.0.to_be_bytes());
    key[2..].copy_from_slice(&position.to_be_bytes());
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
    /// One per partition.
    pub(super) partitions: Vec<PartitionLog>,
    pub(super) records: Keyspace,
    pub(super) database: Database,
    _directory: Arc<Directory>,
}

impl LogFiles {
    pub(super) fn open(directory: &Arc<Directory>, partitions: u16) -> Result<Self, PortError> {
        let path = directory.join("log");
        let what = format!("the log in {}", path.display());
        let fail = |error| storage(&what, error);
        let database = Database::builder(&path).cache_size(32 << 20).open().map_err(fail)?;
        let options = || {
            KeyspaceCreateOptions::default()
                .filter_policy(FilterPolicy::disabled())
                .data_block_size_policy(BlockSizePolicy::all(16_384))
        };
        let records = database.keyspace("records", options).map_err(fail)?;
        let end = |guard: Option<Guard>| match guard {
            Some(guard) => decode_position(&what, &guard.key().map_err(fail)?),
            None => Ok(0),
        };
        let mut logs = Vec::with_capacity(usize::from(partitions));
        for partition in 0..partitions {
            let prefix = partition.to_be_bytes();
            let first = end(records.prefix(prefix).next())?;
            let last = end(records.prefix(prefix).next_back())?;
            logs.push(PartitionLog {
                tail: Mutex::new(LogTail::new(last, TAILS_BYTES / usize::from(partitions))),
                last: watch::Sender::new(last),
                first: AtomicU64::new(first),
            });
        }
        Ok(Self { what, partitions: logs, records, database, _directory: directory.clone() })
    }

    /// The partition, if there is one of this number.
    pub(super) fn partition(&self, partition: PartitionId) -> Result<&PartitionLog, PortError> {
        self.partitions
            .get(usize::from(partition.0))
            .ok_or_else(|| PortError::Misconfigured(format!("{} has no partition {partition}", self.what)))
    }

    /// Position of the last record of all partitions; 0 if there is none.
    pub(super) fn last(&self) -> Position {
        self.partitions.iter().map(|log| *log.last.borrow()).max().unwrap_or(0)
    }

    /// Up to `max_records` records after `after` and not after `last`, from disk.
    pub(super) fn scan(
        &self,
        partition: PartitionId,
        after: Position,
        last: Position,
        max_records: usize,
    ) -> Result<Vec<LogRecord>, PortError> {
        let range = record_key(partition, after.saturating_add(1))..=record_key(partition, last);
        let mut records = Vec::with_capacity(max_records.min(1_024));
        for guard in self.records.range(range).take(max_records) {
            let (key, value) = guard.into_inner().map_err(|error| storage(&self.what, error))?;
            let position = decode_position(&self.what, &key)?;
            let (log_ms, _) = self.header(partition, position, &value)?;
            records.push(LogRecord { position, log_ms, payload: Bytes::from(value).slice(HEADER_BYTES..) });
        }
        Ok(records)
    }

    /// Fills `window` from the newest records. Gives back the newest log time.
    pub(super) fn recover(&self, window: &mut DuplicateWindow, now_ms: i64) -> Result<i64, PortError> {
        // The newest record of every partition that has not been taken yet; the newest of all is next.
        let mut tails: Vec<_> = (0..self.partitions.len() as u16)
            .map(|partition| self.records.prefix(partition.to_be_bytes()).rev())
            .collect();
        let mut next = |partition: PartitionId| -> Result<Option<Recovered>, PortError> {
            let Some(guard) = tails[usize::from(partition.0)].next() else { return Ok(None) };
            let (key, value) = guard.into_inner().map_err(|error| storage(&self.what, error))?;
            let position = decode_position(&self.what, &key)?;
            let (log_ms, id) = self.header(partition, position, &value)?;
            Ok(Some(Recovered { position, partition, log_ms, id }))
        };
        let mut newest = BinaryHeap::new();
        for partition in 0..self.partitions.len() as u16 {
            newest.extend(next(PartitionId(partition))?);
        }
        let newest_ms = newest.iter().map(|record| record.log_ms).max().unwrap_or(0);
        let oldest_ms = window.oldest_ms(now_ms.max(newest_ms));
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

    fn header(
        &self,
        partition: PartitionId,
        position: Position,
        value: &[u8],
    ) -> Result<(i64, IdHash), PortError> {
        let header = value.first_chunk::<HEADER_BYTES>().ok_or_else(|| {
            damaged(&self.what, format!("record {position} of {partition} has {} bytes", value.len()))
        })?;
        let (log_ms, id) = header.split_at(8);
        Ok((
            i64::from_be_bytes(log_ms.try_into().expect("8 bytes")),
            IdHash::from_be_bytes(id.try_into().expect("16 bytes")),
        ))
    }

    /// Removes the records of a partition up to `limit`, but never its last one.
    pub(super) fn trim(&self, partition: PartitionId, limit: Position) -> Result<u64, PortError> {
        const CHUNK: usize = 4_096;
        let log = self.partition(partition)?;
        let limit = limit.min(log.last.borrow().saturating_sub(1));
        let mut removed = 0;
        loop {
            let first = log.first.load(Ordering::Acquire);
            if first == 0 || first > limit {
                return Ok(removed);
            }
            let fail = |error| storage(&self.what, error);
            let mut batch = self.database.batch().durability(Some(fjall::PersistMode::Buffer));
            let mut next_first = first;
            for guard in self.records.range(record_key(partition, first)..).take(CHUNK + 1) {
                let key = guard.key().map_err(fail)?;
                next_first = decode_position(&self.what, &key)?;
                if next_first > limit || batch.len() == CHUNK {
                    break;
                }
                batch.remove(&self.records, key);
            }
            removed += batch.len() as u64;
            batch.commit().map_err(fail)?;
            log.first.store(next_first, Ordering::Release);
        }
    }
}

/// A record found at the tail, ordered by position.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Recovered {
    position: Position,
    partition: PartitionId,
    log_ms: i64,
    id: IdHash,
}

fn decode_position(what: &str, key: &[u8]) -> Result<Position, PortError> {
    match key.last_chunk::<8>() {
        Some(position) if key.len() == 10 => Ok(Position::from_be_bytes(*position)),
        _ => Err(damaged(what, format!("a record's key has {} bytes, not 10", key.len()))),
    }
}
