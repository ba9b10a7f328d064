//! The actor that adds deltas up and keeps snapshots of the sums, or takes over those of a node that does.
//!
//! Queries read the sums beside it, under a read lock. It is the only writer; while a snapshot is
//! encoded nothing is added, so that no writer waits at the lock and holds readers up. Encoding takes a second of a processor
//! where there are a hundred thousand titles: it is done by a thread that gives way to whoever answers queries, though not much,
//! since commits wait for what they add.

mod catch_up;
mod following;
mod role;

pub use catch_up::{Sums, catch_up};
pub use role::SharedRole;

use crate::background::{BackgroundThread, give_way_a_little};
use crate::event_loop::Threads;
use actix::prelude::*;
use bytes::Bytes;
use following::Following;
use nearline_model::aggregates::Added;
use nearline_model::control::ownership::SumsRole;
use nearline_model::{Aggregates, Delta, PartitionId, Position};
use nearline_ports::{AggregatesSnapshot, PortError, Ports};
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Add a delta that was just committed; `None`: this node follows, and will find it in a snapshot.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Option<Added>")]
pub struct AddDelta(pub Arc<Delta>);

/// Add what a partition has in the outbox beyond what is known here, at least up to a position that is
/// known to be committed. A node that follows does not.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), PortError>")]
pub struct CatchUp(pub PartitionId, pub Position);

/// How many bytes the sums hold in memory.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<usize>")]
pub struct MeasureSums;

/// Store a snapshot now.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), PortError>")]
pub struct SaveSnapshot;

/// How soon the first snapshot is stored, and how often a node that follows looks for the next one: what it answers is not to be
/// older by up to two intervals.
const SNAPSHOT_LOOK: Duration = Duration::from_secs(1);

/// The actor.
pub struct AggregatesActor {
    sums: Arc<Sums>,
    ports: Ports,
    threads: Threads,
    snapshot_interval: Duration,
    role: SharedRole,
    saved: Arc<parking_lot::Mutex<Vec<Position>>>,
    /// Encodes snapshots.
    encoder: Arc<BackgroundThread>,
    following: Arc<tokio::sync::Mutex<Following>>,
}

impl AggregatesActor {
    /// An actor over `aggregates`.
    pub fn new(
        aggregates: Arc<RwLock<Aggregates>>,
        ports: Ports,
        threads: Threads,
        snapshot_interval: Duration,
        role: SharedRole,
    ) -> Self {
        let saved = aggregates.read().positions().to_vec();
        Self {
            sums: Arc::new(Sums::new(aggregates)),
            ports,
            threads,
            snapshot_interval,
            role,
            saved: Arc::new(parking_lot::Mutex::new(saved)),
            encoder: Arc::new(BackgroundThread::new("nearline-snapshot", give_way_a_little)),
            following: Arc::default(),
        }
    }

    fn save_soon(&self, context: &mut Context<Self>) {
        let saving = self.save();
        context.spawn(saving.into_actor(self).map(|saved, _, _| {
            if let Err(error) = saved {
                tracing::warn!(%error, "snapshot of the aggregates was not stored; the next one will be");
            }
        }));
    }

    /// Takes the stored snapshot over, unless that is under way.
    fn follow(&self, context: &mut Context<Self>) {
        let Ok(mut following) = self.following.clone().try_lock_owned() else { return };
        let (sums, ports) = (self.sums.clone(), self.ports.clone());
        let (threads, interval) = (self.threads, self.snapshot_interval);
        let looking = async move { following.look(&ports, &sums, threads, interval).await };
        context.spawn(looking.into_actor(self).map(|looked, _, _| {
            if let Err(error) = looked {
                tracing::warn!(%error, "the snapshot of the aggregates was not taken over; the next one will be");
            }
        }));
    }

    fn save(&self) -> impl Future<Output = Result<(), PortError>> + 'static {
        let (aggregates, ports) = (self.sums.aggregates.clone(), self.ports.clone());
        let (writing, saved, threads) = (self.sums.writing.clone(), self.saved.clone(), self.threads);
        let encoder = self.encoder.clone();
        async move {
            let started = Instant::now();
            let writing = writing.lock_owned().await;
            let encoding = encoder.compute(threads, move || {
                let aggregates = aggregates.read();
                if *saved.lock() == aggregates.positions() {
                    return None;
                }
                let snapshot = AggregatesSnapshot {
                    positions: aggregates.positions().to_vec(),
                    bytes: Bytes::from(aggregates.encode()),
                };
                drop(aggregates);
                drop(writing);
                Some((snapshot, saved))
            });
            let not_made = || PortError::Unavailable {
                what: "a snapshot of the aggregates".into(),
                detail: "it was not made: encoding it panicked, or there is no thread to be had".into(),
            };
            if let Some((snapshot, saved)) = encoding.await.ok_or_else(not_made)? {
                let positions = snapshot.positions.clone();
                metrics::gauge!("nearline_aggregates_snapshot_bytes").set(snapshot.bytes.len() as f64);
                if store_snapshot(&ports, snapshot).await? {
                    *saved.lock() = positions;
                }
                metrics::histogram!("nearline_aggregates_snapshot_duration_seconds")
                    .record(started.elapsed());
            }
            Ok(())
        }
    }
}

