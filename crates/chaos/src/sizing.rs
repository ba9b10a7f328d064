//! How ownership behaves in a large cluster: the machines of all nodes as they are, around a registry and a store that take
//! their time, in virtual time.
//!
//! Nothing is folded and no process runs: what is shown is who owns what, how long partitions stand still while nodes come,
//! go and die, what the registry carries, and what hearing all others costs a node.

mod cluster;

use cluster::Cluster;
use nearline_model::control::ownership::Millis;
use serde::Serialize;
use std::time::Duration;

/// A large cluster.
#[derive(Debug, Clone, Copy)]
pub struct Sizing {
    /// Nodes.
    pub nodes: usize,
    /// Partitions of the log.
    pub partitions: u16,
    /// Milliseconds of silence after which a node counts as dead.
    pub lease_ms: Millis,
    /// Milliseconds that the registry takes to deliver what was written.
    pub registry_ms: Millis,
    /// Milliseconds that the last commit of a partition takes which is given up.
    pub commit_ms: Millis,
    /// Milliseconds that the store takes to give a partition out.
    pub acquire_ms: Millis,
}

/// What came of one thing that happened to the cluster.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// What happened.
    pub what: String,
    /// Milliseconds until every partition was owned by the one it is assigned to.
    pub settled_ms: Millis,
    /// Partitions that changed hands.
    pub moved: usize,
    /// Longest time that a partition had no owner, in milliseconds.
    pub longest_gap_ms: Millis,
    /// Fewest and most partitions of a node in the end.
    pub held: (usize, usize),
    /// Nodes that keep the sums, and that add to them, in the end.
    pub keeps_and_adds: (usize, usize),
    /// Beats written meanwhile.
    pub beats: u64,
    /// Bytes written into the registry meanwhile.
    pub written_bytes: u64,
    /// Bytes that the registry delivered meanwhile, to all nodes together.
    pub delivered_bytes: u64,
    /// Processor time, in milliseconds, that hearing and deciding cost a node on the machine that simulates.
    pub node_cpu_ms: f64,
}

impl Sizing {
    /// Starts the cluster, leaves it alone, kills a node, lets one join, and restarts some one after another.
    ///
    /// # Errors
    /// What did not settle within the time that ten leases take.
    pub fn run(&self, restarts: usize) -> Result<Vec<Stage>, String> {
        let mut cluster = Cluster::new(*self);
        (0..self.nodes).for_each(|node| cluster.start(node));
        let mut stages = vec![cluster.stage("all nodes start", |_| {})?];
        stages.push(cluster.quiet(Duration::from_secs(10))?);
        stages.push(cluster.stage("a node is killed", |cluster| cluster.kill(self.nodes / 2))?);
        stages.push(cluster.stage("it comes back", |cluster| cluster.start(self.nodes / 2))?);
        stages.push(cluster.stage("a further node joins", |cluster| cluster.start(self.nodes))?);
        let mut rolling: Option<Stage> = None;
        for node in 0..restarts.min(self.nodes) {
            for next in [
                cluster.stage("", |cluster| cluster.leave(node))?,
                cluster.stage("", |cluster| cluster.start(node))?,
            ] {
                rolling = Some(match rolling {
                    None => Stage { what: format!("{restarts} nodes restart, one after another"), ..next },
                    Some(before) => Stage {
                        settled_ms: before.settled_ms + next.settled_ms,
                        moved: before.moved + next.moved,
                        longest_gap_ms: before.longest_gap_ms.max(next.longest_gap_ms),
                        beats: before.beats + next.beats,
                        written_bytes: before.written_bytes + next.written_bytes,
                        delivered_bytes: before.delivered_bytes + next.delivered_bytes,
                        node_cpu_ms: before.node_cpu_ms + next.node_cpu_ms,
                        what: before.what,
                        ..next
                    },
                });
            }
        }
        stages.extend(rolling);
        Ok(stages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::control::assignment::most_per_node;

    #[test]
    fn a_large_cluster_settles_whoever_comes_goes_or_dies() {
        let sizing = Sizing {
            nodes: 20,
            partitions: 200,
            lease_ms: Millis(2_000),
            registry_ms: Millis(5),
            commit_ms: Millis(50),
            acquire_ms: Millis(20),
        };
        let stages = sizing.run(2).expect("settles");
        assert_eq!(stages.len(), 6);
        for stage in &stages {
            let most = most_per_node(200, 19);
            assert!(stage.held.1 <= most, "{}: {:?}", stage.what, stage.held);
            assert_eq!(stage.keeps_and_adds, (1, 2), "{}", stage.what);
        }
        let [_, quiet, killed, back, joined, rolling] = &stages[..] else { panic!("six stages") };
        assert_eq!((quiet.moved, quiet.longest_gap_ms), (0, Millis::ZERO));
        assert!((750..850).contains(&quiet.beats), "four a second of each node: {}", quiet.beats);
        assert!((Millis(2_000)..Millis(3_000)).contains(&killed.longest_gap_ms), "{}", killed.longest_gap_ms);
        assert!(killed.moved <= 30 && back.moved <= 30 && joined.moved <= 30);
        // Handed over, not waited for: the last commit, two deliveries and the store.
        for stage in [back, joined, rolling] {
            assert!(stage.longest_gap_ms < Millis(200), "{}: {}", stage.what, stage.longest_gap_ms);
        }
    }
}
