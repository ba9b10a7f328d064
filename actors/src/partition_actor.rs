//! The actor of one partition: folds batches, commits what changed, answers for its members.
//!
//! Folding, committing and loading overlap: while one commit is on its way to the store, the next
//! batches are folded; while members are loaded for one batch, another is received. A batch is
//! folded only when its members are loaded, in order.

mod commit;
mod load;
mod messages;

pub use messages::{CommitNow, FoldBatch, GetMember, ReadingFailed, Stop};

use crate::aggregates_actor::AggregatesActor;
use crate::ports::{PortError, Ports};
use crate::settings::EngineSettings;
use crate::status::{PartitionShared, PartitionState};
use actix::prelude::*;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::partition::{Admitted, Lookup, RejectedRecord};
use nearline_model::{MemberSnapshot, Partition, Position};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Commit intervals that may pass without a commit while catching up.
const MAX_SKIPPED_TICKS: u32 = 4;

/// Why an actor ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Folding panicked.
    Panicked {
        /// Position of the record that was being folded.
        position: Position,
        /// The panic's message.
        message: String,
    },
    /// A port failed for good.
    Failed(PortError),
}

struct PendingBatch {
    admitted: Admitted,
    _permit: OwnedSemaphorePermit,
}

struct Waiting {
    member: String,
    complete: bool,
    after: Position,
    reply: oneshot::Sender<MemberSnapshot>,
}

/// What an actor is built from.
pub struct PartitionActor {
    partition: Partition,
    epoch: OwnerEpoch,
    ports: Ports,
    settings: Arc<EngineSettings>,
    cached_members: usize,
    shared: Arc<PartitionShared>,
    aggregates: Addr<AggregatesActor>,
    ended: Arc<parking_lot::Mutex<Option<Ended>>>,
    pending: VecDeque<PendingBatch>,
    rejected: Vec<RejectedRecord>,
    commit_running: bool,
    loads_running: usize,
    stopping: bool,
    /// Set once folding has panicked: the state is not to be touched again.
    broken: bool,
    waiting: Vec<Waiting>,
    /// Whether a full batch came since the last tick: the log has more than is folded.
    catching_up: bool,
    /// Ticks passed without a commit because of that.
    ticks_skipped: u32,
}

impl PartitionActor {
    /// An actor over `partition` as acquired in `epoch`. Why it ended will be in `ended`.
    pub fn new(
        partition: Partition,
        epoch: OwnerEpoch,
        ports: Ports,
        settings: Arc<EngineSettings>,
        shared: Arc<PartitionShared>,
        aggregates: Addr<AggregatesActor>,
        ended: Arc<parking_lot::Mutex<Option<Ended>>>,
    ) -> Self {
        let partitions = usize::from(ports.log.partitions().max(1));
        Self {
            partition,
            epoch,
            ports,
            cached_members: (settings.cached_members / partitions).max(1),
            settings,
            shared,
            aggregates,
            ended,
            pending: VecDeque::new(),
            rejected: Vec::new(),
            commit_running: false,
            loads_running: 0,
            stopping: false,
            broken: false,
            waiting: Vec::new(),
            catching_up: false,
            ticks_skipped: 0,
        }
    }

    fn end(&mut self, why: Ended, context: &mut Context<Self>) {
        self.broken = true;
        *self.ended.lock() = Some(why);
        context.terminate();
    }

    /// Commits what is folded. While catching up, commits are left to the number of events, which
    /// writes a busy member once instead of many times; but not for long.
    fn tick(&mut self, context: &mut Context<Self>) {
        if std::mem::take(&mut self.catching_up) && self.ticks_skipped < MAX_SKIPPED_TICKS {
            self.ticks_skipped += 1;
        } else {
            self.ticks_skipped = 0;
            self.commit(context);
        }
        self.answer_waiting(context);
    }

    /// Folds every batch whose turn has come.
    fn fold_ready(&mut self, context: &mut Context<Self>) {
        while !self.broken && !self.stopping {
            let Some(front) = self.pending.front() else { break };
            if !self.partition.is_ready(&front.admitted) || self.must_commit_first() {
                break;
            }
            if let Some(batch) = self.pending.pop_front() {
                self.fold(batch, context);
                self.commit_if_due(context);
            }
        }
        if !self.broken {
            self.answer_waiting(context);
            let evicted = self.partition.evict(self.cached_members);
            if evicted > 0 {
                metrics::counter!("nearline_cache_evictions_total").increment(evicted as u64);
            }
            self.shared.cached_members.store(self.partition.cached_members() as u64, Relaxed);
        }
    }

    /// Back-pressure: with one commit on its way and the next one full, folding waits.
    fn must_commit_first(&self) -> bool {
        self.commit_running && self.is_commit_full()
    }

    fn is_commit_full(&self) -> bool {
        self.partition.uncommitted_events() >= self.settings.commit_events
            || self.partition.changed_members() >= self.settings.commit_members
    }

