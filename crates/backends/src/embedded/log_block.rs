//! Stored form of records: what was appended together stands together in one value, so that a busy log
//! pays for one entry of the database instead of hundreds.
//!
//! A value holds the records of one partition, one after another, under the position of the first:
//! - **one record**: log time (8 bytes), hash of the event's id (16), payload;
//! - **a block**: [`BLOCK_MARK`], version (1), number of records (4), log time (8), then per record its
//!   position after the first (4), hash of its id (16) and where its payload ends (4), then the payloads: as they
//!   are in version 1, as one LZ4 block in version 2. Events say nearly the same again and again: they take a third
//!   of the journal, of memory and of the disk, and less is moved than packing costs.
//!
//! Numbers are big-endian. Log times do not reach the mark in their first byte before the year 2.2
//! million; directories from before there were blocks hold single records, which are read as ever.

use super::duplicate_window::IdHash;
use bytes::Bytes;
use nearline_model::{LogRecord, Position};

/// First byte of a block.
const BLOCK_MARK: u8 = 0xff;
const PLAIN: u8 = 1;
const PACKED: u8 = 2;
/// Bytes before the payload of a single record.
const RECORD_HEADER: usize = 24;
/// Bytes before the table of a block, and of each of its entries.
const BLOCK_HEADER: usize = 14;
const ENTRY_BYTES: usize = 24;

/// Records and payload bytes of a block at most: a reader that wants few must not unpack many.
const MAX_RECORDS: usize = 1_024;
const MAX_PAYLOAD: usize = 256 << 10;
/// Payload bytes from which on they are packed.
const PACKED_FROM: usize = 1_024;

/// Collects the records of one partition until they are written.
#[derive(Default)]
pub(super) struct BlockBuilder {
    first: Position,
    log_ms: i64,
    entries: Vec<(u32, IdHash, u32)>,
    payloads: Vec<u8>,
    /// Room to pack payloads into.
    packed: Vec<u8>,
}

impl BlockBuilder {
    /// Takes a record in.
    pub fn push(&mut self, position: Position, log_ms: i64, id: IdHash, payload: &[u8]) {
        if self.entries.is_empty() {
            (self.first, self.log_ms) = (position, log_ms);
        }
        self.payloads.extend_from_slice(payload);
        self.entries.push((position.since(self.first) as u32, id, self.payloads.len() as u32));
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

    /// The records, and their stored form; starts anew.
    pub fn take(&mut self) -> (Records, Bytes) {
        let records = Records {
            first: self.first,
            log_ms: self.log_ms,
            entries: self.entries.iter().map(|(after, _, end)| (*after, *end)).collect(),
            payloads: Bytes::copy_from_slice(&self.payloads),
        };
        let value = match self.entries.as_slice() {
            [(_, id, _)] => {
                [&self.log_ms.to_be_bytes()[..], &id.to_be_bytes(), &self.payloads].concat().into()
            }
            _ => self.block(),
        };
        self.clear();
        (records, value)
    }

    fn block(&mut self) -> Bytes {
        let is_packed = self.payloads.len() >= PACKED_FROM;
        let payloads = if is_packed {
            let most = lz4_flex::block::get_maximum_output_size(self.payloads.len());
            self.packed.resize(most.max(self.packed.len()), 0);
            let length = lz4_flex::block::compress_into(&self.payloads, &mut self.packed)
                .expect("there is as much room as it may take");
            &self.packed[..length]
        } else {
            &self.payloads[..]
        };
        let mut value = Vec::with_capacity(BLOCK_HEADER + self.entries.len() * ENTRY_BYTES + payloads.len());
        value.extend_from_slice(&[BLOCK_MARK, if is_packed { PACKED } else { PLAIN }]);
        value.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
        value.extend_from_slice(&self.log_ms.to_be_bytes());
        for (after, id, end) in &self.entries {
            value.extend_from_slice(&after.to_be_bytes());
            value.extend_from_slice(&id.to_be_bytes());
            value.extend_from_slice(&end.to_be_bytes());
        }
        value.extend_from_slice(payloads);
        value.into()
    }
}

/// Records that stand together in memory.
pub(super) struct Records {
    first: Position,
    log_ms: i64,
    /// Of each record its position after the first, and where its payload ends.
    entries: Vec<(u32, u32)>,
    payloads: Bytes,
}

impl Records {
    /// Position of the first.
    pub fn first(&self) -> Position {
        self.first
    }

    /// Position of the last.
    pub fn last(&self) -> Position {
        self.first.further(self.entries.last().map_or(0, |(after, _)| u64::from(*after)))
    }

    /// Bytes of memory that they take.
    pub fn weight(&self) -> usize {
        self.payloads.len() + self.entries.len() * size_of::<(u32, u32)>() + 128
    }

