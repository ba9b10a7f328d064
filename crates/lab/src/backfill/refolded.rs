//! Folding a partition's archived events again, for the facts of a part of them.

use anyhow::{Context, bail};
use nearline_facts::EventArchive;
use nearline_model::facts::CaptureSettings;
use nearline_model::identifier::OwnerEpoch;
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
        captures: false,
    };
    if part.after.is_start() {
        folding.begin(capture);
    }
    events.check_whole(part.partition)?;
    for records in events.events(part.partition) {
        let mut records: Vec<LogRecord> = records?;
        records.truncate(records.partition_point(|record| record.position <= part.up_to));
        let split = records.partition_point(|record| record.position <= part.after);
        let wanted = records.split_off(split);
        progress((records.len() + wanted.len()) as u64);
        folding.fold(records)?;
        if wanted.is_empty() {
            continue;
        }
        if !part.after.is_start() && !folding.captures {
            folding.skip();
            folding.begin(capture);
        }
        folding.fold(wanted)?;
        let is_full = folding.partition.changed_facts() >= part.most_facts;
        if is_full && folding.partition.folded() < part.up_to && !take(folding.facts(None))? {
            return Ok(());
        }
    }
    // Events of erased members are gone, the last one maybe among them: what counts is how far was archived.
    let last = events.last(part.partition);
    if last < part.up_to {
        bail!("the archive's events end at position {last}, before {}", part.up_to);
    }
    take(folding.facts(Some(part.up_to))).map(drop)
}

struct Folding {
    partition: Partition,
    event_bytes: usize,
    captures: bool,
}

impl Folding {
    fn begin(&mut self, capture: CaptureSettings) {
        let fresh = Partition::new(self.partition.id(), 1, FoldSettings::default());
        self.partition = std::mem::replace(&mut self.partition, fresh).capture(capture);
        self.captures = true;
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
    fn skip(&mut self) {
        if let Some(commit) = self.partition.take_commit(OwnerEpoch(1)) {
            self.partition.committed(&commit);
        }
    }

    /// The facts since the last time; `up_to` is how far they go, if that is further than the last event.
    fn facts(&mut self, up_to: Option<Position>) -> MemberFacts {
        let (partition, after) = (self.partition.id(), self.partition.taken());
        let (mut position, mut mark, mut facts) = (self.partition.folded(), None, Vec::new());
        if let Some(commit) = self.partition.take_commit(OwnerEpoch(1)) {
            self.partition.committed(&commit);
            if self.captures {
                (mark, facts) = (commit.mark, commit.facts);
            }
        }
        position = up_to.unwrap_or_default().max(position);
        MemberFacts { partition, after, position, mark, facts }
    }
}
