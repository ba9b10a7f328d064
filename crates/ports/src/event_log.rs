//! The ordered log of events.

use crate::PortError;
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::identifier::Blocks;
use nearline_model::{LogRecord, PartitionId, Position};

/// An event to append. Whoever appends has validated `member` and `id` (`[A-Za-z0-9_-]{1,64}`).
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The member: decides the partition.
    pub member: String,
    /// The event's id, unique among the member's: an append of the member with an id seen within the log's duplicate
    /// window is not stored again. A log with [`EventLog::blocks`] tells that of blocks and of what is in one append: it may store
    /// an event again that comes in another block, which the fold drops by the id.
    pub id: String,
    /// The event as JSON.
    pub payload: Bytes,
}

/// What the log says of an append: the event is stored as durably as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The partition.
    pub partition: PartitionId,
    /// Place in the log; of the first append, if this one is a duplicate.
    pub position: Position,
    /// Whether the id was known, so that nothing was stored.
    pub duplicate: bool,
}

/// What the log holds of a partition, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogBounds {
    /// Position of the first record that is kept, behind `last` where none is; 0 if there never was one. In a log with
    /// [`EventLog::blocks`], where its message begins.
    pub first: Position,
    /// Position of the last record, kept or not; 0 if there never was one.
    pub last: Position,
}

impl LogBounds {
    /// Whether there were records, and none is kept: a reader from the beginning waits for new ones.
    pub fn is_emptied(&self) -> bool {
        self.first > self.last
    }
}

/// An ordered, durable log in partitions. Positions grow within each partition, and no two
/// records have the same: a partition's first record is at its number plus 1, each further one as many on as there are
/// partitions ([`position_of`](nearline_model::identifier::position_of)). Where messages hold several records, some numbers are
/// without one ([`Blocks`]).
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Number of partitions.
    fn partitions(&self) -> u16;

    /// Which log it is: given at random when it was made, and its own for good. Positions mean nothing in another log.
    fn identity(&self) -> &str;

    /// What one message of the log may hold.
    fn blocks(&self) -> Blocks {
        Blocks::default()
    }

    /// Proves that appends would be taken, without one. Where that needs no proof, there is none.
    async fn prove(&self) -> Result<(), PortError> {
        Ok(())
    }

    /// Bytes that the adapter itself holds in memory: newest records, write buffers, caches. What a server holds is not
    /// in it.
    fn memory_bytes(&self) -> usize {
        0
    }

    /// Appends events in order; answers when they are acknowledged, one outcome per event, in order.
    /// The partition is `nearline_model::identifier::partition_of(member)`.
    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>>;

    /// A reader of one partition's records after `after`, in order, none left out, that goes on with
    /// new records as they come. Where a record of the partition behind `after` is gone, and where the log ends before
    /// it, the reader is refused or ends with [`PortError::Damaged`]. With 0 nothing was read before: it begins with what
    /// is left.
    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError>;

    /// The record at `position`; `None` if there is none any more, or not yet.
    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError>;

    /// First and last record of a partition. Of another log that is there in this one's place, [`PortError::Damaged`].
    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError>;
}

/// Reads one partition. Dropping it lets go of everything it holds.
#[async_trait]
pub trait LogReader: Send {
    /// Waits until there is a record, then gives 1 to `max_records` of them. Cancel-safe: a dropped
    /// call loses no record. After an error the reader is spent: open another.
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError>;
}
