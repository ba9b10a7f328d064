//! What a partition is doing: written by its actor and supervisor, read by queries and operators.

use crate::partition_actor::PartitionActor;
use actix::Addr;
use nearline_model::assignment::NodeId;
use nearline_model::{PartitionId, Position};
use parking_lot::Mutex;
use serde::Serialize;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use tokio::sync::watch;

/// State of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PartitionState {
    /// Being acquired and loaded.
    Starting,
    /// Folding and answering.
    Live,
    /// Waiting for the store or the log; answering from what it has.
    Holding,
    /// Failed; about to be built anew.
    Restarting,
    /// Not running any more.
    Stopped,
    /// Another node owns it.
    Elsewhere,
}

impl PartitionState {
    fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Holding => "holding",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
            Self::Elsewhere => "elsewhere",
        }
    }

    fn from_number(number: u8) -> Self {
        [Self::Starting, Self::Live, Self::Holding, Self::Restarting, Self::Stopped, Self::Elsewhere][..]
            .get(usize::from(number))
            .copied()
            .unwrap_or(Self::Stopped)
    }
}

/// A partition as operators see it.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionStatus {
    /// The partition.
    pub partition: PartitionId,
    /// `starting`, `live`, `holding`, `restarting`, `stopped`, or `elsewhere`: another node owns it.
    pub state: &'static str,
    /// Node that owns it, as far as is known here.
    pub owner: Option<NodeId>,
    /// Epoch of its owner.
    pub epoch: u64,
    /// Position of the last record folded.
    pub folded: Position,
    /// Position of the last commit.
    pub committed: Position,
    /// Position of the last record in the log, as of the last look.
    pub log_last: Position,
    /// Whether records wait to be folded: the distance of positions, which counts other partitions'
    /// records too; 0 when caught up.
    pub lag: u64,
    /// Members in memory.
    pub cached_members: usize,
    /// Restarts since the engine started.
    pub restarts: u64,
    /// Why it failed last.
    pub last_failure: Option<String>,
    /// Records folded since the engine started.
    pub events: u64,
}

/// What actor, supervisor and router share of one partition.
#[derive(Debug)]
pub struct PartitionShared {
    /// The partition.
    pub partition: PartitionId,
    state: AtomicU8,
    pub(crate) epoch: AtomicU64,
    pub(crate) folded: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) log_last: AtomicU64,
    pub(crate) cached_members: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) last_failure: Mutex<Option<String>>,
    pub(crate) address: watch::Sender<Option<Addr<PartitionActor>>>,
    /// Node that holds it, or else is to.
    pub(crate) owner: watch::Sender<Option<NodeId>>,
}

impl PartitionShared {
    /// A partition that has not started.
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            state: AtomicU8::new(PartitionState::Starting as u8),
            epoch: AtomicU64::new(0),
            folded: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            log_last: AtomicU64::new(0),
            cached_members: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            events: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            address: watch::Sender::new(None),
            owner: watch::Sender::new(None),
        }
    }

    pub(crate) fn set_state(&self, state: PartitionState) {
        self.state.store(state as u8, Relaxed);
    }

    /// State now.
    pub fn state(&self) -> PartitionState {
        PartitionState::from_number(self.state.load(Relaxed))
    }

    /// As operators see it.
    pub fn status(&self) -> PartitionStatus {
        let folded = self.folded.load(Relaxed);
        let log_last = self.log_last.load(Relaxed);
        PartitionStatus {
            partition: self.partition,
            state: self.state().name(),
            owner: self.owner.borrow().clone(),
            epoch: self.epoch.load(Relaxed),
            folded,
            committed: self.committed.load(Relaxed),
            log_last: log_last.max(folded),
            // What another node has folded is not known here.
            lag: if self.state() == PartitionState::Elsewhere { 0 } else { log_last.saturating_sub(folded) },
            cached_members: self.cached_members.load(Relaxed) as usize,
            restarts: self.restarts.load(Relaxed),
            last_failure: self.last_failure.lock().clone(),
            events: self.events.load(Relaxed),
        }
    }
}
