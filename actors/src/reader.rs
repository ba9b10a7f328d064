//! The reader of one partition: brings records from the log to the actor, no more than it can take.

use crate::faults::Faults;
use crate::partition_actor::{FoldBatch, PartitionActor, PortFailed};
use crate::progress::{Hold, Incarnation, Progress};
use crate::retry::Backoff;
use crate::settings::EngineSettings;
use actix::Addr;
use nearline_model::{PartitionId, Position, RecordMark};
use nearline_ports::{EventLog, LogReader, PortError};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::{Semaphore, watch};

/// Batches under way to the actor: one being folded, one being loaded.
const BATCHES_UNDER_WAY: usize = 2;
/// Time between looks for a stall to inject, where faults are allowed.
const STALL_INTERVAL: std::time::Duration = std::time::Duration::from_millis(20);

/// What a reader needs.
#[derive(Clone)]
pub struct Reader {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) incarnation: Incarnation,
    pub(crate) actor: Addr<PartitionActor>,
    pub(crate) settings: Arc<EngineSettings>,
    pub(crate) faults: Option<Arc<Faults>>,
    /// The last record that was handed over, or what the state was folded to, and its mark.
    pub(crate) last: (Position, Option<RecordMark>),
}

impl Reader {
    /// Reads until the actor is gone or `control` is dropped; each change of `control` drops what is
    /// read with and begins anew, behind the last record that the actor has taken in. What was on its
    /// way to the actor then comes twice, which the fold drops by position.
    pub async fn run(mut self, mut control: watch::Receiver<u64>) {
        loop {
            tokio::select! {
                biased;
                changed = control.changed() => if changed.is_err() {
                    return;
                },
                () = self.read() => return,
            }
        }
    }

    /// Reads until the actor is gone. What fails is opened again, behind the last record that was
    /// handed over.
    async fn read(&mut self) {
        let partition = self.progress.partition;
        let mut after = self.progress.read.load();
        let permits = Arc::new(Semaphore::new(BATCHES_UNDER_WAY));
        let mut backoff = Backoff::new(10, 1_000);
        'open: loop {
            self.set_open(false);
            let mut reader = match self.open(partition, after).await {
                Ok(reader) => reader,
                Err(error) if !error.is_transient() => {
                    // A gap in the log is never passed over: the partition stops here, loudly.
                    tracing::error!(%partition, %error, "the log cannot be read");
                    let _ended = self.actor.send(PortFailed(error)).await;
                    return;
                }
                Err(error) => {
                    self.wait(&error, &mut backoff, "the log cannot be read; trying again").await;
                    continue;
                }
            };
            self.set_open(true);
            self.progress.resume(self.incarnation, Hold::Log);
            loop {
                let Ok(permit) = permits.clone().acquire_owned().await else { return };
                let next = tokio::select! {
                    biased;
                    () = self.injected_stall() => std::future::pending().await,
                    next = reader.next_batch(self.settings.batch_events.max(1)) => next,
                };
                let records = match next {
                    Ok(records) => records,
                    Err(error) => {
                        self.wait(&error, &mut backoff, "reader ended; opening another").await;
                        continue 'open;
                    }
                };
                backoff.reset();
                let Some(last) = records.last() else { continue };
                after = last.position;
                self.last = (after, Some(last.mark()));
                if self.actor.send(FoldBatch { records, permit }).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Opens a reader behind `after`, and looks whether the log still has there what was read: it may have been set back
    /// and have grown beyond it since.
    async fn open(&self, partition: PartitionId, after: Position) -> Result<Box<dyn LogReader>, PortError> {
        let reader = self.log.open_reader(partition, after).await?;
        let (position, mark) = self.last;
        if position == after {
            same_log(&*self.log, partition, position, mark).await?;
        }
        Ok(reader)
    }

    fn set_open(&self, open: bool) {
        self.progress.write(self.incarnation, |progress| progress.reader_open.store(open, Relaxed));
    }

    /// Returns once a stall is injected: never, where faults are not allowed.
    async fn injected_stall(&self) {
        let Some(faults) = &self.faults else { return std::future::pending().await };
        while !faults.take_stall(self.progress.partition) {
            tokio::time::sleep(STALL_INTERVAL).await;
        }
        tracing::warn!(partition = %self.progress.partition, "injected: the reader stalls");
    }

    async fn wait(&self, error: &PortError, backoff: &mut Backoff, what: &str) {
        let partition = self.progress.partition;
        tracing::warn!(%partition, %error, "{what}");
        metrics::counter!("nearline_reader_failures_total").increment(1);
        let wait = backoff.next_wait();
        self.progress.hold(self.incarnation, Hold::Log, error, wait.as_millis() as u64);
        tokio::time::sleep(wait).await;
    }
}

/// Whether the log still has, at `position`, the record that the state was folded to: a log that was set back and has
/// grown again has another one there, and what it took meanwhile would count as read.
pub(crate) async fn same_log(
    log: &dyn EventLog,
    id: PartitionId,
    position: Position,
    mark: Option<RecordMark>,
) -> Result<(), PortError> {
    let Some(mark) = mark.filter(|_| !position.is_start()) else { return Ok(()) };
    match log.record(id, position).await? {
        Some(record) if record.mark() != mark => Err(PortError::Damaged {
            what: format!("the log {}", log.identity()),
            detail: format!(
                "its record of partition {id} at position {position} is not the one that the stored state was folded \
                 to: the log was set back and has grown since, and events between are in neither; restore the log, or \
                 give the engines an empty store to fold the log that is there"
            ),
        }),
        _ => Ok(()),
    }
}
