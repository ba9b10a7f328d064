//! The play: nodes are started, faults happen, publishers publish, and all is judged in the end.

mod ban;
mod breaking;
mod damage;

use super::Violation;
use super::answers::closing::not_learned;
use super::long;
use super::mutation::Mutation;
use super::network::{Weather, carry};
use super::node::{Node, Run};
use super::quiet::{ViolationCounter, quietly};
use super::scenario::Scenario;
use super::servers::Servers;
use super::trace::Trace;
use super::world::{World, runs_under};
use super::{oracle, publisher};
use nearline_actors::PartitionState;
use nearline_audience::dice::Dice;
use nearline_model::PartitionId;
use parking_lot::Mutex;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

/// Virtual time within which everything is folded and committed once faults are over.
const RECOVERY: Duration = Duration::from_secs(20);

/// A world and the nodes in it.
struct Play {
    world: Rc<World>,
    nodes: RefCell<Vec<Node>>,
    /// Whether the faults are over.
    is_calm: Cell<bool>,
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
    /// Answers judged.
    pub answers: u64,
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
    long::stretch(&mut scenario, seed);
    if mutation == Some(Mutation::ForgetRecentIds) {
        scenario.recent_ids = 1;
    }
    if mutation == Some(Mutation::BelieveEveryStamp) {
        scenario.clock_jump_seconds = u32::MAX;
    }
    if mutation == Some(Mutation::StarveKnownTitles) {
        scenario.counted_titles = 4;
    }
    let dice = Dice::new(seed).fork(10);
    let trace = Arc::new(Mutex::new(Trace::new(keep_trace)));
    let servers = Servers::new(&scenario, mutation, trace.clone(), dice.fork(1));
    let servers = Rc::new(RefCell::new(servers));
    let (network, calls) = mpsc::unbounded_channel();
    let weather = Weather::of(scenario.trouble_per_mille, scenario.slow_per_mille);
    let weather = Rc::new(RefCell::new(weather));
    spawn_local(carry(calls, weather.clone(), servers.clone(), dice.fork(2)));
    servers.borrow_mut().catalogue.put(scenario.catalogue.first.clone());
    let world = World::new(scenario, dice, servers, network, weather, trace.clone());
    let play = Rc::new(Play { world: Rc::new(world), nodes: RefCell::default(), is_calm: Cell::new(false) });
    let world = &play.world;
    let nodes = (0..world.scenario.nodes).map(|number| Node::start(world, number, 0)).collect();
    *play.nodes.borrow_mut() = nodes;
    spawn_local(start_what_ended(play.clone(), world.dice.fork(3)));
    let publishers = publisher::start_all(world, &world.dice.fork(4));
    play.break_things().await;
    play.calm_down();
    play.banned_node_gives_way().await;
    play.others_go_on().await;
    if !publishers.await {
        world.violated("I1", "publishers are not served after the faults are over".to_owned());
    }
    if play.recovered().await {
        oracle::judge(world).await;
    }
    let mut trace = trace.lock();
    let mut servers = world.servers.borrow_mut();
    let mut violations = std::mem::take(&mut servers.auditor.violations);
    violations.append(&mut world.take_violations());
    SeedOutcome {
        seed,
        violations,
        trace_hash: trace.hash(),
        trace: trace.take_lines(),
        steps: trace.steps(),
        acknowledged: world.acknowledged.borrow().len() as u64,
        commits: servers.auditor.commits,
        queries: world.asked.borrow().len() as u64,
        answers: world.answers.get(),
    }
}

impl Play {
    /// Waits until every partition's log is committed to its end, one node runs it, and every node has
    /// learned all of it; false if that takes too long.
    async fn recovered(&self) -> bool {
        let deadline = Instant::now() + RECOVERY;
        while let Some((invariant, what)) = self.missing() {
            if Instant::now() > deadline {
                self.world.violated(invariant, format!("{what}, {RECOVERY:?} after the last fault"));
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// What is still to come until everything is as it should be.
    fn missing(&self) -> Option<(&'static str, String)> {
        let world = &self.world;
        let servers = world.servers.borrow();
        let engines = world.engines.borrow();
        for partition in (0..world.scenario.partitions).map(PartitionId) {
            let end = servers.log.last(partition);
            if servers.store.row(partition).position != end {
                return Some(("I5", format!("{partition} is not committed to its end")));
            }
            let (mut runs, mut live) = (0, 0);
            for (number, engine) in engines.iter().enumerate() {
                let Some(engine) = engine else {
                    return Some(("I5", format!("node {number} has not started")));
                };
                let status = &engine.partitions()[usize::from(partition.0)];
                runs += u32::from(runs_under(status).is_some());
                live += u32::from(status.state == PartitionState::Live);
                if engine.aggregates().read().position(partition) != end {
                    return Some(("I2", format!("node {number} has not learned all of {partition}")));
                }
            }
            if (runs, live) != (1, 1) {
                return Some(("I5", format!("{partition} runs on {runs} nodes, {live} of them live")));
            }
        }
        for (number, engine) in engines.iter().flatten().enumerate() {
            if let Some(what) = not_learned(engine, &servers) {
                return Some(("I2", format!("node {number} {what}")));
            }
        }
        None
    }
}

/// What an operator's platform does: a node that ended by itself is started again.
async fn start_what_ended(play: Rc<Play>, mut dice: Dice) {
    for life in 100.. {
        sleep(Duration::from_millis(dice.within(5, 80))).await;
        let ended =
            (0..play.world.scenario.nodes).find(|node| play.nodes.borrow()[*node].run() == Run::Exited);
        if let Some(node) = ended {
            sleep(Duration::from_millis(dice.within(0, 300))).await;
            play.start_again(node, life);
        }
    }
}
