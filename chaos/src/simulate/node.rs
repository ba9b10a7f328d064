//! A node: the product's supervisors, actors, aggregates and router, on adapters that fail.
//!
//! Its tasks live in a set of their own: killing the node drops them all wherever they stand, and a
//! paused node's tasks are not run, as after SIGSTOP.

use super::letters::{EmptyCatalogue, SimulatedLetters};
use super::log::SimulatedLog;
use super::network::{Caller, Link, Server};
use super::quarantine::{NoJournal, SimulatedQuarantine};
use super::scenario::{POISON, Scenario};
use super::store::SimulatedStore;
use super::world::World;
use crate::dice::Dice;
use actix::{Actor, Addr};
use nearline_actors::aggregates_actor::{self, AggregatesActor};
use nearline_actors::ports::{AggregatesSnapshot, Ports};
use nearline_actors::remediations::Remediations;
use nearline_actors::router::{Router, Source};
use nearline_actors::status::PartitionShared;
use nearline_actors::supervisor::{self, Supervisor};
use nearline_actors::workers::Workers;
use nearline_actors::{EngineSettings, FaultProbe};
use nearline_backends::embedded::EmbeddedMembership;
use nearline_model::assignment::NodeId;
use nearline_model::identifier::partition_of;
use nearline_model::remediation::RemediationSettings;
use nearline_model::{Aggregates, MemberSnapshot, PartitionId, Position};
use parking_lot::{Mutex, RwLock};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

/// Milliseconds within which a query must be answered.
pub const QUERY_DEADLINE_MS: u64 = 100;
/// Snapshots are taken by [`save_snapshots`]: the actor encodes them on a thread, which no simulation can
/// order.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// Whether a node's tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// They do.
    Running,
    /// They stand still, since then.
    Paused(Instant),
    /// There are none any more.
    Killed,
}

/// What world and node share.
pub struct NodeState {
    run: Cell<Run>,
    waker: RefCell<Option<Waker>>,
    /// How often the node was paused.
    pauses: Cell<u64>,
    /// Whether a supervisor of the partition runs here.
    supervised: RefCell<Vec<bool>>,
    /// The aggregates, once loaded.
    pub aggregates: RefCell<Option<Arc<RwLock<Aggregates>>>>,
}

/// A running node.
pub struct Node {
    /// What it shares.
    pub state: Rc<NodeState>,
    commands: mpsc::UnboundedSender<PartitionId>,
}

/// A query and its answer.
pub struct Asked {
    /// The member's partition.
    pub partition: PartitionId,
    /// The member.
    pub member: String,
    /// Position insisted on; 0: none.
    pub after: Position,
    /// How long it took, unless the node was paused meanwhile.
    pub took_ms: Option<u64>,
    /// Whether the node was the partition's owner, on a store that was not rolled back since.
    pub owned: bool,
    /// Source and state; `None`: the position was not reached.
    pub answer: Option<(Source, Option<MemberSnapshot>)>,
}

/// Ports of one caller.
pub fn ports(world: &World, caller: Caller) -> Ports {
    let link = |server| Link::new(&world.network, caller, server);
    Ports {
        log: Arc::new(SimulatedLog::new(link(Server::Log), &world.servers.borrow().log)),
        store: Arc::new(SimulatedStore { link: link(Server::Store) }),
        dead_letters: Arc::new(SimulatedLetters { link: link(Server::Log) }),
        catalogue: Arc::new(EmptyCatalogue),
        quarantine: Arc::new(SimulatedQuarantine { link: link(Server::Store) }),
        remediations: Arc::new(NoJournal),
        membership: Arc::new(EmbeddedMembership::default()),
    }
}

/// The engine's settings in this scenario.
pub fn settings(scenario: &Scenario, fault_probe: Option<FaultProbe>) -> EngineSettings {
    EngineSettings {
        fold: scenario.fold(),
        commit_events: scenario.commit_events,
        commit_interval_ms: scenario.commit_interval_ms,
        cached_members: scenario.cached_members,
        batch_events: scenario.batch_events,
        query_deadline_ms: QUERY_DEADLINE_MS,
        remediation: RemediationSettings {
            restart_backoff_max_ms: 200,
            // Nodes that give up are killed and started by faults, not by themselves.
            node_rebuilds: usize::MAX,
            ..RemediationSettings::default()
        },
        fault_probe,
        ..EngineSettings::default()
    }
}

