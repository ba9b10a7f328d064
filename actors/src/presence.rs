//! Whether this process is there: one that was paused or starved for longer than its lease does not know what became
//! of its partitions meanwhile, and says `live` again only once the store has confirmed that they are still its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use tokio::time::Instant;

/// When this process was seen to run last, by the loop that owns partitions.
#[derive(Debug)]
pub(crate) struct Presence {
    origin: Instant,
    lease_ms: u64,
    seen_ms: AtomicU64,
    proving: AtomicBool,
}

impl Presence {
    /// Seen now.
    pub(crate) fn new(lease_ms: u64) -> Self {
        Self { origin: Instant::now(), lease_ms, seen_ms: AtomicU64::new(0), proving: AtomicBool::new(false) }
    }

    /// The process runs. Whether it was away for longer than its lease: then what it owns is to be proved.
    pub(crate) fn see(&self) -> bool {
        self.see_at(self.now_ms())
    }

    fn see_at(&self, now_ms: u64) -> bool {
        let was_away = self.is_away_at(now_ms);
        if was_away {
            // First of all: nobody finds it there in between.
            self.proving.store(true, SeqCst);
        }
        self.seen_ms.store(now_ms, SeqCst);
        was_away
    }

    /// What it owns is its own, or was let go.
    pub(crate) fn prove(&self) {
        self.proving.store(false, SeqCst);
    }

    /// Whether an answer from memory is the owner's.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there_at(self.now_ms())
    }

    fn is_there_at(&self, now_ms: u64) -> bool {
        !self.proving.load(SeqCst) && !self.is_away_at(now_ms)
    }

    fn now_ms(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }

    fn is_away_at(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.seen_ms.load(SeqCst)) > self.lease_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_away_for_longer_than_its_lease_is_not_there_until_it_is_proved() {
        let presence = Presence::new(2_000);
        assert!(presence.is_there_at(2_000) && !presence.see_at(2_000));
        assert!(!presence.is_there_at(4_001), "before anybody has noticed");
        assert!(presence.see_at(4_001) && !presence.is_there_at(4_001));
        assert!(!presence.see_at(4_002) && !presence.is_there_at(4_002), "seeing is no proof");
        presence.prove();
        assert!(presence.is_there_at(4_003));
    }
}
