//! Snapshots of the aggregates, and the outbox that they make dispensable.

use super::connection::Lane;
use super::scripts;
use super::store::RedisStore;
use bytes::Bytes;
use nearline_model::{PartitionId, Position};
use nearline_ports::{AggregatesSnapshot, PortError};
use redis::{Cmd, cmd};

impl RedisStore {
    fn aggregates_key(&self) -> String {
        format!("{}:aggregates", self.settings.key_prefix)
    }

    pub(super) async fn save_snapshot(&self, snapshot: AggregatesSnapshot) -> Result<(), PortError> {
        let positions = snapshot.positions.clone();
        let listed: Vec<String> = positions.iter().map(Position::to_string).collect();
        let (key, listed) = (self.aggregates_key(), listed.join(","));
        let fill = move |command: &mut Cmd| {
            command.arg(1).arg(&key).arg(&listed).arg(&snapshot.bytes[..]);
        };
        let doing = "storing the aggregates";
        let stored: bool = self.connections.run_script(doing, &scripts::SAVE_AGGREGATES, fill).await?;
        if !stored {
            return Ok(());
        }
        let trim = |(partition, position)| {
            let mut trim = cmd("XTRIM");
            trim.arg(self.key(PartitionId(partition), "outbox")).arg("MINID").arg(format!("{position}-0"));
            trim
        };
        let trims = (0..self.partitions).zip(positions).map(trim).collect();
        self.connections.run_each(Lane::Writes, "trimming the outbox", trims).await
    }

    pub(super) async fn forget_snapshot(&self) -> Result<(), PortError> {
        let mut remove = cmd("UNLINK");
        remove.arg(self.aggregates_key());
        self.connections.run_each(Lane::Writes, "forgetting the aggregates", vec![remove]).await
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
