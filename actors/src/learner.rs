//! Works out, now and then and off the path of queries, what the ranking needs beside the sums.
//!
//! Solving takes longer the more titles there are, so pauses are as many times as long: it never takes
//! more than a small share of one core. Nothing happens while nothing was learned.

use nearline_model::Aggregates;
use nearline_model::catalogue::Catalogue;
use nearline_model::ranking::Learned;
use nearline_model::ranking::associations::Problem;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Pause between two looks at the sums.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Pause after a solve, as a multiple of the time it took.
const PAUSE_FACTOR: u32 = 50;
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// Keeps [`Learned`] up to date.
pub(crate) struct Learner {
    pub aggregates: Arc<RwLock<Aggregates>>,
    pub catalogue: Arc<RwLock<Catalogue>>,
    pub learned: Arc<RwLock<Arc<Learned>>>,
    /// Titles solved at most.
    pub solved_titles: usize,
    pub stopping: Arc<AtomicBool>,
}

impl Learner {
    /// Runs until the engine stops.
    pub async fn run(self) {
        let learner = Arc::new(self);
        let mut titles_then = usize::MAX;
        let mut pause = LOOK_INTERVAL;
        while !learner.stopping.load(Relaxed) {
            let titles = learner.catalogue.read().len();
            let is_current =
                learner.learned.read().associations.positions() == learner.aggregates.read().positions();
            if is_current && titles == titles_then {
                tokio::time::sleep(LOOK_INTERVAL).await;
                continue;
            }
            titles_then = titles;
            let working = learner.clone();
            if let Ok(took) = tokio::task::spawn_blocking(move || working.work()).await {
                pause = (took * PAUSE_FACTOR).clamp(LOOK_INTERVAL, MAX_PAUSE);
            }
            let resume = Instant::now() + pause;
            while Instant::now() < resume && !learner.stopping.load(Relaxed) {
                tokio::time::sleep(LOOK_INTERVAL.min(resume.saturating_duration_since(Instant::now()))).await;
            }
        }
    }

    fn work(&self) -> Duration {
        let started = Instant::now();
        let problem = Problem::of(&self.aggregates.read(), self.solved_titles);
        let associations = problem.solve();
        let learned = Learned::solved(&self.aggregates.read(), &self.catalogue.read(), associations);
        metrics::gauge!("nearline_ranking_solved_titles").set(learned.associations.titles().len() as f64);
        *self.learned.write() = Arc::new(learned);
        let took = started.elapsed();
        metrics::histogram!("nearline_ranking_solve_duration_seconds").record(took);
        took
    }
}
