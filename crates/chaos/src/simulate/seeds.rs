//! Many seeds, on all cores: every world on one thread.

use super::mutation::Mutation;
use super::play::{SeedOutcome, simulate};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What many seeds came to.
#[derive(Debug, Clone, Default)]
pub struct SeedsReport {
    /// Seeds run.
    pub seeds: u64,
    /// The seeds in which something did not hold, in ascending order.
    pub failed: Vec<SeedOutcome>,
    /// Events acknowledged, in all worlds.
    pub acknowledged: u64,
    /// Commits carried out, in all worlds.
    pub commits: u64,
    /// Queries answered, in all worlds.
    pub queries: u64,
    /// Answers judged, in all worlds.
    pub answers: u64,
    /// How long it took.
    pub took: Duration,
}

impl SeedsReport {
    /// Violations in all worlds.
    pub fn violations(&self) -> u64 {
        self.failed.iter().map(|outcome| outcome.violations.len() as u64).sum()
    }

    /// Seeds in a second.
    pub fn seeds_per_s(&self) -> f64 {
        self.seeds as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// Runs `count` seeds from `first` on, on `threads` threads. `done` hears of each outcome and says
/// whether to go on.
pub fn simulate_seeds(
    first: u64,
    count: u64,
    threads: usize,
    mutation: Option<Mutation>,
    done: impl Fn(&SeedOutcome) -> bool + Sync,
) -> SeedsReport {
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let report = Mutex::new(SeedsReport::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    if at >= count {
                        return;
                    }
                    let outcome = simulate(first + at, mutation, false);
                    let go_on = done(&outcome);
                    let mut report = report.lock();
                    report.seeds += 1;
                    report.acknowledged += outcome.acknowledged;
                    report.commits += outcome.commits;
                    report.queries += outcome.queries;
                    report.answers += outcome.answers;
                    if !outcome.violations.is_empty() {
                        report.failed.push(outcome);
                    }
                    if !go_on {
                        next.store(count, Relaxed);
                    }
                }
            });
        }
    });
    let mut report = report.into_inner();
    report.failed.sort_by_key(|outcome| outcome.seed);
    report.took = started.elapsed();
    report
}
