//! Events that are stepped over, beside the state in the simulated store; and a journal that keeps nothing.

use crate::simulate::network::{Link, Server};
use crate::simulate::servers::Servers;
use crate::simulate::servers::store::Row;
use async_trait::async_trait;
use nearline_model::PartitionId;
use nearline_model::control::remediation::Remediation;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::quarantine::{Quarantined, Suspects};
use nearline_ports::{PartitionFaults, PortError, QuarantineStore, RemediationJournal};

/// The port.
pub struct SimulatedQuarantine {
    /// The way to the store.
    pub link: Link<Servers>,
}

fn fenced(row: &Row, partition: PartitionId, held: OwnerEpoch) -> Result<(), PortError> {
    if row.epoch == held { Ok(()) } else { Err(PortError::Fenced { partition, held, current: row.epoch }) }
}

#[async_trait]
impl QuarantineStore for SimulatedQuarantine {
    async fn troubles(&self, partition: PartitionId) -> Result<PartitionFaults, PortError> {
        self.link.call(move |servers| Ok(servers.store.row(partition).troubles.clone())).await
    }

    async fn suspect(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        suspects: &Suspects,
    ) -> Result<(), PortError> {
        let suspects = suspects.clone();
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Store)?;
                let row = servers.store.row_mut(partition);
                fenced(row, partition, epoch)?;
                row.troubles.suspects = suspects.clone();
                Ok(())
            })
            .await
    }

    async fn quarantine(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        entry: &Quarantined,
    ) -> Result<(), PortError> {
        let entry = entry.clone();
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Store)?;
                let row = servers.store.row_mut(partition);
                fenced(row, partition, epoch)?;
                if row.troubles.quarantine.get(entry.position).is_some() {
                    return Ok(());
                }
                if row.position >= entry.position {
                    let (expected, found) = (entry.position.before(), row.position);
                    return Err(PortError::UnexpectedPosition { partition, expected, found });
                }
                row.troubles.quarantine.insert(entry.clone());
                servers.note(format_args!("quarantine {partition} at {}", entry.position));
                Ok(())
            })
            .await
    }
}

/// Remediations are decided and carried out; nobody reads of them here.
pub struct NoJournal;

#[async_trait]
impl RemediationJournal for NoJournal {
    async fn put(&self, _: &Remediation) -> Result<(), PortError> {
        Ok(())
    }

    async fn list(&self, _: usize) -> Result<Vec<Remediation>, PortError> {
        Ok(Vec::new())
    }
}
