//! Which partitions this node owns, starts and gives up: a machine without I/O.
//!
//! Every node announces itself in a registry by *beats*: who it is, and which partitions it holds.
//! Beats of all nodes come back from the registry in one order, the same for everybody. From them and
//! the time, [`Ownership::step`] decides: the view of live nodes, by [`assignment`](crate::control::assignment)
//! the partitions wanted here, and what to do about the difference.
//!
//! **Safety does not depend on anything here.** Whoever starts a partition gets a new epoch from the
//! store, and the store refuses commits of older epochs: two nodes that both believe to own a partition
//! (views differ for a moment, a clock jumped, a process was paused) cost a restart, never a fork. Beats
//! and leases only bring it about that a partition is owned, by one, soon.
//!
//! **Expiry needs no clock in common.** A node judges another dead by its own clock alone: when beats that
//! it sent over a lease have come back to it, and nothing of the other. What the other announced before
//! would have come first, as the registry keeps one order; so a node whose own connection hangs, or that
//! was paused, buries nobody, and nobody is buried for the time in which the registry was away for all.
//!
//! **Hand-over is cooperative.** A node that is no longer to own a partition finishes, commits, and
//! announces that it holds it no more; the next owner starts then. A holder that is gone, or that does
//! not let go within a lease, is not waited for: the epoch fences it.
//!
//! **What fails here may work elsewhere.** A partition that the remediation policy gives away is declined
//! by this node for a while, and its beats say so: every node leaves it out when it works the assignment
//! out. Where all decline a partition, the assignment is as if nobody did.
//!
//! **Who cannot work gets nothing.** Beats say for how long a node has been cut off from its store or its log. After a
//! lease of that it is left out of the assignment, if there is a node that works; where all fail, nothing moves.

mod millis;
mod view;

pub use millis::Millis;

use crate::control::assignment::NodeId;
use crate::identifier::{OwnerEpoch, PartitionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use view::View;

/// Beats per lease: seven may get lost before a node counts as dead.
pub const BEATS_PER_LEASE: u64 = 8;

/// What a node says of itself, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Beat {
    /// The node.
    pub node: NodeId,
    /// Which life of it: differs after every start.
    pub incarnation: u64,
    /// Number of this beat in this life.
    pub sequence: u64,
    /// Partitions that it holds, from the decision to start to the end of the last commit. The epoch is
    /// 0 until the store has given one.
    pub held: BTreeMap<PartitionId, OwnerEpoch>,
    /// Whether it is on its way out: it finishes what it holds and takes nothing new.
    pub leaving: bool,
    /// Partitions that it gave away and does not want back yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub declined: BTreeSet<PartitionId>,
    /// Milliseconds for which it has been unable to reach its store or its log; 1 for some time after that; 0: it works.
    #[serde(default, skip_serializing_if = "Millis::is_zero")]
    pub failing_ms: Millis,
}

/// How ownership is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnershipSettings {
    /// Partitions of the log.
    pub partitions: u16,
    /// Milliseconds of silence after which a node counts as dead, and that a holder has for letting go.
    pub lease_ms: Millis,
    /// Milliseconds between beats; several per lease.
    pub beat_ms: Millis,
    /// Milliseconds for which a partition that was given away is not wanted back.
    pub decline_ms: Millis,
    /// Nodes that add every delta to their sums; at least 1.
    pub adding_nodes: usize,
}

/// What a node does for its sums over all members.
///
/// Adding every partition's deltas costs a node in proportion to the whole service's traffic. A few nodes do it, so that
/// one is at hand when another dies; further ones take over what these have added up, which costs the same whatever
/// the traffic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SumsRole {
    /// It takes over the stored snapshots.
    #[default]
    Follows,
    /// It adds every delta.
    Adds,
    /// It adds every delta, and stores the snapshots for all.
    Keeps,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The registry delivered a beat, of another node or this one.
    Heard(Beat),
    /// A node has withdrawn from the registry.
    Withdrawn(NodeId),
    /// Time has passed.
    Tick,
    /// The store gave this node a partition.
    Acquired(PartitionId, OwnerEpoch),
    /// A partition runs here no more: stopped and committed, fenced, or failed.
    Ended(PartitionId),
    /// A partition fails here again and again: another node is to try. Its end is told apart.
    Declined(PartitionId),
    /// How long this node has been unable to reach its store or its log; 0: it works.
    Failing(Millis),
    /// Another process goes by this node's name; it came later.
    Replaced,
    /// This node is to hand everything over and go.
    Leave,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write this beat into the registry. May fail: the next one will do.
    Announce(Beat),
    /// Take the partition over in the store and run it.
    Start(PartitionId),
    /// Fold no more, commit what is folded, and end.
    Stop(PartitionId),
    /// Nothing is held any more: take this node out of the registry.
    Withdraw,
    /// This life of another node is dead: take it out of the registry, so that nobody who joins waits
    /// for it. Guarded by the revision: one that beats in that moment stays.
    Bury(NodeId, u64),
}

