//! The shell around [`nearline_model::control::ownership`]: brings it beats, ends and the time, and does what it
//! says. Runs on a thread of its own, so that neither folding nor serving delays a beat.

mod announcer;
mod hindrances;
mod outbox_follower;
mod prover;
mod run;

use crate::aggregates_actor::{AggregatesActor, SharedRole};
use crate::event_loop::EventLoop;
use crate::node::SupervisedNode;
use crate::partition_actor::PortFailed;
use crate::partition_handle::PartitionHandle;
use crate::progress::PartitionState;
use crate::retry::Backoff;
use crate::settings::EngineSettings;
use actix::prelude::*;
use announcer::{Announcer, Say};
use futures_util::FutureExt;
use hindrances::{Hindrances, Need};
use nearline_model::check_invariant;
use nearline_model::control::assignment::NodeId;
use nearline_model::control::ownership::{
    Action, BEATS_PER_LEASE, Beat, Input, Millis, Ownership, OwnershipSettings, SumsRole,
};
use nearline_model::{Aggregates, PartitionId};
use nearline_ports::{Announcement, MembershipEvent, Ports};
use outbox_follower::OutboxFollower;
use parking_lot::RwLock;
use prover::Prover;
use run::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

/// Beats that an announcement has time for.
const BEATS_OF_PATIENCE: u64 = 2;
/// Time between looks at what no message tells: epochs and the clock.
const TICK: Duration = Duration::from_millis(25);
/// Events of the registry on their way here.
const EVENTS: usize = 1_024;
/// Leases that a proof of being able to work has time for, and twice that lie between two.
const PROOFS_PER_LEASE: u64 = 2;

/// How this node stands, as the engine sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Whether the registry knows this node, and all that it is to own runs here.
    pub settled: bool,
    /// Other live nodes.
    pub others: usize,
    /// Partitions held here.
    pub held: usize,
    /// What it does for the sums.
    pub sums_role: SumsRole,
    /// Whether it has withdrawn, or will not take part any more.
    pub gone: bool,
}

/// What the shell is made of.
pub(crate) struct Shell {
    pub ports: Ports,
    pub settings: Arc<EngineSettings>,
    pub node: NodeId,
    pub partitions: Arc<[Arc<PartitionHandle>]>,
    pub aggregates_actor: Addr<AggregatesActor>,
    pub aggregates: Arc<RwLock<Aggregates>>,
    /// The thread of the supervisors.
    pub supervision: EventLoop,
    /// What the supervisors share.
    pub supervised: Arc<SupervisedNode>,
    /// What this node does for the sums.
    pub sums_role: SharedRole,
}

/// A hold on the running shell.
pub(crate) struct Handle {
    leave: mpsc::Sender<()>,
    happened: mpsc::UnboundedSender<Happened>,
    /// How the node stands.
    pub status: watch::Receiver<NodeStatus>,
    /// What keeps it from taking part.
    pub hindrances: Arc<Hindrances>,
}

impl Handle {
    /// Hands every partition over, then withdraws; `status` tells when.
    pub fn leave(&self) {
        // Full: it was asked before.
        let _asked = self.leave.try_send(());
    }

    /// Declines `partition`, as if it had failed here again and again: another node takes it.
    pub fn decline(&self, partition: PartitionId) {
        // Nobody listens: the node has left, and holds nothing.
        let _asked = self.happened.send(Happened::Declined(partition));
    }
}

/// What happened outside the machine.
enum Happened {
    /// Told before its end.
    GivenAway(PartitionId),
    /// An operator wants it elsewhere.
    Declined(PartitionId),
    Ended(PartitionId),
    Replaced,
    Gone,
}

struct Running {
    shell: Shell,
    machine: Ownership,
    started: Instant,
    runs: BTreeMap<PartitionId, Run>,
    announcer: Announcer,
    outbox_follower: OutboxFollower,
    happened: mpsc::UnboundedSender<Happened>,
    status: watch::Sender<NodeStatus>,
    hindrances: Arc<Hindrances>,
    /// Nodes of others that were told of.
    foreign: BTreeSet<NodeId>,
    gone: bool,
}

