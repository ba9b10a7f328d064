//! Who is alive, as one node knows it from the beats in the registry.

use super::{Action, Beat, Millis, OwnershipSettings, SumsRole};
use crate::control::assignment::{NodeId, assign_except, weight};
use crate::identifier::{OwnerEpoch, PartitionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Own beats on their way to come back; the oldest are forgotten beyond this.
const BEATS_UNDER_WAY: usize = 64;
/// Nodes remembered, dead ones included; the longest dead are forgotten beyond this.
const NODES_REMEMBERED: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Other {
    beat: Beat,
    heard_at: Millis,
    /// How long it has been silent while the registry was seen to work.
    silent_ms: Millis,
    /// A dead node is remembered: its last beat may be delivered again and must not revive it.
    alive: bool,
}

/// Live nodes and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct View {
    me: NodeId,
    incarnation: u64,
    lease_ms: Millis,
    /// Silence that one own beat can prove at most.
    proof_ms: Millis,
    sequence: u64,
    /// Own beats that have not come back: number and time of sending.
    sent: VecDeque<(u64, Millis)>,
    /// When the newest own beat that came back was sent; `None`: none has.
    confirmed: Option<Millis>,
    others: BTreeMap<NodeId, Other>,
    /// Nodes that partitions are spread over, with what they decline, and who owns which.
    nodes: BTreeMap<NodeId, BTreeSet<PartitionId>>,
    names: Vec<NodeId>,
    owners: Vec<usize>,
}

impl View {
    pub(super) fn new(me: NodeId, incarnation: u64, settings: OwnershipSettings) -> Self {
        Self {
            me,
            incarnation,
            lease_ms: settings.lease_ms,
            proof_ms: settings.beat_ms.times(2),
            sequence: 0,
            sent: VecDeque::new(),
            confirmed: None,
            others: BTreeMap::new(),
            nodes: BTreeMap::new(),
            names: Vec::new(),
            owners: Vec::new(),
        }
    }

    pub(super) fn me(&self) -> &NodeId {
        &self.me
    }

    pub(super) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Whether a beat of this node has been in the registry and come back.
    pub(super) fn is_joined(&self) -> bool {
        self.confirmed.is_some()
    }

    /// Whether what is known is not older than a lease.
    pub(super) fn is_current(&self, now: Millis) -> bool {
        self.confirmed.is_some_and(|sent_at| now.since(sent_at) < self.lease_ms)
    }

    /// The next beat, sent now.
    pub(super) fn beat(
        &mut self,
        now: Millis,
        held: BTreeMap<PartitionId, OwnerEpoch>,
        leaving: bool,
        declined: BTreeSet<PartitionId>,
    ) -> Beat {
        self.sequence += 1;
        self.sent.push_back((self.sequence, now));
        if self.sent.len() > BEATS_UNDER_WAY {
            self.sent.pop_front();
        }
        let (node, incarnation, sequence) = (self.me.clone(), self.incarnation, self.sequence);
        Beat { node, incarnation, sequence, held, leaving, declined, failing_ms: Millis::ZERO }
    }

    pub(super) fn heard(&mut self, now: Millis, beat: Beat, actions: &mut Vec<Action>) {
        if beat.node == self.me {
            if beat.incarnation == self.incarnation {
                self.echoed(beat.sequence, actions);
            }
            return;
        }
        if let Some(known) = self.others.get(&beat.node)
            && known.beat.incarnation == beat.incarnation
            && known.beat.sequence >= beat.sequence
        {
            return;
        }
        self.others
            .insert(beat.node.clone(), Other { beat, heard_at: now, silent_ms: Millis::ZERO, alive: true });
        self.forget_long_dead();
    }

    pub(super) fn withdrawn(&mut self, node: &NodeId) {
        if let Some(other) = self.others.get_mut(node) {
            other.alive = false;
        }
    }

