//! Nodes, the registry that orders their beats, and the store.

use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::control::assignment::NodeId;
use nearline_model::control::ownership::{Action, Beat, Input, Millis, Ownership, OwnershipSettings};
use nearline_model::identifier::OwnerEpoch;
use std::collections::{BTreeMap, BTreeSet};

/// A beat every unit of time; a lease of two, the least: with one, every beat would be a late one.
pub const LEASE: Millis = Millis(2);
const BEAT: Millis = Millis(1);
/// A partition that was given away is not wanted back for this long.
const DECLINE: Millis = LEASE.times(2);
/// A clock jumps ahead by more than a lease.
const JUMP: Millis = Millis(LEASE.0 + 1);

/// How far the world is explored.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub nodes: usize,
    pub partitions: u16,
    /// Leases that each life of a node lasts.
    pub ticks: u64,
    /// Commits of each partition.
    pub commits: u64,
    /// Times that a partition is acquired.
    pub epochs: u64,
    /// Beats of each life of a node.
    pub beats: u64,
    /// Crashes, each with a restart; nodes that leave; clocks that jump.
    pub crashes: u8,
    pub leaves: u8,
    pub jumps: u8,
    /// Partitions that are given away.
    pub declines: u8,
}

/// What may happen next.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// A node's clock goes on by a beat: only where faults have ceased.
    Beat(usize),
    /// A node's clock goes on by a lease, the least that matters. A node whose clock stands still while others' go on is paused.
    Tick(usize),
    /// The registry delivers its next entry to a node.
    Deliver(usize),
    /// A node folds an event and sends a commit.
    Commit(usize, PartitionId),
    /// The store answers a request, any of those under way.
    Serve(Request),
    Crash(usize),
    Restart(usize),
    Leave(usize),
    Jump(usize),
    /// A partition fails on a node until it is given away.
    GiveAway(usize, PartitionId),
}

/// On its way to the store: also when the process that sent it has died since.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    Acquire { node: usize, life: u64, partition: PartitionId },
    Commit { node: usize, life: u64, partition: PartitionId, epoch: OwnerEpoch, expected: Position },
}

/// What the registry holds, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entry {
    Beat(Beat),
    Withdrawn(NodeId),
}

impl Entry {
    fn node(&self) -> &NodeId {
        match self {
            Self::Beat(beat) => &beat.node,
            Self::Withdrawn(node) => node,
        }
    }

    fn into_input(self) -> Input {
        match self {
            Self::Beat(beat) => Input::Heard(beat),
            Self::Withdrawn(node) => Input::Withdrawn(node),
        }
    }
}

/// A partition in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Row {
    pub epoch: OwnerEpoch,
    pub position: Position,
}

/// A partition that a process runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    pub epoch: OwnerEpoch,
    position: Position,
    committing: bool,
    pub stopping: bool,
}

/// One life of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Process {
    pub machine: Ownership,
    life: u64,
    now: Millis,
    ticks_left: u64,
    read: usize,
    /// Asked to stop before the store had answered.
    stop_when_acquired: BTreeSet<PartitionId>,
    pub runs: BTreeMap<PartitionId, Run>,
    /// Given away in this life.
    declines: BTreeSet<PartitionId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub nodes: Vec<Option<Process>>,
    lives: Vec<u64>,
    partitions: u16,
    ticks: u64,
    /// What some live process has not read yet, and the last word of each node before that.
    registry: Vec<Entry>,
    last_words: BTreeMap<NodeId, Entry>,
    pub store: Vec<Row>,
    requests: BTreeSet<Request>,
    crashes: u8,
    leaves: u8,
    jumps: u8,
    declines: u8,
    /// A commit of an older epoch succeeded.
    pub forked: bool,
    /// A commit was refused.
    pub fenced: bool,
}

fn name(node: usize) -> NodeId {
    NodeId::new(["a", "b", "c"][node])
}

impl World {
    pub fn new(bounds: &Bounds) -> Self {
        let mut world = Self {
            nodes: vec![None; bounds.nodes],
            lives: vec![0; bounds.nodes],
            partitions: bounds.partitions,
            ticks: bounds.ticks,
            registry: Vec::new(),
            last_words: BTreeMap::new(),
            store: vec![Row::default(); usize::from(bounds.partitions)],
            requests: BTreeSet::new(),
            crashes: bounds.crashes,
            leaves: bounds.leaves,
            jumps: bounds.jumps,
            declines: bounds.declines,
            forked: false,
            fenced: false,
        };
        (0..bounds.nodes).for_each(|node| world.start(node));
        world
    }

    fn start(&mut self, node: usize) {
        self.lives[node] += 1;
        let settings = OwnershipSettings {
            partitions: self.partitions,
            lease_ms: LEASE,
            beat_ms: BEAT,
            decline_ms: DECLINE,
            adding_nodes: 1,
        };
        self.nodes[node] = Some(Process {
            machine: Ownership::new(name(node), self.lives[node], settings),
            life: self.lives[node],
            now: Millis::ZERO,
            ticks_left: self.ticks,
            read: 0,
            stop_when_acquired: BTreeSet::new(),
            runs: BTreeMap::new(),
            declines: BTreeSet::new(),
        });
        for entry in self.last_words.clone().into_values() {
            self.give(node, entry.into_input());
        }
        self.give(node, Input::Tick);
    }

