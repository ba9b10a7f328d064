//! Folding everything again: what was stored is forgotten, so that the log says anew what is known.
//!
//! For state that was spoilt by what the fold believed then and does not any more, such as time stamps of a clock
//! that was days ahead. Dead letters and quarantine stay; what was refused is refused again, under the same position.

use crate::{PortError, Ports};
use nearline_model::identifier::position_of;
use nearline_model::{PartitionId, Position};

/// Why nothing was forgotten.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RefoldError {
    /// Log or store cannot be reached.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The log does not have what the state was made of.
    #[error(
        "the log of partition {partition} begins at position {first}: what came before is in the stored state alone, \
         and folding again would lose it; nothing was forgotten"
    )]
    LogTrimmed {
        /// The partition.
        partition: PartitionId,
        /// Position of the first record in the log.
        first: Position,
    },
    /// A partition is stored beyond the end of its log.
    #[error(
        "partition {partition} is stored at position {stored}, its log ends at {last}: this is not the log that \
         the state was made of; nothing was forgotten"
    )]
    OtherLog {
        /// The partition.
        partition: PartitionId,
        /// Position of its stored state.
        stored: Position,
        /// Position of the last record of its log.
        last: Position,
    },
}

/// What is to be folded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Partitions whose state was forgotten.
    pub partitions: u16,
    /// Position of the last record of the log.
    pub last: Position,
}

/// Forgets members, symbols, positions and sums, if the log is whole. No engine may run on them: it would keep sums
/// that it has learned. Interrupted, it is to be done again.
///
/// # Errors
/// Where the log does not begin at its beginning or ends before the state, nothing is forgotten.
pub async fn forget_state(ports: &Ports) -> Result<Forgotten, RefoldError> {
    let partitions = ports.log.partitions();
    let mut last = Position::START;
    for partition in (0..partitions).map(PartitionId) {
        let (bounds, stored) = (ports.log.bounds(partition).await?, ports.store.position(partition).await?);
        if bounds.last < stored {
            return Err(RefoldError::OtherLog { partition, stored, last: bounds.last });
        }
        if !bounds.last.is_start() && bounds.first != position_of(1, partition, partitions) {
            return Err(RefoldError::LogTrimmed { partition, first: bounds.first });
        }
        last = last.max(bounds.last);
    }
    ports.store.forget_aggregates().await?;
    for partition in (0..partitions).map(PartitionId) {
        ports.store.forget_partition(partition).await?;
    }
    Ok(Forgotten { partitions, last })
}
