//! Member state, offsets, symbols, the outbox of deltas and snapshots of the aggregates.

use crate::PortError;
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::symbols::Symbol;
use nearline_model::{Commit, PartitionId, Position, RecordMark};
use std::sync::Arc;

/// A partition as its new owner finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// The new epoch: higher than any given out before.
    pub epoch: OwnerEpoch,
    /// Position that the stored state reflects; 0: nothing is stored.
    pub position: Position,
    /// Fingerprint of the record there; `None`: nothing is stored, or by a version that did not keep it.
    pub mark: Option<RecordMark>,
    /// Symbols from number 1 on.
    pub symbols: Vec<Arc<str>>,
    /// What the fold goes on from beside members and symbols (`Commit::fold_state` of the last commit); `None`: nothing
    /// is stored, or what stored the state knew of none.
    pub fold_state: Option<Bytes>,
    /// The fold settings the state was made with, as JSON; `None`: nothing is stored.
    pub settings: Option<String>,
}

/// A delta that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Position of its commit.
    pub position: Position,
    /// The encoded delta.
    pub delta: Bytes,
}

/// Encoded aggregates and the positions they reflect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregatesSnapshot {
    /// Position of each partition.
    pub positions: Vec<Position>,
    /// `Aggregates::encode`.
    pub bytes: Bytes,
}