/// Panics in some records, while the world's faults last.
fn panicking_probe(world: &World, dice: Dice) -> FaultProbe {
    let (chance, panics, dice) = (world.panic_per_mille.clone(), world.panics.clone(), Mutex::new(dice));
    Arc::new(move |partition, position, event| {
        let per_mille = chance.load(std::sync::atomic::Ordering::Relaxed);
        let poisonous = event.is_some_and(|event| event.id.starts_with(POISON));
        if poisonous || dice.lock().chance(per_mille) {
            *panics.lock().entry(position).or_default() += 1;
            panic!("planted in {partition} at {position}");
        }
    })
}

impl Node {
    /// Starts node `number`; `life` tells its lives apart.
    pub fn start(world: &Rc<World>, number: usize, life: u64) -> Self {
        let state = Rc::new(NodeState {
            run: Cell::new(Run::Running),
            waker: RefCell::default(),
            pauses: Cell::default(),
            supervised: RefCell::new(vec![false; usize::from(world.scenario.partitions)]),
            aggregates: RefCell::default(),
        });
        let (commands, orders) = mpsc::unbounded_channel();
        let dice = world.dice.fork(1_000 + number as u64 * 100 + life);
        let tasks = LocalSet::new();
        tasks.spawn_local(live(world.clone(), number, state.clone(), orders, dice));
        spawn_local(drive(tasks, state.clone()));
        Self { state, commands }
    }

    /// Starts a supervisor of `partition` here.
    pub fn own(&self, partition: PartitionId) {
        self.state.supervised.borrow_mut()[usize::from(partition.0)] = true;
        let _killed = self.commands.send(partition);
    }

    /// Whether a supervisor of `partition` runs here, or is about to.
    pub fn supervises(&self, partition: PartitionId) -> bool {
        self.state.supervised.borrow()[usize::from(partition.0)]
    }

    /// What its tasks do.
    pub fn run(&self) -> Run {
        self.state.run.get()
    }

    /// Lets its tasks run, stand still or end.
    pub fn set_run(&self, run: Run) {
        if self.state.run.get() != Run::Killed {
            self.state.run.set(run);
            self.state.pauses.update(|pauses| pauses + 1);
            if let Some(waker) = self.state.waker.take() {
                waker.wake();
            }
        }
    }
}

async fn drive(mut tasks: LocalSet, state: Rc<NodeState>) {
    poll_fn(|context| {
        state.waker.replace(Some(context.waker().clone()));
        match state.run.get() {
            Run::Killed => Poll::Ready(()),
            Run::Paused(_) => Poll::Pending,
            Run::Running => Pin::new(&mut tasks).poll(context),
        }
    })
    .await;
    state.aggregates.take();
}

