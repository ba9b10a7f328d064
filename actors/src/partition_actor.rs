//! The actor of one partition: folds batches, commits what changed, answers for its members.
//!
//! Folding, committing and loading overlap: while one commit is on its way to the store, the next
//! batches are folded; while members are loaded for one batch, another is received. A batch is
//! folded only when its members are loaded, in order.

mod commit;
mod fold;
mod load;
mod messages;
mod shared;
mod traced;

pub(crate) use shared::Members;

pub use messages::{CommitNow, FoldBatch, GetMember, Inject, PortFailed, Retire, Stop};

use crate::aggregates_actor::AggregatesActor;
use crate::facts::FactPath;
use crate::faults::{Faults, InjectedFault};
use crate::member_watch::MemberWatches;
use crate::memory::{FIRST_MEASURE, MEASURE_INTERVAL};
use crate::presence::Attendance;
use crate::progress::{Incarnation, PartitionState, Progress};
use crate::settings::EngineSettings;
use crate::workers::Worker;
use actix::prelude::*;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::partition::{Admitted, Lookup, RejectedRecord};
use nearline_model::quarantine::{Quarantine, Suspects};
use nearline_model::{MemberSnapshot, Partition, PartitionId, Position};
use nearline_ports::trace::TraceContext;
use nearline_ports::{PortError, Ports};
use shared::SharedPartition;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use traced::TracedEvent;

/// Time between two turns that the watchdog sees.
const TURN_INTERVAL: Duration = Duration::from_millis(100);

/// Commit intervals that may pass without a commit while catching up.
const MAX_SKIPPED_TICKS: u32 = 4;
/// One of so many cached members lies ready to be changed, the others in their stored form.
const UNPACKED_SHARE: usize = 8;

/// Why an actor ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// It panicked.
    Panicked {
        /// Position of the record that was being parsed or folded; none: at something else.
        position: Option<Position>,
        /// The panic's message.
        message: String,
    },
    /// A port failed for good.
    Failed(PortError),
}

struct PendingBatch {
    admitted: Admitted,
    /// The log's time of its last record.
    log_ms: i64,
    /// Events of it that belong to a trace.
    traced: Vec<TracedEvent>,
    /// A suspect, or the end of stored sums: what is before it is committed first, and it is committed before what is
    /// behind it.
    alone: bool,
    /// Given back with the last piece of what was read together.
    _permit: Option<OwnedSemaphorePermit>,
}

struct Waiting {
    member: String,
    complete: bool,
    after: Position,
    reply: oneshot::Sender<MemberSnapshot>,
}

/// What an actor is built from.
pub struct Parts {
    /// The partition as it was acquired.
    pub partition: Partition,
    /// The epoch in which it was.
    pub epoch: OwnerEpoch,
    /// The outside.
    pub ports: Ports,
    /// Settings of the engine.
    pub settings: Arc<EngineSettings>,
    /// What is progress of the partition.
    pub progress: Arc<Progress>,
    pub(crate) watches: Arc<MemberWatches>,
    /// Number of this actor: what it shares is its own only as long as no other is current.
    pub incarnation: Incarnation,
    /// Where deltas go.
    pub aggregates: Addr<AggregatesActor>,
    /// The thread it lives on.
    pub worker: Arc<Worker>,
    /// Events to step over.
    pub quarantine: Quarantine,
    /// Events that crashed earlier actors: each is folded alone.
    pub suspects: Suspects,
    /// Where the stored sums of this partition end, if that is ahead of its state: a commit ends there, too, or the
    /// delta across it could never be added to them.
    pub sums_end: Option<Position>,
    /// Whether the store was asked after each absence of this process; those before it was built count as asked after.
    pub(crate) attendance: Arc<Attendance>,
    /// Faults to meet, where they are allowed.
    pub faults: Option<Arc<Faults>>,
    /// Told once it is live.
    pub live: oneshot::Sender<()>,
    /// Why it ended, once it has.
    pub ended: Arc<parking_lot::Mutex<Option<Ended>>>,
}

