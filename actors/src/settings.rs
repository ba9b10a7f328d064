//! How the engine runs: everything that does not change what it computes, beside what does.

use crate::event_loop::Threads;
use crate::facts::FactSettings;
use crate::recommender::AnswerSettings;
use nearline_model::control::remediation::RemediationSettings;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Event, FoldSettings, PartitionId, Position};
use std::sync::Arc;

/// Sees each record before it is folded; a fault harness may panic or block in it.
pub type FaultProbe = Arc<dyn Fn(PartitionId, Position, Option<&Event<'_>>) + Send + Sync>;

/// Settings of the engine.
#[derive(Clone)]
pub struct EngineSettings {
    /// Settings of the fold.
    pub fold: FoldSettings,
    /// Settings of the aggregates.
    pub aggregates: AggregateSettings,
    /// How answers are made.
    pub answers: AnswerSettings,
    /// Events folded after which a partition commits.
    pub commit_events: u64,
    /// Milliseconds after which a partition commits what it folded.
    pub commit_interval_ms: u64,
    /// Changed members after which a partition commits.
    pub commit_members: usize,
    /// Members held in memory by all partitions together.
    pub cached_members: usize,
    /// Which facts are captured.
    pub facts: FactSettings,
    /// Records read at once.
    pub batch_events: usize,
    /// Which threads there are.
    pub threads: Threads,
    /// Threads that partitions are spread over.
    pub workers: usize,
    /// Milliseconds between snapshots of the aggregates.
    pub snapshot_interval_ms: u64,
    /// Nodes that add every delta to their sums; further ones take over the stored snapshots.
    pub adding_nodes: usize,
    /// Titles between which weights are solved, those played most: takes time by its third power, memory by
    /// its second (16 MiB for 2,048).
    pub solved_titles: usize,
    /// Milliseconds that the start waits for the catalogue; then the engine goes on, and offers nothing in a
    /// country until it is there.
    pub catalogue_wait_ms: u64,
    /// Whether titles that are not in the catalogue are offered to nobody.
    pub only_catalogued: bool,
    /// Milliseconds within which a query is answered.
    pub query_deadline_ms: u64,
    /// Milliseconds after which the store is asked, too, if the partition's owner has not answered.
    pub query_hedge_ms: u64,
    /// Name of this node, unique in its cluster (`[A-Za-z0-9_-]{1,64}`); empty: a random one.
    pub node: String,
    /// Where this node's API is reached, for operators of other nodes.
    pub address: String,
    /// Milliseconds of silence after which a node counts as dead.
    pub lease_ms: u64,
    /// Bounds of the remediation policy.
    pub remediation: RemediationSettings,
    /// Milliseconds without a sign of life after which an actor or its thread counts as hung.
    pub hang_ms: u64,
    /// Milliseconds after which a reader that brings nothing, though the log has more, counts as stalled.
    pub reader_stall_ms: u64,
    /// Whether faults may be injected ([`crate::faults::Faults`]).
    pub chaos: bool,
    /// For fault harnesses: sees each record before it is folded.
    pub fault_probe: Option<FaultProbe>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            fold: FoldSettings::default(),
            aggregates: AggregateSettings::default(),
            answers: AnswerSettings::default(),
            commit_events: 50_000,
            commit_interval_ms: 500,
            commit_members: 10_000,
            cached_members: 200_000,
            facts: FactSettings::default(),
            batch_events: 1_024,
            threads: Threads::Own,
            workers: 2,
            snapshot_interval_ms: 30_000,
            adding_nodes: 3,
            solved_titles: 2_048,
            catalogue_wait_ms: 10_000,
            only_catalogued: false,
            query_deadline_ms: 500,
            query_hedge_ms: 30,
            node: String::new(),
            address: String::new(),
            lease_ms: 2_000,
            remediation: RemediationSettings::default(),
            hang_ms: 800,
            reader_stall_ms: 2_000,
            chaos: false,
            fault_probe: None,
        }
    }
}

impl std::fmt::Debug for EngineSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineSettings")
            .field("fold", &self.fold)
            .field("aggregates", &self.aggregates)
            .finish()
    }
}
