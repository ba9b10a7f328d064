//! Liveness: what becomes of a state once faults cease.

use crate::world::{LEASE, Move, World};
use nearline_model::PartitionId;

/// Time after which everything must have found its place: a node is judged dead, a holder that hangs is
/// overruled, a fenced one tries again; each takes a lease, and a beat to be heard.
const ROUNDS: u64 = 3 * (LEASE.0 + 1);

/// Whether, from `world` on, with clocks that go on together, events that come, beats and requests that
/// arrive and no further faults, every partition comes to be owned by exactly one live node, under the
/// newest epoch.
pub fn ends_with_every_partition_owned(world: &World) -> bool {
    let mut world = world.clone();
    for _ in 0..ROUNDS {
        world.come_to_rest();
        // An owner that was fenced while nothing happened learns of it by its next commit.
        world.commit_everywhere();
        world.come_to_rest();
        for node in 0..world.nodes.len() {
            world.make(Move::Beat(node), true);
        }
    }
    world.come_to_rest();
    is_owned(&world)
}

fn is_owned(world: &World) -> bool {
    let live = world.nodes.iter().flatten().filter(|process| !process.machine.is_leaving());
    if live.count() == 0 {
        return true;
    }
    (0..world.store.len()).all(|at| {
        let partition = PartitionId(at as u16);
        let mut owners = world.nodes.iter().flatten().filter_map(|process| {
            let run = process.runs.get(&partition)?;
            Some((process, run))
        });
        let Some((owner, run)) = owners.next() else { return false };
        owners.next().is_none()
            && run.epoch == world.store[at].epoch
            && !run.stopping
            && owner.machine.is_settled()
    })
}