    /// Whether this state is one to go on from.
    pub fn is_within(&self, bounds: &Bounds) -> bool {
        let beats = self.registry.iter().chain(self.last_words.values());
        let mut sequences = beats.filter_map(|entry| match entry {
            Entry::Beat(beat) => Some(beat.sequence),
            Entry::Withdrawn(_) => None,
        });
        self.store.iter().all(|row| row.epoch.0 <= bounds.epochs)
            && sequences.all(|sequence| sequence <= bounds.beats)
    }

    /// Everything that may happen next, within bounds.
    pub fn moves(&self, bounds: &Bounds, moves: &mut Vec<Move>) {
        for (node, process) in self.nodes.iter().enumerate() {
            let Some(process) = process else {
                moves.push(Move::Restart(node));
                continue;
            };
            if process.ticks_left > 0 {
                moves.push(Move::Tick(node));
            }
            if process.read < self.registry.len() {
                moves.push(Move::Deliver(node));
            }
            for (partition, run) in &process.runs {
                if !run.committing && !run.stopping && run.position.0 < bounds.commits {
                    moves.push(Move::Commit(node, *partition));
                }
                if self.declines > 0 && !run.committing && process.machine.can_give_away(*partition) {
                    moves.push(Move::GiveAway(node, *partition));
                }
            }
            if self.crashes > 0 {
                moves.push(Move::Crash(node));
            }
            if self.leaves > 0 {
                moves.push(Move::Leave(node));
            }
            if self.jumps > 0 {
                moves.push(Move::Jump(node));
            }
        }
        moves.extend(self.requests.iter().cloned().map(Move::Serve));
    }

    pub fn make(&mut self, next: Move, fencing: bool) {
        match next {
            Move::Tick(node) => {
                if let Some(process) = &mut self.nodes[node] {
                    process.now += LEASE;
                    process.ticks_left = process.ticks_left.saturating_sub(1);
                }
                self.give(node, Input::Tick);
            }
            Move::Beat(node) => {
                if let Some(process) = &mut self.nodes[node] {
                    process.now += BEAT;
                }
                self.give(node, Input::Tick);
            }
            Move::Jump(node) => {
                self.jumps -= 1;
                if let Some(process) = &mut self.nodes[node] {
                    process.now += JUMP;
                }
                self.give(node, Input::Tick);
            }
            Move::Deliver(node) => self.deliver(node),
            Move::Commit(node, partition) => {
                let Some(process) = &mut self.nodes[node] else { return };
                let Some(run) = process.runs.get_mut(&partition) else { return };
                run.committing = true;
                let (life, epoch, expected) = (process.life, run.epoch, run.position);
                self.requests.insert(Request::Commit { node, life, partition, epoch, expected });
            }
            Move::Serve(request) => {
                self.requests.remove(&request);
                self.serve(request, fencing);
            }
            Move::Crash(node) => {
                self.crashes -= 1;
                self.nodes[node] = None;
            }
            Move::GiveAway(node, partition) => {
                self.declines -= 1;
                if let Some(process) = &mut self.nodes[node] {
                    process.declines.insert(partition);
                }
                self.give(node, Input::Declined(partition));
                self.end(node, partition);
            }
            Move::Restart(node) => self.start(node),
            Move::Leave(node) => {
                self.leaves -= 1;
                self.give(node, Input::Leave);
            }
        }
    }

    fn deliver(&mut self, node: usize) {
        let Some(process) = &mut self.nodes[node] else { return };
        let entry = self.registry[process.read].clone();
        process.read += 1;
        self.give(node, entry.into_input());
        self.forget_what_all_have_read();
    }

    /// Keeps states that differ only in the past from counting as different.
    fn forget_what_all_have_read(&mut self) {
        let read = self.nodes.iter().flatten().map(|process| process.read).min().unwrap_or(0);
        for entry in self.registry.drain(..read) {
            self.last_words.insert(entry.node().clone(), entry);
        }
        for process in self.nodes.iter_mut().flatten() {
            process.read -= read;
        }
    }

    /// Gives an input to the machine and does what it says, as the engine's shell does.
    fn give(&mut self, node: usize, input: Input) {
        let Some(process) = &mut self.nodes[node] else { return };
        let (now, life) = (process.now, process.life);
        for action in process.machine.step(now, input) {
            match action {
                Action::Announce(beat) => self.registry.push(Entry::Beat(beat)),
                Action::Bury(buried, incarnation) => self.bury(&buried, incarnation),
                Action::Withdraw => self.registry.push(Entry::Withdrawn(name(node))),
                Action::Start(partition) => {
                    self.requests.insert(Request::Acquire { node, life, partition });
                }
                Action::Stop(partition) => self.stop(node, partition),
            }
        }
    }

