//! A partition whose log is damaged while everything else is well: it waits where it is, and the others go on.

use super::{Play, RECOVERY};
use crate::simulate::scenario::CLOSING;
use nearline_model::{LogRecord, PartitionId};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Records that are damaged: all that may come until it is mended.
const DAMAGED: usize = 1_000;

impl Play {
    /// Damages what nobody has read yet of a partition, if one is to be, until the others have folded all of theirs.
    pub(super) async fn others_go_on(&self) {
        let Some(damaged) = self.world.scenario.damaged.map(PartitionId) else { return };
        let after = {
            let mut servers = self.world.servers.borrow_mut();
            let after = servers.log.last(damaged);
            servers.log.damage(damaged, after, 0, DAMAGED);
            after
        };
        self.world.note(format_args!("{damaged} is damaged behind {after}"));
        let deadline = Instant::now() + RECOVERY;
        while let Some(waits) = self.waiting_beside(damaged) {
            if Instant::now() > deadline {
                let what =
                    format!("{waits} is not committed to its end, {RECOVERY:?} after {damaged} was damaged");
                self.world.violated("I5", what);
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        let committed = self.world.servers.borrow().store.row(damaged).position;
        if committed > after {
            let what = format!("{damaged} is committed at {committed}, its log is damaged behind {after}");
            self.world.violated("I3", what);
        }
        self.world.servers.borrow_mut().log.mend(damaged);
        self.world.note(format_args!("{damaged} is mended"));
    }

    /// A partition other than `damaged` that has not folded its closing event.
    fn waiting_beside(&self, damaged: PartitionId) -> Option<PartitionId> {
        let servers = self.world.servers.borrow();
        let is_closed = |id: &PartitionId| {
            let is_closing = |record: &&LogRecord| {
                record.payload.windows(CLOSING.len()).any(|part| part == CLOSING.as_bytes())
            };
            let closing = servers.log.records[usize::from(id.0)].iter().rfind(is_closing);
            closing.is_some_and(|record| servers.store.row(*id).position >= record.position)
        };
        let mut others = (0..self.world.scenario.partitions).map(PartitionId).filter(|id| *id != damaged);
        others.find(|id| !is_closed(id))
    }
}
