//! The quarantine: in one database with the commits that step over its events, and synced before them.

use super::failure::{blocking, damaged};
use super::partition_row::PartitionRow;
use super::state_files::StateFiles;
use async_trait::async_trait;
use fjall::PersistMode;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::quarantine::{Quarantined, Suspects};
use nearline_model::{PartitionId, Position};
use nearline_ports::{PartitionFaults, PortError, QuarantineStore};
use std::sync::Arc;

/// The quarantine in a directory.
pub struct EmbeddedQuarantine {
    files: Arc<StateFiles>,
}

impl EmbeddedQuarantine {
    pub(super) fn new(files: Arc<StateFiles>) -> Self {
        Self { files }
    }
}

pub(super) fn entry_key(partition: PartitionId, position: Position) -> [u8; 10] {
    super::log_files::record_key(partition, position)
}

fn fenced(row: &PartitionRow, partition: PartitionId, epoch: OwnerEpoch) -> Result<(), PortError> {
    if row.epoch == epoch {
        return Ok(());
    }
    Err(PortError::Fenced { partition, held: epoch, current: row.epoch })
}

#[async_trait]
impl QuarantineStore for EmbeddedQuarantine {
    async fn troubles(&self, partition: PartitionId) -> Result<PartitionFaults, PortError> {
        let files = self.files.clone();
        blocking(&self.files.what, move || {
            let mut troubles = PartitionFaults::default();
            for guard in files.quarantine.prefix(partition.0.to_be_bytes()) {
                let (key, value) = guard.into_inner().map_err(|error| files.failure(error))?;
                let unreadable = |error| damaged(&files.what, format!("quarantine of {partition}: {error}"));
                if key.len() == 2 {
                    troubles.suspects = Suspects::decode(&value).map_err(unreadable)?;
                } else {
                    troubles.quarantine.insert(Quarantined::decode(&value).map_err(unreadable)?);
                }
            }
            Ok(troubles)
        })
        .await
    }

    async fn suspect(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        suspects: &Suspects,
    ) -> Result<(), PortError> {
        let (files, bytes) = (self.files.clone(), suspects.encode());
        blocking(&self.files.what, move || {
            let row = files.row(partition)?.lock();
            fenced(&row, partition, epoch)?;
            // A count that outlives the process, not a power cut: a restart does not wait for the disk.
            let mut batch = files.batch(1, PersistMode::Buffer);
            batch.insert(&files.quarantine, partition.0.to_be_bytes(), bytes);
            batch.commit().map_err(|error| files.failure(error))
        })
        .await
    }

    async fn quarantine(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        entry: &Quarantined,
    ) -> Result<(), PortError> {
        let (files, entry) = (self.files.clone(), entry.clone());
        blocking(&self.files.what, move || {
            let row = files.row(partition)?.lock();
            fenced(&row, partition, epoch)?;
            let key = entry_key(partition, entry.position);
            if files.quarantine.get(key).map_err(|error| files.failure(error))?.is_some() {
                return Ok(());
            }
            if row.position >= entry.position {
                return Err(PortError::UnexpectedPosition {
                    partition,
                    expected: entry.position.before(),
                    found: row.position,
                });
            }
            let mut batch = files.batch(1, files.persist);
            batch.insert(&files.quarantine, key, entry.encode());
            batch.commit().map_err(|error| files.failure(error))
        })
        .await
    }
}
