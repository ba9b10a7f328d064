//! Verification: folds a partition's log again from the start and compares with what is stored.
//!
//! Invariant I3: stored state at a position equals the fold of the log up to it, byte for byte, where
//! the fold steps over the events that are in quarantine.

pub mod aggregates;

use crate::{LogReader, PortError, Ports};
use hashbrown::HashMap;
use nearline_model::partition::Batch;
use nearline_model::quarantine::Quarantine;
use nearline_model::{FoldSettings, Member, Partition, PartitionId, Position};
use std::sync::Arc;

/// Records folded at a time.
const BATCH_RECORDS: usize = 4_096;
/// Mismatches spelled out; more are only counted.
const SHOWN_MISMATCHES: usize = 50;
/// Times that the comparison starts over because the partition was committed to meanwhile.
const ATTEMPTS: usize = 20;

/// Why nothing could be compared.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VerifyError {
    /// Log or store cannot be read.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Stored bytes cannot be folded.
    #[error("folding partition {partition} again: {detail}")]
    Unfoldable {
        /// The partition.
        partition: PartitionId,
        /// What does not fit.
        detail: String,
    },
    /// Events are missing from the log.
    #[error(
        "the log of partition {partition} ends at position {log_last}, the stored state stands at {position}: \
         events are missing from the log"
    )]
    LogEndsBefore {
        /// The partition.
        partition: PartitionId,
        /// Position of the last record in the log.
        log_last: Position,
        /// Position of the stored state.
        position: Position,
    },
    /// The log has let go of everything.
    #[error(
        "nothing is kept of the log of partition {partition}, which ends at {log_last}: nothing can be folded again"
    )]
    LogEmptied {
        /// The partition.
        partition: PartitionId,
        /// Position of the last record that it had.
        log_last: Position,
    },
    /// The store stands at a position at which the partition has no record.
    #[error("partition {partition} is stored at position {position}, at which the log has no record of it")]
    NoRecord {
        /// The partition.
        partition: PartitionId,
        /// Position of the stored state.
        position: Position,
    },
    /// The partition is committed to faster than it can be compared.
    #[error(
        "partition {0} is being committed to all the time; stop publishing or the engine, then verify again"
    )]
    Busy(PartitionId),
}

/// What folding the log again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Position that was compared.
    pub position: Position,
    /// Records of the log folded.
    pub events: u64,
    /// Members compared.
    pub members: usize,
    /// Records that were refused.
    pub rejected: u64,
    /// What differs, in words; empty: nothing does.
    pub mismatches: Vec<String>,
}

impl VerifyReport {
    /// Whether stored state equals the fold of the log.
    pub fn is_equal(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// Folds `partition` again from the start of the log to the stored position, and compares position,
/// symbols and every member's stored bytes.
///
/// # Errors
/// Where log or store cannot be read, the log ends before the stored position, or the partition is
/// committed to faster than it can be compared.
pub async fn verify_partition(
    ports: &Ports,
    partition: PartitionId,
    fold: &FoldSettings,
) -> Result<VerifyReport, VerifyError> {
    let mut again = Refold::new(partition, ports.log.partitions(), fold);
    for _ in 0..ATTEMPTS {
        let position = ports.store.position(partition).await?;
        again.fold_up_to(ports, position).await?;
        let symbols = ports.store.symbols(partition).await?;
        let fold_state = ports.store.fold_state(partition).await?;
        let stored = stored_members(ports, partition).await?;
        let after = ports.store.position(partition).await?;
        if after == position {
            return Ok(again.compare(position, &symbols, fold_state.as_deref(), stored));
        }
    }
    Err(VerifyError::Busy(partition))
}

async fn stored_members(
    ports: &Ports,
    partition: PartitionId,
) -> Result<HashMap<Box<str>, bytes::Bytes>, PortError> {
    let mut members = HashMap::new();
    let mut cursor = 0;
    loop {
        let (next, some) = ports.store.scan_members(partition, cursor).await?;
        members.extend(some);
        if next == 0 {
            return Ok(members);
        }
        cursor = next;
    }
}

/// The fold, done again.
struct Refold {
    partition: Partition,
    event_bytes: usize,
    /// What the fold steps over: its second input, beside the log.
    quarantine: Quarantine,
    reader: Option<Box<dyn LogReader>>,
    pending: std::vec::IntoIter<nearline_model::LogRecord>,
    events: u64,
    rejected: u64,
}

impl Refold {
    fn new(partition: PartitionId, partitions: u16, fold: &FoldSettings) -> Self {
        Self {
            partition: Partition::new(partition, partitions, fold.clone()),
            event_bytes: fold.event_bytes,
            quarantine: Quarantine::default(),
            reader: None,
            pending: Vec::new().into_iter(),
            events: 0,
            rejected: 0,
        }
    }

    async fn fold_up_to(&mut self, ports: &Ports, position: Position) -> Result<(), VerifyError> {
        let id = self.partition.id();
        if self.partition.folded() >= position {
            return Ok(());
        }
        // Read behind the position that is folded up to: an entry stands before any commit that steps
        // over its event, so all that matter here are there.
        self.quarantine = ports.quarantine.troubles(id).await?.quarantine;
        let bounds = ports.log.bounds(id).await?;
        if bounds.last < position {
            return Err(VerifyError::LogEndsBefore { partition: id, log_last: bounds.last, position });
        }
        if self.partition.folded().is_start() && bounds.is_emptied() {
            return Err(VerifyError::LogEmptied { partition: id, log_last: bounds.last });
        }
        while self.partition.folded() < position {
            if self.pending.len() == 0 {
                self.pending = self.read(ports).await?.into_iter();
            }
            let mut records = Vec::with_capacity(self.pending.len());
            while self.pending.as_slice().first().is_some_and(|record| record.position <= position) {
                records.extend(self.pending.next());
            }
            if records.is_empty() {
                return Err(VerifyError::NoRecord { partition: id, position });
            }
            self.fold(records)?;
        }
        Ok(())
    }

    async fn read(&mut self, ports: &Ports) -> Result<Vec<nearline_model::LogRecord>, PortError> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => ports.log.open_reader(self.partition.id(), self.partition.folded()).await?,
        };
        let records = reader.next_batch(BATCH_RECORDS).await?;
        self.reader = Some(reader);
        Ok(records)
    }

