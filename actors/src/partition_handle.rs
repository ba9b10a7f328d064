//! How a partition is reached from outside: its actor's address, its owner, who watches its members, and its
//! progress.

use crate::member_watch::MemberWatches;
use crate::partition_actor::{Members, PartitionActor};
use crate::progress::{Incarnation, PartitionStatus, Progress};
use crate::remediations::Remediations;
use crate::watched::Watched;
use actix::Addr;
use nearline_model::PartitionId;
use nearline_model::control::assignment::NodeId;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One partition, as router, supervisor and ownership hold it.
#[derive(Debug)]
pub struct PartitionHandle {
    pub(crate) progress: Arc<Progress>,
    /// The current actor, once it is there.
    pub(crate) actor: Watched<Option<RunningActor>>,
    /// Node that holds it, or else is to.
    pub(crate) owner: Watched<Option<NodeId>>,
    pub(crate) watches: Arc<MemberWatches>,
    /// Whether another node would take it.
    pub(crate) can_give_away: AtomicBool,
}

/// How an actor is reached.
#[derive(Debug, Clone)]
pub(crate) struct RunningActor {
    pub address: Addr<PartitionActor>,
    pub incarnation: Incarnation,
    /// What it has folded, to be read at once.
    pub members: Members,
}

impl PartitionHandle {
    /// A partition that has not started.
    pub fn new(partition: PartitionId, remediations: Arc<Remediations>) -> Self {
        Self {
            progress: Arc::new(Progress::new(partition, remediations)),
            actor: Watched::new(None),
            owner: Watched::new(None),
            watches: Arc::default(),
            can_give_away: AtomicBool::new(false),
        }
    }

    /// From now on no earlier actor writes progress or is asked anything; the number of the next one.
    pub(crate) fn take_over(&self) -> Incarnation {
        self.progress.take_over(|| self.actor.set(None))
    }

    /// Where the current actor is told something.
    pub(crate) fn address(&self) -> Option<Addr<PartitionActor>> {
        self.actor.get().map(|actor| actor.address)
    }

    /// As operators see it at `now_ms`.
    pub fn status(&self, now_ms: i64) -> PartitionStatus {
        self.progress.status(self.owner.get(), now_ms)
    }
}

impl Deref for PartitionHandle {
    type Target = Progress;

    fn deref(&self) -> &Progress {
        &self.progress
    }
}
