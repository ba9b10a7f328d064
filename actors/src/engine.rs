//! The engine: starts the actors, answers queries, stops in order.

use crate::aggregates_actor::{self, AggregatesActor, SaveSnapshot};
use crate::learner::Learner;
use crate::member_watch::MemberWatch;
use crate::partition_actor::{CommitNow, Stop};
use crate::ports::{PortError, Ports};
use crate::retry::Backoff;
use crate::router::{MemberAnswer, NotReached, Router};
use crate::settings::EngineSettings;
use crate::status::{PartitionShared, PartitionState, PartitionStatus};
use crate::supervisor::Supervisor;
use actix::prelude::*;
use nearline_model::catalogue::Catalogue;
use nearline_model::identifier::partition_of;
use nearline_model::ranking::Learned;
use nearline_model::{Aggregates, PartitionId, Position};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::oneshot;

/// Time between looks at the log's end, for lag and readiness.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Longest time that stopping waits for commits.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// A running engine. Clones are handles on the same one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    ports: Ports,
    partitions: Arc<[Arc<PartitionShared>]>,
    router: Router,
    aggregates: Arc<RwLock<Aggregates>>,
    aggregates_actor: Addr<AggregatesActor>,
    catalogue: Arc<RwLock<Catalogue>>,
    learned: Arc<RwLock<Arc<Learned>>>,
    arbiters: Vec<Arbiter>,
    stopping: Arc<AtomicBool>,
    ready: AtomicBool,
    log_at_start: Vec<Position>,
}

impl Engine {
    /// Starts the engine; must be called inside an actix system. Aggregates and catalogue are
    /// loaded when it returns; partitions go live one by one ([`Engine::is_ready`]).
    ///
    /// # Errors
    /// The ports', where what is stored cannot be read or does not fit the settings.
    pub async fn start(ports: Ports, settings: EngineSettings) -> Result<Self, PortError> {
        let settings = Arc::new(settings);
        let count = ports.log.partitions();
        let aggregates = Arc::new(RwLock::new(aggregates_actor::load(&ports, &settings.aggregates).await?));
        let catalogue: Arc<RwLock<Catalogue>> = Arc::default();
        let mut log_at_start = Vec::with_capacity(usize::from(count));
        for partition in 0..count {
            log_at_start.push(ports.log.bounds(PartitionId(partition)).await?.last);
        }
        let stopping = Arc::new(AtomicBool::new(false));
        follow_catalogue(&ports, catalogue.clone(), stopping.clone()).await?;

        let mut arbiters: Vec<Arbiter> = (0..settings.workers.max(1)).map(|_| Arbiter::new()).collect();
        let learning = Arbiter::new();
        let interval = Duration::from_millis(settings.snapshot_interval_ms.max(100));
        let actor = AggregatesActor::new(aggregates.clone(), ports.clone(), interval);
        let aggregates_actor = Actor::start_in_arbiter(&learning.handle(), |_| actor);
        let partitions: Arc<[Arc<PartitionShared>]> =
            (0..count).map(|partition| Arc::new(PartitionShared::new(PartitionId(partition)))).collect();
        for (at, shared) in partitions.iter().enumerate() {
            let supervisor = Supervisor {
                ports: ports.clone(),
                settings: settings.clone(),
                shared: shared.clone(),
                aggregates: aggregates_actor.clone(),
                stopping: stopping.clone(),
            };
            arbiters[at % settings.workers.max(1)].spawn_fn(move || drop(actix_rt::spawn(supervisor.run())));
        }
        let learned: Arc<RwLock<Arc<Learned>>> = Arc::default();
        let learner = Learner {
            aggregates: aggregates.clone(),
            catalogue: catalogue.clone(),
            learned: learned.clone(),
            solved_titles: settings.solved_titles,
            stopping: stopping.clone(),
        };
        learning.spawn_fn(move || drop(actix_rt::spawn(learner.run())));
        arbiters.push(learning);
        let router = Router::new(
            partitions.clone(),
            ports.clone(),
            Duration::from_millis(settings.query_deadline_ms.max(1)),
            settings.fold.symbols_per_partition,
        );
        let inner = Inner {
            ports,
            partitions,
            router,
            aggregates,
            aggregates_actor,
            catalogue,
            learned,
            arbiters,
            stopping,
            ready: AtomicBool::new(false),
            log_at_start,
        };
        let engine = Self { inner: Arc::new(inner) };
        actix_rt::spawn(engine.clone().watch_log());
        Ok(engine)
    }

    /// The outside.
    pub fn ports(&self) -> &Ports {
        &self.inner.ports
    }

    /// Number of partitions.
    pub fn partition_count(&self) -> u16 {
        self.inner.partitions.len() as u16
    }

    /// A member's state, from the freshest source that answers in time; with `after`, at least as
    /// new as that position of the member's partition.
    ///
    /// # Errors
    /// [`NotReached`] if `after` was not reached in time.
    pub async fn member(
        &self,
        member: &str,
        complete: bool,
        after: Option<Position>,
    ) -> Result<MemberAnswer, NotReached> {
        let answer = self.inner.router.member(member, complete, after).await;
        let source = answer.as_ref().map_or("not_reached", |answer| answer.source.name());
        metrics::counter!("nearline_member_queries_total", "source" => source).increment(1);
        answer
    }

