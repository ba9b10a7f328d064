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
    standing: Standing,
}

#[derive(Default)]
enum Standing {
    /// To be looked at.
    #[default]
    Open,
    /// It could not be looked at then.
    Unknown(Instant),
    /// Found so then.
    SetBack(PortError, Instant),
    Fits,
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
        self.0.iter().for_each(|end| end.lock().standing = Standing::Open);
    }

    pub(super) fn doubt(&self, partition: PartitionId) {
        self.at(partition).standing = Standing::Open;
    }

    /// What a stream was found to be, by whoever asked; one that is shorter than it was is doubted.
    pub(super) fn see(&self, partition: PartitionId, info: &Info) {
        let mut end = self.at(partition);
        if info.state.last_sequence < end.last && matches!(end.standing, Standing::Fits) {
            end.standing = Standing::Open;
        }
        end.last = info.state.last_sequence;
    }

    pub(super) fn needs_look(&self, partition: PartitionId) -> bool {
        match &self.at(partition).standing {
            Standing::Open => true,
            Standing::Unknown(then) => then.elapsed() >= UNKNOWN_FOR,
            Standing::SetBack(_, then) => then.elapsed() >= SET_BACK_FOR,
            Standing::Fits => false,
        }
    }

    /// What came of a look; `None`: nothing.
    pub(super) fn looked(&self, partition: PartitionId, found: Option<Result<(), PortError>>) {
        self.at(partition).standing = match found {
            None => Standing::Unknown(Instant::now()),
            Some(Ok(())) => Standing::Fits,
            Some(Err(error)) => Standing::SetBack(error, Instant::now()),
        };
    }

    /// Why nothing may be published into a partition.
    pub(super) fn refusal(&self, partition: PartitionId) -> Option<PortError> {
        match &self.at(partition).standing {
            Standing::SetBack(error, _) => Some(error.clone()),
            Standing::Open | Standing::Unknown(_) | Standing::Fits => None,
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

/// A number that the stream's metadata holds.
pub(super) fn noted(config: &Config, key: &str) -> Option<u64> {
    config.metadata.get(key)?.parse().ok()
}
