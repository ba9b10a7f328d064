//! The nodes of a large cluster, and what lies between them.

use super::{Sizing, Stage};
use nearline_actors::EngineSettings;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::control::assignment::NodeId;
use nearline_model::control::ownership::{
    Action, BEATS_PER_LEASE, Beat, Input, Millis, Ownership, OwnershipSettings, SumsRole,
};
use nearline_model::identifier::OwnerEpoch;
use nearline_ports::Announcement;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

/// Between two ticks of a node.
const TICK: Millis = Millis(25);
/// Leases within which the cluster must have settled.
const PATIENCE: u64 = 10;
/// A position as long as those of a log that has run for a while.
const POSITION: Position = Position(1_000_000_000);

/// What arrives at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Arrival {
    /// The registry delivers to everybody.
    Beat(Box<Beat>),
    Withdrawn(NodeId),
    /// To a life of a node.
    Acquired(usize, u64, PartitionId, OwnerEpoch),
    Ended(usize, u64, PartitionId),
}

struct Node {
    machine: Ownership,
    life: u64,
    /// Time that steps took on this machine.
    thought: Duration,
    gone: bool,
}

/// All of it.
pub(super) struct Cluster {
    sizing: Sizing,
    now: Millis,
    nodes: BTreeMap<usize, Node>,
    lives: u64,
    epochs: Vec<OwnerEpoch>,
    /// Who folds each partition, and since when nobody does.
    owners: Vec<Result<usize, Millis>>,
    /// By time and order.
    arrivals: BinaryHeap<Reverse<(Millis, u64)>>,
    contents: BTreeMap<u64, Arrival>,
    order: u64,
    registry: BTreeMap<NodeId, Beat>,
    counted: Counted,
}

#[derive(Default, Clone)]
struct Counted {
    since: Millis,
    beats: u64,
    written: u64,
    delivered: u64,
    moved: usize,
    longest_gap: Millis,
}

fn name(node: usize) -> NodeId {
    NodeId::new(format!("nearline-{node}"))
}

impl Cluster {
    pub(super) fn new(sizing: Sizing) -> Self {
        let partitions = usize::from(sizing.partitions);
        Self {
            sizing,
            now: Millis::ZERO,
            nodes: BTreeMap::new(),
            lives: 0,
            epochs: vec![OwnerEpoch::NONE; partitions],
            owners: vec![Err(Millis::ZERO); partitions],
            arrivals: BinaryHeap::new(),
            contents: BTreeMap::new(),
            order: 0,
            registry: BTreeMap::new(),
            counted: Counted::default(),
        }
    }

    /// A process starts; it hears what the registry holds.
    pub(super) fn start(&mut self, node: usize) {
        self.lives += 1;
        let lease_ms = self.sizing.lease_ms;
        let settings = OwnershipSettings {
            partitions: self.sizing.partitions,
            lease_ms,
            beat_ms: Millis((lease_ms.0 / BEATS_PER_LEASE).max(1)),
            decline_ms: Millis(60_000),
            adding_nodes: EngineSettings::default().adding_nodes,
        };
        let machine = Ownership::new(name(node), self.lives, settings);
        self.nodes.insert(node, Node { machine, life: self.lives, thought: Duration::ZERO, gone: false });
        for beat in self.registry.clone().into_values() {
            self.give(node, Input::Heard(beat));
        }
    }