    /// Up to `most` records behind `position`, in order; their payloads share memory.
    pub fn after(&self, position: Position, most: usize) -> impl Iterator<Item = LogRecord> {
        let start =
            self.entries.partition_point(|(after, _)| self.first.further(u64::from(*after)) <= position);
        let mut from = start.checked_sub(1).map_or(0, |before| self.entries[before].1);
        self.entries[start..].iter().take(most).map(move |(after, end)| {
            let payload = self.payloads.slice(from as usize..*end as usize);
            from = *end;
            LogRecord { position: self.first.further(u64::from(*after)), log_ms: self.log_ms, payload }
        })
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
    /// Reads the value stored under `first`; payloads stay packed.
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
        if value.len() < BLOCK_HEADER || !matches!(value[1], PLAIN | PACKED) {
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
            && (records.is_packed() || table_end + before.1 == records.value.len());
        if is_whole { Ok(records) } else { Err(records.damaged()) }
    }

    fn damaged(&self) -> String {
        format!("the block at {} is damaged", self.first)
    }

    fn is_packed(&self) -> bool {
        self.is_block && self.value[1] == PACKED
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
        (self.first.further(u64::from(after)), id, end as usize)
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

    /// The records, unpacked.
    ///
    /// # Errors
    /// In words, what is wrong with them.
    pub fn records(&self) -> Result<Records, String> {
        let entries = (0..self.count).map(|at| {
            let (position, _, end) = self.entry(at);
            (position.since(self.first) as u32, end as u32)
        });
        let stored = self.value.slice(self.payload_start()..);
        let payloads = if self.is_packed() {
            let length = self.entry(self.count - 1).2;
            // Whoever damaged a length does not get to ask for any amount of memory: LZ4 packs 255 bytes into one at best.
            if length / 256 > stored.len() {
                return Err(self.damaged());
            }
            let unpacked = lz4_flex::block::decompress(&stored, length);
            let unpacked = unpacked.map_err(|error| format!("{}: {error}", self.damaged()))?;
            if unpacked.len() != length {
                return Err(self.damaged());
            }
            unpacked.into()
        } else {
            stored
        };
        Ok(Records { first: self.first, log_ms: self.log_ms, entries: entries.collect(), payloads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_MS: i64 = 1_772_323_200_000;

    fn stored(records: &[(u64, IdHash, &str)]) -> (Records, Bytes) {
        let mut builder = BlockBuilder::default();
        for (position, id, payload) in records {
            builder.push(Position(*position), LOG_MS, *id, payload.as_bytes());
        }
        builder.take()
    }

    fn contents(records: &Records) -> Vec<(u64, i64, String)> {
        let text = |record: &LogRecord| String::from_utf8(record.payload.to_vec()).expect("text");
        records
            .after(Position::START, usize::MAX)
            .map(|record| (record.position.0, record.log_ms, text(&record)))
            .collect()
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let long = "a".repeat(PACKED_FROM);
        let several = [(7, 1, "one"), (9, u128::MAX, ""), (4_000_000, 3, "three"), (4_000_001, 4, &long)];
        for written in [&several[..1], &several[1..2], &several[..3], &several[3..], &several[..]] {
            let (shown, value) = stored(written);
            let read = StoredRecords::read(shown.first(), value).expect("whole");
            let expected: Vec<_> =
                written.iter().map(|(position, _, text)| (*position, LOG_MS, (*text).to_owned())).collect();
            assert_eq!(contents(&shown), expected);
            assert_eq!(contents(&read.records().expect("whole")), expected);
            let ids: Vec<_> = written.iter().map(|(position, id, _)| (Position(*position), *id)).collect();
            assert_eq!(read.ids().collect::<Vec<_>>(), ids);
            assert_eq!(
                (Some(read.last()), shown.last()),
                (written.last().map(|record| Position(record.0)), read.last())
            );
        }
    }

    #[test]
    fn records_behind_a_position_are_given_with_their_own_payloads() {
        let (records, _) = stored(&[(7, 1, "one"), (9, 2, "two"), (12, 3, "three")]);
        let after = |position, most| {
            let found = records.after(Position(position), most);
            found.map(|record| (record.position.0, record.payload)).collect::<Vec<_>>()
        };
        assert_eq!(after(7, 1), [(9, Bytes::from("two"))]);
        assert_eq!(after(8, 5), [(9, Bytes::from("two")), (12, Bytes::from("three"))]);
        assert_eq!(after(12, 5), []);
    }

    #[test]
    fn a_single_record_is_stored_as_it_was_before_there_were_blocks() {
        let (records, value) = stored(&[(5, 0x0102, "payload")]);
        let mut expected = LOG_MS.to_be_bytes().to_vec();
        expected.extend_from_slice(&0x0102_u128.to_be_bytes());
        expected.extend_from_slice(b"payload");
        assert_eq!((records.first(), &value[..]), (Position(5), &expected[..]));
    }

    #[test]
    fn blocks_whose_payloads_are_not_packed_are_read_as_ever() {
        let entry = |after: u32, id: u128, end: u32| {
            [&after.to_be_bytes()[..], &id.to_be_bytes(), &end.to_be_bytes()].concat()
        };
        let payloads = ["x".repeat(2_000), "y".repeat(500)];
        let together = payloads.concat();
        let block = [
            &[BLOCK_MARK, PLAIN, 0, 0, 0, 2][..],
            &LOG_MS.to_be_bytes(),
            &entry(0, 1, 2_000),
            &entry(3, 2, 2_500),
            together.as_bytes(),
        ];
        let read = StoredRecords::read(Position(40), block.concat().into()).expect("whole");
        let [first, second] = payloads;
        assert_eq!(contents(&read.records().expect("whole")), [(40, LOG_MS, first), (43, LOG_MS, second)]);
    }

    #[test]
    fn values_that_are_cut_off_are_refused() {
        let long = "a".repeat(PACKED_FROM);
        for second in ["two", &long] {
            let (records, block) = stored(&[(7, 1, "one"), (9, 2, second)]);
            for length in 0..block.len() {
                let read = StoredRecords::read(records.first(), block.slice(..length));
                assert!(read.and_then(|read| read.records()).is_err(), "{length} bytes");
            }
        }
        let (records, record) = stored(&[(7, 1, "one")]);
        for length in 0..RECORD_HEADER {
            assert!(StoredRecords::read(records.first(), record.slice(..length)).is_err(), "{length} bytes");
        }
    }
}
