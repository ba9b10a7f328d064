//! Folding a partition's archived events again, for the facts of a part of them.

use anyhow::{Context, bail};
use nearline_facts::EventArchive;
use nearline_model::facts::CaptureSettings;
use nearline_model::identifier::position_of;
use nearline_model::partition::Batch;
use nearline_model::{FoldSettings, LogRecord, MemberFacts, Partition, PartitionId, Position};

/// Which facts are wanted.
#[derive(Debug, Clone)]
pub struct Part {
    /// The partition.
    pub partition: PartitionId,
    /// Of events behind this position,
    pub after: Position,
    /// up to this one.
    pub up_to: Position,
    /// Facts that are given at once, about.
    pub most_facts: usize,
}

/// Folds the events of a partition from the first on, and gives the facts of a part of them in order. `take` says whether to
/// go on; `progress` hears of events that were folded.
///
/// # Errors
/// Events that are missing or cannot be folded, and what `take` fails with.
pub fn refold(
    events: &EventArchive,
    part: &Part,
    fold: &FoldSettings,
    capture: CaptureSettings,
    progress: &(dyn Fn(u64) + Sync),
    mut take: impl FnMut(MemberFacts) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let mut folding = Folding {
        partition: Partition::new(part.partition, events.partitions(), fold.clone()),
        event_bytes: fold.event_bytes,
    };
    if part.after == 0 {
        folding.begin(capture);
    }
    for records in events.events(part.partition) {
        let mut records: Vec<LogRecord> = records?;
        if folding.partition.folded() == 0 {
            is_whole(events, part.partition, &records)?;
        }
        records.truncate(records.partition_point(|record| record.position <= part.up_to));
        let split = records.partition_point(|record| record.position <= part.after);
        let wanted = records.split_off(split);
        progress((records.len() + wanted.len()) as u64);
        folding.fold(records)?;
        if wanted.is_empty() {
            continue;
        }
        if part.after > 0 && folding.partition.taken() == 0 {
            folding.skipped()?;
            folding.begin(capture);
        }
        let before = folding.partition.folded();
        folding.fold(wanted)?;
        let made = folding.partition.changed_facts();
        let ended = folding.partition.folded() >= part.up_to;
        if before < part.up_to && (made >= part.most_facts || ended) && !take(folding.facts()?)? {
            return Ok(());
        }
        if ended {
            return Ok(());
        }
    }
    match folding.partition.folded() {
        folded if folded >= part.up_to => Ok(()),
        folded => bail!("the archive's events end at position {folded}, before {}", part.up_to),
    }
}

/// State is the fold of all events: without the first ones, facts would be wrong.
fn is_whole(events: &EventArchive, partition: PartitionId, records: &[LogRecord]) -> anyhow::Result<()> {
    let first = position_of(1, partition, events.partitions());
    match records.first() {
        Some(record) if record.position != first => bail!(
            "the archive's events begin at position {}, not at {first}: what was before is gone, and with it what facts \
             would be made of",
            record.position
        ),
        _ => Ok(()),
    }
}

struct Folding {
    partition: Partition,
    event_bytes: usize,
}

impl Folding {
    fn begin(&mut self, capture: CaptureSettings) {
        let fresh = Partition::new(self.partition.id(), 1, FoldSettings::default());
        self.partition = std::mem::replace(&mut self.partition, fresh).capture(capture);
    }

    fn fold(&mut self, records: Vec<LogRecord>) -> anyhow::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let (admitted, missing) = self.partition.admit(Batch::parse(records, self.event_bytes));
        for slot in missing {
            self.partition.loaded(slot, None).context("an event cannot be folded")?;
        }
        self.partition.fold(admitted, |_, _| {});
        Ok(())
    }

    /// What was folded until here makes no facts.
    fn skipped(&mut self) -> anyhow::Result<()> {
        let commit =
            self.partition.take_commit(1).context("no event was folded before the part that is wanted")?;
        self.partition.committed(commit.members.iter().map(|(member, _)| &**member));
        Ok(())
    }

    /// The facts since the last time.
    fn facts(&mut self) -> anyhow::Result<MemberFacts> {
        let commit = self.partition.take_commit(1).context("nothing was folded")?;
        self.partition.committed(commit.members.iter().map(|(member, _)| &**member));
        Ok(MemberFacts {
            partition: commit.partition,
            after: commit.expected,
            position: commit.position,
            mark: commit.mark,
            facts: commit.facts,
        })
    }
}