/// A partition that is held here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Held {
    epoch: OwnerEpoch,
    stopping: bool,
}

/// Why a partition that is wanted here is not started, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wait {
    /// Another node holds it.
    ForHolder(Millis),
    /// It ended here though nobody stopped it: whoever is right is heard of soon.
    AfterEnd(Millis),
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ownership {
    settings: OwnershipSettings,
    view: View,
    held: BTreeMap<PartitionId, Held>,
    /// Partitions wanted here that cannot be started yet.
    waiting: BTreeMap<PartitionId, Wait>,
    /// Partitions given away, and until when they are not wanted back.
    declined: BTreeMap<PartitionId, Millis>,
    next_beat: Millis,
    failing_ms: Millis,
    /// Whether what is held has changed since the last beat.
    news: bool,
    leaving: bool,
    replaced: bool,
    withdrawn: bool,
}

impl Ownership {
    /// A node that has just started and holds nothing. `incarnation` differs from that of every earlier
    /// life of the node.
    pub fn new(node: NodeId, incarnation: u64, settings: OwnershipSettings) -> Self {
        Self {
            settings,
            view: View::new(node, incarnation, settings),
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            declined: BTreeMap::new(),
            next_beat: Millis::ZERO,
            failing_ms: Millis::ZERO,
            news: false,
            leaving: false,
            replaced: false,
            withdrawn: false,
        }
    }