    /// A process ends without a word.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes.remove(&node);
        for owner in self.owners.iter_mut().filter(|owner| **owner == Ok(node)) {
            *owner = Err(self.now);
        }
    }

    /// A process is asked to go.
    pub(super) fn leave(&mut self, node: usize) {
        self.give(node, Input::Leave);
    }

    fn later(&mut self, after: Millis, arrival: Arrival) {
        self.order += 1;
        self.arrivals.push(Reverse((self.now + after, self.order)));
        self.contents.insert(self.order, arrival);
    }

    fn give(&mut self, to: usize, input: Input) {
        let Some(node) = self.nodes.get_mut(&to) else { return };
        let started = Instant::now();
        let actions = node.machine.step(self.now, input);
        node.thought += started.elapsed();
        let life = node.life;
        for action in actions {
            match action {
                Action::Announce(beat) => self.announce(beat),
                Action::Start(partition) => {
                    let epoch = &mut self.epochs[usize::from(partition.0)];
                    *epoch = epoch.next();
                    let acquired = Arrival::Acquired(to, life, partition, *epoch);
                    self.later(self.sizing.acquire_ms, acquired);
                }
                Action::Stop(partition) => {
                    // It folds no more from now on, and commits.
                    self.disown(to, partition);
                    self.later(self.sizing.commit_ms, Arrival::Ended(to, life, partition));
                }
                Action::Withdraw => {
                    self.registry.remove(&name(to));
                    self.nodes.get_mut(&to).expect("it acts").gone = true;
                    self.later(self.sizing.registry_ms, Arrival::Withdrawn(name(to)));
                }
                Action::Bury(dead, incarnation) => {
                    if self.registry.get(&dead).is_some_and(|beat| beat.incarnation == incarnation) {
                        self.registry.remove(&dead);
                        self.later(self.sizing.registry_ms, Arrival::Withdrawn(dead));
                    }
                }
            }
        }
    }

    fn announce(&mut self, beat: Beat) {
        let committed = beat.held.keys().map(|partition| (*partition, POSITION)).collect();
        let (address, log) = ("nearline-00.nearline:7700".to_owned(), "0123456789abcdef".to_owned());
        let said = Announcement { address, committed, log, beat };
        let bytes = serde_json::to_vec(&said).expect("an announcement is plain data").len() as u64;
        self.counted.beats += 1;
        self.counted.written += bytes;
        self.counted.delivered += bytes * self.nodes.len() as u64;
        self.registry.insert(said.beat.node.clone(), said.beat.clone());
        self.later(self.sizing.registry_ms, Arrival::Beat(Box::new(said.beat)));
    }

    fn disown(&mut self, node: usize, partition: PartitionId) {
        let owner = &mut self.owners[usize::from(partition.0)];
        if *owner == Ok(node) {
            *owner = Err(self.now);
        }
    }

    fn own(&mut self, node: usize, partition: PartitionId, epoch: OwnerEpoch) {
        // Fenced meanwhile: its first commit would be refused.
        if self.epochs[usize::from(partition.0)] != epoch {
            return;
        }
        let owner = &mut self.owners[usize::from(partition.0)];
        if let Err(since) = *owner {
            self.counted.longest_gap = self.counted.longest_gap.max(self.now.since(since));
        }
        *owner = Ok(node);
        self.counted.moved += 1;
    }

    fn arrive(&mut self, arrival: Arrival) {
        let is_alive = |nodes: &BTreeMap<usize, Node>, node, life| {
            nodes.get(&node).is_some_and(|node: &Node| node.life == life)
        };
        match arrival {
            Arrival::Beat(beat) => {
                for node in self.nodes.keys().copied().collect::<Vec<_>>() {
                    self.give(node, Input::Heard((*beat).clone()));
                }
            }
            Arrival::Withdrawn(gone) => {
                for node in self.nodes.keys().copied().collect::<Vec<_>>() {
                    self.give(node, Input::Withdrawn(gone.clone()));
                }
            }
            Arrival::Acquired(node, life, partition, epoch) if is_alive(&self.nodes, node, life) => {
                self.own(node, partition, epoch);
                self.give(node, Input::Acquired(partition, epoch));
            }
            Arrival::Ended(node, life, partition) if is_alive(&self.nodes, node, life) => {
                self.give(node, Input::Ended(partition));
            }
            Arrival::Acquired(..) | Arrival::Ended(..) => {}
        }
    }

    /// Lets a millisecond pass.
    fn pass(&mut self) {
        self.now += Millis(1);
        while let Some(&Reverse((at, order))) = self.arrivals.peek()
            && at <= self.now
        {
            self.arrivals.pop();
            let arrival = self.contents.remove(&order).expect("it is under way");
            self.arrive(arrival);
        }
        // Their ticks are spread.
        let due = |node: &usize| (self.now.0 + *node as u64).is_multiple_of(TICK.0);
        for node in self.nodes.keys().copied().filter(due).collect::<Vec<_>>() {
            self.give(node, Input::Tick);
        }
        self.nodes.retain(|_, node| !node.gone);
    }

    fn is_settled(&self) -> bool {
        let mut owned = (0..self.sizing.partitions).map(PartitionId).zip(&self.owners);
        self.nodes.values().all(|node| node.machine.is_settled() && !node.machine.is_leaving())
            && owned.all(|(partition, owner)| {
                let Ok(owner) = owner else { return false };
                self.nodes.values().all(|node| node.machine.owner_of(partition) == Some(&name(*owner)))
            })
    }

    /// What comes of a change, once all is settled.
    pub(super) fn stage(&mut self, what: &str, change: impl FnOnce(&mut Self)) -> Result<Stage, String> {
        self.begin();
        change(self);
        let deadline = self.now + self.sizing.lease_ms.times(PATIENCE);
        // One step at least: what was changed has not been heard of.
        self.pass();
        while !self.is_settled() {
            if self.now > deadline {
                return Err(format!("{what}: not settled after {PATIENCE} leases"));
            }
            self.pass();
        }
        Ok(self.end(what))
    }

    /// What a quiet time takes.
    pub(super) fn quiet(&mut self, time: Duration) -> Result<Stage, String> {
        self.begin();
        for _ in 0..time.as_millis() {
            self.pass();
        }
        match self.is_settled() {
            true => Ok(Stage { settled_ms: Millis::ZERO, ..self.end("nothing, for ten seconds") }),
            false => Err("partitions moved though nothing happened".to_owned()),
        }
    }

    fn begin(&mut self) {
        self.counted = Counted { since: self.now, ..Counted::default() };
        self.nodes.values_mut().for_each(|node| node.thought = Duration::ZERO);
    }

    fn end(&self, what: &str) -> Stage {
        let counted = &self.counted;
        let ms = self.now.since(counted.since).max(Millis(1));
        let held = |node: &Node| node.machine.held().count();
        let roles = |role| self.nodes.values().filter(|node| node.machine.sums_role() == Some(role)).count();
        let thought: Duration = self.nodes.values().map(|node| node.thought).sum();
        let each = thought.as_secs_f64() / self.nodes.len().max(1) as f64;
        Stage {
            what: what.to_owned(),
            settled_ms: ms,
            moved: counted.moved,
            longest_gap_ms: counted.longest_gap,
            held: (
                self.nodes.values().map(held).min().unwrap_or_default(),
                self.nodes.values().map(held).max().unwrap_or_default(),
            ),
            keeps_and_adds: (roles(SumsRole::Keeps), roles(SumsRole::Adds)),
            beats: counted.beats,
            written_bytes: counted.written,
            delivered_bytes: counted.delivered,
            node_cpu_ms: each * 1_000.0,
        }
    }
}