    /// Takes a node out of the registry, if its last word is of that life.
    fn bury(&mut self, node: &NodeId, incarnation: u64) {
        let last = self.registry.iter().rev().find(|entry| entry.node() == node);
        let last = last.or_else(|| self.last_words.get(node));
        if matches!(last, Some(Entry::Beat(beat)) if beat.incarnation == incarnation) {
            self.registry.push(Entry::Withdrawn(node.clone()));
        }
    }

    fn stop(&mut self, node: usize, partition: PartitionId) {
        let Some(process) = &mut self.nodes[node] else { return };
        match process.runs.get_mut(&partition) {
            None => {
                process.stop_when_acquired.insert(partition);
            }
            Some(run) if run.committing => run.stopping = true,
            Some(_) => self.end(node, partition),
        }
    }

    fn end(&mut self, node: usize, partition: PartitionId) {
        let Some(process) = &mut self.nodes[node] else { return };
        process.runs.remove(&partition);
        self.give(node, Input::Ended(partition));
    }

    fn serve(&mut self, request: Request, fencing: bool) {
        match request {
            Request::Acquire { node, life, partition } => {
                let row = &mut self.store[usize::from(partition.0)];
                row.epoch = row.epoch.next();
                let run =
                    Run { epoch: row.epoch, position: row.position, committing: false, stopping: false };
                let epoch = row.epoch;
                let Some(process) = self.alive(node, life) else { return };
                process.runs.insert(partition, run);
                if process.stop_when_acquired.remove(&partition) {
                    self.end(node, partition);
                } else {
                    self.give(node, Input::Acquired(partition, epoch));
                }
            }
            Request::Commit { node, life, partition, epoch, expected } => {
                let row = &mut self.store[usize::from(partition.0)];
                let is_fenced = fencing && row.epoch != epoch;
                let committed = !is_fenced && row.position == expected;
                if committed {
                    self.forked |= row.epoch != epoch;
                    row.position = row.position.next();
                }
                self.fenced |= is_fenced;
                let Some(process) = self.alive(node, life) else { return };
                let Some(run) = process.runs.get_mut(&partition) else { return };
                run.committing = false;
                run.position = run.position.further(u64::from(committed));
                if run.stopping || !committed {
                    self.end(node, partition);
                }
            }
        }
    }

    /// The process that asked, if it has not died since.
    fn alive(&mut self, node: usize, life: u64) -> Option<&mut Process> {
        self.nodes[node].as_mut().filter(|process| process.life == life)
    }

    /// Every partition that is run sends a commit.
    pub fn commit_everywhere(&mut self) {
        for node in 0..self.nodes.len() {
            let partitions = self.nodes[node].iter().flat_map(|process| process.runs.iter());
            let ready = partitions.filter(|(_, run)| !run.committing && !run.stopping);
            for partition in ready.map(|(partition, _)| *partition).collect::<Vec<_>>() {
                self.make(Move::Commit(node, partition), true);
            }
        }
    }

    /// Delivers and serves until nothing is under way.
    pub fn come_to_rest(&mut self) {
        loop {
            let behind = (0..self.nodes.len()).find(|node| {
                self.nodes[*node].as_ref().is_some_and(|process| process.read < self.registry.len())
            });
            if let Some(node) = behind {
                self.deliver(node);
            } else if let Some(request) = self.requests.pop_first() {
                self.serve(request, true);
            } else {
                return;
            }
        }
    }

    /// Whether a partition went from one live node to another without a fenced commit.
    pub fn is_handed_over(&self) -> bool {
        let all_live_on =
            self.nodes.iter().flatten().filter(|process| process.life == 1).count() == self.nodes.len();
        let is_run = |at: usize| {
            let partition = PartitionId(at as u16);
            self.nodes.iter().flatten().any(|process| {
                process
                    .runs
                    .get(&partition)
                    .is_some_and(|run| run.epoch > OwnerEpoch(1) && run.epoch == self.store[at].epoch)
            })
        };
        all_live_on && !self.fenced && !self.is_run_twice() && (0..self.store.len()).any(is_run)
    }

    /// Whether a partition that one node declines is run by another, and by no other.
    pub fn is_taken_after_a_give_away(&self) -> bool {
        (0..self.partitions).map(PartitionId).any(|partition| {
            let mut nodes = self.nodes.iter().flatten();
            let declining = |process: &Process| process.declines.contains(&partition);
            let is_declined = nodes.clone().any(declining);
            is_declined
                && !self.is_run_twice()
                && nodes.any(|process| !declining(process) && process.runs.contains_key(&partition))
        })
    }

    pub fn is_run_twice(&self) -> bool {
        (0..self.partitions).map(PartitionId).any(|partition| {
            let runs = |process: &&Process| process.runs.contains_key(&partition);
            self.nodes.iter().flatten().filter(runs).count() > 1
        })
    }
}
