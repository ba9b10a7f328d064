//! Stored form of records: what was appended together stands together in one value, so that a busy log
//! pays for one entry of the database instead of hundreds.
//!
//! A value holds the records of one partition, one after another, under the position of the first:
//! - **one record**: log time (8 bytes), hash of the event's id (16), payload;
//! - **a block**: [`BLOCK_MARK`], version (1), number of records (4), log time (8), then per record its
//!   position after the first (4), hash of its id (16) and where its payload ends (4), then the payloads.
//!
//! Numbers are big-endian. Log times do not reach the mark in their first byte before the year 2.2
//! million; directories from before there were blocks hold single records, which are read as ever.

use super::duplicate_window::IdHash;
use bytes::Bytes;
use nearline_model::{LogRecord, Position};

/// First byte of a block.
const BLOCK_MARK: u8 = 0xff;
const BLOCK_VERSION: u8 = 1;
/// Bytes before the payload of a single record.
const RECORD_HEADER: usize = 24;
/// Bytes before the table of a block, and of each of its entries.
const BLOCK_HEADER: usize = 14;
const ENTRY_BYTES: usize = 24;

/// Records and payload bytes of a block at most: a reader that wants few must not unpack many.
const MAX_RECORDS: usize = 1_024;
const MAX_PAYLOAD: usize = 256 << 10;

/// Collects the records of one partition until they are written.
#[derive(Default)]
pub(super) struct BlockBuilder {
    first: Position,
    log_ms: i64,
    entries: Vec<(u32, IdHash, u32)>,
    payloads: Vec<u8>,
}

impl BlockBuilder {
    /// Takes a record in.
    pub fn push(&mut self, position: Position, log_ms: i64, id: IdHash, payload: &[u8]) {
        if self.entries.is_empty() {
            (self.first, self.log_ms) = (position, log_ms);
        }
        self.payloads.extend_from_slice(payload);
        self.entries.push(((position - self.first) as u32, id, self.payloads.len() as u32));
    }

    /// Whether another record starts another block.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MAX_RECORDS || self.payloads.len() >= MAX_PAYLOAD
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets what was collected.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.payloads.clear();
    }

    /// The position to store the records under, and their stored form; starts anew.
    pub fn take(&mut self) -> (Position, Bytes) {
        let mut value =
            Vec::with_capacity(BLOCK_HEADER + self.entries.len() * ENTRY_BYTES + self.payloads.len());
        if let [(_, id, _)] = self.entries.as_slice() {
            value.extend_from_slice(&self.log_ms.to_be_bytes());
            value.extend_from_slice(&id.to_be_bytes());
        } else {
            value.extend_from_slice(&[BLOCK_MARK, BLOCK_VERSION]);
            value.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
            value.extend_from_slice(&self.log_ms.to_be_bytes());
            for (after, id, end) in &self.entries {
                value.extend_from_slice(&after.to_be_bytes());
                value.extend_from_slice(&id.to_be_bytes());
                value.extend_from_slice(&end.to_be_bytes());
            }
        }
        value.extend_from_slice(&self.payloads);
        self.clear();
        (self.first, value.into())
    }
}

/// What a stored value holds.
pub(super) struct StoredRecords {
    first: Position,
    log_ms: i64,
    count: usize,
    is_block: bool,
    value: Bytes,
}

impl StoredRecords {
    /// Reads the value stored under `first`.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn read(first: Position, value: Bytes) -> Result<Self, String> {
        let number = |range: std::ops::Range<usize>| -> u64 {
            value[range].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        if value.first() != Some(&BLOCK_MARK) {
            if value.len() < RECORD_HEADER {
                return Err(format!("record {first} has {} bytes", value.len()));
            }
            let log_ms = number(0..8) as i64;
            return Ok(Self { first, log_ms, count: 1, is_block: false, value });
        }
        if value.len() < BLOCK_HEADER || value[1] != BLOCK_VERSION {
            return Err(format!("the block at {first} is cut off or of another version"));
        }
        let (count, log_ms) = (number(2..6) as usize, number(6..14) as i64);
        let records = Self { first, log_ms, count, is_block: true, value };
        let table_end = records.payload_start();
        let mut before = (None, 0);
        let is_whole = count > 0
            && table_end <= records.value.len()
            && (0..count).all(|at| {
                let (position, _, end) = records.entry(at);
                let follows = before.0.is_none_or(|last| position > last) && end >= before.1;
                before = (Some(position), end);
                follows
            })
            && table_end + before.1 == records.value.len();
        if is_whole { Ok(records) } else { Err(format!("the block at {first} is damaged")) }
    }

