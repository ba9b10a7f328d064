//! A node: the product's engine, on adapters that fail.
//!
//! Its tasks live in a set of their own: killing the node drops them all wherever they stand, and a
//! paused node's tasks are not run, as after SIGSTOP.

use super::answers::keep_asking;
use super::asked::Asked;
use super::network::Caller;
use super::scenario::{POISON, QUERY_DEADLINE_MS, Scenario};
use super::servers::log::IDENTITY;
use super::world::World;
use actix::{Actor, Addr};
use nearline_actors::aggregates_actor::{AggregatesActor, SharedRole};
use nearline_actors::{AnswerSettings, Engine, EngineSettings, FactSettings, FaultProbe, Threads};
use nearline_audience::dice::Dice;
use nearline_model::Aggregates;
use nearline_model::Position;
use nearline_model::control::ownership::SumsRole;
use nearline_model::control::remediation::RemediationSettings;
use nearline_model::identifier::partition_of;
use nearline_ports::Ports;
use parking_lot::{Mutex, RwLock};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

/// Snapshots that nobody asks for are not taken at the end of a world.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// Whether a node's tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// They do.
    Running,
    /// They stand still.
    Paused,
    /// There are none any more: it was killed.
    Killed,
    /// There are none any more: it ended by itself, asked to or because it could not help itself.
    Exited,
}

/// What world and node share.
pub struct NodeState {
    run: Cell<Run>,
    waker: RefCell<Option<Waker>>,
    /// How often the node was paused.
    pauses: Cell<u64>,
    leave: Notify,
}

/// A running node.
pub struct Node {
    /// What it shares.
    pub state: Rc<NodeState>,
}

/// Titles that a fact spells out.
pub const FACT_TITLES: usize = 3;

/// The engine's settings in this scenario.
fn settings(scenario: &Scenario, number: usize, fault_probe: FaultProbe) -> EngineSettings {
    EngineSettings {
        threads: Threads::Here,
        node: format!("n{number}"),
        lease_ms: scenario.lease_ms,
        snapshot_interval_ms: scenario.snapshot_interval_ms,
        adding_nodes: scenario.adding_nodes,
        fold: scenario.fold(),
        aggregates: scenario.aggregates(),
        commit_events: scenario.commit_events,
        commit_interval_ms: scenario.commit_interval_ms,
        cached_members: scenario.cached_members,
        batch_events: scenario.batch_events,
        facts: FactSettings {
            capture: scenario.captures_facts,
            titles: FACT_TITLES,
            ..FactSettings::default()
        },
        query_deadline_ms: QUERY_DEADLINE_MS,
        remediation: RemediationSettings {
            restart_backoff_max_ms: 200,
            node_rebuilds: scenario.node_rebuilds,
            node_window_ms: scenario.node_window_ms,
            ..RemediationSettings::default()
        },
        solved_titles: scenario.solved_titles,
        catalogue_wait_ms: scenario.catalogue_wait_ms,
        answers: AnswerSettings { ranking: scenario.ranking(), ..AnswerSettings::default() },
        fault_probe: Some(fault_probe),
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
            leave: Notify::new(),
        });
        let dice = world.dice.fork(1_000 + number as u64 * 1_000 + life);
        let tasks = LocalSet::new();
        tasks.spawn_local(live(world.clone(), number, life, state.clone(), dice));
        spawn_local(drive(world.clone(), number, tasks, state.clone()));
        Self { state }
    }

    /// Asks it to hand everything over and end, as SIGTERM does.
    pub fn terminate(&self) {
        self.state.leave.notify_one();
    }

    /// What its tasks do.
    pub fn run(&self) -> Run {
        self.state.run.get()
    }

    /// Lets its tasks run, stand still or end.
    pub fn set_run(&self, run: Run) {
        self.state.set_run(run);
    }
}

impl NodeState {
    fn set_run(&self, run: Run) {
        if matches!(self.run.get(), Run::Running | Run::Paused) {
            self.run.set(run);
            self.pauses.update(|pauses| pauses + 1);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

async fn drive(world: Rc<World>, number: usize, mut tasks: LocalSet, state: Rc<NodeState>) {
    poll_fn(|context| {
        state.waker.replace(Some(context.waker().clone()));
        match state.run.get() {
            Run::Killed | Run::Exited => Poll::Ready(()),
            Run::Paused => Poll::Pending,
            Run::Running => Pin::new(&mut tasks).poll(context),
        }
    })
    .await;
    world.engines.borrow_mut()[number] = None;
}

async fn live(world: Rc<World>, number: usize, life: u64, state: Rc<NodeState>, dice: Dice) {
    let replacements = || world.servers.borrow().log.replacements();
    let before = replacements();
    let ports = world.ports(Caller::Node(number));
    if ports.log.identity() != IDENTITY {
        world.follow_another.borrow_mut().insert(number);
    }
    let settings = settings(&world.scenario, number, panicking_probe(&world, dice.fork(2)));
    let engine = loop {
        match Engine::start(ports.clone(), settings.clone()).await {
            Ok(engine) => break engine,
            Err(error) if error.is_transient() => sleep(Duration::from_millis(20)).await,
            // The process ends, and is started anew. An answer may be of a log that has gone again meanwhile.
            Err(_)
                if world.servers.borrow().log.identity() != ports.log.identity()
                    || replacements() != before =>
            {
                world.note(format_args!("node {number} does not start on another log"));
                return state.set_run(Run::Exited);
            }
            Err(error) => return world.violated("I2", format!("node {number} does not start: {error}")),
        }
    };
    world.engines.borrow_mut()[number] = Some(engine.clone());
    spawn_local(ask(world.clone(), number, engine.clone(), state.clone(), dice.fork(3)));
    let (paused, asking) = (state.clone(), dice.fork(4));
    let place = (number, life);
    spawn_local(keep_asking(world.clone(), engine.clone(), place, move || paused.pauses.get(), asking));
    tokio::select! {
        biased;
        () = state.leave.notified() => {}
        reason = engine.exit_demanded() => world.note(format_args!("node {number} gives up: {reason}")),
    }
    engine.stop().await;
    world.note(format_args!("node {number} has ended"));
    state.set_run(Run::Exited);
}

/// Asks for members, one query at a time, often insisting on a position that was acknowledged.
async fn ask(world: Rc<World>, number: usize, engine: Engine, state: Rc<NodeState>, mut dice: Dice) {
    loop {
        sleep(Duration::from_millis(dice.within(5, 120))).await;
        let Some((member, position)) = world.recently_acknowledged(&mut dice) else { continue };
        let after = if dice.chance(400) { position } else { Position::START };
        let partition = partition_of(&member, world.scenario.partitions);
        let (started, pauses, owner) = (Instant::now(), state.pauses.get(), world.sole_owner(partition));
        let quarantine = world.servers.borrow().store.row(partition).troubles.quarantine.clone();
        let answer = engine.member(&member, true, (!after.is_start()).then_some(after)).await;
        if let Err(not_reached) = &answer {
            world.judge_not_reached(number, not_reached);
        }
        let undisturbed = state.pauses.get() == pauses;
        let asked = Asked {
            partition,
            owned: owner.is_some() && owner == world.sole_owner(partition),
            member,
            after,
            took_ms: undisturbed.then(|| started.elapsed().as_millis() as u64),
            quarantine,
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
    let actor = AggregatesActor::new(
        aggregates.clone(),
        ports.clone(),
        Threads::Here,
        NEVER,
        SharedRole::new(SumsRole::Adds),
    );
    (actor.start(), aggregates)
}
