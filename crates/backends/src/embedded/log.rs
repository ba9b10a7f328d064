//! The event log: group commit by one writer thread, readers from memory and disk.

use super::EmbeddedSettings;
use super::damage;
use super::directory::Directory;
use super::duplicate_window::{DuplicateWindow, hash_of};
use super::failure::{blocking, unavailable};
use super::log_end::{KnownEnd, LogEnd};
use super::log_files::LogFiles;
use super::log_reader::EmbeddedLogReader;
use super::log_retention::LogRetention;
use super::log_verify::LogVerify;
use super::log_writer::{AppendRequest, LogWriter, PreparedEvent, now_ms};
use super::state_files::CommittedPositions;
use async_trait::async_trait;
use nearline_model::identifier::{partition_of, position_of};
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Appends that wait for the writer at most; more wait for their turn to queue.
const QUEUED_REQUESTS: usize = 1_024;

/// The log in a directory.
pub struct EmbeddedLog {
    requests: Option<mpsc::Sender<AppendRequest>>,
    stop_retention: Option<std::sync::mpsc::Sender<()>>,
    stop_verify: Option<std::sync::mpsc::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    files: Arc<LogFiles>,
}

impl EmbeddedLog {
    pub(super) fn open(
        directory: &Arc<Directory>,
        settings: &EmbeddedSettings,
        end: Option<KnownEnd>,
        committed: Arc<CommittedPositions>,
    ) -> Result<Self, PortError> {
        let files = Arc::new(LogFiles::open(directory, settings.partitions)?);
        let lasts: Vec<Position> = (0..settings.partitions).map(|at| files.last(PartitionId(at))).collect();
        damage::check_end(&files.what, &lasts, end.as_ref(), settings.sync)?;
        let end = LogEnd::open(&settings.directory, lasts)?;
        let verify = LogVerify::begin(&files)?;
        let mut window =
            DuplicateWindow::new(settings.duplicate_window_ids, settings.duplicate_window_seconds);
        let last_ms = files.recover(&mut window, now_ms())?;
        // Without syncs a power cut can take the log's end but leave state that has seen it: the places
        // of what was lost are not given out again.
        let partitions = settings.partitions;
        let next = (0..partitions).map(PartitionId).map(|partition| {
            let last = files.last(partition).max(committed.of(partition));
            first_behind(last, partition, partitions)
        });
        let (requests, receiver) = mpsc::channel(QUEUED_REQUESTS);
        let mut log = Self {
            requests: Some(requests),
            stop_retention: None,
            stop_verify: None,
            threads: Vec::new(),
            files: files.clone(),
        };
        let writer =
            LogWriter::new(files.clone(), window, settings.sync.mode(), last_ms, next.collect(), end);
        log.spawn("nearline-log", move || writer.run(receiver))?;
        if let Some(verify) = verify {
            let (stop, stopped) = std::sync::mpsc::channel();
            log.stop_verify = Some(stop);
            log.spawn("nearline-verify", move || verify.run(stopped))?;
        }
        if settings.retention_events > 0 {
            let (stop, stopped) = std::sync::mpsc::channel();
            log.stop_retention = Some(stop);
            let retention = LogRetention { files, committed, kept_events: settings.retention_events };
            log.spawn("nearline-trim", move || retention.run(stopped))?;
        }
        Ok(log)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), PortError> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        self.threads.push(thread.map_err(|error| unavailable(&self.files.what, &error))?);
        Ok(())
    }
}

impl Drop for EmbeddedLog {
    /// Waits for the threads, so that the directory is free afterwards.
    fn drop(&mut self) {
        self.requests = None;
        self.stop_retention = None;
        self.stop_verify = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(log = self.files.what, "a thread of the log panicked");
            }
        }
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn partitions(&self) -> u16 {
        self.files.partitions.len() as u16
    }

    fn identity(&self) -> &str {
        &self.files.identity
    }

    fn memory_bytes(&self) -> usize {
        self.files.memory_bytes()
    }

    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
        let count = events.len();
        if count == 0 {
            return Vec::new();
        }
        if let Err(error) = self.files.check_whole() {
            return vec![Err(error); count];
        }
        let partitions = self.partitions();
        let prepared = events.into_iter().map(|event| {
            let partition = partition_of(&event.member, partitions);
            PreparedEvent { id: hash_of(&event.member, &event.id), partition, payload: event.payload }
        });
        let (answer, outcome) = oneshot::channel();
        let request = AppendRequest { events: prepared.collect(), answer };
        let requests = self.requests.as_ref().expect("there until the log is dropped");
        if requests.send(request).await.is_ok()
            && let Ok(outcome) = outcome.await
        {
            return outcome;
        }
        let error = unavailable(&self.files.what, &"its writer has stopped; restart the process");
        vec![Err(error); count]
    }

    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError> {
        Ok(Box::new(EmbeddedLogReader::new(self.files.clone(), partition, after)?))
    }

    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        let files = self.files.clone();
        let what = files.what.clone();
        blocking(&what, move || files.record(partition, position)).await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        let log = self.files.partition(partition)?;
        let last = *log.last.borrow();
        // The writer sets `first` before `last`; the other way round would show an end without a beginning.
        Ok(LogBounds {
            first: if last.is_start() { last } else { Position(log.first.load(Ordering::Acquire)) },
            last,
        })
    }
}

/// The first position of the partition behind `last`, which may be none of its own: earlier versions gave positions out
/// in one sequence over all partitions.
pub(super) fn first_behind(last: Position, partition: PartitionId, partitions: u16) -> Position {
    let behind = (last.0 + 1).saturating_sub(u64::from(partition.0) + 1);
    position_of(behind.div_ceil(u64::from(partitions)) + 1, partition, partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_position_is_the_partitions_own_whatever_was_last() {
        for (last, partition, expected) in
            [(0, 0, 1), (0, 3, 4), (1, 0, 5), (2, 0, 5), (4, 0, 5), (5, 0, 9), (7, 3, 8), (8, 3, 12)]
        {
            assert_eq!(
                first_behind(Position(last), PartitionId(partition), 4),
                Position(expected),
                "{last} {partition}"
            );
        }
    }
}