    /// Tells whenever an event of `member` has been folded on this node.
    pub fn watch_member(&self, member: &str) -> MemberWatch {
        let partition = partition_of(member, self.partition_count());
        MemberWatch::on(&self.inner.partitions[usize::from(partition.0)], member)
    }

    /// The aggregates. Hold the lock shortly.
    pub fn aggregates(&self) -> &Arc<RwLock<Aggregates>> {
        &self.inner.aggregates
    }

    /// The catalogue. Hold the lock shortly.
    pub fn catalogue(&self) -> &Arc<RwLock<Catalogue>> {
        &self.inner.catalogue
    }

    /// What the ranking worked out of the sums a while ago.
    pub fn learned(&self) -> Arc<Learned> {
        self.inner.learned.read().clone()
    }

    /// Every partition's status.
    pub fn partitions(&self) -> Vec<PartitionStatus> {
        self.inner.partitions.iter().map(|shared| shared.status()).collect()
    }

    /// Whether every partition has been live and as far as the log was at the start.
    pub fn is_ready(&self) -> bool {
        let inner = &self.inner;
        if !inner.ready.load(Relaxed) {
            let caught_up = inner.partitions.iter().zip(&inner.log_at_start).all(|(shared, last)| {
                shared.state() == PartitionState::Live && shared.folded.load(Relaxed) >= *last
            });
            inner.ready.store(caught_up, Relaxed);
        }
        inner.ready.load(Relaxed) && !inner.stopping.load(Relaxed)
    }

    /// Waits until everything that is in the log now is folded, committed and learned.
    ///
    /// # Errors
    /// The log's.
    pub async fn caught_up(&self) -> Result<(), PortError> {
        for shared in self.inner.partitions.iter() {
            let last = self.inner.ports.log.bounds(shared.partition).await?.last;
            while shared.committed.load(Relaxed) < last
                || self.inner.aggregates.read().position(shared.partition) < last
            {
                if shared.folded.load(Relaxed) >= last
                    && let Some(address) = shared.address.borrow().clone()
                {
                    address.do_send(CommitNow);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        Ok(())
    }

    /// Stops in order: no further events are folded, what is folded is committed, the aggregates
    /// are stored.
    pub async fn stop(&self) {
        let inner = &self.inner;
        if inner.stopping.swap(true, Relaxed) {
            return;
        }
        for shared in inner.partitions.iter() {
            if let Some(address) = shared.address.borrow().clone() {
                address.do_send(Stop);
            }
        }
        let stopped = async {
            for shared in inner.partitions.iter() {
                let mut addresses = shared.address.subscribe();
                while addresses.borrow_and_update().is_some() {
                    if addresses.changed().await.is_err() {
                        break;
                    }
                }
            }
        };
        if tokio::time::timeout(STOP_DEADLINE, stopped).await.is_err() {
            tracing::warn!(
                "some partitions did not commit in time; their last events are replayed at the next start"
            );
        }
        match tokio::time::timeout(STOP_DEADLINE, inner.aggregates_actor.send(SaveSnapshot)).await {
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "the aggregates were not stored; the outbox has them")
            }
            Ok(_) => {}
            Err(_) => tracing::warn!("storing the aggregates took too long; the outbox has them"),
        }
        for arbiter in &inner.arbiters {
            arbiter.stop();
        }
    }

    /// Looks at the log's end now and then.
    async fn watch_log(self) {
        let inner = Arc::downgrade(&self.inner);
        drop(self);
        while let Some(inner) = inner.upgrade() {
            if inner.stopping.load(Relaxed) {
                return;
            }
            for shared in inner.partitions.iter() {
                if let Ok(bounds) = inner.ports.log.bounds(shared.partition).await {
                    shared.log_last.store(bounds.last, Relaxed);
                }
            }
            drop(inner);
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// Loads the catalogue and keeps following it, through broken watches.
async fn follow_catalogue(
    ports: &Ports,
    catalogue: Arc<RwLock<Catalogue>>,
    stopping: Arc<AtomicBool>,
) -> Result<(), PortError> {
    let store = ports.catalogue.clone();
    let mut titles = store.watch().await?;
    let (loaded, first_batch) = oneshot::channel();
    actix_rt::spawn(async move {
        let mut loaded = Some(loaded);
        let mut backoff = Backoff::new(50, 2_000);
        loop {
            while let Some(batch) = titles.recv().await {
                let mut catalogue = catalogue.write();
                batch.into_iter().for_each(|title| catalogue.put(title));
                drop(catalogue);
                backoff.reset();
                if let Some(loaded) = loaded.take() {
                    let _gone = loaded.send(());
                }
            }
            loop {
                if stopping.load(Relaxed) {
                    return;
                }
                tokio::time::sleep(backoff.next_wait()).await;
                match store.watch().await {
                    Ok(again) => {
                        titles = again;
                        break;
                    }
                    Err(error) => tracing::warn!(%error, "the catalogue cannot be watched; trying again"),
                }
            }
        }
    });
    let _broken = tokio::time::timeout(Duration::from_secs(30), first_batch).await;
    Ok(())
}
