//! The store, in memory: commits are atomic and fenced by epoch; an older copy may be restored.

use crate::simulate::mutation::Mutation;
use crate::simulate::network::{Link, Server};
use crate::simulate::servers::Servers;
use crate::simulate::servers::store::Row;
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::symbols::Symbol;
use nearline_model::{Commit, Delta, PartitionId, Position};
use nearline_ports::{Acquired, AggregatesSnapshot, OutboxEntry, PortError, StateStore};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The port.
pub struct SimulatedStore {
    /// The way to the server.
    link: Link<Servers>,
    /// Whether it is to prove that it takes writes.
    proves: bool,
    /// Partitions acquired of which nobody has asked where the sums end.
    acquired: Mutex<BTreeSet<PartitionId>>,
}

impl SimulatedStore {
    /// A client of the server; whether it `proves` that it takes writes.
    pub fn new(link: Link<Servers>, proves: bool) -> Self {
        Self { link, proves, acquired: Mutex::default() }
    }
}

#[async_trait]
impl StateStore for SimulatedStore {
    async fn acquire(
        &self,
        partition: PartitionId,
        log: &str,
        settings: &str,
    ) -> Result<Acquired, PortError> {
        let (log, settings) = (log.to_owned(), settings.to_owned());
        self.acquired.lock().insert(partition);
        self.link
            .call(move |servers| {
                servers.takes_claim()?;
                let acquired = servers.store.acquire(partition, &log, &settings, servers.mutation)?;
                servers.auditor.acquired(partition, acquired.epoch);
                let (epoch, position) = (acquired.epoch, acquired.position);
                servers.note(format_args!("acquire {partition} epoch {epoch} at {position}"));
                Ok(acquired)
            })
            .await
    }

    async fn prove(&self) -> Result<(), PortError> {
        if !self.proves {
            return Ok(());
        }
        self.link.call(|servers| servers.takes_claim()).await
    }

    async fn folded_log(&self, partition: PartitionId) -> Result<Option<String>, PortError> {
        self.link.call(move |servers| Ok(servers.store.row(partition).folded_log.clone())).await
    }

    async fn keep_beginning(&self, partition: PartitionId, found: Position) -> Result<Position, PortError> {
        self.link
            .call(move |servers| {
                servers.takes_claim()?;
                Ok(*servers.store.row_mut(partition).begins.get_or_insert(found))
            })
            .await
    }

    async fn fold_settings(&self, partition: PartitionId) -> Result<Option<String>, PortError> {
        self.link.call(move |servers| Ok(servers.store.row(partition).settings.clone())).await
    }

    async fn position(&self, partition: PartitionId) -> Result<Position, PortError> {
        self.link.call(move |servers| Ok(servers.store.row(partition).position)).await
    }

    async fn symbols(&self, partition: PartitionId) -> Result<Vec<Arc<str>>, PortError> {
        self.link.call(move |servers| Ok(servers.store.row(partition).symbols.clone())).await
    }

    async fn fold_state(&self, partition: PartitionId) -> Result<Option<Bytes>, PortError> {
        self.link.call(move |servers| Ok(servers.store.row(partition).fold_state.clone())).await
    }

    async fn names(
        &self,
        partition: PartitionId,
        symbols: &[Symbol],
    ) -> Result<Vec<Option<Arc<str>>>, PortError> {
        let symbols = symbols.to_vec();
        self.link
            .call(move |servers| {
                let known = &servers.store.row(partition).symbols;
                let name = |symbol: &Symbol| known.get(symbol.0.checked_sub(1)? as usize).cloned();
                Ok(symbols.iter().map(name).collect())
            })
            .await
    }

    async fn load_members(
        &self,
        partition: PartitionId,
        members: &[Box<str>],
    ) -> Result<Vec<Option<Bytes>>, PortError> {
        let members = members.to_vec();
        self.link
            .call(move |servers| {
                if servers.fails() {
                    return Err(unavailable("busy"));
                }
                let row = servers.store.row(partition);
                Ok(members.iter().map(|member| row.members.get(member).cloned()).collect())
            })
            .await
    }

    async fn load_owned(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        members: &[Box<str>],
    ) -> Result<(Position, Vec<Option<Bytes>>), PortError> {
        let members = members.to_vec();
        self.link
            .call(move |servers| {
                if servers.fails() {
                    return Err(unavailable("busy"));
                }
                let row = servers.store.row(partition);
                if row.epoch != epoch {
                    return Err(PortError::Fenced { partition, held: epoch, current: row.epoch });
                }
                let forms = members.iter().map(|member| row.members.get(member).cloned()).collect();
                Ok((row.position, forms))
            })
            .await
    }

    async fn commit(&self, commit: Arc<Commit>) -> Result<(), PortError> {
        self.link
            .call(move |servers| {
                let thousandth = servers.auditor.commits % 1_000 == 999;
                if servers.mutation == Some(Mutation::LeaveMemberOut) && thousandth {
                    let mut commit = (*commit).clone();
                    commit.members.pop();
                    return commit_now(servers, &commit);
                }
                commit_now(servers, &commit)
            })
            .await
    }

    async fn scan_members(
        &self,
        partition: PartitionId,
        _cursor: u64,
    ) -> Result<(u64, Vec<(Box<str>, Bytes)>), PortError> {
        self.link
            .call(move |servers| {
                let members = &servers.store.row(partition).members;
                Ok((0, members.iter().map(|(name, form)| (name.clone(), form.clone())).collect()))
            })
            .await
    }

