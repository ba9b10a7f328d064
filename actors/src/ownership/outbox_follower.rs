//! Learns what other nodes commit: from the outbox, as far as they announced it, each delta once by its
//! position.

use crate::aggregates_actor::{AggregatesActor, CatchUp};
use actix::Addr;
use nearline_model::{Aggregates, PartitionId, Position};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// The one who learns.
pub(super) struct OutboxFollower {
    wanted: Arc<Mutex<BTreeMap<PartitionId, Position>>>,
    news: Arc<Notify>,
    sums: Arc<RwLock<Aggregates>>,
    task: tokio::task::JoinHandle<()>,
}

impl OutboxFollower {
    pub(super) fn start(aggregates: Addr<AggregatesActor>, sums: Arc<RwLock<Aggregates>>) -> Self {
        let wanted: Arc<Mutex<BTreeMap<PartitionId, Position>>> = Arc::default();
        let news = Arc::new(Notify::new());
        let (to_learn, told) = (wanted.clone(), news.clone());
        let task = actix_rt::spawn(async move {
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
        Self { wanted, news, sums, task }
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
        self.task.abort();
    }
}