/// Durable state. A commit is one atomic step.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// Takes a partition over for those who fold the log `log` ([`EventLog::identity`](crate::EventLog::identity)):
    /// gives out a new epoch, so that commits of all earlier ones are refused. `log` and `settings` (the fold's, as
    /// JSON) are kept if none are; the kept settings are given back.
    ///
    /// Refused with [`PortError::Misconfigured`], and nothing changed, where the state is that of another log.
    async fn acquire(&self, partition: PartitionId, log: &str, settings: &str)
    -> Result<Acquired, PortError>;

    /// The log that the state of a partition was folded from; `None`: none yet, or by a version that did not keep it.
    async fn folded_log(&self, partition: PartitionId) -> Result<Option<String>, PortError>;

    /// The fold settings that the state of a partition was made with, as JSON; `None`: nothing is stored.
    async fn fold_settings(&self, partition: PartitionId) -> Result<Option<String>, PortError>;

    /// Where the log of a partition began when its first owner came, before anything of it was folded: `found`, unless one is
    /// kept. Kept until the partition is forgotten.
    async fn keep_beginning(&self, partition: PartitionId, found: Position) -> Result<Position, PortError>;

    /// Proves that commits would be taken, without one. Where that needs no proof, there is none.
    async fn prove(&self) -> Result<(), PortError> {
        Ok(())
    }

    /// Bytes that the adapter itself holds in memory: write buffers, caches. What a server holds is not in it.
    fn memory_bytes(&self) -> usize {
        0
    }

    /// Position that the stored state of a partition reflects, without taking it over; 0: nothing is stored.
    async fn position(&self, partition: PartitionId) -> Result<Position, PortError>;

    /// All stored symbols of a partition, from number 1 on. Symbols are only ever added: those read after a
    /// member name all that it holds.
    async fn symbols(&self, partition: PartitionId) -> Result<Vec<Arc<str>>, PortError>;

    /// What the fold goes on from beside members and symbols, without taking the partition over.
    async fn fold_state(&self, partition: PartitionId) -> Result<Option<Bytes>, PortError>;

    /// What some symbols of a partition stand for, in the order asked; `None` for a number not given out.
    async fn names(
        &self,
        partition: PartitionId,
        symbols: &[Symbol],
    ) -> Result<Vec<Option<Arc<str>>>, PortError>;

    /// Stored forms of members, in the order asked; `None` where there is none.
    async fn load_members(
        &self,
        partition: PartitionId,
        members: &[Box<str>],
    ) -> Result<Vec<Option<Bytes>>, PortError>;

    /// The same of at least one member for the partition's owner, with the position of the stored state: what an owner that was
    /// superseded reads may be newer than what it has folded, and a store that was set back is older. Should
    /// the store be set back to a time at which `epoch` was current, such an owner would commit what it made
    /// of that.
    ///
    /// Refused with [`PortError::Fenced`] if a later epoch was given out before the members were read.
    async fn load_owned(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        members: &[Box<str>],
    ) -> Result<(Position, Vec<Option<Bytes>>), PortError>;

    /// Whether `epoch` still is the partition's owner's: the position of the stored state.
    ///
    /// Refused with [`PortError::Fenced`] if a later epoch was given out.
    async fn prove_owner(&self, partition: PartitionId, epoch: OwnerEpoch) -> Result<Position, PortError> {
        // Whoever is asked for, the epoch is proved; no member has no name.
        let (position, _nobody) = self.load_owned(partition, epoch, &["".into()]).await?;
        Ok(position)
    }

    /// Commits members, symbols, fold state, position and delta in one atomic step. Idempotent: the same commit
    /// again, after an unknown outcome, is a success.
    ///
    /// Refused with [`PortError::Fenced`] if a later epoch was given out, and with
    /// [`PortError::UnexpectedPosition`] if the store is neither at `expected` nor already at
    /// `position` by this epoch.
    async fn commit(&self, commit: Arc<Commit>) -> Result<(), PortError>;

    /// All stored members of a partition: some per call, from `cursor` (0 at first) on; the next
    /// cursor is 0 at the end. A member may come twice while the store is written to.
    async fn scan_members(
        &self,
        partition: PartitionId,
        cursor: u64,
    ) -> Result<(u64, Vec<(Box<str>, Bytes)>), PortError>;

    /// Up to `limit` deltas committed after `after`, in order.
    async fn outbox(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, PortError>;

    /// Forgets what was folded of a partition: members, symbols, fold state, deltas, settings and position. The next
    /// owner folds the log from its start. Commits of all owners so far are refused; what is in quarantine stays there.
    async fn forget_partition(&self, partition: PartitionId) -> Result<(), PortError>;

    /// Forgets the snapshot of the aggregates.
    async fn forget_aggregates(&self) -> Result<(), PortError>;

    /// Stores a snapshot of the aggregates, then drops outbox entries that it covers, all but the last of
    /// each partition (which tells later that the snapshot ends where a commit does). Where the two are not one step,
    /// only entries that the snapshot before it covered are dropped: whatever the store is set back to has the
    /// snapshot that they are in. A snapshot that reflects less than the stored one in any partition is ignored, and so is
    /// one if anybody has asked for [`aggregates_end`](Self::aggregates_end) since `generation` was the one. Whether it
    /// was stored.
    async fn save_aggregates(&self, snapshot: AggregatesSnapshot, generation: u64)
    -> Result<bool, PortError>;

    /// To be asked for before it is looked whether commits end where a snapshot does. None is given out again, whatever the
    /// store is set back to, as long as its clock does not run back.
    async fn aggregates_generation(&self) -> Result<u64, PortError> {
        Ok(0)
    }

    /// Where the stored snapshot of the aggregates ends in `partition`, for who goes on from its state. A snapshot that
    /// was on its way meanwhile is stored before this is answered, or never: a store that is set back may be behind it.
    async fn aggregates_end(&self, partition: PartitionId) -> Result<Option<Position>, PortError> {
        let positions = self.aggregates_positions().await?;
        Ok(positions.and_then(|positions| positions.get(usize::from(partition.0)).copied()))
    }

    /// The positions that the stored snapshot of the aggregates reflects; `None`: none is stored.
    async fn aggregates_positions(&self) -> Result<Option<Vec<Position>>, PortError> {
        Ok(self.load_aggregates().await?.map(|snapshot| snapshot.positions))
    }

    /// The stored snapshot of the aggregates.
    async fn load_aggregates(&self) -> Result<Option<AggregatesSnapshot>, PortError>;

    /// Stores what was chosen for the ranking (`Tuning::encode`) in the place of what is stored. It stays when the aggregates
    /// are forgotten: it is where the next choice begins.
    async fn save_tuning(&self, tuning: Bytes) -> Result<(), PortError>;

    /// What was chosen for the ranking and stored last.
    async fn load_tuning(&self) -> Result<Option<Bytes>, PortError>;
}
