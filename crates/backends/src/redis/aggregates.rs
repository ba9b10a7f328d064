//! Snapshots of the aggregates, and the outbox that they make dispensable.

use super::connection::Lane;
use super::scripts;
use super::store::RedisStore;
use bytes::Bytes;
use futures_util::future::join_all;
use nearline_model::{PartitionId, Position};
use nearline_ports::{AggregatesSnapshot, PortError};
use redis::{Cmd, cmd};

impl RedisStore {
    fn aggregates_key(&self) -> String {
        format!("{}:aggregates", self.settings.key_prefix)
    }

    /// Stores a snapshot, and drops from the outbox what the one before it covered. Not what it covers itself: the keys of
    /// partitions are no part of the step in which it is stored, so what drops it may reach a Redis that was set back to
    /// before that step, or that has lost it with the node of a cluster that held it.
    pub(super) async fn save_snapshot(
        &self,
        snapshot: AggregatesSnapshot,
        generation: u64,
    ) -> Result<bool, PortError> {
        let listed: Vec<String> = snapshot.positions.iter().map(Position::to_string).collect();
        let (key, listed) = (self.aggregates_key(), listed.join(","));
        let positions = snapshot.positions;
        let fill = move |command: &mut Cmd| {
            command.arg(1).arg(&key).arg(&listed).arg(&snapshot.bytes[..]).arg(generation);
        };
        let doing = "storing the aggregates";
        let (is_stored, id, replaced, replaced_id): (bool, String, Option<String>, Option<String>) =
            self.connections.run_script(doing, &scripts::SAVE_AGGREGATES, fill).await?;
        if !is_stored {
            return Ok(false);
        }
        let replaced = replaced.map(|replaced| self.positions_of(&replaced)).transpose()?.unwrap_or_default();
        let replaced_id = replaced_id.unwrap_or_default();
        // A partition of which the sums reflect nothing may have no keys yet.
        let reflected = (0..self.partitions).zip(positions).filter(|(_, position)| !position.is_start());
        let trims = reflected.map(|(number, _)| {
            let covered = replaced.get(usize::from(number)).copied().unwrap_or(Position::START);
            self.trim_outbox(PartitionId(number), replaced_id.clone(), covered, id.clone())
        });
        // One that fails keeps no other from it.
        join_all(trims).await.into_iter().collect::<Result<(), PortError>>()?;
        Ok(true)
    }

    async fn trim_outbox(
        &self,
        partition: PartitionId,
        replaced_id: String,
        covered: Position,
        id: String,
    ) -> Result<(), PortError> {
        let keys = ["meta", "outbox"].map(|part| self.key(partition, part));
        let fill = move |command: &mut Cmd| {
            command.arg(keys.len()).arg(&keys[..]).arg(&replaced_id).arg(covered.0).arg(&id);
        };
        let _done: i64 =
            self.connections.run_script("trimming the outbox", &scripts::TRIM_OUTBOX, fill).await?;
        Ok(())
    }

    pub(super) async fn forget_snapshot(&self) -> Result<(), PortError> {
        let mut remove = cmd("UNLINK");
        remove.arg(self.aggregates_key());
        self.connections.run_each(Lane::Writes, "forgetting the aggregates", vec![remove]).await
    }

    pub(super) async fn snapshot_generation(&self) -> Result<u64, PortError> {
        let mut read = cmd("HGET");
        read.arg(self.aggregates_key()).arg("generation");
        let stored: Option<u64> =
            self.connections.run(Lane::Reads, "asking for the aggregates' generation", read).await?;
        Ok(stored.unwrap_or(0))
    }

    pub(super) async fn snapshot_end(&self, partition: PartitionId) -> Result<Option<Position>, PortError> {
        let key = self.aggregates_key();
        let fill = move |command: &mut Cmd| {
            command.arg(1).arg(&key);
        };
        let doing = "asking where the aggregates end";
        let stored: Option<String> =
            self.connections.run_script(doing, &scripts::AGGREGATES_END, fill).await?;
        let positions = stored.map(|stored| self.positions_of(&stored)).transpose()?;
        Ok(positions.and_then(|positions| positions.get(usize::from(partition.0)).copied()))
    }

    pub(super) async fn snapshot_positions(&self) -> Result<Option<Vec<Position>>, PortError> {
        let mut read = cmd("HGET");
        read.arg(self.aggregates_key()).arg("positions");
        let stored: Option<String> =
            self.connections.run(Lane::Reads, "loading the aggregates' positions", read).await?;
        stored.map(|stored| self.positions_of(&stored)).transpose()
    }

    fn positions_of(&self, stored: &str) -> Result<Vec<Position>, PortError> {
        let parsed: Result<_, _> =
            stored.split(',').filter(|text| !text.is_empty()).map(str::parse).collect();
        parsed.map_err(|_| self.damaged(&self.aggregates_key(), format!("positions are {stored:?}")))
    }

    pub(super) async fn load_snapshot(&self) -> Result<Option<AggregatesSnapshot>, PortError> {
        let key = self.aggregates_key();
        let mut read = cmd("HMGET");
        read.arg(&key).arg("positions").arg("bytes");
        let (positions, bytes): (Option<String>, Option<Vec<u8>>) =
            self.connections.run(Lane::Reads, "loading the aggregates", read).await?;
        let (Some(positions), Some(bytes)) = (positions, bytes) else { return Ok(None) };
        Ok(Some(AggregatesSnapshot { positions: self.positions_of(&positions)?, bytes: Bytes::from(bytes) }))
    }
}
