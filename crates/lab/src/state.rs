//! Time travel: a member's state at a past moment, folded from archived events by the code that serves.

use nearline_model::Position;
use std::path::Path;

use anyhow::Context;
use nearline_facts::EventArchive;
use nearline_model::identifier::partition_of;
use nearline_model::log_clock::LogClock;
use nearline_model::partition::{Batch, Lookup};
use nearline_model::{FoldSettings, LogRecord, MemberSnapshot, Partition};

/// A member's state at a moment.
#[derive(Debug)]
pub struct StateAt {
    /// Its state; none if nothing of the member was known.
    pub snapshot: Option<MemberSnapshot>,
    /// Position of the last event that was folded.
    pub position: Position,
    /// Events of the partition that were folded.
    pub events: u64,
}

/// Folds the events of a member's partition that the log had at a moment, Unix milliseconds, by the time that is believed.
///
/// # Errors
/// A folder that is no archive, one without the first events of the partition, and events that cannot be folded.
pub fn state_at(archive: &Path, member: &str, at_ms: i64, fold: &FoldSettings) -> anyhow::Result<StateAt> {
    let archive = EventArchive::existing(archive)?;
    let id = partition_of(member, archive.partitions());
    archive.check_whole(id)?;
    let mut clock = LogClock::default();
    let mut partition = Partition::new(id, archive.partitions(), fold.clone());
    let mut events = 0;
    for records in archive.events(id) {
        let mut records: Vec<LogRecord> = records?;
        // The log's time decides, and the log is in its own order: what follows a later event was not there yet.
        let is_later = |record: &LogRecord| clock.read(record.log_ms, fold).0 > at_ms;
        let known = records.iter().position(is_later).unwrap_or(records.len());
        let ended = known < records.len();
        records.truncate(known);
        events += records.len() as u64;
        if !records.is_empty() {
            let (admitted, missing) = partition.admit(Batch::parse(records, fold.event_bytes));
            for slot in missing {
                partition.loaded(slot, None).with_context(|| format!("partition {id} cannot be folded"))?;
            }
            partition.fold(admitted, |_, _| {});
        }
        if ended {
            break;
        }
    }
    let position = partition.folded();
    // Who was never met is looked up as somebody new.
    let is_known = partition.members().any(|(name, _)| name == member);
    let snapshot = match partition.lookup(member, true) {
        _ if !is_known => None,
        Lookup::Ready(snapshot) => Some(*snapshot),
        Lookup::Loading | Lookup::Missing(_) => None,
    };
    Ok(StateAt { snapshot, position, events })
}