/// The actor.
pub struct PartitionActor {
    id: PartitionId,
    partition: SharedPartition,
    epoch: OwnerEpoch,
    ports: Ports,
    settings: Arc<EngineSettings>,
    cached_members: usize,
    progress: Arc<Progress>,
    watches: Arc<MemberWatches>,
    incarnation: Incarnation,
    aggregates: Addr<AggregatesActor>,
    worker: Arc<Worker>,
    quarantine: Quarantine,
    suspects: Suspects,
    sums_end: Option<Position>,
    attendance: Arc<Attendance>,
    faults: Option<Arc<Faults>>,
    live: Option<oneshot::Sender<()>>,
    ended: Arc<parking_lot::Mutex<Option<Ended>>>,
    pending: VecDeque<PendingBatch>,
    /// Whether what was folded last is to be committed before anything else is folded.
    after_alone: bool,
    rejected: Vec<RejectedRecord>,
    /// Spans of what is folded and not committed yet.
    traced: Vec<TraceContext>,
    commit_running: bool,
    loads_running: usize,
    /// Whether members that are loaded tell that this owner still is the one, or the store was asked for it.
    is_proven: bool,
    stopping: bool,
    /// Set once folding has panicked or the actor was replaced: the state is not to be touched again.
    broken: bool,
    waiting: Vec<Waiting>,
    /// Whether a full batch came since the last tick: the log has more than is folded.
    catching_up: bool,
    /// Ticks passed without a commit because of that.
    ticks_skipped: u32,
    /// When the log's clock was warned of last.
    clock_warned: Option<Instant>,
    /// Where facts go, if they are captured.
    facts: Option<Arc<FactPath>>,
}

impl PartitionActor {
    /// An actor made of `parts`.
    pub fn new(parts: Parts) -> Self {
        let partitions = usize::from(parts.ports.log.partitions().max(1));
        let facts = parts.settings.facts.capture.then(|| Arc::new(FactPath::new(parts.ports.facts.clone())));
        let cached_members = (parts.settings.cached_members / partitions).max(1);
        let mut partition = match &facts {
            Some(_) => parts.partition.capture(parts.settings.facts.of_members()),
            None => parts.partition,
        };
        partition.unpack_at_most(cached_members / UNPACKED_SHARE);
        let is_proven = !partition.folded().is_start();
        Self {
            id: partition.id(),
            partition: SharedPartition::new(partition),
            facts,
            epoch: parts.epoch,
            ports: parts.ports,
            cached_members,
            settings: parts.settings,
            progress: parts.progress,
            watches: parts.watches,
            incarnation: parts.incarnation,
            aggregates: parts.aggregates,
            worker: parts.worker,
            quarantine: parts.quarantine,
            suspects: parts.suspects,
            sums_end: parts.sums_end,
            attendance: parts.attendance,
            faults: parts.faults,
            live: Some(parts.live),
            ended: parts.ended,
            pending: VecDeque::new(),
            after_alone: false,
            rejected: Vec::new(),
            traced: Vec::new(),
            commit_running: false,
            loads_running: 0,
            is_proven,
            stopping: false,
            broken: false,
            waiting: Vec::new(),
            catching_up: false,
            ticks_skipped: 0,
            clock_warned: None,
        }
    }

    /// What it folds, for queries to read beside it.
    pub(crate) fn members(&self) -> Members {
        self.partition.members()
    }

