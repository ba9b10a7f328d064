//! Whether a node is ready: one definition, with its reasons.

use crate::partition_handle::PartitionHandle;
use crate::progress::PartitionState;
use nearline_model::{PartitionId, Position};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// Once ready, a node may be otherwise for so long: partitions move and are rebuilt within less.
const GRACE: Duration = Duration::from_secs(1);

/// Why a node is not ready to be sent queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// It is stopping.
    Stopping,
    /// It has not joined the registry, or a partition that it is to own is not held here.
    NotSettled {
        /// What it has tried to that end in vain.
        hindrances: Option<String>,
    },
    /// The catalogue has not come.
    Catalogue,
    /// A partition that is this node's does not run.
    Partition {
        /// The partition.
        partition: PartitionId,
        /// What it does instead.
        state: PartitionState,
        /// Why it failed last.
        last_failure: Option<String>,
    },
    /// A partition has not folded what was in the log at the start, or what it had folded before its state was set back.
    Behind {
        /// The partition.
        partition: PartitionId,
        /// Where it is.
        folded: Position,
        /// Where it must be.
        wanted: Position,
    },
    /// The sums lack what was committed before the start.
    Sums {
        /// The partition whose part is missing.
        partition: PartitionId,
        /// Where they are.
        known: Position,
        /// Where they must be.
        wanted: Position,
    },
}

impl std::fmt::Display for NotReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopping => f.write_str("the node is stopping"),
            Self::NotSettled { hindrances } => {
                f.write_str("the node has not joined the registry with all partitions that it is to own")?;
                hindrances.iter().try_for_each(|told| write!(f, ": {told}"))
            }
            Self::Catalogue => f.write_str("the catalogue has not come"),
            Self::Partition { partition, state, last_failure: None } => {
                write!(f, "partition {partition} is {state}")
            }
            Self::Partition { partition, state, last_failure: Some(failure) } => {
                write!(f, "partition {partition} is {state}: {failure}")
            }
            Self::Behind { partition, folded, wanted } => {
                write!(
                    f,
                    "partition {partition} has folded {folded} of {wanted} that were in the log at the start, or folded before"
                )
            }
            Self::Sums { partition, known, wanted } => {
                write!(
                    f,
                    "the sums know partition {partition} up to {known} of {wanted} committed before the start"
                )
            }
        }
    }
}

/// What readiness remembers.
pub(crate) struct Readiness {
    log_at_start: Vec<Position>,
    committed_at_start: Vec<Position>,
    caught_up: AtomicBool,
    unfit_since: Mutex<Option<Instant>>,
}

impl Readiness {
    /// A node that has just started, with the ends of the log and the positions committed then.
    pub(crate) fn new(log_at_start: Vec<Position>, committed_at_start: Vec<Position>) -> Self {
        Self {
            log_at_start,
            committed_at_start,
            caught_up: AtomicBool::new(false),
            unfit_since: Mutex::new(None),
        }
    }

    /// Whether nothing has kept the node from being ready, once.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.caught_up.load(Relaxed)
    }

    /// What keeps the node from being ready now; to be asked regularly.
    pub(crate) fn look(
        &self,
        partitions: &[Arc<PartitionHandle>],
        not_settled: Option<NotReady>,
        catalogue: bool,
        sums: impl Fn(PartitionId) -> Position,
    ) -> Vec<NotReady> {
        let mut reasons = Vec::from_iter(not_settled);
        if !catalogue {
            reasons.push(NotReady::Catalogue);
        }
        reasons.extend(partitions.iter().filter_map(|handle| {
            let (partition, state) = (handle.partition, handle.state());
            let runs = matches!(state, PartitionState::Live | PartitionState::Elsewhere);
            let last_failure = || handle.last_failure.lock().clone();
            (!runs).then(|| NotReady::Partition { partition, state, last_failure: last_failure() })
        }));
        if self.caught_up.load(Relaxed) {
            reasons.extend(set_back(partitions));
            return self.after_grace(reasons);
        }
        reasons.extend(self.behind(partitions, sums));
        if reasons.is_empty() {
            self.caught_up.store(true, Relaxed);
        }
        reasons
    }

    /// What has been so for longer than the grace.
    fn after_grace(&self, reasons: Vec<NotReady>) -> Vec<NotReady> {
        let mut since = self.unfit_since.lock();
        if reasons.is_empty() {
            *since = None;
            return reasons;
        }
        if since.get_or_insert_with(Instant::now).elapsed() < GRACE { Vec::new() } else { reasons }
    }

    /// Partitions that lack what the log had at the start.
    fn behind(
        &self,
        partitions: &[Arc<PartitionHandle>],
        sums: impl Fn(PartitionId) -> Position,
    ) -> Vec<NotReady> {
        let mut reasons = Vec::new();
        for (at, handle) in partitions.iter().enumerate() {
            let (partition, folded) = (handle.partition, handle.folded.load());
            let wanted = self.log_at_start.get(at).copied().unwrap_or_default();
            if handle.state() != PartitionState::Elsewhere && folded < wanted {
                reasons.push(NotReady::Behind { partition, folded, wanted });
            }
            let (known, wanted) =
                (sums(partition), self.committed_at_start.get(at).copied().unwrap_or_default());
            if known < wanted {
                reasons.push(NotReady::Sums { partition, known, wanted });
            }
        }
        reasons
    }
}

/// Partitions whose state was set back, and which have not folded again what they had.
fn set_back(partitions: &[Arc<PartitionHandle>]) -> impl Iterator<Item = NotReady> + '_ {
    partitions.iter().filter_map(|handle| {
        // What was folded and not committed may be gone from the log, too.
        let wanted = handle.had.load().min(handle.log_last.load());
        let (partition, folded) = (handle.partition, handle.folded.load());
        let is_behind = handle.state() == PartitionState::Live && folded < wanted;
        is_behind.then_some(NotReady::Behind { partition, folded, wanted })
    })
}
