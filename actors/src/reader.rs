//! The reader of one partition: brings records from the log to the actor, no more than it can take.

use crate::partition_actor::{FoldBatch, PartitionActor, ReadingFailed};
use crate::ports::EventLog;
use crate::retry::Backoff;
use crate::settings::EngineSettings;
use actix::Addr;
use nearline_model::{PartitionId, Position};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Batches under way to the actor: one being folded, one being loaded.
const BATCHES_UNDER_WAY: usize = 2;

/// Reads after `after` until the actor is gone. A reader that fails is opened again, behind the
/// last record that was handed over.
pub async fn read(
    log: Arc<dyn EventLog>,
    partition: PartitionId,
    mut after: Position,
    actor: Addr<PartitionActor>,
    settings: Arc<EngineSettings>,
) {
    let permits = Arc::new(Semaphore::new(BATCHES_UNDER_WAY));
    let mut backoff = Backoff::new(10, 1_000);
    'open: loop {
        let mut reader = match log.open_reader(partition, after).await {
            Ok(reader) => reader,
            Err(error) if !error.is_transient() => {
                // A gap in the log is never passed over: the partition stops here, loudly.
                tracing::error!(%partition, %error, "the log cannot be read");
                let _ended = actor.send(ReadingFailed(error)).await;
                return;
            }
            Err(error) => {
                tracing::warn!(%partition, %error, "the log cannot be read; trying again");
                metrics::counter!("nearline_reader_failures_total").increment(1);
                tokio::time::sleep(backoff.next_wait()).await;
                continue;
            }
        };
        loop {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            let records = match reader.next_batch(settings.batch_events.max(1)).await {
                Ok(records) => records,
                Err(error) => {
                    tracing::warn!(%partition, %error, "reader ended; opening another");
                    metrics::counter!("nearline_reader_failures_total").increment(1);
                    tokio::time::sleep(backoff.next_wait()).await;
                    continue 'open;
                }
            };
            backoff.reset();
            let Some(last) = records.last() else { continue };
            after = last.position;
            if actor.send(FoldBatch { records, permit }).await.is_err() {
                return;
            }
        }
    }
}