    fn payload_start(&self) -> usize {
        if self.is_block {
            BLOCK_HEADER.saturating_add(self.count.saturating_mul(ENTRY_BYTES))
        } else {
            RECORD_HEADER
        }
    }

    /// Position, id and end of the payload of a record.
    fn entry(&self, at: usize) -> (Position, IdHash, usize) {
        if !self.is_block {
            let id = self.value[8..RECORD_HEADER].try_into().expect("16 bytes");
            return (self.first, IdHash::from_be_bytes(id), self.value.len() - RECORD_HEADER);
        }
        let entry = &self.value[BLOCK_HEADER + at * ENTRY_BYTES..][..ENTRY_BYTES];
        let after = u32::from_be_bytes(entry[..4].try_into().expect("4 bytes"));
        let id = IdHash::from_be_bytes(entry[4..20].try_into().expect("16 bytes"));
        let end = u32::from_be_bytes(entry[20..].try_into().expect("4 bytes"));
        (self.first + Position::from(after), id, end as usize)
    }

    /// The log's time of all of them.
    pub fn log_ms(&self) -> i64 {
        self.log_ms
    }

    /// Position of the last.
    pub fn last(&self) -> Position {
        self.entry(self.count - 1).0
    }

    /// Positions and ids, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = (Position, IdHash)> {
        (0..self.count).map(|at| {
            let (position, id, _) = self.entry(at);
            (position, id)
        })
    }

    /// The first position after `limit`, if there is one.
    pub fn first_after(&self, limit: Position) -> Option<Position> {
        self.ids().map(|(position, _)| position).find(|position| *position > limit)
    }

    /// The records, in order; their payloads share the value's memory.
    pub fn records(&self) -> impl Iterator<Item = LogRecord> {
        let start = self.payload_start();
        let mut from = 0;
        (0..self.count).map(move |at| {
            let (position, _, end) = self.entry(at);
            let payload = self.value.slice(start + from..start + end);
            from = end;
            LogRecord { position, log_ms: self.log_ms, payload }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(records: &[(Position, IdHash, &str)]) -> (Position, Bytes) {
        let mut builder = BlockBuilder::default();
        for (position, id, payload) in records {
            builder.push(*position, 1_772_323_200_000, *id, payload.as_bytes());
        }
        builder.take()
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let several = [(7, 1, "one"), (9, u128::MAX, ""), (4_000_000, 3, "three")];
        for written in [&several[..1], &several[1..2], &several[..]] {
            let (first, value) = stored(written);
            let read = StoredRecords::read(first, value).expect("whole");
            let found: Vec<_> = read
                .records()
                .zip(read.ids())
                .map(|(record, (position, id))| {
                    assert_eq!((record.position, record.log_ms), (position, 1_772_323_200_000));
                    (position, id, String::from_utf8(record.payload.to_vec()).expect("text"))
                })
                .collect();
            let written: Vec<_> =
                written.iter().map(|(position, id, text)| (*position, *id, (*text).to_owned())).collect();
            assert_eq!(found, written);
            assert_eq!(Some(read.last()), written.last().map(|record| record.0));
        }
    }

    #[test]
    fn a_single_record_is_stored_as_it_was_before_there_were_blocks() {
        let (first, value) = stored(&[(5, 0x0102, "payload")]);
        let mut expected = 1_772_323_200_000_i64.to_be_bytes().to_vec();
        expected.extend_from_slice(&0x0102_u128.to_be_bytes());
        expected.extend_from_slice(b"payload");
        assert_eq!((first, &value[..]), (5, &expected[..]));
    }

    #[test]
    fn values_that_are_cut_off_are_refused() {
        let (first, block) = stored(&[(7, 1, "one"), (9, 2, "two")]);
        for length in 0..block.len() {
            assert!(StoredRecords::read(first, block.slice(..length)).is_err(), "{length} bytes");
        }
        let (first, record) = stored(&[(7, 1, "one")]);
        for length in 0..RECORD_HEADER {
            assert!(StoredRecords::read(first, record.slice(..length)).is_err(), "{length} bytes");
        }
    }
}