    /// Lets others see how far it is. An actor that was replaced meanwhile ends here: another one
    /// answers, folds and commits under a higher epoch.
    fn report(&mut self, context: &mut Context<Self>) -> bool {
        let requests = self.loads_running as u64 + u64::from(self.commit_running);
        let (folded, cached_members) =
            self.partition.with(|partition| (partition.folded(), partition.cached_members()));
        let is_current = self.progress.write(self.incarnation, |progress| {
            progress.folded.store(folded);
            progress.cached_members.store(cached_members as u64, Relaxed);
            progress.pending_batches.store(self.pending.len() as u64, Relaxed);
            progress.store_requests.store(requests, Relaxed);
            progress.turns.fetch_add(1, Relaxed);
        });
        if !is_current && !self.broken {
            metrics::counter!("nearline_zombies_retired_total").increment(1);
            tracing::warn!(
                partition = %self.id, epoch = self.epoch.0,
                "an actor that was replaced woke up; it ends without a trace"
            );
            self.end(Ended::Stopped, context);
        }
        is_current
    }

    fn measure(&self) {
        let memory = self.partition.with(|partition| partition.memory());
        self.progress.write(self.incarnation, |progress| progress.memory.set(memory));
    }

    fn end(&mut self, why: Ended, context: &mut Context<Self>) {
        self.broken = true;
        self.partition.close();
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
            if waiting.after <= self.folded() {
                match self.lookup(&waiting.member, waiting.complete) {
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

    fn folded(&self) -> Position {
        self.partition.with(|partition| partition.folded())
    }

    fn lookup(&self, member: &str, complete: bool) -> Lookup {
        self.partition.with(|partition| partition.lookup(member, complete))
    }
}

impl Actor for PartitionActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(1_024);
        self.progress.write(self.incarnation, |progress| progress.set_state(PartitionState::Live));
        if let Some(live) = self.live.take() {
            let _nobody_waits = live.send(());
        }
        context.run_interval(TURN_INTERVAL, |actor, context| {
            actor.report(context);
        });
        context.run_later(FIRST_MEASURE, |actor, context| {
            actor.measure();
            context.run_interval(MEASURE_INTERVAL, |actor, _| actor.measure());
        });
        let interval = Duration::from_millis(self.settings.commit_interval_ms.max(1));
        // Partitions commit one after another, not all at once: bursts would be felt by queries.
        let partitions = u32::from(self.ports.log.partitions().max(1));
        let phase = interval * u32::from(self.id.0) / partitions;
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
        if self.broken || self.stopping || !self.progress.is_current(self.incarnation) {
            return;
        }
        self.catching_up |= message.records.len() >= self.settings.batch_events;
        if self.take_in(message, context) {
            self.fold_ready(context);
        }
    }
}

impl Handler<GetMember> for PartitionActor {
    type Result = ResponseFuture<Option<MemberSnapshot>>;

    fn handle(&mut self, message: GetMember, context: &mut Self::Context) -> Self::Result {
        if self.broken || !self.progress.is_current(self.incarnation) {
            return Box::pin(std::future::ready(None));
        }
        if message.after <= self.folded() {
            match self.lookup(&message.member, message.complete) {
                Lookup::Ready(snapshot) => return Box::pin(std::future::ready(Some(*snapshot))),
                Lookup::Missing(slot) => self.load(vec![slot], context),
                Lookup::Loading => {}
            }
        } else if let Lookup::Missing(slot) = self.lookup(&message.member, message.complete) {
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

impl Handler<PortFailed> for PartitionActor {
    type Result = ();

    fn handle(&mut self, PortFailed(error): PortFailed, context: &mut Self::Context) {
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

impl Handler<Retire> for PartitionActor {
    type Result = ();

    fn handle(&mut self, _: Retire, context: &mut Self::Context) {
        if !self.broken {
            self.end(Ended::Stopped, context);
        }
    }
}

impl Handler<Inject> for PartitionActor {
    type Result = ();

    fn handle(&mut self, Inject(fault): Inject, _: &mut Self::Context) {
        match fault {
            InjectedFault::Panic => panic!("injected: the actor panics"),
            // As in the fold: nobody reads what it holds.
            InjectedFault::Hang(time) => self.partition.with(|_| std::thread::sleep(time)),
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
