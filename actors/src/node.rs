//! What the supervisors of a node share: its threads, its remediations, and how much it has failed.

use crate::faults::Faults;
use crate::presence::Presence;
use crate::remediations::Remediations;
use crate::workers::Workers;
use nearline_model::control::remediation::NodeHistory;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::watch;

/// What the supervisors of a node share.
pub struct SupervisedNode {
    /// The threads of the actors.
    pub workers: Workers,
    /// Remediations.
    pub remediations: Arc<Remediations>,
    /// Faults on purpose, where they are allowed.
    pub faults: Option<Arc<Faults>>,
    /// Whether this process runs, and is heard of, without long pauses.
    pub(crate) presence: Arc<Presence>,
    pub(crate) history: Mutex<NodeHistory>,
    origin: tokio::time::Instant,
    pub(crate) exit: watch::Sender<Option<String>>,
}

impl SupervisedNode {
    /// A node without failures yet.
    pub(crate) fn new(
        workers: Workers,
        remediations: Arc<Remediations>,
        faults: Option<Arc<Faults>>,
        presence: Arc<Presence>,
    ) -> Self {
        Self {
            workers,
            remediations,
            faults,
            presence,
            history: Mutex::default(),
            origin: tokio::time::Instant::now(),
            exit: watch::Sender::new(None),
        }
    }

    /// Why the process is to end, once the policy says so.
    pub fn exit(&self) -> watch::Receiver<Option<String>> {
        self.exit.subscribe()
    }

    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }
}