    /// Takes in what happened at `now` and says what to do, in order.
    pub fn step(&mut self, now: Millis, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Heard(beat) => self.view.heard(now, beat, &mut actions),
            Input::Withdrawn(node) => self.view.withdrawn(&node),
            Input::Tick => {}
            Input::Acquired(partition, epoch) => {
                if let Some(held) = self.held.get_mut(&partition) {
                    held.epoch = epoch;
                    self.news = true;
                }
            }
            Input::Ended(partition) => self.ended(now, partition),
            Input::Declined(partition) => {
                self.declined.insert(partition, now + self.settings.decline_ms);
                self.news = true;
            }
            Input::Failing(failing_ms) => {
                let before = std::mem::replace(&mut self.failing_ms, failing_ms);
                // A node that has just begun to fail says so at once: nobody gives it what it cannot run.
                self.news |= before.is_zero() != failing_ms.is_zero()
                    || self.view.is_unable(before) != self.view.is_unable(failing_ms);
            }
            Input::Replaced => self.replaced = true,
            Input::Leave => {
                self.news |= !self.leaving;
                self.leaving = true;
            }
        }
        self.reconcile(now, &mut actions);
        self.announce(now, &mut actions);
        actions
    }

    /// The other nodes that are alive as far as this one knows, with their last beats.
    pub fn others(&self) -> impl Iterator<Item = &Beat> {
        self.view.others()
    }

    /// The node that answers for `partition`: who holds it, or else who is to; `None`: nobody is known.
    pub fn owner_of(&self, partition: PartitionId) -> Option<&NodeId> {
        if self.held.contains_key(&partition) {
            return Some(self.view.me());
        }
        let holder =
            self.others().filter_map(|beat| beat.held.get(&partition).map(|epoch| (epoch, &beat.node)));
        holder.max().map(|(_, node)| node).or_else(|| self.view.assigned(partition))
    }

    /// Whether the registry knows this node, and what is wanted here is held here.
    pub fn is_settled(&self) -> bool {
        self.view.is_joined() && self.wanted().all(|partition| self.held.contains_key(&partition))
    }

    /// Whether the registry knows this node.
    pub fn is_joined(&self) -> bool {
        self.view.is_joined()
    }

    /// The life of this node that beats are of.
    pub fn incarnation(&self) -> u64 {
        self.view.incarnation()
    }

    /// Whether another process goes by this node's name.
    pub fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// Whether this node hands everything over, or has.
    pub fn is_leaving(&self) -> bool {
        self.leaving || self.replaced
    }

    /// Partitions held here.
    pub fn held(&self) -> impl Iterator<Item = PartitionId> {
        self.held.keys().copied()
    }

    /// What this node is to do for its sums; `None`: partitions are not spread over it, now or not yet.
    pub fn sums_role(&self) -> Option<SumsRole> {
        self.view.sums_role(self.settings.adding_nodes)
    }

    fn wanted(&self) -> impl Iterator<Item = PartitionId> {
        let me = self.view.me();
        (0..self.settings.partitions)
            .map(PartitionId)
            .filter(|partition| self.view.assigned(*partition) == Some(me))
    }

    fn ended(&mut self, now: Millis, partition: PartitionId) {
        let Some(held) = self.held.remove(&partition) else { return };
        self.news = true;
        if !held.stopping {
            // It was fenced or failed: somebody else is right, and is heard of soon; or nobody is.
            let until = now + self.settings.beat_ms.times(2);
            self.waiting.insert(partition, Wait::AfterEnd(until));
        }
    }

    /// Whether another node would take a partition that this one declines.
    pub fn can_give_away(&self, partition: PartitionId) -> bool {
        !self.is_leaving() && self.others().any(|beat| !beat.leaving && !beat.declined.contains(&partition))
    }

    /// Starts what is wanted and free, stops what is not wanted.
    fn reconcile(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let declined_before = self.declined.len();
        self.declined.retain(|_, until| now < *until);
        self.news |= self.declined.len() != declined_before;
        let declined = self.declined.keys().copied().collect();
        let out = self.leaving || self.replaced;
        self.view.refresh(self.settings.partitions, out, declined, self.failing_ms);
        let wanted: Vec<PartitionId> = self.wanted().collect();
        for (partition, held) in &mut self.held {
            let superseded = held.epoch.is_given() && self.view.highest_epoch(*partition) > held.epoch;
            if !held.stopping && (superseded || wanted.binary_search(partition).is_err()) {
                held.stopping = true;
                actions.push(Action::Stop(*partition));
            }
        }
        self.waiting.retain(|partition, _| wanted.binary_search(partition).is_ok());
        for partition in wanted {
            if !self.held.contains_key(&partition) && self.may_start(now, partition) {
                self.waiting.remove(&partition);
                self.held.insert(partition, Held { epoch: OwnerEpoch::NONE, stopping: false });
                self.news = true;
                actions.push(Action::Start(partition));
            }
        }
    }

    /// Whether nobody holds the partition, or its holder has been waited for long enough. Nothing is
    /// started on old news.
    fn may_start(&mut self, now: Millis, partition: PartitionId) -> bool {
        let is_free = !self.view.is_held_elsewhere(partition);
        let may = match self.waiting.get(&partition) {
            None | Some(Wait::ForHolder(_)) if is_free => true,
            Some(Wait::ForHolder(until)) => now >= *until,
            Some(Wait::AfterEnd(until)) if is_free => now >= *until,
            _ => {
                let until = now + self.settings.lease_ms;
                self.waiting.insert(partition, Wait::ForHolder(until));
                false
            }
        };
        may && self.view.is_current(now)
    }

    fn announce(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.replaced || self.withdrawn {
            return;
        }
        if self.leaving && self.held.is_empty() {
            self.withdrawn = true;
            actions.push(Action::Withdraw);
        } else if self.news || now >= self.next_beat {
            self.news = false;
            self.next_beat = now + self.settings.beat_ms;
            let held = self.held.iter().map(|(partition, held)| (*partition, held.epoch)).collect();
            let declined = self.declined.keys().copied().collect();
            actions.push(Action::Announce(Beat {
                failing_ms: self.failing_ms,
                ..self.view.beat(now, held, self.leaving, declined)
            }));
        }
    }
}

#[cfg(test)]
mod tests;
