//! The store of state.

use super::connection::{Connections, Lane};
use super::{RedisSettings, scripts};
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::symbols::Symbol;
use nearline_model::{Commit, PartitionId, Position, RecordMark};
use nearline_ports::{Acquired, AggregatesSnapshot, OutboxEntry, PortError, StateStore};
use redis::{Cmd, cmd};
use std::sync::Arc;

/// Milliseconds that a proof of being able to write stays.
const PROOF_MS: u64 = 60_000;
const SYMBOLS_PER_READ: usize = 50_000;
const MEMBERS_PER_SCAN: usize = 1_000;

/// State in Redis.
pub struct RedisStore {
    pub(super) connections: Connections,
    pub(super) settings: RedisSettings,
    pub(super) partitions: u16,
}

impl RedisStore {
    pub(super) async fn connect(settings: RedisSettings, partitions: u16) -> Result<Self, PortError> {
        let connections = Connections::connect(&settings).await?;
        Ok(Self { connections, settings, partitions })
    }

    pub(super) fn key(&self, partition: PartitionId, part: &str) -> String {
        format!("{}:{{{partition}}}:{part}", self.settings.key_prefix)
    }

    fn tuning_key(&self) -> String {
        format!("{}:tuning", self.settings.key_prefix)
    }

    pub(super) fn damaged(&self, key: &str, detail: impl std::fmt::Display) -> PortError {
        PortError::Damaged {
            what: format!("{}, key {key}", self.connections.what()),
            detail: detail.to_string(),
        }
    }

    pub(super) fn number(&self, key: &str, text: &str) -> Result<u64, PortError> {
        text.parse().map_err(|_| self.damaged(key, format!("{text:?} is no position or epoch")))
    }

    /// The first `count` symbols: the list only grows, so what was counted once stays.
    async fn first_symbols(&self, partition: PartitionId, count: usize) -> Result<Vec<Arc<str>>, PortError> {
        let key = self.key(partition, "symbols");
        let mut symbols: Vec<Arc<str>> = Vec::with_capacity(count);
        while symbols.len() < count {
            let last = (symbols.len() + SYMBOLS_PER_READ).min(count) - 1;
            let mut read = cmd("LRANGE");
            read.arg(&key).arg(symbols.len()).arg(last);
            let page: Vec<String> = self.connections.run(Lane::Reads, "reading symbols", read).await?;
            if page.is_empty() {
                return Err(self.damaged(&key, format!("{} of {count} symbols are there", symbols.len())));
            }
            symbols.extend(page.into_iter().map(Arc::from));
        }
        Ok(symbols)
    }
}

#[async_trait]
impl StateStore for RedisStore {
    async fn acquire(
        &self,
        partition: PartitionId,
        log: &str,
        settings: &str,
    ) -> Result<Acquired, PortError> {
        let (meta, symbols) = (self.key(partition, "meta"), self.key(partition, "symbols"));
        let (key, settings, identity) = (meta.clone(), settings.to_owned(), log.to_owned());
        let fill = move |command: &mut Cmd| {
            command.arg(2).arg(&meta).arg(&symbols).arg(&settings).arg(&identity);
        };
        type Found = (String, String, usize, Option<String>, Option<String>, Option<Vec<u8>>);
        let (epoch, position, count, kept, mark, fold_state): Found =
            self.connections.run_script("taking a partition over", &scripts::ACQUIRE, fill).await?;
        if epoch == "0" {
            let what = format!("{}, key {key},", self.connections.what());
            return Err(PortError::foreign_log(&what, partition, &kept.unwrap_or_default(), log));
        }
        let mark = mark.map(|mark| self.number(&key, &mark)).transpose()?;
        Ok(Acquired {
            epoch: OwnerEpoch(self.number(&key, &epoch)?),
            position: Position(self.number(&key, &position)?),
            mark: mark.and_then(RecordMark::new),
            symbols: self.first_symbols(partition, count).await?,
            fold_state: fold_state.map(Bytes::from),
            settings: kept,
        })
    }

    async fn keep_beginning(&self, partition: PartitionId, found: Position) -> Result<Position, PortError> {
        let key = self.key(partition, "meta");
        let meta = key.clone();
        let fill = move |command: &mut Cmd| {
            command.arg(1).arg(&meta).arg(found.0);
        };
        let kept: String =
            self.connections.run_script("keeping where a log begins", &scripts::KEEP_BEGINNING, fill).await?;
        self.number(&key, &kept).map(Position)
    }

    async fn prove(&self) -> Result<(), PortError> {
        // The first and the last partition: in a Redis Cluster, two masters as likely as not.
        for partition in [0, self.partitions.saturating_sub(1)] {
            let key = self.key(PartitionId(partition), "proof");
            let fill = move |command: &mut Cmd| {
                command.arg(1).arg(&key).arg(PROOF_MS);
            };
            let _written: i64 =
                self.connections.run_script("proving that it takes writes", &scripts::PROVE, fill).await?;
        }
        Ok(())
    }

