//! Learning from the store: deltas from the outbox, and the snapshot where the outbox no longer has them.
//!
//! The store drops from the outbox only what its snapshot covers. So whoever finds a delta missing there
//! (it was slow, or joined late) finds it in the snapshot: it starts over from that, and from what the
//! outbox has beyond.

use crate::ports::{PortError, Ports};
use nearline_model::aggregates::Added;
use nearline_model::{Aggregates, Delta, PartitionId, Position};
use parking_lot::RwLock;

/// Deltas read from the outbox at once.
const OUTBOX_PAGE: usize = 64;
/// Times that the snapshot is loaded anew because the outbox was trimmed meanwhile.
const ATTEMPTS: usize = 5;

/// What reading an outbox came to.
enum Read {
    /// As far as there is, and at least as far as was asked.
    Done,
    /// A delta after this position is missing.
    Missing(Position),
}

/// Adds what `partition` has in the outbox, at least up to `up_to`. Nothing else may add meanwhile.
///
/// # Errors
/// The store's, and [`PortError::Damaged`] where a delta is neither in the outbox nor in the snapshot.
pub async fn catch_up(
    ports: &Ports,
    aggregates: &RwLock<Aggregates>,
    partition: PartitionId,
    up_to: Position,
) -> Result<(), PortError> {
    let position = |_: &()| aggregates.read().position(partition);
    let add = |_: &mut (), delta: &Delta| aggregates.write().add(delta);
    match read_outbox(ports, &mut (), position, add, partition, up_to).await? {
        Read::Done => Ok(()),
        Read::Missing(after) => {
            tracing::warn!(%partition, after, "deltas have left the outbox; starting over from the snapshot");
            metrics::counter!("nearline_aggregates_reloads_total").increment(1);
            let mut wanted = aggregates.read().positions().to_vec();
            if let Some(wanted) = wanted.get_mut(usize::from(partition.0)) {
                *wanted = up_to.max(*wanted);
            }
            let again = start_over(ports, aggregates, &wanted).await?;
            *aggregates.write() = again;
            Ok(())
        }
    }
}

/// The stored snapshot with what the outbox has beyond it, up to the wanted positions at least.
async fn start_over(
    ports: &Ports,
    aggregates: &RwLock<Aggregates>,
    wanted: &[Position],
) -> Result<Aggregates, PortError> {
    let settings = aggregates.read().settings().clone();
    let mut missing = None;
    'attempt: for _ in 0..ATTEMPTS {
        let mut fresh = super::load(ports, &settings).await?;
        for (at, up_to) in (0..).zip(wanted) {
            let partition = PartitionId(at);
            let position = |fresh: &Aggregates| fresh.position(partition);
            let read = read_outbox(ports, &mut fresh, position, Aggregates::add, partition, *up_to).await?;
            if let Read::Missing(after) = read {
                missing = Some((partition, after));
                continue 'attempt;
            }
        }
        return Ok(fresh);
    }
    let (partition, after) = missing.expect("every attempt found something missing");
    Err(PortError::Damaged {
        what: format!("outbox of {partition}"),
        detail: format!(
            "deltas after position {after} are neither there nor in the snapshot; rebuild the aggregates"
        ),
    })
}

async fn read_outbox<T>(
    ports: &Ports,
    sums: &mut T,
    position: impl Fn(&T) -> Position,
    add: impl Fn(&mut T, &Delta) -> Added,
    partition: PartitionId,
    up_to: Position,
) -> Result<Read, PortError> {
    loop {
        let after = position(sums);
        let entries = ports.store.outbox(partition, after, OUTBOX_PAGE).await?;
        if entries.is_empty() {
            return Ok(if after < up_to { Read::Missing(after) } else { Read::Done });
        }
        for entry in entries {
            let delta = Delta::decode(&entry.delta).map_err(|error| PortError::Damaged {
                what: format!("outbox of {partition} at position {}", entry.position),
                detail: error.to_string(),
            })?;
            if let Added::Gap { after } = add(sums, &delta) {
                return Ok(Read::Missing(after));
            }
        }
    }
}
