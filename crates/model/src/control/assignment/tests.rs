use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn names(count: usize, seed: u32) -> Vec<NodeId> {
    (0..count).map(|at| NodeId::new(format!("node-{seed}-{at}"))).collect()
}

/// The owner's name of each partition.
fn owners(partitions: u16, nodes: &[NodeId]) -> Vec<NodeId> {
    assign(partitions, nodes).into_iter().map(|at| nodes[at].clone()).collect()
}

fn moved(before: &[NodeId], after: &[NodeId]) -> usize {
    before.iter().zip(after).filter(|(before, after)| before != after).count()
}

proptest! {
    #[test]
    fn every_partition_has_one_owner_and_no_node_has_too_many(
        partitions in 1u16..300, nodes in 1usize..12, seed: u32,
    ) {
        let owners = assign(partitions, &names(nodes, seed));
        prop_assert_eq!(owners.len(), usize::from(partitions));
        for node in 0..nodes {
            let load = owners.iter().filter(|owner| **owner == node).count();
            prop_assert!(load <= most_per_node(partitions, nodes), "{} of {partitions} on one of {nodes}", load);
        }
    }

    #[test]
    fn of_few_partitions_no_node_has_two_more_than_another(
        partitions in 1u16..60, nodes in 1usize..40, seed: u32,
    ) {
        prop_assume!(usize::from(partitions) < FEW_PER_NODE * nodes);
        let owners = assign(partitions, &names(nodes, seed));
        let loads = (0..nodes).map(|node| owners.iter().filter(|owner| **owner == node).count());
        let (least, most) = (loads.clone().min(), loads.max());
        prop_assert!(most <= least.map(|least| least + 1), "{most:?} and {least:?}");
    }

    #[test]
    fn what_a_node_declines_another_gets_unless_all_decline_it(
        partitions in 1u16..40, nodes in 1usize..6, seed: u32, declines: u64,
    ) {
        let nodes = names(nodes, seed);
        let is_declined = |node: usize, partition: PartitionId| {
            declines.rotate_left(node as u32 * 11 + u32::from(partition.0) * 7) & 3 == 0
        };
        let owners = assign_except(partitions, &nodes, is_declined);
        prop_assert_eq!(owners.len(), usize::from(partitions));
        for (partition, owner) in (0..).map(PartitionId).zip(owners) {
            let all_decline = (0..nodes.len()).all(|node| is_declined(node, partition));
            prop_assert!(all_decline || !is_declined(owner, partition));
        }
    }

    #[test]
    fn the_order_of_the_nodes_does_not_matter(
        nodes in Just(names(6, 3)).prop_shuffle(),
    ) {
        prop_assert_eq!(owners(64, &nodes), owners(64, &names(6, 3)));
    }
}

#[test]
fn all_nodes_get_something_where_there_are_partitions_enough() {
    for seed in 0..200 {
        for (partitions, nodes) in [(4, 3), (6, 3), (16, 1), (16, 4), (16, 16), (50, 5), (64, 7)] {
            let owners = assign(partitions, &names(nodes, seed));
            let distinct: BTreeSet<usize> = owners.into_iter().collect();
            assert_eq!(distinct.len(), nodes, "{partitions} partitions, seed {seed}");
        }
    }
}

/// What plain rendezvous hashing would move is the least possible: the partitions of the node that
/// left, or what a joining node gets. Bounded loads move somewhat more.
#[test]
fn when_a_node_joins_or_leaves_little_more_than_its_own_partitions_move() {
    for (partitions, nodes) in [(16, 3), (64, 5), (256, 8)] {
        let (mut least, mut most, mut total_moved) = (0, 0, 0);
        for seed in 0..100 {
            let all = names(nodes, seed);
            let without = &all[..nodes - 1];
            let (more, fewer) = (owners(partitions, &all), owners(partitions, without));
            let own = more.iter().filter(|owner| **owner == all[nodes - 1]).count();
            let moves = moved(&more, &fewer);
            assert!(moves >= own);
            (least, total_moved, most) = (least + own, total_moved + moves, most.max(moves - own));
        }
        let extra = 100 * (total_moved - least) / least;
        println!(
            "{partitions} partitions, {nodes} nodes: {extra} % more moves than the least, at most {most} more"
        );
        assert!(
            extra <= 15,
            "{partitions} partitions, {nodes} nodes: {extra} % more than the least possible"
        );
    }
}

#[test]
fn weights_stay_what_they_are() {
    // Nodes of different versions must agree: a change here is a change of the protocol.
    assert_eq!(weight(&NodeId::new("a"), PartitionId(0)), WEIGHT_A_0);
    assert_eq!(assign(8, &["a", "b", "c"].map(NodeId::new)), ASSIGNMENT_ABC);
}

const WEIGHT_A_0: u64 = 7_730_560_228_985_510_616;
const ASSIGNMENT_ABC: [usize; 8] = [2, 2, 1, 1, 2, 0, 0, 1];
