//! Pages of what a log and a stream of facts hold, for whoever reads a running engine's from outside.

use crate::{EventLog, FactStream, LogBounds, PortError, StreamedFacts};
use bytes::Bytes;
use nearline_model::versioned::{self, DecodeError};
use nearline_model::{FactEntry, LogRecord, PartitionId, Position};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
const WHAT: &str = "a page";

/// Bytes after which a page is full; what it ends with may be beyond.
const PAGE_BYTES: usize = 8 << 20;
/// Records taken of the log at a time.
const AT_ONCE: usize = 512;

/// What there is to read: the answer of `GET /admin/log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// The log, by its identity.
    pub log: String,
    /// Records of a message at most ([`EventLog::blocks`]).
    #[serde(default = "one")]
    pub block: u16,
    /// Position of the first record that is kept and of the last one of each partition ([`LogBounds`]).
    pub partitions: Vec<(Position, Position)>,
    /// The stream of facts, by its identity; empty: nothing was ever put.
    pub facts: String,
    /// Number of its last entry; 0: there is none.
    pub last_fact: u64,
}

/// What is held by a program that tells of no blocks.
fn one() -> u16 {
    1
}

/// Looks at what there is to read.
///
/// # Errors
/// Those of the ports.
pub async fn holdings(log: &dyn EventLog, facts: &dyn FactStream) -> Result<Holdings, PortError> {
    let mut partitions = Vec::with_capacity(log.partitions().into());
    for partition in 0..log.partitions() {
        let LogBounds { first, last } = log.bounds(PartitionId(partition)).await?;
        partitions.push((first, last));
    }
    let (log, block, last_fact) = (log.identity().to_owned(), log.blocks().records(), facts.last().await?);
    Ok(Holdings { log, block, partitions, facts: facts.identity().await?, last_fact })
}

/// Reads up to `most` records of a partition that follow a position; none if there are no more now.
///
/// # Errors
/// Those of the log: where what follows is gone, [`PortError::Damaged`].
pub async fn records(
    log: &dyn EventLog,
    partition: PartitionId,
    after: Position,
    most: usize,
) -> Result<Vec<LogRecord>, PortError> {
    let bounds = log.bounds(partition).await?;
    let last = bounds.last;
    let mut records: Vec<LogRecord> = Vec::new();
    let mut bytes = 0;
    if last == after || (after.is_start() && bounds.is_emptied()) {
        return Ok(records);
    }
    if last < after {
        return Err(PortError::Damaged {
            what: format!("the log {}", log.identity()),
            detail: format!(
                "partition {partition} ends at position {last}, and {after} was read: it was set back"
            ),
        });
    }
    let mut reader = log.open_reader(partition, after).await?;
    // A reader waits for what does not come: it is asked only for what is there.
    while records.len() < most && bytes < PAGE_BYTES && records.last().map_or(after, |r| r.position) < last {
        let batch = reader.next_batch(AT_ONCE.min(most - records.len())).await?;
        bytes += batch.iter().map(|record| record.payload.len()).sum::<usize>();
        records.extend(batch);
    }
    Ok(records)
}

/// Reads entries of the stream of facts that follow a number; none if there are no more now.
///
/// # Errors
/// Those of the stream.
pub async fn facts(facts: &dyn FactStream, after: u64, most: usize) -> Result<Vec<StreamedFacts>, PortError> {
    let (mut read, mut bytes) = (Vec::new(), 0);
    let mut at = after;
    while read.len() < most && bytes < PAGE_BYTES {
        let entries = facts.read(at, 1).await?;
        let Some(last) = entries.last() else { break };
        at = last.sequence;
        let payloads = entries.iter().flat_map(|streamed| streamed.entry.facts());
        bytes += payloads.map(|fact| fact.payload.len()).sum::<usize>();
        read.extend(entries);
    }
    Ok(read)
}

#[derive(Serialize, Deserialize)]
struct Row<'a> {
    position: Position,
    log_ms: i64,
    #[serde(borrow)]
    payload: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct Numbered {
    sequence: u64,
    entry: FactEntry,
}

/// Records as bytes.
pub fn encode_records(records: &[LogRecord]) -> Vec<u8> {
    let row = |record: &LogRecord| (record.position, record.log_ms, record.payload.clone());
    versioned::encode(VERSION, &records.iter().map(row).collect::<Vec<_>>())
}

/// Records that were encoded; their payloads share the page's bytes.
///
/// # Errors
/// [`DecodeError`] where they are of a newer version, or damaged.
pub fn decode_records(page: &Bytes) -> Result<Vec<LogRecord>, DecodeError> {
    let (_, bytes) = versioned::split(WHAT, VERSION, page)?;
    let rows: Vec<Row<'_>> = versioned::decode(WHAT, bytes)?;
    let record = |row: Row<'_>| LogRecord {
        position: row.position,
        log_ms: row.log_ms,
        payload: page.slice_ref(row.payload),
    };
    Ok(rows.into_iter().map(record).collect())
}

/// Entries of the stream of facts as bytes.
pub fn encode_facts(entries: Vec<StreamedFacts>) -> Vec<u8> {
    let numbered = |streamed: StreamedFacts| Numbered { sequence: streamed.sequence, entry: streamed.entry };
    versioned::encode(VERSION, &entries.into_iter().map(numbered).collect::<Vec<_>>())
}

/// Entries that were encoded.
///
/// # Errors
/// [`DecodeError`] where they are of a newer version, or damaged.
pub fn decode_facts(page: &[u8]) -> Result<Vec<StreamedFacts>, DecodeError> {
    let (_, bytes) = versioned::split(WHAT, VERSION, page)?;
    let numbered: Vec<Numbered> = versioned::decode(WHAT, bytes)?;
    let streamed = |Numbered { sequence, entry }| StreamedFacts { sequence, entry };
    Ok(numbered.into_iter().map(streamed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::MemberFacts;

    #[test]
    fn pages_are_read_as_they_were_written() {
        let record = |position: u64, payload: &'static [u8]| LogRecord {
            position: Position(position),
            log_ms: -(position as i64),
            payload: Bytes::from_static(payload),
        };
        let records = vec![record(1, b"{}"), record(5, b"\xff\x00 no JSON"), record(9, b"")];
        let page = Bytes::from(encode_records(&records));
        assert_eq!(decode_records(&page), Ok(records));
        assert!(decode_records(&page.slice(..page.len() - 1)).is_err(), "it is cut off");
        assert!(decode_records(&Bytes::from_static(b"\x09\x00")).is_err(), "a newer version");

        let part = MemberFacts {
            partition: PartitionId(3),
            after: Position(4),
            position: Position(8),
            mark: None,
            facts: Vec::new(),
        };
        let entries = || {
            vec![
                StreamedFacts { sequence: 7, entry: FactEntry::Members(part.clone()) },
                StreamedFacts { sequence: 9, entry: FactEntry::Decisions(Vec::new()) },
            ]
        };
        assert_eq!(decode_facts(&encode_facts(entries())), Ok(entries()));
        assert!(decode_facts(b"").is_err());
    }
}
