//! The quarantine: one hash per partition, in the slot of its state.

use super::connection::Lane;
use super::scripts;
use super::store::RedisStore;
use async_trait::async_trait;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::quarantine::{Quarantined, Suspects};
use nearline_ports::{PartitionFaults, PortError, QuarantineStore};
use redis::{Cmd, cmd};

/// Field of the suspects; all others are positions.
const SUSPECTS: &str = "suspects";

impl RedisStore {
    /// Writes one field if the epoch is the current one and, where a position is given, if the state
    /// is before it and the field not there.
    async fn put_trouble(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        field: String,
        position: Position,
        value: Vec<u8>,
    ) -> Result<(), PortError> {
        let (meta, key) = (self.key(partition, "meta"), self.key(partition, "quarantine"));
        let named = meta.clone();
        let fill = move |command: &mut Cmd| {
            command.arg(2).arg(&meta).arg(&key).arg(epoch.0).arg(&field).arg(position.0).arg(&value);
        };
        let (outcome, found): (i64, String) =
            self.connections.run_script("putting into quarantine", &scripts::QUARANTINE, fill).await?;
        match outcome {
            scripts::DONE => Ok(()),
            scripts::FENCED => {
                let current = OwnerEpoch(self.number(&named, &found)?);
                Err(PortError::Fenced { partition, held: epoch, current })
            }
            _ => {
                let found = self.number(&named, &found)?;
                Err(PortError::UnexpectedPosition {
                    partition,
                    expected: position.before(),
                    found: Position(found),
                })
            }
        }
    }
}

#[async_trait]
impl QuarantineStore for RedisStore {
    async fn troubles(&self, partition: PartitionId) -> Result<PartitionFaults, PortError> {
        let key = self.key(partition, "quarantine");
        let mut read = cmd("HGETALL");
        read.arg(&key);
        let fields: Vec<(String, Vec<u8>)> =
            self.connections.run(Lane::Reads, "reading the quarantine", read).await?;
        let mut troubles = PartitionFaults::default();
        for (field, bytes) in fields {
            if field == SUSPECTS {
                troubles.suspects = Suspects::decode(&bytes)
                    .map_err(|error| self.damaged(&key, format!("{field}: {error}")))?;
            } else {
                let entry = Quarantined::decode(&bytes);
                let entry = entry.map_err(|error| self.damaged(&key, format!("{field}: {error}")))?;
                troubles.quarantine.insert(entry);
            }
        }
        Ok(troubles)
    }

    async fn suspect(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        suspects: &Suspects,
    ) -> Result<(), PortError> {
        self.put_trouble(partition, epoch, SUSPECTS.to_owned(), Position::START, suspects.encode()).await
    }

    async fn quarantine(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        entry: &Quarantined,
    ) -> Result<(), PortError> {
        let field = entry.position.to_string();
        self.put_trouble(partition, epoch, field, entry.position, entry.encode()).await
    }
}
