//! Learning from the store: deltas from the outbox, and the snapshot where the outbox no longer has them.
//!
//! The store drops from the outbox only what its snapshot covers. So whoever finds a delta missing there
//! (it was slow, or joined late) finds it in the snapshot: it starts over from that, and from what the
//! outbox has beyond.

use super::load;
use crate::ports::{PortError, Ports};
use nearline_model::aggregates::Added;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, Delta, PartitionId, Position};
use parking_lot::RwLock;

/// Deltas read from the outbox at once.
const OUTBOX_PAGE: usize = 64;
/// Attempts to start over from the snapshot: while its outbox is read, another node may store the next one and
/// drop from the outbox what only that covers.
const RELOADS: usize = 3;

/// Adds what `partition` has in the outbox, at least up to `committed`. Nothing else may add meanwhile.
///
/// # Errors
/// The store's, and [`PortError::Damaged`] where a delta is neither in the outbox nor in the snapshot.
pub async fn catch_up(
    ports: &Ports,
    aggregates: &RwLock<Aggregates>,
    partition: PartitionId,
    committed: Position,
) -> Result<(), PortError> {
    let add = |delta: &Delta| aggregates.write().add(delta);
    let after = aggregates.read().position(partition);
    match follow_outbox(ports, partition, after, add).await {
        // Nothing in the outbox, and yet not there: it was trimmed.
        Ok(()) if aggregates.read().position(partition) < committed => {}
        Err(PortError::Damaged { .. }) => {}
        outcome => return outcome,
    }
    // Another node's snapshot has trimmed what is missing here, or the store was rolled back behind what
    // was learned: the store alone says what the sums are.
    metrics::counter!("nearline_aggregates_relearned_total").increment(1);
    let settings = aggregates.read().settings().clone();
    let mut outcome = Ok(());
    for _ in 0..RELOADS {
        let (again, whole) = relearn(ports, &settings, partition).await?;
        *aggregates.write() = again;
        outcome = whole;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The sums as the store has them, and whether all of `partition` is among them.
async fn relearn(
    ports: &Ports,
    settings: &AggregateSettings,
    partition: PartitionId,
) -> Result<(Aggregates, Result<(), PortError>), PortError> {
    let mut again = load(ports, settings).await?;
    let mut outcome = Ok(());
    for other in (0..ports.log.partitions()).map(PartitionId) {
        let after = again.position(other);
        match follow_outbox(ports, other, after, |delta| again.add(delta)).await {
            // One partition that cannot be learned keeps no other from it.
            Err(error @ PortError::Damaged { .. }) if other == partition => outcome = Err(error),
            Err(PortError::Damaged { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((again, outcome))
}

/// Adds what a partition has in the outbox after `after`, in order.
async fn follow_outbox(
    ports: &Ports,
    partition: PartitionId,
    mut after: Position,
    mut add: impl FnMut(&Delta) -> Added,
) -> Result<(), PortError> {
    loop {
        let entries = ports.store.outbox(partition, after, OUTBOX_PAGE).await?;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            let delta = Delta::decode(&entry.delta).map_err(|error| PortError::Damaged {
                what: format!("outbox of {partition} at position {}", entry.position),
                detail: error.to_string(),
            })?;
            if let Added::Gap { after } = add(&delta) {
                return Err(PortError::Damaged {
                    what: format!("outbox of {partition}"),
                    detail: format!(
                        "a delta begins at position {}, the aggregates end at {after}; rebuild them",
                        delta.after
                    ),
                });
            }
            after = delta.position;
        }
    }
}