    async fn folded_log(&self, partition: PartitionId) -> Result<Option<String>, PortError> {
        let mut read = cmd("HGET");
        read.arg(self.key(partition, "meta")).arg("log");
        self.connections.run(Lane::Reads, "reading which log a partition was folded from", read).await
    }

    async fn fold_settings(&self, partition: PartitionId) -> Result<Option<String>, PortError> {
        let mut read = cmd("HGET");
        read.arg(self.key(partition, "meta")).arg("settings");
        self.connections.run(Lane::Reads, "reading the settings that a partition was folded with", read).await
    }

    async fn position(&self, partition: PartitionId) -> Result<Position, PortError> {
        let key = self.key(partition, "meta");
        let mut read = cmd("HGET");
        read.arg(&key).arg("position");
        let position: Option<String> =
            self.connections.run(Lane::Reads, "reading a partition's position", read).await?;
        position.map_or(Ok(Position::START), |text| self.number(&key, &text).map(Position))
    }

    async fn symbols(&self, partition: PartitionId) -> Result<Vec<Arc<str>>, PortError> {
        let mut count = cmd("LLEN");
        count.arg(self.key(partition, "symbols"));
        let count: usize = self.connections.run(Lane::Reads, "counting symbols", count).await?;
        self.first_symbols(partition, count).await
    }

    async fn fold_state(&self, partition: PartitionId) -> Result<Option<Bytes>, PortError> {
        let mut read = cmd("HGET");
        read.arg(self.key(partition, "meta")).arg("fold_state");
        let stored: Option<Vec<u8>> =
            self.connections.run(Lane::Reads, "reading a partition's fold state", read).await?;
        Ok(stored.map(Bytes::from))
    }

    async fn names(
        &self,
        partition: PartitionId,
        symbols: &[Symbol],
    ) -> Result<Vec<Option<Arc<str>>>, PortError> {
        if symbols.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.key(partition, "symbols");
        let mut reads = redis::pipe();
        for symbol in symbols {
            // Number 1 is at index 0; number 0 stands for nothing and is past every end.
            reads.cmd("LINDEX").arg(&key).arg(symbol.0.checked_sub(1).unwrap_or(u32::MAX));
        }
        let names: Vec<Option<String>> =
            self.connections.run_all(Lane::Reads, "reading names of symbols", reads).await?;
        Ok(names.into_iter().map(|name| name.map(Arc::from)).collect())
    }

