//! The supervisor of one partition: builds its actor, notices its end, and builds it again.
//!
//! Not actix's `Supervisor`: that one does not restart after a panic, and restarts a stopping actor
//! without a pause. Here each actor runs as a task of its own whose end is awaited; the state is
//! always acquired anew from the store, under a higher epoch, so that whatever is left of the old
//! actor cannot commit.

use crate::aggregates_actor::{AggregatesActor, CatchUp};
use crate::partition_actor::{Ended, PartitionActor, panic_message};
use crate::ports::{PortError, Ports};
use crate::reader::read;
use crate::retry::Backoff;
use crate::settings::EngineSettings;
use crate::status::{PartitionShared, PartitionState};
use actix::prelude::*;
use nearline_model::{FoldSettings, Partition};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// An actor that lived this long has recovered: the next failure is a first one again.
const RECOVERED_AFTER: Duration = Duration::from_secs(10);

/// What a supervisor needs.
pub struct Supervisor {
    /// The outside.
    pub ports: Ports,
    /// Settings of the engine.
    pub settings: Arc<EngineSettings>,
    /// What is shared of the partition.
    pub shared: Arc<PartitionShared>,
    /// Where deltas go.
    pub aggregates: Addr<AggregatesActor>,
    /// Set when the engine stops: an actor that ends is not built again.
    pub stopping: Arc<AtomicBool>,
}

impl Supervisor {
    /// Keeps the partition's actor alive until the engine stops or another owner takes over. Runs
    /// on the thread where the actor is to live.
    pub async fn run(self) {
        let mut backoff =
            Backoff::new(self.settings.restart_backoff_ms, self.settings.restart_backoff_max_ms);
        loop {
            let started = Instant::now();
            let ended = self.live_once().await;
            self.shared.address.send_replace(None);
            if started.elapsed() >= RECOVERED_AFTER {
                backoff.reset();
            }
            let partition = self.shared.partition;
            let (reason, failure) = match &ended {
                Ended::Stopped => break,
                _ if self.stopping.load(Relaxed) => break,
                Ended::Panicked { position, message } => {
                    ("panic", format!("panic while folding position {position}: {message}"))
                }
                Ended::Failed(error @ PortError::Fenced { .. }) => {
                    tracing::warn!(%partition, %error, "stopped: another owner is right");
                    *self.shared.last_failure.lock() = Some(error.to_string());
                    break;
                }
                Ended::Failed(error) if error.is_transient() => ("unavailable", error.to_string()),
                Ended::Failed(error) => ("failure", error.to_string()),
            };
            let wait = backoff.next_wait();
            tracing::error!(%partition, reason, failure, wait_ms = wait.as_millis() as u64, "actor ended; restarting it");
            metrics::counter!("nearline_partition_restarts_total", "reason" => reason).increment(1);
            *self.shared.last_failure.lock() = Some(failure);
            self.shared.restarts.fetch_add(1, Relaxed);
            self.shared.set_state(PartitionState::Restarting);
            tokio::time::sleep(wait).await;
        }
        self.shared.set_state(PartitionState::Stopped);
    }

    /// Acquires the partition, runs an actor and its reader, and says why the actor ended.
    async fn live_once(&self) -> Ended {
        let (partition, epoch) = match self.acquire().await {
            Ok(acquired) => acquired,
            Err(error) => return Ended::Failed(error),
        };
        let position = partition.folded();
        self.shared.epoch.store(epoch, Relaxed);
        self.shared.folded.store(position, Relaxed);
        self.shared.committed.store(position, Relaxed);
        // What was committed but not learned before is in the outbox.
        match self.aggregates.send(CatchUp { partition: self.shared.partition, up_to: position }).await {
            Ok(Err(error)) => return Ended::Failed(error),
            Ok(Ok(())) => {}
            Err(_closed) => return Ended::Stopped,
        }
        let ended = Arc::new(parking_lot::Mutex::new(None));
        let actor = PartitionActor::new(
            partition,
            epoch,
            self.ports.clone(),
            self.settings.clone(),
            self.shared.clone(),
            self.aggregates.clone(),
            ended.clone(),
        );
        let context = Context::new();
        let address = context.address();
        let running = actix_rt::spawn(context.into_future(actor));
        let reading = actix_rt::spawn(read(
            self.ports.log.clone(),
            self.shared.partition,
            position,
            address.clone(),
            self.settings.clone(),
        ));
        self.shared.address.send_replace(Some(address));
        let joined = running.await;
        reading.abort();
        let told = ended.lock().take();
        match (joined, told) {
            (_, Some(told)) => told,
            (Ok(()), None) => Ended::Stopped,
            (Err(join), None) => Ended::Panicked {
                position: self.shared.folded.load(Relaxed),
                message: join
                    .try_into_panic()
                    .map_or_else(|error| error.to_string(), |panic| panic_message(&*panic)),
            },
        }
    }

    async fn acquire(&self) -> Result<(Partition, u64), PortError> {
        let id = self.shared.partition;
        let settings = serde_json::to_string(&self.settings.fold).expect("settings are plain numbers");
        let acquired = self.ports.store.acquire(id, &settings).await?;
        if let Some(kept) = &acquired.settings {
            same_settings(id, kept, &self.settings.fold)?;
        }
        let partition = Partition::restore(
            id,
            self.ports.log.partitions(),
            self.settings.fold.clone(),
            acquired.position,
            &acquired.symbols,
        )
        .map_err(|error| PortError::Damaged {
            what: format!("symbols of {id}"),
            detail: error.to_string(),
        })?;
        Ok((partition, acquired.epoch))
    }
}

fn same_settings(
    partition: nearline_model::PartitionId,
    kept: &str,
    now: &FoldSettings,
) -> Result<(), PortError> {
    let kept: FoldSettings = serde_json::from_str(kept).map_err(|error| PortError::Damaged {
        what: format!("stored fold settings of {partition}"),
        detail: error.to_string(),
    })?;
    if kept == *now {
        return Ok(());
    }
    Err(PortError::Misconfigured(format!(
        "the state of {partition} was folded with other settings: stored {kept:?}, configured {now:?}; \
         set [fold] back, or fold into an empty store"
    )))
}
