//! One partition running here: its supervisor, from the decision to start it to its end.

use super::{Happened, Shell};
use crate::partition_actor::Stop;
use crate::partition_handle::PartitionHandle;
use crate::retry::Backoff;
use crate::supervisor::{Outcome, Supervisor};
use futures_util::FutureExt;
use nearline_model::PartitionId;
use nearline_model::identifier::OwnerEpoch;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// A running partition.
pub(super) struct Run {
    /// Epoch seen last.
    pub(super) epoch: OwnerEpoch,
    handle: Arc<PartitionHandle>,
    stopping: watch::Sender<bool>,
    /// Dropped with the run.
    over: watch::Sender<()>,
}

impl Run {
    pub(super) fn start(
        shell: &Shell,
        partition: PartitionId,
        happened: mpsc::UnboundedSender<Happened>,
    ) -> Self {
        let handle = shell.partitions[usize::from(partition.0)].clone();
        handle.epoch.store(OwnerEpoch::NONE);
        handle.arrive(shell.ports.clock.now_ms());
        let stopping = watch::Sender::new(false);
        let supervisor = Supervisor {
            ports: shell.ports.clone(),
            settings: shell.settings.clone(),
            handle: handle.clone(),
            aggregates: shell.aggregates_actor.clone(),
            node: shell.supervised.clone(),
            stopping: stopping.subscribe(),
        };
        let end = End { partition, happened };
        shell.supervision.spawn(async move {
            if supervise(supervisor).await == Outcome::GivenAway {
                // Nobody listens any more: the node has left.
                let _closed = end.happened.send(Happened::GivenAway(partition));
            }
        });
        Self { epoch: OwnerEpoch::NONE, handle, stopping, over: watch::Sender::new(()) }
    }

    /// Asks the actor to commit and end; one that is still being built is asked when it is there.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
        let mut actors = self.handle.actor.watch();
        let mut over = self.over.subscribe();
        actix_rt::spawn(async move {
            loop {
                if let Some(actor) = actors.look() {
                    actor.address.do_send(Stop);
                }
                tokio::select! {
                    biased;
                    _built = actors.changed() => {}
                    _ended = over.changed() => return,
                }
            }
        });
    }
}

/// Runs a supervisor, again if it panics itself: no partition is forgotten over a mistake in here.
async fn supervise(supervisor: Supervisor) -> Outcome {
    let mut backoff = Backoff::new(100, 5_000);
    loop {
        if let Ok(outcome) = std::panic::AssertUnwindSafe(supervisor.run()).catch_unwind().await {
            return outcome;
        }
        let partition = supervisor.handle.partition;
        tracing::error!(%partition, "the supervisor panicked, which is a bug; it begins anew");
        metrics::counter!("nearline_supervisor_panics_total").increment(1);
        tokio::time::sleep(backoff.next_wait()).await;
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
