//! Learning from the store: deltas from the outbox, and the snapshot where the outbox no longer has them.
//!
//! The store drops from the outbox only what its snapshot covers. So whoever finds a delta missing there
//! (it was slow, or joined late) finds it in the snapshot: it starts over from that, and from what the
//! outbox has beyond.

use nearline_model::aggregates::Added;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, Delta, PartitionId, Position};
use nearline_ports::stored::{add_outbox, aggregates_snapshot, outbox_page};
use nearline_ports::{PortError, Ports};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Attempts to start over from the snapshot: while its outbox is read, another node may store the next one and
/// drop from the outbox what only that covers.
const RELOADS: usize = 3;

/// Pause before sums that could not be brought up to a position by starting over are started over for it
/// again: the store was set back behind it, and only the partition's owner can say when it gets there.
const FRUITLESS_PAUSE: Duration = Duration::from_secs(5);

/// The sums and who may change them.
pub struct Sums {
    /// The sums.
    pub aggregates: Arc<RwLock<Aggregates>>,
    /// Held by whoever adds, replaces or encodes them; never while the store is asked.
    pub(super) writing: Arc<Mutex<()>>,
    /// Held by whoever starts over from the store.
    starting_over: Mutex<()>,
    fruitless: parking_lot::Mutex<BTreeMap<PartitionId, (Position, Instant)>>,
}

impl Sums {
    /// Sums that nobody changes yet.
    pub fn new(aggregates: Arc<RwLock<Aggregates>>) -> Self {
        Self {
            aggregates,
            writing: Arc::default(),
            starting_over: Mutex::default(),
            fruitless: parking_lot::Mutex::default(),
        }
    }

    fn position(&self, partition: PartitionId) -> Position {
        self.aggregates.read().position(partition)
    }

    /// Adds a delta, once by its position.
    pub async fn add(&self, delta: &Delta) -> Added {
        let _writing = self.writing.lock().await;
        self.aggregates.write().add(delta)
    }

    /// Whether they reflect nothing yet.
    pub(super) fn is_empty(&self) -> bool {
        self.aggregates.read().positions().iter().all(|position| position.is_start())
    }

    /// Puts `again` in the place of the sums, if these still reflect what they did: false, and nothing is done, where something
    /// was added meanwhile.
    pub(super) async fn replace_those_at(&self, positions: &[Position], again: Aggregates) -> bool {
        let _writing = self.writing.lock().await;
        let are_there = self.aggregates.read().positions() == positions;
        if are_there {
            self.put(again);
        }
        are_there
    }

    async fn replace(&self, again: Aggregates) {
        let _writing = self.writing.lock().await;
        self.put(again);
    }

    /// The caller may write.
    fn put(&self, mut again: Aggregates) {
        again.succeed(&self.aggregates.read());
        // Large sums take a while to free: not under the lock that queries wait for.
        let before = std::mem::replace(&mut *self.aggregates.write(), again);
        drop(before);
    }

    /// Whether starting over did not get to `committed` a moment ago.
    fn is_fruitless(&self, partition: PartitionId, committed: Position) -> bool {
        let fruitless = self.fruitless.lock();
        let tried = fruitless.get(&partition).filter(|(position, _)| *position == committed);
        tried.is_some_and(|(_, at)| at.elapsed() < FRUITLESS_PAUSE)
    }
}

/// Adds what `partition` has in the outbox, at least up to `committed`.
///
/// # Errors
/// The store's, and [`PortError::Damaged`] where a delta is neither in the outbox nor in the snapshot.
pub async fn catch_up(
    ports: &Ports,
    sums: &Sums,
    partition: PartitionId,
    committed: Position,
) -> Result<(), PortError> {
    if follow(ports, sums, partition, committed).await? || sums.is_fruitless(partition, committed) {
        return Ok(());
    }
    let _one_at_a_time = sums.starting_over.lock().await;
    // Whoever was before may have done it.
    if follow(ports, sums, partition, committed).await? {
        return Ok(());
    }
    // Another node's snapshot has trimmed what is missing here, or the store was rolled back behind what
    // was learned: the store alone says what the sums are.
    metrics::counter!("nearline_aggregates_relearned_total").increment(1);
    let settings = sums.aggregates.read().settings().clone();
    let mut outcome = Ok(());
    for _ in 0..RELOADS {
        let (again, whole) = relearn(ports, &settings, partition).await?;
        sums.replace(again).await;
        outcome = whole;
        if outcome.is_ok() {
            break;
        }
    }
    if sums.position(partition) < committed {
        sums.fruitless.lock().insert(partition, (committed, Instant::now()));
    }
    outcome
}

/// Adds what the outbox has of a partition; false: the sums do not get to `committed` that way.
async fn follow(
    ports: &Ports,
    sums: &Sums,
    partition: PartitionId,
    committed: Position,
) -> Result<bool, PortError> {
    loop {
        let page = outbox_page(ports, partition, sums.position(partition)).await?;
        if page.is_empty() {
            // Nothing in the outbox, and yet not there: it was trimmed.
            return Ok(sums.position(partition) >= committed);
        }
        for delta in &page {
            if let Added::Gap { .. } = sums.add(delta).await {
                return Ok(false);
            }
        }
    }
}

/// The sums as the store has them, and whether all of `partition` is among them.
async fn relearn(
    ports: &Ports,
    settings: &AggregateSettings,
    partition: PartitionId,
) -> Result<(Aggregates, Result<(), PortError>), PortError> {
    let mut again = aggregates_snapshot(ports, settings).await?;
    let mut outcome = Ok(());
    for other in (0..ports.log.partitions()).map(PartitionId) {
        match add_outbox(ports, &mut again, other).await {
            // One partition that cannot be learned keeps no other from it.
            Err(error @ PortError::Damaged { .. }) if other == partition => outcome = Err(error),
            Err(PortError::Damaged { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((again, outcome))
}