impl Shell {
    /// Runs at `place` until the node has left.
    pub fn start(self, place: &EventLoop) -> Handle {
        let (leave, leaving) = mpsc::channel(1);
        let (status_sender, status) = watch::channel(NodeStatus::default());
        let (happened, happenings) = mpsc::unbounded_channel();
        let hindrances = Arc::<Hindrances>::default();
        let handle = Handle { leave, happened: happened.clone(), status, hindrances: hindrances.clone() };
        let supervised = self.supervised.clone();
        let run = move || self.run(leaving, status_sender, hindrances, (happened, happenings));
        let running = move || async move {
            if AssertUnwindSafe(run()).catch_unwind().await.is_err() {
                metrics::counter!("nearline_supervisor_panics_total").increment(1);
                let reason = "who owns partitions is not followed any more: that panicked, which is a bug";
                tracing::error!(reason, "the process is to end");
                supervised.exit.send_replace(Some(reason.to_owned()));
            }
        };
        place.spawn_fn(move || drop(actix_rt::spawn(running())));
        handle
    }

    async fn run(
        self,
        mut leaving: mpsc::Receiver<()>,
        status: watch::Sender<NodeStatus>,
        hindrances: Arc<Hindrances>,
        (happened, mut happenings): (mpsc::UnboundedSender<Happened>, mpsc::UnboundedReceiver<Happened>),
    ) {
        let lease_ms = self.settings.lease_ms.max(BEATS_PER_LEASE);
        let timing = OwnershipSettings {
            partitions: self.ports.log.partitions(),
            lease_ms: Millis(lease_ms),
            beat_ms: Millis(lease_ms / BEATS_PER_LEASE),
            decline_ms: Millis(self.settings.remediation.node_window_ms),
            adding_nodes: self.settings.adding_nodes,
        };
        let patience = Duration::from_millis((lease_ms / PROOFS_PER_LEASE).max(1));
        let pause = timing.beat_ms.times(2).into();
        tokio::select! {
            biased;
            () = Prover::first(&self.ports, pause, patience, &hindrances) => {}
            _asked = leaving.recv() => {
                status.send_modify(|status| status.gone = true);
                return;
            }
        }
        let incarnation = crate::retry::random();
        let mut events = follow(&self.ports, hindrances.clone());
        let membership = self.ports.membership.clone();
        let (ports, probation) = (self.ports.clone(), timing.lease_ms.into());
        let prover = Prover::start(ports, pause, patience, probation, hindrances.clone());
        // What is not acknowledged by then was lost with a connection: the next beat is worth more.
        let patience = timing.beat_ms.times(BEATS_OF_PATIENCE).into();
        let presence = self.supervised.presence.clone();
        let mut running = Running {
            machine: Ownership::new(self.node.clone(), incarnation, timing),
            started: Instant::now(),
            runs: BTreeMap::new(),
            announcer: Announcer::start(membership, patience, presence, hindrances.clone(), happened.clone()),
            outbox_follower: OutboxFollower::start(
                self.aggregates_actor.clone(),
                self.aggregates.clone(),
                self.ports.store.clone(),
                self.partitions.clone(),
                self.sums_role.clone(),
            ),
            happened,
            status,
            hindrances,
            foreign: BTreeSet::new(),
            gone: false,
            shell: self,
        };
        running.until_gone(&prover, &mut leaving, &mut happenings, &mut events).await;
    }
}

