//! One world: servers, network, nodes and publishers on one thread, in virtual time.

use super::Violation;
use super::mutation::Mutation;
use super::network::{Caller, Envelope, Server, Weather, carry};
use super::node::{Asked, Node, Run, ports};
use super::quiet::{ViolationCounter, quietly};
use super::scenario::{CALM_MS, Fault, Planned, Scenario};
use super::servers::Servers;
use super::trace::{MOST_STEPS, Trace};
use super::{oracle, publisher};
use nearline_audience::dice::Dice;
use nearline_model::{PartitionId, Position};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};

/// Virtual time within which everything is folded and committed once faults are over.
const RECOVERY: Duration = Duration::from_secs(20);

/// A planned event: publisher and place in its plan.
pub type PlannedAt = (usize, usize);

/// Everything of one world.
pub struct World {
    /// What it is.
    pub scenario: Scenario,
    /// Where all its randomness comes from.
    pub dice: Dice,
    /// The servers.
    pub servers: Rc<RefCell<Servers>>,
    /// The way to them.
    pub network: mpsc::UnboundedSender<Envelope>,
    /// What the network does now.
    pub weather: Rc<RefCell<Weather>>,
    /// The nodes.
    pub nodes: RefCell<Vec<Node>>,
    /// Panics while folding, in a thousand records.
    pub panic_per_mille: Arc<AtomicU64>,
    /// Panics while folding, by position.
    pub panics: Arc<Mutex<HashMap<Position, u32>>>,
    /// Events acknowledged, with their positions.
    pub acknowledged: RefCell<Vec<(PlannedAt, Position)>>,
    /// Queries and their answers.
    pub asked: RefCell<Vec<Asked>>,
    /// When it began.
    pub started: Instant,
    trace: Arc<Mutex<Trace>>,
    violations: RefCell<Vec<Violation>>,
}

/// What became of a seed.
#[derive(Debug, Clone, Default)]
pub struct SeedOutcome {
    /// The seed.
    pub seed: u64,
    /// What did not hold; empty: everything did.
    pub violations: Vec<Violation>,
    /// Hash of everything that happened: the same for the same seed.
    pub trace_hash: u64,
    /// Everything that happened, if asked for.
    pub trace: Vec<String>,
    /// Steps taken.
    pub steps: u64,
    /// Events acknowledged.
    pub acknowledged: u64,
    /// Commits carried out.
    pub commits: u64,
    /// Queries answered.
    pub queries: u64,
}

/// Runs the world of `seed`, with a planted bug if there is one.
pub fn simulate(seed: u64, mutation: Option<Mutation>, keep_trace: bool) -> SeedOutcome {
    let counter = ViolationCounter::default();
    let run = || quietly(|| metrics::with_local_recorder(&counter, || run(seed, mutation, keep_trace)));
    let mut outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = format!("the world ended in a panic: {}", text.unwrap_or_default());
        SeedOutcome { seed, violations: vec![Violation { invariant: "I5", what }], ..SeedOutcome::default() }
    });
    for invariant in counter.counted() {
        let invariant =
            ["I1", "I2", "I3", "I4", "I5", "I6", "I7"].into_iter().find(|name| *name == invariant);
        let what = "the product's own check did not hold".to_owned();
        outcome.violations.push(Violation { invariant: invariant.unwrap_or("I8"), what });
    }
    outcome
}

fn run(seed: u64, mutation: Option<Mutation>, keep_trace: bool) -> SeedOutcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime with timers alone needs nothing of the system");
    let tasks = LocalSet::new();
    nearline_actors::retry::seed_jitter(Some(seed));
    let outcome = tasks.block_on(&runtime, play(seed, mutation, keep_trace));
    nearline_actors::retry::seed_jitter(None);
    outcome
}