    async fn outbox(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, PortError> {
        self.link
            .call(move |servers| {
                let later = servers.store.row(partition).outbox.range(after.next()..);
                let entry = |(position, delta): (&Position, &Bytes)| OutboxEntry {
                    position: *position,
                    delta: delta.clone(),
                };
                Ok(later.take(limit).map(entry).collect())
            })
            .await
    }

    async fn forget_partition(&self, partition: PartitionId) -> Result<(), PortError> {
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Store)?;
                servers.store.forget(partition);
                Ok(())
            })
            .await
    }

    async fn forget_aggregates(&self) -> Result<(), PortError> {
        self.link
            .call(|servers| {
                servers.takes_write(Server::Store)?;
                servers.store.forget_snapshot();
                Ok(())
            })
            .await
    }

    async fn aggregates_generation(&self) -> Result<u64, PortError> {
        self.link.call(|servers| Ok(servers.store.generation())).await
    }

    async fn aggregates_end(&self, partition: PartitionId) -> Result<Option<Position>, PortError> {
        let was_acquired = self.acquired.lock().contains(&partition);
        let end = self
            .link
            .call(move |servers| {
                servers.takes_write(Server::Store)?;
                let is_hidden = servers.mutation == Some(Mutation::HideEndFromAbsent) && !was_acquired;
                Ok(servers.store.end_of_sums(partition).filter(|_| !is_hidden))
            })
            .await?;
        self.acquired.lock().remove(&partition);
        Ok(end)
    }

    async fn save_aggregates(
        &self,
        snapshot: AggregatesSnapshot,
        generation: u64,
    ) -> Result<bool, PortError> {
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Store)?;
                let is_expected = generation == servers.store.generation();
                let stored = is_expected && servers.store.save(snapshot.clone(), servers.mutation);
                servers.note(format_args!("snapshot {:?} stored: {stored}", snapshot.positions));
                Ok(stored)
            })
            .await
    }

    async fn aggregates_positions(&self) -> Result<Option<Vec<Position>>, PortError> {
        self.link.call(|servers| Ok(servers.store.snapshot().map(|snapshot| snapshot.positions))).await
    }

    async fn load_aggregates(&self) -> Result<Option<AggregatesSnapshot>, PortError> {
        self.link.call(|servers| Ok(servers.store.snapshot())).await
    }

    async fn save_tuning(&self, tuning: Bytes) -> Result<(), PortError> {
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Store)?;
                servers.store.save_tuning(tuning.clone());
                Ok(())
            })
            .await
    }

    async fn load_tuning(&self) -> Result<Option<Bytes>, PortError> {
        self.link.call(|servers| Ok(servers.store.tuning())).await
    }
}

fn unavailable(detail: &str) -> PortError {
    PortError::Unavailable { what: "simulated store".to_owned(), detail: detail.to_owned() }
}

fn commit_now(servers: &mut Servers, commit: &Commit) -> Result<(), PortError> {
    if servers.fails() {
        return Err(unavailable("busy"));
    }
    if servers.forgets_writes(Server::Store) {
        return Ok(());
    }
    servers.takes_write(Server::Store)?;
    let mutation = servers.mutation;
    let torn = matches!(mutation, Some(Mutation::AcknowledgeBeforeCommit | Mutation::TearCommit))
        && servers.dice.chance(50);
    let Commit { partition, epoch, expected, position, .. } = *commit;
    let row = servers.store.row_mut(partition);
    let outcome = if row.epoch != epoch && mutation != Some(Mutation::SkipEpochCheck) {
        Err(PortError::Fenced { partition, held: epoch, current: row.epoch })
    } else if row.position == position && row.committed_by == epoch {
        if mutation == Some(Mutation::RepeatDelta) {
            repeat_delta(row, position);
        }
        Ok(false)
    } else if row.position != expected {
        Err(PortError::UnexpectedPosition { partition, expected, found: row.position })
    } else {
        if !torn || mutation == Some(Mutation::TearCommit) {
            row.members.extend(commit.members.iter().map(|(name, form)| (name.clone(), form.clone())));
        }
        if !torn || mutation == Some(Mutation::AcknowledgeBeforeCommit) {
            row.symbols.extend(commit.symbols.iter().cloned());
            row.fold_state = Some(commit.fold_state.clone().into());
            commit.stepped_over.iter().for_each(|entry| row.troubles.quarantine.insert(entry.clone()));
            row.outbox.insert(position, commit.delta_bytes.clone());
            (row.position, row.mark, row.committed_by) = (position, commit.mark, epoch);
        }
        if torn { Err(unavailable("failed half-way")) } else { Ok(true) }
    };
    let last = servers.log.last(partition);
    let word = match &outcome {
        Ok(true) => "done",
        Ok(false) => "done before",
        Err(PortError::Fenced { .. }) => "fenced",
        Err(PortError::UnexpectedPosition { .. }) => "unexpected position",
        Err(_) => "unavailable",
    };
    servers.note(format_args!("commit {partition} epoch {epoch} {expected}..={position}: {word}"));
    if matches!(outcome, Ok(true)) {
        let Servers { auditor, log, store, .. } = servers;
        let quarantine = &store.row(partition).troubles.quarantine;
        auditor.committed(commit, last, &log.records[usize::from(partition.0)], quarantine);
    }
    outcome.map(drop)
}

/// The delta of a commit that was repeated, counted a second time.
fn repeat_delta(row: &mut Row, position: Position) {
    let Some(mut delta) = row.outbox.get(&position).and_then(|bytes| Delta::decode(bytes).ok()) else {
        return;
    };
    for cell in &mut delta.cells {
        cell.counts.plays *= 2;
        cell.counts.impressions *= 2;
    }
    row.outbox.insert(position, delta.encode().into());
}
