//! Which node owns which partition: rendezvous hashing (highest random weight) with bounded loads.
//!
//! Every node computes the same answer from the same set of nodes, without talking to any other.
//! Each pair of node and partition has a weight, a hash of both; a partition goes to the node with the
//! highest weight that still has room. Room is a share of [`LOAD_FACTOR_PERCENT`] of the average, so
//! that few partitions over few nodes are spread evenly, too, which plain rendezvous hashing does not
//! do (16 partitions over 3 nodes: 9 on one is nothing unusual).
//!
//! Sources: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998);
//! Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads" (2016).

use crate::identifier::PartitionId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most partitions of one node, in percent of the average (rounded up).
///
/// Less balances better, and moves more when a node comes or goes: with 256 partitions on 8 nodes, 26 %
/// more than the least possible at 100, 7 % at 110, 2 % at 125. Plain rendezvous hashing is infinity.
pub const LOAD_FACTOR_PERCENT: usize = 110;

/// Partitions per node below which no node gets more than the average, rounded up.
const FEW_PER_NODE: usize = 10;

/// Name of a node: an id (`[A-Za-z0-9_-]{1,64}`), unique among the nodes of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// The node of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Weight of a node for a partition; the same on every machine and in every version.
pub fn weight(node: &NodeId, partition: PartitionId) -> u64 {
    let mut key = Vec::with_capacity(node.0.len() + 3);
    key.extend_from_slice(node.0.as_bytes());
    // No id holds a zero byte: no two pairs have the same key.
    key.push(0);
    key.extend_from_slice(&partition.0.to_be_bytes());
    xxhash_rust::xxh3::xxh3_64(&key)
}

/// Most partitions that one of `nodes` nodes gets of `partitions`.
pub fn most_per_node(partitions: u16, nodes: usize) -> usize {
    let Room { each, beyond } = Room::of(partitions, nodes);
    each + usize::from(beyond > 0)
}

/// How many partitions nodes may have.
struct Room {
    /// What every node may have, whatever others have.
    each: usize,
    /// How many nodes may have one more.
    beyond: usize,
}

impl Room {
    fn of(partitions: u16, nodes: usize) -> Self {
        let (partitions, nodes) = (usize::from(partitions), nodes.max(1));
        // Of few, one more is a large share: they are spread as evenly as they go, so that nobody has two more than
        // another.
        if partitions < FEW_PER_NODE * nodes {
            return Self { each: partitions / nodes, beyond: partitions % nodes };
        }
        Self { each: (partitions * LOAD_FACTOR_PERCENT).div_ceil(100 * nodes), beyond: 0 }
    }
}

/// The owner of each partition, as an index into `nodes`; empty if there are no nodes.
///
/// Depends on the set of nodes only, not on their order. Pairs are taken by weight, heaviest first:
/// no partition and node would both rather have each other (a stable matching).
///
/// ```
/// use nearline_model::control::assignment::{NodeId, assign};
/// let nodes = ["a", "b", "c"].map(NodeId::new);
/// let owners = assign(16, &nodes);
/// assert_eq!(owners.len(), 16);
/// assert!((0..3).all(|node| owners.iter().filter(|owner| **owner == node).count() <= 6));
/// ```
pub fn assign(partitions: u16, nodes: &[NodeId]) -> Vec<usize> {
    assign_except(partitions, nodes, |_, _| false)
}

/// [`assign`], where a node (an index into `nodes`) may decline a partition: it gets that one only if
/// every node declines it. What is declined goes to a node with room, or else to the heaviest of those
/// that do not decline.
pub fn assign_except(
    partitions: u16,
    nodes: &[NodeId],
    is_declined: impl Fn(usize, PartitionId) -> bool,
) -> Vec<usize> {
    if nodes.is_empty() {
        return Vec::new();
    }
    let mut pairs: Vec<(u64, PartitionId, usize)> = (0..partitions)
        .map(PartitionId)
        .flat_map(|partition| {
            nodes.iter().enumerate().map(move |(at, node)| (weight(node, partition), partition, at))
        })
        .collect();
    // Equal weights (one in 2^64) go by partition and name: still the same everywhere.
    pairs.sort_unstable_by(|left, right| {
        (right.0, left.1, &nodes[left.2]).cmp(&(left.0, right.1, &nodes[right.2]))
    });
    let Room { each, mut beyond } = Room::of(partitions, nodes.len());
    let mut loads = vec![0; nodes.len()];
    let mut owners = vec![None; usize::from(partitions)];
    let mut give = |may: &dyn Fn(usize, PartitionId, bool) -> bool| {
        for &(_, partition, node) in &pairs {
            let (owner, load) = (&mut owners[usize::from(partition.0)], &mut loads[node]);
            let has_room = *load < each || (*load == each && beyond > 0);
            if owner.is_none() && may(node, partition, has_room) {
                *owner = Some(node);
                beyond = beyond.saturating_sub(usize::from(*load >= each));
                *load += 1;
            }
        }
    };
    give(&|node, partition, has_room| has_room && !is_declined(node, partition));
    give(&|node, partition, _| !is_declined(node, partition));
    give(&|_, _, _| true);
    owners.into_iter().map(|owner| owner.expect("the last round leaves nothing over")).collect()
}

#[cfg(test)]
mod tests;
