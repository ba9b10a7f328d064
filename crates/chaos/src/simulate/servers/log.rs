//! The log's server; duplicates are known within a window.
//!
//! All that was ever appended stays in its books, for those who judge; what it gives away is what it has kept, as far as
//! it can be read.

use nearline_model::identifier::{Blocks, fingerprint, partition_of, position_of, sequence_of};
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, LogBounds, NewEvent};
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::sync::Notify;

/// Which log the simulated one is.
pub const IDENTITY: &str = "simulated";
/// Which log is there in its place for a while.
pub const FOREIGN: &str = "another";

/// What the server holds.
pub struct LogServer {
    /// All records that were ever appended, by partition.
    pub records: Vec<Vec<LogRecord>>,
    blocks: Blocks,
    known: HashMap<(String, String), (Appended, i64)>,
    window_ms: i64,
    /// By how many milliseconds its clock is ahead.
    pub ahead_ms: i64,
    /// Woken at every append, by partition.
    pub appended: Vec<Arc<Notify>>,
    /// Highest position ever delivered, by partition: what consumers' acknowledgements would say.
    pub delivered: Vec<Position>,
    /// Position up to which records were let go, by partition.
    trimmed: Vec<Position>,
    /// What cannot be read, by partition.
    damaged: Vec<Option<RangeInclusive<Position>>>,
    /// Records of the other log, while that one is there.
    foreign: Option<Vec<Vec<LogRecord>>>,
    /// How often another log came or went.
    replacements: u32,
}

/// Why records cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// What follows was let go.
    Gone,
    /// The record at the position is damaged.
    Damaged(Position),
}

impl LogServer {
    /// An empty log.
    pub fn new(partitions: u16, blocks: Blocks, window_ms: i64) -> Self {
        let count = usize::from(partitions);
        Self {
            records: vec![Vec::new(); count],
            blocks,
            known: HashMap::new(),
            window_ms,
            ahead_ms: 0,
            appended: (0..count).map(|_| Arc::default()).collect(),
            delivered: vec![Position::START; count],
            trimmed: vec![Position::START; count],
            damaged: vec![None; count],
            foreign: None,
            replacements: 0,
        }
    }

    /// What a message may hold.
    pub fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// Woken at every append to `partition`.
    pub fn appended(&self, partition: PartitionId) -> Arc<Notify> {
        self.appended[usize::from(partition.0)].clone()
    }

    /// Position of the last record of `partition`, kept or not; 0: none.
    pub fn last(&self, partition: PartitionId) -> Position {
        self.records[usize::from(partition.0)].last().map_or(Position::START, |record| record.position)
    }

