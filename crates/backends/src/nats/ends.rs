//! Which partitions' streams end before what the store has committed of them.
//!
//! A stream that was set back (an old copy of its files, a backup) numbers new messages as those that it lost: they would be
//! taken for read. So none are published into it until it ends where it did, or the store has nothing of what is gone. What the
//! store has is asked for where a stream may have changed: at first, after a lost connection, and where one was found shorter
//! than before. In between it costs nothing.

use super::streams::FOLLOWS;
use async_nats::jetstream::stream::{Config, Info};
use nearline_model::identifier::{Blocks, sequence_of};
use nearline_model::{PartitionId, Position};
use nearline_ports::PortError;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How soon a partition is looked at again whose stream was set back.
const SET_BACK_FOR: Duration = Duration::from_secs(1);
/// And one of which nothing could be found out: the store is away.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);

/// All partitions.
pub(super) struct Ends(Box<[Mutex<End>]>);

#[derive(Default)]
struct End {
    /// The last message when its stream was looked at last.
    last: u64,
    /// Why nothing is published, as of the last look that found something out.
    refusal: Option<PortError>,
    due: Due,
}

/// When a partition is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Due {
    /// Before anything is published.
    #[default]
    Now,
    /// From then on; what was found holds meanwhile.
    From(Instant),
    Never,
}

impl Due {
    fn has_come(self) -> bool {
        match self {
            Self::Now => true,
            Self::From(then) => then <= Instant::now(),
            Self::Never => false,
        }
    }
}

impl Ends {
    pub(super) fn new(partitions: u16) -> Self {
        Self((0..partitions).map(|_| Mutex::default()).collect())
    }

    fn at(&self, partition: PartitionId) -> parking_lot::MutexGuard<'_, End> {
        self.0[usize::from(partition.0)].lock()
    }

    /// All may have changed.
    pub(super) fn doubt_all(&self) {
        self.0.iter().for_each(|end| end.lock().due = Due::Now);
    }

    pub(super) fn doubt(&self, partition: PartitionId) {
        self.at(partition).due = Due::Now;
    }

    /// What a stream was found to be, by whoever asked; one that is shorter than it was is doubted.
    pub(super) fn see(&self, partition: PartitionId, info: &Info) {
        let mut end = self.at(partition);
        if info.state.last_sequence < end.last {
            end.due = Due::Now;
        }
        end.last = info.state.last_sequence;
    }

    /// When one of some partitions is to be looked at first.
    pub(super) fn due(&self, partitions: &BTreeSet<PartitionId>) -> Option<Due> {
        let due = partitions.iter().map(|partition| self.at(*partition).due);
        due.filter(|due| due.has_come()).min_by_key(|due| *due != Due::Now)
    }

    /// All that are to be looked at.
    pub(super) fn all_due(&self) -> Vec<PartitionId> {
        (0..self.0.len() as u16).map(PartitionId).filter(|one| self.at(*one).due.has_come()).collect()
    }

    /// What a look has found out.
    pub(super) fn found(&self, partition: PartitionId, refusal: Option<PortError>) {
        let mut end = self.at(partition);
        end.due = refusal.as_ref().map_or(Due::Never, |_| Due::From(Instant::now() + SET_BACK_FOR));
        end.refusal = refusal;
    }

    /// A look has found nothing out, if none has meanwhile: what was found before holds.
    pub(super) fn not_found_out(&self, partition: PartitionId) {
        let mut end = self.at(partition);
        if end.due.has_come() {
            end.due = Due::From(Instant::now() + UNKNOWN_FOR);
        }
    }

    /// Why nothing may be published into a partition.
    pub(super) fn refusal(&self, partition: PartitionId) -> Option<PortError> {
        self.at(partition).refusal.clone()
    }
}

/// Whether a stream ends before what was read of it; what was read of an earlier layout is in no message of this one.
pub(super) fn ends_before(
    info: &Info,
    read: Position,
    partition: PartitionId,
    partitions: u16,
    blocks: Blocks,
) -> bool {
    let message = sequence_of(read, partition, partitions).map(|number| blocks.message_of(number));
    noted(&info.config, FOLLOWS).map(Position) != Some(read)
        && message.is_some_and(|message| message > info.state.last_sequence)
}

/// A number that the stream's metadata holds.
pub(super) fn noted(config: &Config, key: &str) -> Option<u64> {
    config.metadata.get(key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_holds_until_a_look_finds_something_else() {
        let (ends, p0) = (Ends::new(2), PartitionId(0));
        let both = BTreeSet::from([p0, PartitionId(1)]);
        let set_back = || PortError::Damaged { what: "EVENTS_p00".into(), detail: "set back".into() };
        assert_eq!((ends.due(&both), ends.all_due().len()), (Some(Due::Now), 2), "at first");
        ends.found(p0, Some(set_back()));
        ends.found(PartitionId(1), None);
        assert_eq!(ends.due(&both), None, "for a moment");
        // A reader tries, the connection is lost, the store is away: it is still set back.
        for doubts in [|ends: &Ends| ends.doubt(PartitionId(0)), Ends::doubt_all] {
            doubts(&ends);
            assert!(ends.due(&both) == Some(Due::Now) && ends.refusal(p0).is_some());
            ends.not_found_out(p0);
            assert!(ends.refusal(p0).is_some() && !ends.all_due().contains(&p0));
        }
        ends.found(p0, None);
        ends.not_found_out(p0);
        assert!(ends.refusal(p0).is_none() && ends.at(p0).due == Due::Never);
    }
}