async fn live(
    world: Rc<World>,
    number: usize,
    state: Rc<NodeState>,
    mut orders: mpsc::UnboundedReceiver<PartitionId>,
    dice: Dice,
) {
    let ports = ports(&world, Caller::Node(number));
    let probe = panicking_probe(&world, dice.fork(2));
    let settings = Arc::new(settings(&world.scenario, Some(probe)));
    let aggregates = loop {
        match aggregates_actor::load(&ports, &settings.aggregates).await {
            Ok(aggregates) => break Arc::new(RwLock::new(aggregates)),
            Err(error) if error.is_transient() => sleep(Duration::from_millis(20)).await,
            Err(error) => return world.violated("I2", format!("node {number} does not start: {error}")),
        }
    };
    state.aggregates.replace(Some(aggregates.clone()));
    let actor = AggregatesActor::new(aggregates.clone(), ports.clone(), NEVER, Arc::default()).start();
    let remediations = Remediations::start(ports.remediations.clone());
    let stopping = watch::Sender::new(false);
    let node = Arc::new(supervisor::Node::new(Workers::here(), remediations.clone(), None));
    let partitions: Arc<[Arc<PartitionShared>]> = (0..world.scenario.partitions)
        .map(|number| Arc::new(PartitionShared::new(PartitionId(number), remediations.clone())))
        .collect();
    let router = Router::new(
        NodeId::new("simulated"),
        partitions.clone(),
        ports.clone(),
        Duration::from_millis(settings.query_deadline_ms),
        settings.fold.symbols_per_partition,
    );
    spawn_local(save_snapshots(ports.clone(), aggregates, world.scenario.snapshot_interval_ms));
    spawn_local(ask(world.clone(), router, partitions.clone(), state.clone(), dice.fork(3)));
    while let Some(partition) = orders.recv().await {
        let supervisor = Supervisor {
            ports: ports.clone(),
            settings: settings.clone(),
            shared: partitions[usize::from(partition.0)].clone(),
            aggregates: actor.clone(),
            node: node.clone(),
            stopping: stopping.subscribe(),
        };
        let state = state.clone();
        spawn_local(async move {
            supervisor.run().await;
            state.supervised.borrow_mut()[usize::from(partition.0)] = false;
        });
    }
}

/// What the aggregates actor does on its interval, less the thread.
async fn save_snapshots(ports: Ports, aggregates: Arc<RwLock<Aggregates>>, interval_ms: u64) {
    let mut saved = aggregates.read().positions().to_vec();
    loop {
        sleep(Duration::from_millis(interval_ms)).await;
        let positions = aggregates.read().positions().to_vec();
        if positions == saved {
            continue;
        }
        let bytes = aggregates.read().encode().into();
        let snapshot = AggregatesSnapshot { positions: positions.clone(), bytes };
        if let Ok(true) = aggregates_actor::store_snapshot(&ports, snapshot).await {
            saved = positions;
        }
    }
}

/// Asks for members, one query at a time, often insisting on a position that was acknowledged.
async fn ask(
    world: Rc<World>,
    router: Router,
    partitions: Arc<[Arc<PartitionShared>]>,
    state: Rc<NodeState>,
    mut dice: Dice,
) {
    loop {
        sleep(Duration::from_millis(dice.within(5, 120))).await;
        let (member, position) = {
            let acknowledged = world.acknowledged.borrow();
            let Some(newest) = acknowledged.len().checked_sub(1) else { continue };
            let (planned, position) = acknowledged[newest - dice.below(newest.min(10) + 1)];
            (world.planned(planned).event.member.clone(), position)
        };
        let after = if dice.chance(400) { position } else { 0 };
        let (started, pauses) = (Instant::now(), state.pauses.get());
        let answer = router.member(&member, true, (after > 0).then_some(after)).await;
        let undisturbed = state.pauses.get() == pauses;
        let partition = partition_of(&member, world.scenario.partitions);
        let epoch = partitions[usize::from(partition.0)].status().epoch;
        let asked = Asked {
            partition,
            owned: world.servers.borrow().auditor.owns(partition, epoch),
            member,
            after,
            took_ms: undisturbed.then(|| started.elapsed().as_millis() as u64),
            answer: answer.ok().map(|answer| (answer.source, answer.snapshot)),
        };
        world.note(format_args!(
            "query of {} after {after}: {:?} at {:?}",
            asked.member,
            asked.answer.as_ref().map(|(source, _)| source.name()),
            asked
                .answer
                .as_ref()
                .and_then(|(_, snapshot)| snapshot.as_ref())
                .map(|snapshot| snapshot.position)
        ));
        world.asked.borrow_mut().push(asked);
    }
}

/// An aggregates actor over what the store has, for the end of a world.
pub fn aggregates_of(
    ports: &Ports,
    aggregates: Aggregates,
) -> (Addr<AggregatesActor>, Arc<RwLock<Aggregates>>) {
    let aggregates = Arc::new(RwLock::new(aggregates));
    (AggregatesActor::new(aggregates.clone(), ports.clone(), NEVER, Arc::default()).start(), aggregates)
}
