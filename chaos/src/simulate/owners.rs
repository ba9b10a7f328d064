//! Who owns which partition: what the ownership of a cluster comes to, with leases that run out.

use super::node::{Node, Run};
use super::world::World;
use crate::dice::Dice;
use nearline_model::PartitionId;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// How often owners are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long a node that stands still keeps what it owns.
const LEASE: Duration = Duration::from_millis(120);

/// Keeps every partition owned by a node that runs, until the world ends.
pub async fn keep_owned(world: Rc<World>, mut dice: Dice) {
    loop {
        for number in 0..world.scenario.partitions {
            let partition = PartitionId(number);
            let nodes = world.nodes.borrow();
            let mut owners = world.owners.borrow_mut();
            let owner = &mut owners[usize::from(number)];
            if !holds(&nodes[*owner]) {
                let able: Vec<usize> =
                    (0..nodes.len()).filter(|node| nodes[*node].run() == Run::Running).collect();
                if able.is_empty() {
                    continue;
                }
                *owner = able[dice.below(able.len())];
                world.note(format_args!("{partition} is given to node {owner}"));
            }
            let node = &nodes[*owner];
            if node.run() == Run::Running && !node.supervises(partition) {
                node.own(partition);
            }
        }
        sleep(LOOK).await;
    }
}

fn holds(node: &Node) -> bool {
    match node.run() {
        Run::Running => true,
        Run::Paused(since) => since.elapsed() < LEASE,
        Run::Killed => false,
    }
}
