//! The time of day, as the outside tells it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time of day. What is decided by it, or stored with it, asks here and nowhere else, so that a
/// simulation's time is the only one there is.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The machine's time of day, for what is told to people and never decided by.
pub fn now() -> SystemTime {
    SystemTime::now()
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }
}
