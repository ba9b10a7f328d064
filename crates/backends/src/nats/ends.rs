//! Up to where partitions were read, and which streams end before that.
//!
//! A stream that was set back (an old copy of its files, a backup) numbers new messages as those that it lost: whoever has read
//! on would take them for read. So none are published into it until it ends where it did, or nobody has read it.

use super::log::{noted, set_back};
use super::streams::FOLLOWS;
use async_nats::jetstream::stream::Info;
use nearline_model::identifier::{Blocks, sequence_of};
use nearline_model::{PartitionId, Position};
use nearline_ports::PortError;
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// How soon one that ended too early is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// All partitions.
pub(super) struct Ends(Box<[Mutex<End>]>);

#[derive(Default)]
struct End {
    /// As far as is known, here or elsewhere.
    read: Position,
    /// Why nothing is published, and when that was found.
    set_back: Option<(PortError, Instant)>,
}

/// Whether events may go into a partition.
pub(super) enum Standing {
    Whole,
    SetBack(PortError),
    /// It was set back when it was looked at last: it is to be looked at.
    Unknown,
}

impl Ends {
    pub(super) fn new(partitions: u16) -> Self {
        Self((0..partitions).map(|_| Mutex::default()).collect())
    }

    /// Somebody has read so far.
    pub(super) fn note_read(&self, partition: PartitionId, up_to: Position) {
        let mut end = self.0[usize::from(partition.0)].lock();
        end.read = end.read.max(up_to);
    }

    /// What a stream was found to be.
    pub(super) fn look(&self, partition: PartitionId, info: &Info, blocks: Blocks) {
        let mut end = self.0[usize::from(partition.0)].lock();
        let is_before = ends_before(info, end.read, partition, self.0.len() as u16, blocks);
        end.set_back = is_before.then(|| (set_back(info, partition, end.read), Instant::now()));
    }

    pub(super) fn standing(&self, partition: PartitionId) -> Standing {
        match &self.0[usize::from(partition.0)].lock().set_back {
            None => Standing::Whole,
            Some((error, found)) if found.elapsed() < LOOK_AGAIN => Standing::SetBack(error.clone()),
            Some(_) => Standing::Unknown,
        }
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
