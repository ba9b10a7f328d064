//! Reads one partition: from disk what is old, from memory what is new.

use super::failure::{damaged, unavailable};
use super::log_files::LogFiles;
use async_trait::async_trait;
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{LogReader, PortError};
use std::sync::Arc;
use tokio::sync::watch;

pub(super) struct EmbeddedLogReader {
    files: Arc<LogFiles>,
    partition: PartitionId,
    after: Position,
    last: watch::Receiver<Position>,
}

impl EmbeddedLogReader {
    pub(super) fn new(
        files: Arc<LogFiles>,
        partition: PartitionId,
        after: Position,
    ) -> Result<Self, PortError> {
        let last = files.partition(partition)?.last.subscribe();
        Ok(Self { files, partition, after, last })
    }

    fn take(&self, last: Position, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        let tail = self.files.partition(self.partition)?.tail.lock().after(self.after, max_records);
        let records = match tail {
            Some(records) => records,
            None => self.files.scan(self.partition, self.after, last, max_records)?,
        };
        if records.is_empty() {
            let detail = format!("{} has no record after {} up to {last}", self.partition, self.after);
            return Err(damaged(&self.files.what, detail));
        }
        Ok(records)
    }
}

#[async_trait]
impl LogReader for EmbeddedLogReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        let after = self.after;
        // The only wait: whatever is taken afterwards is given back without another one.
        let last = match self.last.wait_for(|last| *last > after).await {
            Ok(last) => *last,
            Err(error) => return Err(unavailable(&self.files.what, &error)),
        };
        let records = self.take(last, max_records.max(1))?;
        if let Some(record) = records.last() {
            self.after = record.position;
        }
        Ok(records)
    }
}