    /// Which log is there now.
    pub fn identity(&self) -> &'static str {
        if self.foreign.is_some() { FOREIGN } else { IDENTITY }
    }

    /// How often another log came into this one's place, or went.
    pub fn replacements(&self) -> u32 {
        self.replacements
    }

    /// First and last record of what is there now; what was let go counts for the end, not for the beginning.
    pub fn bounds(&self, partition: PartitionId) -> LogBounds {
        let at = usize::from(partition.0);
        let position = |record: Option<&LogRecord>| record.map_or(Position::START, |record| record.position);
        if let Some(foreign) = &self.foreign {
            return LogBounds { first: position(foreign[at].first()), last: position(foreign[at].last()) };
        }
        let (step, last) = (self.records.len() as u64, self.last(partition));
        let first = self.records[at].iter().find(|record| record.position > self.trimmed[at]);
        // Where nothing is kept, it begins behind its end.
        let first =
            first.map_or(if last.is_start() { last } else { last.further(step) }, |record| record.position);
        LogBounds { first, last }
    }

    /// Appends an event, unless its id was appended within the window.
    pub fn append(&mut self, event: &NewEvent, now_ms: i64) -> Appended {
        if let Some((first, at_ms)) = self.known.get(&(event.member.clone(), event.id.clone()))
            && at_ms + self.window_ms >= now_ms
        {
            return Appended { duplicate: true, ..*first };
        }
        let appended = self.would_append(event);
        let Appended { partition, position, .. } = appended;
        let records = &mut self.records[usize::from(partition.0)];
        // The first stamp of a partition is believed whatever it is: there is nothing to hold it against.
        let log_ms = if records.is_empty() { now_ms } else { now_ms + self.ahead_ms };
        records.push(LogRecord { position, log_ms, payload: event.payload.clone() });
        self.known.insert((event.member.clone(), event.id.clone()), (appended, now_ms));
        self.appended[usize::from(partition.0)].notify_waiters();
        appended
    }

    /// Where an event that is not known would be put: into the message that is not full yet, or a new one, with room for as many
    /// as its id says.
    pub fn would_append(&self, event: &NewEvent) -> Appended {
        let partitions = self.records.len() as u16;
        let partition = partition_of(&event.member, partitions);
        let last = sequence_of(self.last(partition), partition, partitions).unwrap_or_default();
        let number = if self.blocks.is_last(last) {
            let room = 1 + fingerprint(&event.id) % u64::from(self.blocks.records());
            *self.blocks.numbers(self.blocks.message_of(last) + 1, room as u16).start()
        } else {
            last + 1
        };
        Appended { partition, position: position_of(number, partition, partitions), duplicate: false }
    }

    /// The record at `position`; what is damaged is not there either.
    pub fn at(&self, partition: PartitionId, position: Position) -> Result<Option<LogRecord>, Unreadable> {
        let at = usize::from(partition.0);
        let records = self.foreign.as_ref().unwrap_or(&self.records);
        let Ok(found) = records[at].binary_search_by_key(&position, |record| record.position) else {
            return Ok(None);
        };
        if self.foreign.is_none() && self.is_damaged(partition, position) {
            return Err(Unreadable::Damaged(position));
        }
        let is_kept = self.foreign.is_some() || position > self.trimmed[at];
        Ok(is_kept.then(|| records[at][found].clone()))
    }

    /// Records behind `after`, at most `limit`; those before the first that is damaged, unless damaged ones are to be
    /// `left_out`.
    ///
    /// # Errors
    /// Where the first of them cannot be read.
    pub fn after(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
        left_out: bool,
    ) -> Result<Vec<LogRecord>, Unreadable> {
        let at = usize::from(partition.0);
        if let Some(foreign) = &self.foreign {
            let from = foreign[at].partition_point(|record| record.position <= after);
            return Ok(foreign[at][from..].iter().take(limit).cloned().collect());
        }
        let trimmed = self.trimmed[at];
        if (Position(1)..trimmed).contains(&after) {
            return Err(Unreadable::Gone);
        }
        let from = self.records[at].partition_point(|record| record.position <= after.max(trimmed));
        let is_damaged = |record: &LogRecord| self.is_damaged(partition, record.position);
        let following = &self.records[at][from..];
        if left_out {
            return Ok(following.iter().filter(|record| !is_damaged(record)).take(limit).cloned().collect());
        }
        match following.first() {
            Some(first) if is_damaged(first) => Err(Unreadable::Damaged(first.position)),
            _ => Ok(following.iter().take(limit).take_while(|record| !is_damaged(record)).cloned().collect()),
        }
    }

    fn is_damaged(&self, partition: PartitionId, position: Position) -> bool {
        self.damaged[usize::from(partition.0)].as_ref().is_some_and(|damaged| damaged.contains(&position))
    }

    /// Position up to which records of `partition` were let go.
    pub fn trimmed(&self, partition: PartitionId) -> Position {
        self.trimmed[usize::from(partition.0)]
    }

    /// Lets go of the records of `partition` up to `position`.
    pub fn trim(&mut self, partition: PartitionId, position: Position) {
        let trimmed = &mut self.trimmed[usize::from(partition.0)];
        *trimmed = position.max(*trimmed);
    }

    /// Records of `partition` behind `after` are damaged: so many after the first `passed`, written or not.
    pub fn damage(&mut self, partition: PartitionId, after: Position, passed: usize, count: usize) {
        let step = self.records.len() as u64 * u64::from(self.blocks.records());
        let from = after.next().further(passed as u64 * step);
        self.damaged[usize::from(partition.0)] = Some(from..=from.further(count as u64 * step));
    }

    /// What was damaged is put back from a copy.
    pub fn mend(&mut self, partition: PartitionId) {
        if self.damaged[usize::from(partition.0)].take().is_some() {
            self.appended[usize::from(partition.0)].notify_waiters();
        }
    }

    /// Another log is there instead, with `records`.
    pub fn replace(&mut self, records: Vec<Vec<LogRecord>>) {
        self.replacements += 1;
        self.foreign = Some(records);
        self.appended.iter().for_each(|appended| appended.notify_waiters());
    }

    /// The right log is back; whether another one was there.
    pub fn put_back(&mut self) -> bool {
        let was_replaced = self.foreign.take().is_some();
        self.replacements += u32::from(was_replaced);
        self.appended.iter().for_each(|appended| appended.notify_waiters());
        was_replaced
    }
}
