//! Where the stored sums of a partition end: they may be ahead of its state, and a delta across their end could never be added.
//!
//! The store may have lost what was committed up to there, and not the sums: the node of a cluster that held the one, not the
//! other; or the snapshot was on its way while the store was set back.

use nearline_model::{PartitionId, Position};
use nearline_ports::{PortError, Ports};

/// Where they end, if that is ahead of `state`. A snapshot that was prepared before is not stored any more.
///
/// # Errors
/// The store's. Sums that cannot be read are no reason not to fold; a store that refuses to tell may have them.
pub(crate) async fn end_ahead_of(
    state: Position,
    ports: &Ports,
    partition: PartitionId,
) -> Result<Option<Position>, PortError> {
    let end = match ports.store.aggregates_end(partition).await {
        Ok(end) => end,
        Err(error @ PortError::Damaged { .. }) => {
            tracing::warn!(%partition, %error, "where the stored sums end cannot be read");
            None
        }
        Err(error) => return Err(error),
    };
    Ok(end.filter(|end| *end > state))
}
