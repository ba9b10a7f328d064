//! One partition running here: its supervisor, from the decision to start it to its end.

use super::{Happened, Shell};
use crate::partition_actor::Stop;
use crate::status::{PartitionShared, PartitionState};
use crate::supervisor::Supervisor;
use nearline_model::PartitionId;
use nearline_model::identifier::OwnerEpoch;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::sync::{mpsc, watch};

/// A running partition.
pub(super) struct Run {
    /// Epoch seen last; 0: not acquired yet.
    pub(super) epoch: OwnerEpoch,
    shared: Arc<PartitionShared>,
    stopping: Arc<AtomicBool>,
    /// Dropped with the run.
    over: watch::Sender<()>,
}

impl Run {
    pub(super) fn start(
        shell: &Shell,
        partition: PartitionId,
        happened: mpsc::UnboundedSender<Happened>,
    ) -> Self {
        let shared = shell.partitions[usize::from(partition.0)].clone();
        shared.epoch.store(0, Relaxed);
        shared.set_state(PartitionState::Starting);
        let stopping = Arc::new(AtomicBool::new(false));
        let supervisor = Supervisor {
            ports: shell.ports.clone(),
            settings: shell.settings.clone(),
            shared: shared.clone(),
            aggregates: shell.aggregates.clone(),
            stopping: stopping.clone(),
        };
        let end = End { partition, happened };
        let worker = &shell.workers[usize::from(partition.0) % shell.workers.len()];
        worker.spawn_fn(move || {
            drop(actix_rt::spawn(async move {
                let _end = end;
                supervisor.run().await;
            }));
        });
        Self { epoch: 0, shared, stopping, over: watch::Sender::new(()) }
    }

    /// Asks the actor to commit and end; one that is still being built is asked when it is there.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Relaxed);
        let mut addresses = self.shared.address.subscribe();
        let mut over = self.over.subscribe();
        actix_rt::spawn(async move {
            loop {
                if let Some(address) = addresses.borrow_and_update().clone() {
                    address.do_send(Stop);
                }
                tokio::select! {
                    changed = addresses.changed() => if changed.is_err() { return },
                    _ended = over.changed() => return,
                }
            }
        });
    }
}

/// Tells of the end of a supervisor, however it comes about.
struct End {
    partition: PartitionId,
    happened: mpsc::UnboundedSender<Happened>,
}

impl Drop for End {
    fn drop(&mut self) {
        // Nobody listens any more: the node has left.
        let _closed = self.happened.send(Happened::Ended(self.partition));
    }
}
