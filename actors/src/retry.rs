//! Trying again while a server is away: exponential backoff with full jitter.

use nearline_ports::PortError;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

thread_local! {
    /// Where this thread's jitter comes from, if not from the system.
    static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// Draws this thread's jitter from `seed` from now on, for simulations; `None`: from the system again.
pub fn seed_jitter(seed: Option<u64>) {
    SEEDED.set(seed.map(StdRng::seed_from_u64));
}

/// Random bits for jitter, from this thread's seed if it has one.
pub(crate) fn random() -> u64 {
    let seeded = SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map(|rng| rng.random()));
    seeded.unwrap_or_else(rand::random)
}

/// Waiting times between attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    next_ms: u64,
    first_ms: u64,
    max_ms: u64,
}

impl Backoff {
    /// Waits of about `first_ms`, doubling up to `max_ms`.
    pub fn new(first_ms: u64, max_ms: u64) -> Self {
        Self { next_ms: first_ms.max(1), first_ms: first_ms.max(1), max_ms: max_ms.max(1) }
    }

    /// The next waiting time: between half and all of the current bound.
    pub fn next_wait(&mut self) -> Duration {
        let bound = self.next_ms;
        self.next_ms = (bound * 2).min(self.max_ms);
        let range = bound * 500..=bound * 1_000;
        let seeded =
            SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map(|rng| rng.random_range(range.clone())));
        Duration::from_micros(seeded.unwrap_or_else(|| rand::rng().random_range(range)))
    }

    /// Starts over, after something worked.
    pub fn reset(&mut self) {
        self.next_ms = self.first_ms;
    }
}

/// Runs `attempt` until it works or fails for good; `on_wait` hears of each transient failure.
///
/// # Errors
/// The first error that is not transient.
pub async fn until_done<T, F: Future<Output = Result<T, PortError>>>(
    mut attempt: impl FnMut() -> F,
    mut on_wait: impl FnMut(&PortError),
) -> Result<T, PortError> {
    let mut backoff = Backoff::new(10, 1_000);
    loop {
        match attempt().await {
            Err(error) if error.is_transient() => {
                on_wait(&error);
                tokio::time::sleep(backoff.next_wait()).await;
            }
            outcome => return outcome,
        }
    }
}