    async fn load_members(
        &self,
        partition: PartitionId,
        members: &[Box<str>],
    ) -> Result<Vec<Option<Bytes>>, PortError> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let mut read = cmd("HMGET");
        read.arg(self.key(partition, "members"));
        for member in members {
            read.arg(&**member);
        }
        let states: Vec<Option<Vec<u8>>> = self.connections.run(Lane::Reads, "loading members", read).await?;
        Ok(states.into_iter().map(|state| state.map(Bytes::from)).collect())
    }

    async fn load_owned(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        members: &[Box<str>],
    ) -> Result<(Position, Vec<Option<Bytes>>), PortError> {
        let key = self.key(partition, "meta");
        // The members first: they are not of a later owner if none is there yet.
        let mut both = redis::pipe();
        both.cmd("HMGET").arg(self.key(partition, "members"));
        for member in members {
            both.arg(&**member);
        }
        both.cmd("HMGET").arg(&key).arg("epoch").arg("position");
        let (states, meta): (Vec<Option<Vec<u8>>>, (Option<String>, Option<String>)) =
            self.connections.run_all(Lane::Reads, "loading members", both).await?;
        let number = |text: Option<String>| text.map_or(Ok(0), |text| self.number(&key, &text));
        let (current, position) = (OwnerEpoch(number(meta.0)?), Position(number(meta.1)?));
        if current != epoch {
            return Err(PortError::Fenced { partition, held: epoch, current });
        }
        Ok((position, states.into_iter().map(|state| state.map(Bytes::from)).collect()))
    }

    async fn commit(&self, commit: Arc<Commit>) -> Result<(), PortError> {
        let partition = commit.partition;
        let mut keys =
            ["meta", "members", "symbols", "outbox"].map(|part| self.key(partition, part)).to_vec();
        if !commit.stepped_over.is_empty() {
            keys.push(self.key(partition, "quarantine"));
        }
        let (meta, symbols) = (keys[0].clone(), keys[2].clone());
        let committed = commit.clone();
        let fill = move |command: &mut Cmd| {
            command.arg(keys.len()).arg(&keys[..]);
            command.arg(commit.epoch.0).arg(commit.expected.0).arg(commit.position.0);
            command.arg(commit.first_symbol).arg(commit.symbols.len()).arg(&commit.delta_bytes[..]);
            command.arg(commit.stepped_over.len()).arg(commit.mark.map_or(0, RecordMark::get));
            command.arg(&commit.fold_state);
            for symbol in &commit.symbols {
                command.arg(&**symbol);
            }
            for entry in &commit.stepped_over {
                command.arg(entry.position.0).arg(entry.encode());
            }
            for (member, state) in &commit.members {
                command.arg(&**member).arg(&state[..]);
            }
        };
        let (outcome, found): (i64, String) =
            self.connections.run_script("committing", &scripts::COMMIT, fill).await?;
        match outcome {
            scripts::DONE => Ok(()),
            scripts::FENCED => {
                let current = OwnerEpoch(self.number(&meta, &found)?);
                Err(PortError::Fenced { partition, held: committed.epoch, current })
            }
            scripts::UNEXPECTED_POSITION => {
                let found = self.number(&meta, &found)?;
                Err(PortError::UnexpectedPosition {
                    partition,
                    expected: committed.expected,
                    found: Position(found),
                })
            }
            scripts::SYMBOLS_OUT_OF_PLACE => Err(self.damaged(
                &symbols,
                format!(
                    "{found} symbols are stored, the commit goes on with number {}",
                    committed.first_symbol
                ),
            )),
            other => Err(self.damaged(&meta, format!("the commit came to {other}"))),
        }
    }

    async fn scan_members(
        &self,
        partition: PartitionId,
        cursor: u64,
    ) -> Result<(u64, Vec<(Box<str>, Bytes)>), PortError> {
        let mut scan = cmd("HSCAN");
        scan.arg(self.key(partition, "members")).arg(cursor).arg("COUNT").arg(MEMBERS_PER_SCAN);
        let (next, members): (u64, Vec<(String, Vec<u8>)>) =
            self.connections.run(Lane::Reads, "scanning members", scan).await?;
        Ok((next, members.into_iter().map(|(member, state)| (member.into(), state.into())).collect()))
    }

    async fn outbox(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, PortError> {
        let key = self.key(partition, "outbox");
        let mut read = cmd("XRANGE");
        read.arg(&key).arg(format!("({after}-0")).arg("+").arg("COUNT").arg(limit);
        let entries: Vec<(String, Vec<(String, Vec<u8>)>)> =
            self.connections.run(Lane::Reads, "reading the outbox", read).await?;
        let entry = |(id, fields): (String, Vec<(String, Vec<u8>)>)| {
            let position = self.number(&key, id.split('-').next().unwrap_or_default())?;
            let delta = fields.into_iter().find(|(name, _)| name == "d");
            let (_, delta) = delta.ok_or_else(|| self.damaged(&key, format!("entry {id} holds no delta")))?;
            Ok(OutboxEntry { position: Position(position), delta: Bytes::from(delta) })
        };
        entries.into_iter().map(entry).collect()
    }

    async fn forget_partition(&self, partition: PartitionId) -> Result<(), PortError> {
        let keys = ["meta", "members", "symbols", "outbox"].map(|part| self.key(partition, part));
        let fill = move |command: &mut Cmd| {
            command.arg(keys.len()).arg(&keys[..]);
        };
        let _epoch: i64 =
            self.connections.run_script("forgetting a partition", &scripts::FORGET, fill).await?;
        Ok(())
    }

    async fn forget_aggregates(&self) -> Result<(), PortError> {
        self.forget_snapshot().await
    }

    async fn save_aggregates(
        &self,
        snapshot: AggregatesSnapshot,
        generation: u64,
    ) -> Result<bool, PortError> {
        self.save_snapshot(snapshot, generation).await
    }

    async fn aggregates_generation(&self) -> Result<u64, PortError> {
        self.snapshot_generation().await
    }

    async fn aggregates_end(&self, partition: PartitionId) -> Result<Option<Position>, PortError> {
        self.snapshot_end(partition).await
    }

    async fn aggregates_positions(&self) -> Result<Option<Vec<Position>>, PortError> {
        self.snapshot_positions().await
    }

    async fn load_aggregates(&self) -> Result<Option<AggregatesSnapshot>, PortError> {
        self.load_snapshot().await
    }

    async fn save_tuning(&self, tuning: Bytes) -> Result<(), PortError> {
        let mut write = cmd("SET");
        write.arg(self.tuning_key()).arg(&tuning[..]);
        self.connections.run_each(Lane::Writes, "storing what was chosen for the ranking", vec![write]).await
    }

    async fn load_tuning(&self) -> Result<Option<Bytes>, PortError> {
        let mut read = cmd("GET");
        read.arg(self.tuning_key());
        let doing = "loading what was chosen for the ranking";
        let stored: Option<Vec<u8>> = self.connections.run(Lane::Reads, doing, read).await?;
        Ok(stored.map(Bytes::from))
    }
}
