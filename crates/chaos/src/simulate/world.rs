//! One world: servers, network, nodes and publishers on one thread, in virtual time.

use super::Violation;
use super::adapters::connect;
use super::answers::states::States;
use super::asked::Asked;
use super::network::{Caller, Envelope, Link, Weather};
use super::scenario::{Planned, Scenario};
use super::servers::Servers;
use super::trace::{MOST_STEPS, Trace};
use nearline_actors::{Engine, NotReached, PartitionState, PartitionStatus};
use nearline_audience::dice::Dice;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::{PartitionId, Position};
use nearline_ports::Ports;
use parking_lot::Mutex;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::mpsc;
use tokio::time::Instant;

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
    pub network: mpsc::UnboundedSender<Envelope<Servers>>,
    /// What the network does now.
    pub weather: Rc<RefCell<Weather>>,
    /// Engines that have started, by the number of their node.
    pub engines: RefCell<Vec<Option<Engine>>>,
    /// Panics while folding, in a thousand records.
    pub panic_per_mille: Arc<AtomicU64>,
    /// Panics while folding, by position.
    pub panics: Arc<Mutex<HashMap<Position, u32>>>,
    /// Events acknowledged, with their positions.
    pub acknowledged: RefCell<Vec<(PlannedAt, Position)>>,
    /// Queries and their answers.
    pub asked: RefCell<Vec<Asked>>,
    /// Answers given to callers.
    pub answers: Cell<u64>,
    /// What members' states were.
    pub states: RefCell<States>,
    /// Nodes that were started while another log was in the place of theirs.
    pub follow_another: RefCell<BTreeSet<usize>>,
    /// When it began.
    pub started: Instant,
    trace: Arc<Mutex<Trace>>,
    violations: RefCell<Vec<Violation>>,
}

impl World {
    /// A world that begins now.
    pub fn new(
        scenario: Scenario,
        dice: Dice,
        servers: Rc<RefCell<Servers>>,
        network: mpsc::UnboundedSender<Envelope<Servers>>,
        weather: Rc<RefCell<Weather>>,
        trace: Arc<Mutex<Trace>>,
    ) -> Self {
        let states = States::new(scenario.partitions, scenario.fold());
        Self {
            panic_per_mille: Arc::new(AtomicU64::new(scenario.panic_per_mille)),
            engines: RefCell::new(vec![None; scenario.nodes]),
            scenario,
            dice,
            servers,
            network,
            weather,
            panics: Arc::default(),
            acknowledged: RefCell::default(),
            asked: RefCell::default(),
            answers: Cell::default(),
            states: RefCell::new(states),
            follow_another: RefCell::default(),
            started: Instant::now(),
            trace,
            violations: RefCell::default(),
        }
    }

    /// Ports of one caller.
    pub fn ports(&self, caller: Caller) -> Ports {
        connect(&self.servers.borrow(), |server| Link::new(&self.network, caller, server))
    }

    /// What did not hold.
    pub fn take_violations(&self) -> Vec<Violation> {
        std::mem::take(&mut *self.violations.borrow_mut())
    }

    /// A planned event.
    pub fn planned(&self, (publisher, event): PlannedAt) -> &Planned {
        &self.scenario.publishers[publisher][event]
    }

    /// The member and the position of one of the events acknowledged last; `None`: there is none yet.
    pub fn recently_acknowledged(&self, dice: &mut Dice) -> Option<(String, Position)> {
        let acknowledged = self.acknowledged.borrow();
        let newest = acknowledged.len().checked_sub(1)?;
        let (planned, position) = acknowledged[newest - dice.below(newest.min(10) + 1)];
        Some((self.planned(planned).event.member.clone(), position))
    }

    /// An invariant did not hold.
    pub fn violated(&self, invariant: &'static str, what: String) {
        self.note(format_args!("VIOLATED {invariant}: {what}"));
        self.violations.borrow_mut().push(Violation { invariant, what });
    }

    /// An answer says that the log ends before a position that it acknowledged, on a node that follows this log.
    pub fn judge_not_reached(&self, node: usize, not_reached: &NotReached) {
        let NotReached { wanted, log_end, .. } = *not_reached;
        let is_wrong =
            log_end.is_some_and(|end| end < wanted) && !self.follow_another.borrow().contains(&node);
        if is_wrong {
            let what = format!("node {node} says that the log ends at {log_end:?}, it acknowledged {wanted}");
            self.violated("I7", what);
        }
    }

    /// Notes a step.
    pub fn note(&self, step: std::fmt::Arguments<'_>) {
        let mut trace = self.trace.lock();
        trace.note(step);
        assert!(trace.steps() < MOST_STEPS, "the world goes round in circles");
    }

    /// The epoch of the one node that runs the partition, if it is the current owner's on a store that was
    /// not rolled back since.
    pub fn sole_owner(&self, partition: PartitionId) -> Option<OwnerEpoch> {
        let engines = self.engines.borrow();
        let mut running = engines
            .iter()
            .flatten()
            .filter_map(|engine| runs_under(&engine.partitions()[usize::from(partition.0)]));
        let epoch = running.next().filter(|_| running.next().is_none())?;
        self.servers.borrow().auditor.owns(partition, epoch).then_some(epoch)
    }
}

/// The epoch under which a node runs a partition; `None`: it does not, as far as it knows.
pub fn runs_under(status: &PartitionStatus) -> Option<OwnerEpoch> {
    (status.epoch.is_given() && ![PartitionState::Elsewhere, PartitionState::Stopped].contains(&status.state))
        .then_some(status.epoch)
}
