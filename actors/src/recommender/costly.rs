//! What takes long to answer, such as a filter over a whole catalogue: so many at once as there are cores, beside the
//! threads that serve, within the deadline of queries, and stopped when that is over.

use super::NotAnswered;
use crate::event_loop::Threads;
use nearline_ranking::expression::Stop;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// Where costly answers are made.
pub(super) struct Costly {
    permits: Arc<Semaphore>,
    threads: Threads,
    deadline: Duration,
}

impl Costly {
    pub(super) fn new(threads: Threads, deadline: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { permits: Arc::new(Semaphore::new(cores)), threads, deadline }
    }

    /// Makes an answer: at once if it is cheap, else in its turn.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        is_costly: bool,
        make: impl FnOnce(&Stop) -> T + Send + 'static,
    ) -> Result<T, NotAnswered> {
        let stop = Stop::default();
        if !is_costly || self.threads == Threads::Here {
            return Ok(make(&stop));
        }
        let until = Instant::now() + self.deadline;
        let permit = timeout_at(until, self.permits.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| self.overloaded())?;
        let working = stop.clone();
        let made = self.threads.compute(move || {
            let made = make(&working);
            drop(permit);
            made
        });
        match timeout_at(until, made).await {
            Ok(Some(made)) => Ok(made),
            _ => {
                stop.store(true, Relaxed);
                Err(self.overloaded())
            }
        }
    }

    fn overloaded(&self) -> NotAnswered {
        metrics::counter!("nearline_queries_shed_total").increment(1);
        NotAnswered::Overloaded { deadline_ms: self.deadline.as_millis() as u64 }
    }
}