    fn fold(&mut self, records: Vec<nearline_model::LogRecord>) -> Result<(), VerifyError> {
        self.events += records.len() as u64;
        let (admitted, missing) =
            self.partition.admit(Batch::parse_except(records, self.event_bytes, &self.quarantine, |_| {}));
        for slot in missing {
            self.partition.loaded(slot, None).map_err(|error| VerifyError::Unfoldable {
                partition: self.partition.id(),
                detail: error.to_string(),
            })?;
        }
        self.rejected += self.partition.fold(admitted, |_, _| {}).rejected.len() as u64;
        Ok(())
    }

    fn compare(
        &self,
        position: Position,
        symbols: &[Arc<str>],
        fold_state: Option<&[u8]>,
        mut stored: HashMap<Box<str>, bytes::Bytes>,
    ) -> VerifyReport {
        let mut mismatches = Mismatches::default();
        let members = stored.len();
        if self.partition.folded() != position {
            mismatches.add(|| format!("position: stored {position}, folded {}", self.partition.folded()));
        }
        let folded_symbols = &self.partition.symbols()[1..];
        if folded_symbols.len() != symbols.len() {
            mismatches.add(|| format!("symbols: stored {}, folded {}", symbols.len(), folded_symbols.len()));
        }
        for (at, (stored, folded)) in symbols.iter().zip(folded_symbols).enumerate() {
            if stored != folded {
                mismatches.add(|| format!("symbol {}: stored {stored:?}, folded {folded:?}", at + 1));
            }
        }
        // What an earlier version stored has none until the next commit.
        if fold_state.is_some_and(|stored| *stored != *self.partition.fold_state()) {
            let (clock_ms, live) = (self.partition.log_time_ms(), self.partition.live_symbols());
            mismatches.add(|| {
                format!("fold state: differs from the folded, at log time {clock_ms} ms, {live} symbols")
            });
        }
        for (member, state) in self.partition.members() {
            let folded = state.encode();
            match stored.remove(member) {
                Some(stored) if *stored == *folded => {}
                Some(stored) => mismatches.add(|| difference(member, &stored, &state)),
                // Touched by refused events only: nothing to store.
                None if *state == Member::default() => {}
                None => {
                    mismatches.add(|| format!("member {member}: not stored, folded {} bytes", folded.len()))
                }
            }
        }
        for (member, bytes) in stored {
            mismatches.add(|| format!("member {member}: stored ({} bytes), but not in the log", bytes.len()));
        }
        let mismatches = mismatches.into_lines();
        VerifyReport { position, events: self.events, members, rejected: self.rejected, mismatches }
    }
}

fn difference(member: &str, stored: &[u8], folded: &Member) -> String {
    match Member::decode(stored) {
        Err(error) => format!("member {member}: {error}"),
        Ok(stored) if stored == *folded => format!("member {member}: same state, other bytes"),
        Ok(stored) => format!(
            "member {member}: stored {} titles up to {} ms with {} recent ids, folded {} up to {} ms with {}",
            stored.history.len(),
            stored.newest_ms,
            stored.recent.len(),
            folded.history.len(),
            folded.newest_ms,
            folded.recent.len()
        ),
    }
}

#[derive(Default)]
struct Mismatches {
    lines: Vec<String>,
    more: usize,
}

impl Mismatches {
    fn add(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < SHOWN_MISMATCHES { self.lines.push(line()) } else { self.more += 1 }
    }

    fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        self.lines
    }
}