    fn fold(&mut self, batch: PendingBatch, context: &mut Context<Self>) {
        let started = Instant::now();
        let records = batch.admitted.batch.len() as u64;
        let partition_id = self.partition.id();
        let probe = self.settings.fault_probe.clone();
        let mut folding = self.partition.folded();
        let partition = &mut self.partition;
        // What a panic leaves half-changed is never used again: the actor ends, its state is reloaded.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            partition.fold(batch.admitted, |position, event| {
                folding = position;
                if let Some(probe) = &probe {
                    probe(partition_id, position, event);
                }
            })
        }));
        match outcome {
            Ok(folded) => {
                self.shared.folded.store(self.partition.folded(), Relaxed);
                self.shared.events.fetch_add(records, Relaxed);
                for (outcome, count) in [
                    ("changed", folded.changed),
                    ("duplicate", folded.duplicates),
                    ("before_erasure", folded.before_erasure),
                    ("rejected", folded.rejected.len() as u64),
                ] {
                    if count > 0 {
                        metrics::counter!("nearline_fold_events_total", "outcome" => outcome)
                            .increment(count);
                    }
                }
                for rejected in &folded.rejected {
                    let reason = rejected.reject.reason.code();
                    metrics::counter!("nearline_rejects_total", "reason" => reason).increment(1);
                }
                self.rejected.extend(folded.rejected);
                metrics::histogram!("nearline_fold_batch_duration_seconds").record(started.elapsed());
            }
            Err(panic) => {
                let message = panic_message(&*panic);
                self.end(Ended::Panicked { position: folding, message }, context);
            }
        }
    }

    /// Answers queries whose member is loaded and whose position is reached.
    fn answer_waiting(&mut self, context: &mut Context<Self>) {
        let mut missing = Vec::new();
        let mut at = 0;
        while at < self.waiting.len() {
            let waiting = &self.waiting[at];
            if waiting.reply.is_closed() {
                self.waiting.swap_remove(at);
                continue;
            }
            if waiting.after <= self.partition.folded() {
                match self.partition.lookup(&waiting.member, waiting.complete) {
                    Lookup::Ready(snapshot) => {
                        let _gone = self.waiting.swap_remove(at).reply.send(*snapshot);
                        continue;
                    }
                    // Evicted since it was asked for. It counts as being loaded now: left alone, it and every
                    // batch with it would wait for good.
                    Lookup::Missing(slot) => missing.push(slot),
                    Lookup::Loading => {}
                }
            }
            at += 1;
        }
        self.load(missing, context);
    }
}

impl Actor for PartitionActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(1_024);
        self.shared.set_state(PartitionState::Live);
        let interval = Duration::from_millis(self.settings.commit_interval_ms.max(1));
        // Partitions commit one after another, not all at once: bursts would be felt by queries.
        let partitions = u32::from(self.ports.log.partitions().max(1));
        let phase = interval * u32::from(self.partition.id().0) / partitions;
        context.run_later(phase, move |_, context| {
            context.run_interval(interval, |actor, context| {
                if !actor.broken {
                    actor.tick(context);
                }
            });
        });
    }
}

impl Handler<FoldBatch> for PartitionActor {
    type Result = ();

    fn handle(&mut self, message: FoldBatch, context: &mut Self::Context) {
        if self.broken || self.stopping {
            return;
        }
        self.catching_up |= message.records.len() >= self.settings.batch_events;
        let batch = nearline_model::partition::Batch::parse(message.records, self.settings.fold.event_bytes);
        let (admitted, missing) = self.partition.admit(batch);
        self.pending.push_back(PendingBatch { admitted, _permit: message.permit });
        self.load(missing, context);
        self.fold_ready(context);
    }
}

impl Handler<GetMember> for PartitionActor {
    type Result = ResponseFuture<Option<MemberSnapshot>>;

    fn handle(&mut self, message: GetMember, context: &mut Self::Context) -> Self::Result {
        if self.broken {
            return Box::pin(std::future::ready(None));
        }
        if message.after <= self.partition.folded() {
            match self.partition.lookup(&message.member, message.complete) {
                Lookup::Ready(snapshot) => return Box::pin(std::future::ready(Some(*snapshot))),
                Lookup::Missing(slot) => self.load(vec![slot], context),
                Lookup::Loading => {}
            }
        } else if let Lookup::Missing(slot) = self.partition.lookup(&message.member, message.complete) {
            self.load(vec![slot], context);
        }
        let (reply, answer) = oneshot::channel();
        let GetMember { member, complete, after } = message;
        self.waiting.push(Waiting { member, complete, after, reply });
        Box::pin(async move { answer.await.ok() })
    }
}

impl Handler<CommitNow> for PartitionActor {
    type Result = ();

    fn handle(&mut self, _: CommitNow, context: &mut Self::Context) {
        if !self.broken {
            self.commit(context);
        }
    }
}

impl Handler<ReadingFailed> for PartitionActor {
    type Result = ();

    fn handle(&mut self, ReadingFailed(error): ReadingFailed, context: &mut Self::Context) {
        if !self.broken && !self.stopping {
            self.end(Ended::Failed(error), context);
        }
    }
}

impl Handler<Stop> for PartitionActor {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        self.stopping = true;
        self.pending.clear();
        if !self.broken {
            self.commit(context);
            self.stop_when_committed(context);
        }
    }
}

/// The message of a panic, if it has one.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}