async fn play(seed: u64, mutation: Option<Mutation>, keep_trace: bool) -> SeedOutcome {
    let mut scenario = Scenario::draw(seed);
    if mutation == Some(Mutation::ForgetRecentIds) {
        scenario.recent_ids = 1;
    }
    let dice = Dice::new(seed).fork(10);
    let trace = Arc::new(Mutex::new(Trace::new(keep_trace)));
    let servers = Servers::new(&scenario, mutation, trace.clone(), dice.fork(1));
    let servers = Rc::new(RefCell::new(servers));
    let (network, calls) = mpsc::unbounded_channel();
    let weather = Weather::of(scenario.trouble_per_mille, scenario.slow_per_mille);
    let weather = Rc::new(RefCell::new(weather));
    spawn_local(carry(calls, weather.clone(), servers.clone(), dice.fork(2)));
    let world = Rc::new(World {
        panic_per_mille: Arc::new(AtomicU64::new(scenario.panic_per_mille)),
        scenario,
        dice,
        servers,
        network,
        weather,
        nodes: RefCell::default(),
        panics: Arc::default(),
        acknowledged: RefCell::default(),
        asked: RefCell::default(),
        started: Instant::now(),
        trace: trace.clone(),
        violations: RefCell::default(),
    });
    let nodes = (0..world.scenario.nodes).map(|number| Node::start(&world, number, 0)).collect();
    *world.nodes.borrow_mut() = nodes;
    spawn_local(start_what_ended(world.clone(), world.dice.fork(3)));
    let publishers = publisher::start_all(&world, &world.dice.fork(4));
    world.break_things().await;
    world.calm_down();
    if !publishers.await {
        world.violated("I1", "publishers are not served after the faults are over".to_owned());
    }
    if world.recovered().await {
        oracle::judge(&world).await;
    }
    let mut trace = trace.lock();
    let mut servers = world.servers.borrow_mut();
    let mut violations = std::mem::take(&mut servers.auditor.violations);
    violations.append(&mut world.violations.borrow_mut());
    SeedOutcome {
        seed,
        violations,
        trace_hash: trace.hash(),
        trace: trace.take_lines(),
        steps: trace.steps(),
        acknowledged: world.acknowledged.borrow().len() as u64,
        commits: servers.auditor.commits,
        queries: world.asked.borrow().len() as u64,
    }
}

impl World {
    /// A planned event.
    pub fn planned(&self, (publisher, event): PlannedAt) -> &Planned {
        &self.scenario.publishers[publisher][event]
    }

    /// An invariant did not hold.
    pub fn violated(&self, invariant: &'static str, what: String) {
        self.note(format_args!("VIOLATED {invariant}: {what}"));
        self.violations.borrow_mut().push(Violation { invariant, what });
    }

    /// Notes a step.
    pub fn note(&self, step: std::fmt::Arguments<'_>) {
        let mut trace = self.trace.lock();
        trace.note(step);
        assert!(trace.steps() < MOST_STEPS, "the world goes round in circles");
    }

    /// Lets every fault happen at its time.
    async fn break_things(self: &Rc<Self>) {
        for (life, (at_ms, fault)) in (1..).zip(&self.scenario.faults) {
            sleep_until(self.started + Duration::from_millis(*at_ms)).await;
            self.note(format_args!("fault: {fault:?}"));
            self.break_one(*fault, life);
        }
        sleep_until(self.started + Duration::from_millis(CALM_MS)).await;
    }

    fn break_one(self: &Rc<Self>, fault: Fault, life: u64) {
        match fault {
            Fault::Kill { node, down_ms } => {
                self.nodes.borrow()[node].set_run(Run::Killed);
                let world = self.clone();
                spawn_local(async move {
                    sleep(Duration::from_millis(down_ms)).await;
                    world.start_again(node, life);
                });
            }
            Fault::Pause { node, for_ms } => {
                self.nodes.borrow()[node].set_run(Run::Paused);
                let world = self.clone();
                spawn_local(async move {
                    sleep(Duration::from_millis(for_ms)).await;
                    world.nodes.borrow()[node].set_run(Run::Running);
                });
            }
            Fault::Terminate { node } => self.nodes.borrow()[node].terminate(),
            Fault::Usurp { partition } => {
                let store = ports(self, Caller::Publisher).store;
                let settings = serde_json::to_string(&self.scenario.fold()).expect("plain numbers");
                spawn_local(async move {
                    // Whether it succeeds or not, the owner has to cope.
                    let _outcome = store.acquire(PartitionId(partition), &settings).await;
                });
            }
            Fault::Outage { server, for_ms } => self.weather.borrow_mut().take_down(server, for_ms),
            Fault::Cut { node, server, for_ms } => {
                self.weather.borrow_mut().cut(Caller::Node(node), server, for_ms);
            }
            Fault::BackUp => {
                let mut servers = self.servers.borrow_mut();
                servers.store.back_up();
                servers.auditor.backed_up();
            }
            Fault::RollBack => {
                let mut servers = self.servers.borrow_mut();
                if servers.store.roll_back() {
                    self.weather.borrow_mut().restart(Server::Store);
                    servers.auditor.rolled_back();
                }
            }
        }
    }

