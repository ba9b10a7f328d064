//! Removes what the log need not keep, beside everything else.

use super::log_files::LogFiles;
use super::state_files::CommittedPositions;
use nearline_model::PartitionId;
use nearline_ports::PortError;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(250);

pub(super) struct LogRetention {
    pub(super) files: Arc<LogFiles>,
    pub(super) committed: Arc<CommittedPositions>,
    /// How many of the newest events are kept.
    pub(super) kept_events: u64,
}

impl LogRetention {
    /// Trims now and then until the other end of `stop` is dropped.
    pub(super) fn run(self, stop: Receiver<()>) {
        while stop.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
            match self.trim() {
                Ok(0) => {}
                Ok(removed) => tracing::debug!(removed, "log trimmed"),
                Err(error) => {
                    tracing::error!(%error, "trimming the log failed; it grows until the next start");
                    return;
                }
            }
        }
    }

    fn trim(&self) -> Result<u64, PortError> {
        let mut removed = 0;
        for partition in (0..self.files.partitions.len() as u16).map(PartitionId) {
            // Positions of a partition lie as far apart as there are partitions: so many events, in equal parts.
            let limit = self.files.last(partition).back(self.kept_events);
            removed += self.files.trim(partition, limit.min(self.committed.of(partition)))?;
        }
        Ok(removed)
    }
}