    /// An own beat came back: everything announced before it has been delivered, and the registry works.
    /// While it was away nobody was heard, and nobody is blamed for that.
    fn echoed(&mut self, sequence: u64, actions: &mut Vec<Action>) {
        while self.sent.front().is_some_and(|(sent, _)| *sent < sequence) {
            self.sent.pop_front();
        }
        let Some(&(sent, sent_at)) = self.sent.front() else { return };
        if sent != sequence {
            return;
        }
        self.sent.pop_front();
        let before = self.confirmed.replace(sent_at).unwrap_or(sent_at);
        for other in self.others.values_mut() {
            let silent_ms = sent_at.since(before.max(other.heard_at));
            other.silent_ms += silent_ms.min(self.proof_ms);
            if other.alive && other.silent_ms >= self.lease_ms {
                other.alive = false;
                actions.push(Action::Bury(other.beat.node.clone(), other.beat.incarnation));
            }
        }
    }

    fn forget_long_dead(&mut self) {
        if self.others.len() > NODES_REMEMBERED {
            let dead = self.others.iter().filter(|(_, other)| !other.alive);
            let longest = dead.min_by_key(|(_, other)| other.heard_at).map(|(node, _)| node.clone());
            if let Some(node) = longest {
                self.others.remove(&node);
            }
        }
    }

    /// The other live nodes' last beats.
    pub(super) fn others(&self) -> impl Iterator<Item = &Beat> {
        self.others.values().filter(|other| other.alive).map(|other| &other.beat)
    }

    /// Whether a node that has failed for so long is left out where others work.
    pub(super) fn is_unable(&self, failing_ms: Millis) -> bool {
        failing_ms >= self.lease_ms
    }

    /// Brings the assignment up to date; `out`: this node takes no part in it, else it declines `declined` and has been
    /// failing for `failing_ms`.
    pub(super) fn refresh(
        &mut self,
        partitions: u16,
        out: bool,
        declined: BTreeSet<PartitionId>,
        failing_ms: Millis,
    ) {
        let takes_part = self.is_joined() && !out;
        let one_works = (takes_part && failing_ms.is_zero())
            || self.others().any(|beat| !beat.leaving && beat.failing_ms.is_zero());
        let is_able = |failing_ms| !one_works || !self.is_unable(failing_ms);
        let me = (takes_part && is_able(failing_ms)).then(|| (self.me.clone(), declined));
        let others = self.others().filter(|beat| !beat.leaving && is_able(beat.failing_ms));
        let others = others.map(|beat| (beat.node.clone(), beat.declined.clone()));
        let nodes: BTreeMap<NodeId, BTreeSet<PartitionId>> = others.chain(me).collect();
        if nodes != self.nodes {
            self.names = nodes.keys().cloned().collect();
            self.owners = assign_except(partitions, &self.names, |node, partition| {
                nodes[&self.names[node]].contains(&partition)
            });
            self.nodes = nodes;
        }
    }

    /// Who is to own a partition.
    pub(super) fn assigned(&self, partition: PartitionId) -> Option<&NodeId> {
        self.owners.get(usize::from(partition.0)).map(|owner| &self.names[*owner])
    }

    /// The owner of the first partition keeps the sums; so many nodes, it included, add to them: those that weigh most
    /// for that partition. So whoever keeps them next has most likely added to them before.
    pub(super) fn sums_role(&self, adding_nodes: usize) -> Option<SumsRole> {
        let (first, me) = (PartitionId(0), &self.me);
        let keeper = self.assigned(first)?;
        if keeper == me {
            return Some(SumsRole::Keeps);
        }
        let place = |node: &NodeId| (std::cmp::Reverse(weight(node, first)), node.clone());
        self.names.binary_search(me).ok()?;
        let before_me = self.names.iter().filter(|node| *node != keeper && place(node) < place(me)).count();
        Some(if before_me + 1 < adding_nodes { SumsRole::Adds } else { SumsRole::Follows })
    }

    pub(super) fn is_held_elsewhere(&self, partition: PartitionId) -> bool {
        self.others().any(|beat| beat.held.contains_key(&partition))
    }

    /// Highest epoch under which another node holds a partition; 0: none.
    pub(super) fn highest_epoch(&self, partition: PartitionId) -> OwnerEpoch {
        self.others().filter_map(|beat| beat.held.get(&partition)).copied().max().unwrap_or_default()
    }
}