    /// The epoch of the one node that runs the partition, if it is the current owner's on a store that was
    /// not rolled back since.
    pub fn sole_owner(&self, partition: PartitionId) -> Option<u64> {
        let nodes = self.nodes.borrow();
        let mut running = nodes.iter().filter_map(|node| node.runs(partition));
        let epoch = running.next().filter(|_| running.next().is_none())?;
        self.servers.borrow().auditor.owns(partition, epoch).then_some(epoch)
    }

    fn start_again(self: &Rc<Self>, node: usize, life: u64) {
        let ended = matches!(self.nodes.borrow()[node].run(), Run::Killed | Run::Exited);
        if ended {
            self.note(format_args!("node {node} starts again"));
            let again = Node::start(self, node, life);
            self.nodes.borrow_mut()[node] = again;
        }
    }

    /// Nothing breaks any more.
    fn calm_down(self: &Rc<Self>) {
        self.note(format_args!("calm"));
        self.weather.borrow_mut().clear_up();
        self.servers.borrow_mut().fault_per_mille = 0;
        self.panic_per_mille.store(0, Relaxed);
        for node in 0..self.scenario.nodes {
            self.start_again(node, 90 + node as u64);
            self.nodes.borrow()[node].set_run(Run::Running);
        }
    }

    /// Waits until every partition's log is committed to its end, one node runs it, and every node has
    /// learned all of it; false if that takes too long.
    async fn recovered(&self) -> bool {
        let deadline = Instant::now() + RECOVERY;
        while let Some((invariant, what)) = self.missing() {
            if Instant::now() > deadline {
                self.violated(invariant, format!("{what}, {RECOVERY:?} after the last fault"));
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// What is still to come until everything is as it should be.
    fn missing(&self) -> Option<(&'static str, String)> {
        let servers = self.servers.borrow();
        let nodes = self.nodes.borrow();
        for partition in (0..self.scenario.partitions).map(PartitionId) {
            let end = servers.log.last(partition);
            if servers.store.row(partition).position != end {
                return Some(("I5", format!("{partition} is not committed to its end")));
            }
            let (mut runs, mut live) = (0, 0);
            for (number, node) in nodes.iter().enumerate() {
                let engine = node.state.engine.borrow();
                let Some(engine) = engine.as_ref() else {
                    return Some(("I5", format!("node {number} has not started")));
                };
                runs += u32::from(node.runs(partition).is_some());
                live += u32::from(
                    engine.partitions()[usize::from(partition.0)].state
                        == nearline_actors::PartitionState::Live,
                );
                if engine.aggregates().read().position(partition) != end {
                    return Some(("I2", format!("node {number} has not learned all of {partition}")));
                }
            }
            if (runs, live) != (1, 1) {
                return Some(("I5", format!("{partition} runs on {runs} nodes, {live} of them live")));
            }
        }
        None
    }
}

/// What an operator's platform does: a node that ended by itself is started again.
async fn start_what_ended(world: Rc<World>, mut dice: Dice) {
    for life in 100.. {
        sleep(Duration::from_millis(dice.within(5, 80))).await;
        let ended = (0..world.scenario.nodes).find(|node| world.nodes.borrow()[*node].run() == Run::Exited);
        if let Some(node) = ended {
            sleep(Duration::from_millis(dice.within(0, 300))).await;
            world.start_again(node, life);
        }
    }
}
