//! Learns what other nodes commit: from the outbox, as far as they announced it, each delta once by its
//! position. Now and then it asks the store how far the partitions are, so that nothing stays unknown when the registry
//! says nothing, and a partition into which nothing is published notices that the store was set back.

use crate::aggregates_actor::{AggregatesActor, CatchUp, SharedRole};
use crate::partition_actor::PortFailed;
use crate::partition_handle::PartitionHandle;
use crate::progress::PartitionState;
use actix::Addr;
use futures_util::StreamExt;
use nearline_model::control::ownership::SumsRole;
use nearline_model::{Aggregates, PartitionId, Position};
use nearline_ports::{PortError, StateStore};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Time between two looks at how far partitions are in the store: at least, and for each of them.
const LEAST_ROUND: Duration = Duration::from_secs(2);
const ROUND_PER_PARTITION: Duration = Duration::from_millis(30);
/// Partitions asked for at the same time.
const ASKED_AT_ONCE: usize = 16;

/// The one who learns.
pub(super) struct OutboxFollower {
    wanted: Arc<Mutex<BTreeMap<PartitionId, Position>>>,
    news: Arc<Notify>,
    sums: Arc<RwLock<Aggregates>>,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

impl OutboxFollower {
    pub(super) fn start(
        aggregates: Addr<AggregatesActor>,
        sums: Arc<RwLock<Aggregates>>,
        store: Arc<dyn StateStore>,
        partitions: Arc<[Arc<PartitionHandle>]>,
        role: SharedRole,
    ) -> Self {
        let wanted: Arc<Mutex<BTreeMap<PartitionId, Position>>> = Arc::default();
        let news = Arc::new(Notify::new());
        let (to_learn, told) = (wanted.clone(), news.clone());
        let learning = actix_rt::spawn(async move {
            loop {
                told.notified().await;
                loop {
                    let next = to_learn.lock().pop_first();
                    let Some((partition, up_to)) = next else { break };
                    match aggregates.send(CatchUp(partition, up_to)).await {
                        Ok(Ok(())) => {}
                        // The next announcement asks again.
                        Ok(Err(error)) => {
                            tracing::warn!(%partition, %error, "learning what another node committed")
                        }
                        Err(_closed) => return,
                    }
                }
            }
        });
        let (known, asker_wants, tells) = (sums.clone(), wanted.clone(), news.clone());
        let asker = Asker { store, partitions, sums: known, role, wanted: asker_wants, news: tells };
        let asking = actix_rt::spawn(asker.run());
        Self { wanted, news, sums, tasks: [learning, asking] }
    }

    /// Another node has committed up to there.
    pub(super) fn heard_of(&self, committed: &BTreeMap<PartitionId, Position>) {
        let mut is_news = false;
        let sums = self.sums.read();
        for (partition, position) in committed {
            if sums.position(*partition) < *position {
                self.wanted.lock().insert(*partition, *position);
                is_news = true;
            }
        }
        if is_news {
            self.news.notify_one();
        }
    }
}

impl Drop for OutboxFollower {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Asks the store how far partitions are, wants to learn what the sums do not know of one, and tells the actor of one
/// that stands further back there than it has committed.
struct Asker {
    store: Arc<dyn StateStore>,
    partitions: Arc<[Arc<PartitionHandle>]>,
    sums: Arc<RwLock<Aggregates>>,
    role: SharedRole,
    wanted: Arc<Mutex<BTreeMap<PartitionId, Position>>>,
    news: Arc<Notify>,
}

impl Asker {
    async fn run(self) {
        let round = LEAST_ROUND.max(ROUND_PER_PARTITION * self.partitions.len() as u32);
        loop {
            tokio::time::sleep(round).await;
            // Who follows learns nothing of what runs elsewhere but from snapshots.
            let follows = self.role.get() == SumsRole::Follows;
            let is_asked =
                |handle: &&Arc<PartitionHandle>| !follows || handle.state() != PartitionState::Elsewhere;
            let asked = futures_util::stream::iter(self.partitions.iter().filter(is_asked));
            let ask = |handle: &Arc<PartitionHandle>| self.ask(handle.clone());
            asked.for_each_concurrent(ASKED_AT_ONCE, ask).await;
        }
    }

    async fn ask(&self, handle: Arc<PartitionHandle>) {
        let (partition, committed, epoch) = (handle.partition, handle.committed.load(), handle.epoch.load());
        // Without an answer now there is another round.
        let Ok(position) = self.store.position(partition).await else { return };
        if position < committed
            && let Some(actor) = handle.address()
            && handle.epoch.load() == epoch
        {
            let (expected, found) = (committed, position);
            actor.do_send(PortFailed(PortError::UnexpectedPosition { partition, expected, found }));
        }
        if self.sums.read().position(partition) < position {
            let mut wanted = self.wanted.lock();
            let up_to = wanted.entry(partition).or_insert(position);
            *up_to = position.max(*up_to);
            self.news.notify_one();
        }
    }
}
