//! What members' states were: the log, folded again up to whatever position is asked about.

use crate::simulate::auditor::fold;
use nearline_model::partition::Lookup;
use nearline_model::quarantine::Quarantine;
use nearline_model::{FoldSettings, LogRecord, MemberSnapshot, Partition, PartitionId, Position};

/// A partition's log, folded up to where it was asked about last.
struct Kept {
    partition: Partition,
    quarantine: Quarantine,
}

/// States of the members of every partition.
pub struct States {
    settings: FoldSettings,
    kept: Vec<Kept>,
}

impl States {
    /// Nothing is folded yet.
    pub fn new(partitions: u16, settings: FoldSettings) -> Self {
        let kept = (0..partitions).map(|number| Kept {
            partition: Partition::new(PartitionId(number), partitions, settings.clone()),
            quarantine: Quarantine::default(),
        });
        Self { kept: kept.collect(), settings }
    }

    /// The state of `member` at `position` of the log, `complete` or as it is ranked by. Asking about later and later
    /// positions folds each record once; about an earlier one, all from the start.
    pub fn at(
        &mut self,
        partition: PartitionId,
        log: &[LogRecord],
        quarantine: &Quarantine,
        (member, complete): (&str, bool),
        position: Position,
    ) -> MemberSnapshot {
        let partitions = self.kept.len() as u16;
        let kept = &mut self.kept[usize::from(partition.0)];
        if kept.partition.folded() > position || kept.quarantine != *quarantine {
            kept.partition = Partition::new(partition, partitions, self.settings.clone());
            kept.quarantine = quarantine.clone();
        }
        let from = log.partition_point(|record| record.position <= kept.partition.folded());
        let upto = log.partition_point(|record| record.position <= position);
        fold(&mut kept.partition, &log[from..upto], self.settings.event_bytes, quarantine);
        match kept.partition.lookup(member, complete) {
            Lookup::Ready(snapshot) => *snapshot,
            Lookup::Loading | Lookup::Missing(_) => unreachable!("a fold from the start holds all members"),
        }
    }
}