impl Actor for AggregatesActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.snapshot_interval, |actor, context| {
            if actor.role.get() == SumsRole::Keeps {
                actor.save_soon(context);
            }
        });
        context.run_interval(self.snapshot_interval.min(SNAPSHOT_LOOK), |actor, context| {
            let is_first = actor.saved.lock().iter().all(|position| position.is_start());
            match actor.role.get() {
                // Whoever follows has nothing until there is a first one.
                SumsRole::Keeps if is_first => actor.save_soon(context),
                SumsRole::Follows => actor.follow(context),
                SumsRole::Keeps | SumsRole::Adds => {}
            }
        });
    }
}

impl Handler<AddDelta> for AggregatesActor {
    type Result = ResponseFuture<Option<Added>>;

    fn handle(&mut self, AddDelta(delta): AddDelta, _: &mut Self::Context) -> Self::Result {
        let (sums, role) = (self.sums.clone(), self.role.get());
        Box::pin(async move {
            if role == SumsRole::Follows {
                return None;
            }
            let started = Instant::now();
            let added = sums.add(&delta).await;
            metrics::histogram!("nearline_learn_duration_seconds").record(started.elapsed());
            Some(added)
        })
    }
}

impl Handler<CatchUp> for AggregatesActor {
    type Result = ResponseFuture<Result<(), PortError>>;

    fn handle(&mut self, CatchUp(partition, committed): CatchUp, _: &mut Self::Context) -> Self::Result {
        let (sums, ports, role) = (self.sums.clone(), self.ports.clone(), self.role.get());
        Box::pin(async move {
            match role {
                SumsRole::Follows => Ok(()),
                SumsRole::Adds | SumsRole::Keeps => catch_up(&ports, &sums, partition, committed).await,
            }
        })
    }
}

/// Stores a snapshot, unless it ends where no commit does: then the store was rolled back behind it,
/// and nothing could be added to it ever again. Whether it was stored.
///
/// # Errors
/// The store's.
pub(crate) async fn store_snapshot(ports: &Ports, snapshot: AggregatesSnapshot) -> Result<bool, PortError> {
    let generation = ports.store.aggregates_generation().await?;
    for (number, position) in (0..).zip(&snapshot.positions) {
        if position.is_start() {
            continue;
        }
        let last = ports.store.outbox(PartitionId(number), position.before(), 1).await?;
        if last.first().is_none_or(|entry| entry.position != *position) {
            tracing::info!(
                partition = number,
                position = position.0,
                "no commit ends here; no snapshot is stored"
            );
            refused("no-commit-there");
            return Ok(false);
        }
    }
    let is_stored = ports.store.save_aggregates(snapshot, generation).await?;
    if !is_stored {
        tracing::info!("a snapshot is not stored: the stored one is ahead of it, or was asked for meanwhile");
        refused("superseded");
    }
    Ok(is_stored)
}

fn refused(reason: &'static str) {
    metrics::counter!("nearline_aggregates_snapshots_refused_total", "reason" => reason).increment(1);
}

impl Handler<MeasureSums> for AggregatesActor {
    type Result = ResponseFuture<Option<usize>>;

    fn handle(&mut self, _: MeasureSums, _: &mut Self::Context) -> Self::Result {
        let (aggregates, writing, threads) =
            (self.sums.aggregates.clone(), self.sums.writing.clone(), self.threads);
        Box::pin(async move {
            let writing = writing.lock_owned().await;
            let measured = threads.compute(move || {
                let bytes = aggregates.read().memory_bytes();
                drop(writing);
                bytes
            });
            measured.await
        })
    }
}

impl Handler<SaveSnapshot> for AggregatesActor {
    type Result = ResponseFuture<Result<(), PortError>>;

    fn handle(&mut self, _: SaveSnapshot, _: &mut Self::Context) -> Self::Result {
        Box::pin(self.save())
    }
}