impl Running {
    async fn until_gone(
        &mut self,
        prover: &Prover,
        leaving: &mut mpsc::Receiver<()>,
        happenings: &mut mpsc::UnboundedReceiver<Happened>,
        events: &mut mpsc::Receiver<MembershipEvent>,
    ) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.gone {
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    if self.shell.supervised.presence.see() {
                        self.prove_epochs();
                    }
                    self.look_at_epochs();
                    self.step(Input::Failing(prover.failing_ms()));
                }
                Some(()) = leaving.recv() => self.step(Input::Leave),
                Some(happened) = happenings.recv() => match happened {
                    Happened::GivenAway(partition) => {
                        tracing::warn!(%partition, "the partition fails here again and again: another node is to try");
                        self.step(Input::Declined(partition));
                    }
                    Happened::Declined(partition) => {
                        tracing::warn!(%partition, "the partition is given away, as an operator asked: another node is to take it");
                        self.step(Input::Declined(partition));
                    }
                    Happened::Ended(partition) => {
                        self.runs.remove(&partition);
                        self.step(Input::Ended(partition));
                    }
                    Happened::Replaced => {
                        tracing::error!(node = %self.shell.node, "another process goes by this node's name; this one stops: give each node a name of its own");
                        let told = format!("another process goes by {}; give each node a name of its own", self.shell.node);
                        self.hindrances.failed(Need::Name, told);
                        self.step(Input::Replaced);
                    }
                    Happened::Gone => self.gone = true,
                },
                Some(event) = events.recv() => self.heard(event),
            }
            self.show();
        }
    }

    fn heard(&mut self, event: MembershipEvent) {
        match event {
            MembershipEvent::Announced(announcement) if !self.is_of_this_log(&announcement) => {
                if self.foreign.insert(announcement.beat.node.clone()) {
                    tracing::error!(
                        node = %announcement.beat.node,
                        "a node of another log, or of another number of partitions, is in this registry; it is passed over: give \
                         each cluster a bucket of its own (nats.nodes_bucket)"
                    );
                }
            }
            MembershipEvent::Announced(announcement) => {
                // This node's own too: sums that start over from the store may miss what it commits meanwhile.
                self.outbox_follower.heard_of(&announcement.committed);
                self.step(Input::Heard(announcement.beat));
            }
            MembershipEvent::Withdrawn(node) => self.step(Input::Withdrawn(node)),
        }
    }

    fn step(&mut self, input: Input) {
        let now = Millis::from(self.started.elapsed());
        for action in self.machine.step(now, input) {
            match action {
                Action::Announce(beat) => {
                    let announcement = self.announcement(beat);
                    self.announcer.say(Say::Announce(announcement));
                }
                Action::Start(partition) => {
                    tracing::info!(%partition, "taking the partition over");
                    metrics::counter!("nearline_ownership_starts_total").increment(1);
                    check_invariant!(
                        I5,
                        !self.runs.contains_key(&partition),
                        "{partition} runs here already"
                    );
                    let run = Run::start(&self.shell, partition, self.happened.clone());
                    self.runs.insert(partition, run);
                }
                Action::Stop(partition) => {
                    tracing::info!(%partition, "giving the partition up");
                    metrics::counter!("nearline_ownership_stops_total").increment(1);
                    if let Some(run) = self.runs.get(&partition) {
                        run.stop();
                    }
                }
                Action::Bury(node, incarnation) => {
                    tracing::warn!(%node, "the node is dead: its partitions are taken over");
                    metrics::counter!("nearline_nodes_buried_total").increment(1);
                    let membership = self.shell.ports.membership.clone();
                    actix_rt::spawn(async move {
                        if let Err(error) = membership.withdraw(&node, incarnation).await {
                            tracing::debug!(%node, %error, "it stays in the registry until it ages away");
                        }
                    });
                }
                Action::Withdraw => {
                    self.announcer.say(Say::Withdraw(self.shell.node.clone(), self.machine.incarnation()));
                }
            }
        }
    }

    /// Whether what is announced is of the partitions that there are here.
    fn is_of_this_log(&self, Announcement { beat, committed, log, .. }: &Announcement) -> bool {
        let own = &self.shell.ports.log;
        let named = committed.keys().chain(beat.held.keys()).chain(&beat.declined);
        (log.is_empty() || log == own.identity()) && named.into_iter().all(|one| one.0 < own.partitions())
    }

    fn announcement(&self, beat: Beat) -> Announcement {
        let committed = beat.held.keys().map(|partition| {
            let handle = &self.shell.partitions[usize::from(partition.0)];
            (*partition, handle.committed.load())
        });
        let committed = committed.filter(|(_, position)| !position.is_start()).collect();
        let log = self.shell.ports.log.identity().to_owned();
        Announcement { address: self.shell.settings.address.clone(), committed, log, beat }
    }

    /// Partitions are acquired, and after a failure acquired again, by their supervisors.
    fn look_at_epochs(&mut self) {
        let mut news = Vec::new();
        for (partition, run) in &mut self.runs {
            let epoch = self.shell.partitions[usize::from(partition.0)].epoch.load();
            if std::mem::replace(&mut run.epoch, epoch) != epoch {
                news.push(Input::Acquired(*partition, epoch));
            }
        }
        news.into_iter().for_each(|input| self.step(input));
    }

    /// After a pause: asks the store whether what is held here still is this node's own, then lets queries say so.
    fn prove_epochs(&self) {
        tracing::warn!(
            "this process was away for longer than its lease; its partitions are proved before they answer"
        );
        metrics::counter!("nearline_pauses_beyond_lease_total").increment(1);
        let handles: Vec<_> = self
            .runs
            .keys()
            .map(|partition| self.shell.partitions[usize::from(partition.0)].clone())
            .collect();
        let (store, presence) = (self.shell.ports.store.clone(), self.shell.supervised.presence.clone());
        actix_rt::spawn(async move {
            for handle in handles {
                let mut backoff = Backoff::new(20, 500);
                loop {
                    let (epoch, address) = (handle.epoch.load(), handle.address());
                    let Some(address) = address.filter(|_| epoch.is_given()) else { break };
                    match store.prove_owner(handle.partition, epoch).await {
                        Ok(_) => break,
                        // It was acquired anew meanwhile: that is a proof, too.
                        Err(_) if handle.epoch.load() != epoch => break,
                        Err(error) if error.is_transient() => tokio::time::sleep(backoff.next_wait()).await,
                        Err(error) => {
                            address.do_send(PortFailed(error));
                            handle.take_over();
                            break;
                        }
                    }
                }
            }
            presence.prove();
        });
    }

    /// Shows queries and operators who owns what.
    fn show(&mut self) {
        for handle in self.shell.partitions.iter() {
            let owner = self.machine.owner_of(handle.partition);
            let is_elsewhere = owner.is_some_and(|owner| *owner != self.shell.node);
            if is_elsewhere && !self.runs.contains_key(&handle.partition) {
                handle.set_state(PartitionState::Elsewhere);
            }
            handle.can_give_away.store(self.machine.can_give_away(handle.partition), Relaxed);
            handle.owner.set_if_new(owner.cloned());
        }
        // Without a share of the partitions it goes on as it is: what it still commits is to be added.
        if let Some(role) = self.machine.sums_role()
            && self.shell.sums_role.set(role)
        {
            tracing::info!(?role, "what this node does for the sums");
        }
        self.gone |= self.machine.is_replaced() && self.runs.is_empty();
        let now = NodeStatus {
            settled: self.machine.is_settled() && !self.machine.is_replaced(),
            others: self.machine.others().count(),
            held: self.runs.len(),
            sums_role: self.shell.sums_role.get(),
            gone: self.gone,
        };
        self.status.send_if_modified(|shown| {
            let is_news = *shown != now;
            if is_news {
                metrics::gauge!("nearline_nodes_alive").set(now.others as f64 + 1.0);
                metrics::gauge!("nearline_partitions_held").set(now.held as f64);
                *shown = now;
            }
            is_news
        });
    }
}

/// The registry's events, through watches that break.
fn follow(ports: &Ports, hindrances: Arc<Hindrances>) -> mpsc::Receiver<MembershipEvent> {
    let (sender, receiver) = mpsc::channel(EVENTS);
    let membership = ports.membership.clone();
    actix_rt::spawn(async move {
        let mut backoff = Backoff::new(20, 500);
        while !sender.is_closed() {
            match membership.watch().await {
                Ok(mut events) => {
                    hindrances.done(Need::Watch);
                    loop {
                        let event = tokio::select! {
                            biased;
                            event = events.recv() => event,
                            () = sender.closed() => return,
                        };
                        let Some(event) = event else { break };
                        backoff.reset();
                        if sender.send(event).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the nodes cannot be watched; trying again");
                    hindrances.failed(Need::Watch, error);
                }
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    });
    receiver
}
