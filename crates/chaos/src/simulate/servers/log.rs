//! The log's server; duplicates are known within a window.

use nearline_model::identifier::{partition_of, position_of};
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, NewEvent};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// What the server holds.
pub struct LogServer {
    /// Records by partition.
    pub records: Vec<Vec<LogRecord>>,
    known: HashMap<(String, String), (Appended, i64)>,
    window_ms: i64,
    /// By how many milliseconds its clock is ahead.
    pub ahead_ms: i64,
    /// Woken at every append, by partition.
    pub appended: Vec<Arc<Notify>>,
    /// Highest position ever delivered, by partition: what consumers' acknowledgements would say.
    pub delivered: Vec<Position>,
}

impl LogServer {
    /// An empty log.
    pub fn new(partitions: u16, window_ms: i64) -> Self {
        let count = usize::from(partitions);
        Self {
            records: vec![Vec::new(); count],
            known: HashMap::new(),
            window_ms,
            ahead_ms: 0,
            appended: (0..count).map(|_| Arc::default()).collect(),
            delivered: vec![0; count],
        }
    }

    /// Woken at every append to `partition`.
    pub fn appended(&self, partition: PartitionId) -> Arc<Notify> {
        self.appended[usize::from(partition.0)].clone()
    }

    /// Position of the last record of `partition`; 0: none.
    pub fn last(&self, partition: PartitionId) -> Position {
        self.records[usize::from(partition.0)].last().map_or(0, |record| record.position)
    }

    /// Appends an event, unless its id was appended within the window.
    pub fn append(&mut self, event: &NewEvent, now_ms: i64) -> Appended {
        if let Some((first, at_ms)) = self.known.get(&(event.member.clone(), event.id.clone()))
            && at_ms + self.window_ms >= now_ms
        {
            return Appended { duplicate: true, ..*first };
        }
        let partitions = self.records.len() as u16;
        let partition = partition_of(&event.member, partitions);
        let number = self.records[usize::from(partition.0)].len() as u64 + 1;
        let position = position_of(number, partition, partitions);
        // The first stamp of a partition is believed whatever it is: there is nothing to hold it against.
        let log_ms = if number == 1 { now_ms } else { now_ms + self.ahead_ms };
        let record = LogRecord { position, log_ms, payload: event.payload.clone() };
        self.records[usize::from(partition.0)].push(record);
        let appended = Appended { partition, position, duplicate: false };
        self.known.insert((event.member.clone(), event.id.clone()), (appended, now_ms));
        self.appended[usize::from(partition.0)].notify_waiters();
        appended
    }

    /// The record at `position`.
    pub fn at(&self, partition: PartitionId, position: Position) -> Option<LogRecord> {
        let records = &self.records[usize::from(partition.0)];
        let at = records.binary_search_by_key(&position, |record| record.position).ok()?;
        Some(records[at].clone())
    }

    /// Records behind `after`, at most `limit`.
    pub fn after(&self, partition: PartitionId, after: Position, limit: usize) -> Vec<LogRecord> {
        let records = &self.records[usize::from(partition.0)];
        let from = records.partition_point(|record| record.position <= after);
        records[from..].iter().take(limit).cloned().collect()
    }
}
