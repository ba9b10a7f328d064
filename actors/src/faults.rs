//! Faults on purpose, for tests and the chaos harness: off unless [`EngineSettings::chaos`] is set.
//!
//! [`EngineSettings::chaos`]: crate::EngineSettings::chaos

use nearline_model::{Event, PartitionId};
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Patterns of poisonous ids at most.
pub const POISON_PATTERNS: usize = 64;
/// Longest time that an arbiter is blocked on purpose.
pub const LONGEST_HANG: Duration = Duration::from_secs(600);

/// A fault that a partition's actor meets at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// The actor panics, at no event.
    Panic,
    /// The actor blocks its thread.
    Hang(Duration),
}

/// Why a fault was not injected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInjected {
    /// No such partition.
    #[error("there is no partition {0}; partitions are numbered from 0 to {1}")]
    NoPartition(u16, u16),
    /// The partition has no actor right now.
    #[error("partition {0} has no actor right now: it is being rebuilt or has stopped; try again")]
    NoActor(PartitionId),
    /// Too many patterns.
    #[error("there are {POISON_PATTERNS} patterns of poisonous ids already; clear them first")]
    TooManyPatterns,
    /// Faults are not allowed here.
    #[error("faults are not allowed here; set `chaos.enabled = true` on a test system")]
    Disabled,
}

/// Faults that are armed.
#[derive(Debug, Default)]
pub struct Faults {
    poisoning: AtomicBool,
    poison: RwLock<Vec<String>>,
    stalled: Mutex<Vec<PartitionId>>,
}

impl Faults {
    /// From now on, folding an event panics if its id matches: `bait-*` stands for all ids that begin
    /// with `bait-`, anything without a star for one id.
    ///
    /// # Errors
    /// [`NotInjected::TooManyPatterns`].
    pub fn poison(&self, pattern: &str) -> Result<(), NotInjected> {
        let mut patterns = self.poison.write();
        if !patterns.iter().any(|known| known == pattern) {
            if patterns.len() >= POISON_PATTERNS {
                return Err(NotInjected::TooManyPatterns);
            }
            patterns.push(pattern.to_owned());
        }
        self.poisoning.store(true, Relaxed);
        Ok(())
    }

    /// No event is poisonous any more; gives the number of patterns dropped.
    pub fn clear_poison(&self) -> usize {
        self.poisoning.store(false, Relaxed);
        std::mem::take(&mut *self.poison.write()).len()
    }

    /// The partition's reader brings nothing any more, until it is recreated.
    pub fn stall_reader(&self, partition: PartitionId) {
        self.stalled.lock().push(partition);
    }

    /// Whether the reader is to stall; asked once per batch, answered once per fault.
    pub(crate) fn take_stall(&self, partition: PartitionId) -> bool {
        let mut stalled = self.stalled.lock();
        let before = stalled.len();
        stalled.retain(|armed| *armed != partition);
        stalled.len() < before
    }

    /// Panics if the event is poisonous.
    pub(crate) fn meet(&self, event: Option<&Event<'_>>) {
        if !self.poisoning.load(Relaxed) {
            return;
        }
        if let Some(event) = event
            && self.poison.read().iter().any(|pattern| matches(pattern, &event.id))
        {
            panic!("injected: event {} is poisonous", event.id);
        }
    }
}

fn matches(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => id.starts_with(start),
        None => id == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_a_star_matches_by_its_start_and_one_without_matches_one_id() {
        assert!(matches("bait-*", "bait-7") && matches("bait", "bait") && matches("*", "anything"));
        assert!(!matches("bait-*", "bai") && !matches("bait", "bait-7"));
    }

    #[test]
    fn a_stall_is_taken_once_and_patterns_are_bounded() {
        let faults = Faults::default();
        faults.stall_reader(PartitionId(3));
        assert!(!faults.take_stall(PartitionId(2)));
        assert!(faults.take_stall(PartitionId(3)));
        assert!(!faults.take_stall(PartitionId(3)));
        for number in 0..POISON_PATTERNS {
            faults.poison(&format!("id{number}")).expect("room");
        }
        faults.poison("id0").expect("known already");
        assert_eq!(faults.poison("one-more"), Err(NotInjected::TooManyPatterns));
        assert_eq!(faults.clear_poison(), POISON_PATTERNS);
    }
}
