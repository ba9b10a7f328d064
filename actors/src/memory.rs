//! What the engine holds in memory, by kind: measured now and then, off the paths of events and queries.
//!
//! Sizes are those of the structures themselves, their spare room included. What the allocator keeps back, threads'
//! stacks and the program are not in them: they are the rest of what the process has in use.

use crate::aggregates_actor::{AggregatesActor, MeasureSums};
use crate::engine::catalogue::SharedCatalogue;
use crate::event_loop::Threads;
use actix::Addr;
use nearline_model::partition::PartitionMemory;
use nearline_ranking::Learned;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Time between two looks; the first one comes sooner.
pub(crate) const MEASURE_INTERVAL: Duration = Duration::from_secs(30);
pub(crate) const FIRST_MEASURE: Duration = Duration::from_secs(1);

/// Bytes in memory, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemorySizes {
    /// Members of the partitions here, at most `engine.cached_members`.
    pub members: usize,
    /// Names of the partitions here, at most `fold.symbols_per_partition` each.
    pub names: usize,
    /// Sums over all members, bounded by `[aggregates]`.
    pub sums: usize,
    /// Weights between titles, bounded by `engine.solved_titles`.
    pub weights: usize,
    /// Titles of the catalogue.
    pub catalogue: usize,
    /// What the log's adapter holds: its newest records, write buffers and block cache.
    pub log: usize,
    /// What the store's adapter holds: write buffers and block cache.
    pub store: usize,
}

impl MemorySizes {
    /// All kinds, with what they are called.
    pub fn kinds(&self) -> [(&'static str, usize); 7] {
        [
            ("members", self.members),
            ("names", self.names),
            ("sums", self.sums),
            ("weights", self.weights),
            ("catalogue", self.catalogue),
            ("log", self.log),
            ("store", self.store),
        ]
    }
}

/// What one partition holds, as it was last measured.
#[derive(Debug, Default)]
pub(crate) struct MeasuredPartition {
    members: AtomicUsize,
    names: AtomicUsize,
}

impl MeasuredPartition {
    pub fn set(&self, memory: PartitionMemory) {
        self.members.store(memory.members, Relaxed);
        self.names.store(memory.names, Relaxed);
    }

    pub fn get(&self) -> PartitionMemory {
        PartitionMemory { members: self.members.load(Relaxed), names: self.names.load(Relaxed) }
    }
}

/// What all partitions share, as it was last measured.
#[derive(Debug, Default)]
pub(crate) struct MeasuredShared {
    sums: AtomicUsize,
    weights: AtomicUsize,
    catalogue: AtomicUsize,
}

impl MeasuredShared {
    /// Sets the kinds that it knows.
    pub fn fill(&self, sizes: &mut MemorySizes) {
        sizes.sums = self.sums.load(Relaxed);
        sizes.weights = self.weights.load(Relaxed);
        sizes.catalogue = self.catalogue.load(Relaxed);
    }
}

/// Measures what all partitions share.
pub(crate) struct Measuring {
    pub aggregates_actor: Addr<AggregatesActor>,
    pub catalogue: Arc<SharedCatalogue>,
    pub learned: Arc<RwLock<Arc<Learned>>>,
    pub measured: Arc<MeasuredShared>,
    /// Where it is done.
    pub threads: Threads,
}

impl Measuring {
    /// Runs until the sums' actor ends.
    pub async fn run(self) {
        let mut pause = FIRST_MEASURE;
        let mut changes_then = None;
        loop {
            tokio::time::sleep(pause).await;
            pause = MEASURE_INTERVAL;
            let Ok(sums) = self.aggregates_actor.send(MeasureSums).await else { return };
            if let Some(sums) = sums {
                self.measured.sums.store(sums, Relaxed);
            }
            let learned = self.learned.read().clone();
            if let Some(weights) = self.threads.compute(move || learned.associations.memory_bytes()).await {
                self.measured.weights.store(weights, Relaxed);
            }
            // Queries read it, too, and few titles change in half a minute.
            let changes = Some(self.catalogue.titles.read().changes());
            if changes != changes_then {
                let catalogue = self.catalogue.clone();
                if let Some(titles) =
                    self.threads.compute(move || catalogue.titles.read().memory_bytes()).await
                {
                    self.measured.catalogue.store(titles, Relaxed);
                    changes_then = changes;
                }
            }
        }
    }
}
