//! A node that may not write while everything else is well: others have its partitions soon.

use super::{Play, RECOVERY};
use crate::simulate::world::runs_under;
use nearline_actors::PartitionState;
use nearline_model::PartitionId;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Leases within which a node that may not write has nothing any more: one for which it must have failed, one that a
/// holder has for letting go, and those that others have not counted as working for.
const LEASES: u64 = 4;
/// What proofs, beats, hand-over and the actors of the next owner take beside them, in milliseconds.
const MOMENTS_MS: u64 = 500;

impl Play {
    /// Bans a node, if one is to be, until the others have its partitions.
    pub(super) async fn banned_node_gives_way(&self) {
        let Some(node) = self.world.scenario.banned else { return };
        let all_there = async {
            while !self.world.engines.borrow().iter().all(Option::is_some) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(RECOVERY, all_there).await.is_err() {
            // What is missing is told in the end.
            return;
        }
        self.world.note(format_args!("node {node} may not write"));
        self.world.servers.borrow_mut().access.banned.insert(node);
        let scenario = &self.world.scenario;
        let bound_ms = LEASES * scenario.lease_ms + scenario.node_window_ms + MOMENTS_MS;
        let deadline = Instant::now() + Duration::from_millis(bound_ms);
        while let Some(what) = self.kept_by(node) {
            if Instant::now() > deadline {
                let what = format!("{what}, {bound_ms} ms after node {node} could not write any more");
                self.world.violated("I5", what);
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.world.servers.borrow_mut().access.banned.remove(&node);
        self.world.note(format_args!("node {node} may write again"));
    }

    /// What a node that may not write still keeps from the others.
    fn kept_by(&self, banned: usize) -> Option<String> {
        let engines = self.world.engines.borrow();
        for id in (0..self.world.scenario.partitions).map(PartitionId) {
            let (mut is_kept, mut live) = (false, 0);
            for (number, engine) in engines.iter().enumerate() {
                let Some(engine) = engine else { continue };
                let status = &engine.partitions()[usize::from(id.0)];
                match number == banned {
                    true => is_kept = runs_under(status).is_some(),
                    false => live += u32::from(status.state == PartitionState::Live),
                }
            }
            if is_kept || live != 1 {
                let kept = if is_kept { ", and still runs on it" } else { "" };
                return Some(format!("{id} is live on {live} other nodes{kept}"));
            }
        }
        None
    }
}
