//! A partition whose commits bring facts.

use super::Partition;
use super::cache::{Cache, Slot};
use crate::facts::{Capture, CaptureSettings, Fact, HeldMember};

impl Partition {
    /// From now on commits bring facts: of each member that changed since the one before, its state after the last
    /// change, and after each that a query was answered from.
    #[must_use]
    pub fn capture(mut self, settings: CaptureSettings) -> Self {
        self.capture = Some(Capture::new(self.id, settings));
        self
    }

    /// Facts that the next commit brings, at least.
    pub fn changed_facts(&self) -> usize {
        self.capture.as_ref().map_or(0, Capture::len)
    }

    pub(super) fn take_facts(&mut self) -> Vec<Fact> {
        let Some(capture) = &mut self.capture else { return Vec::new() };
        for slot in capture.take_open() {
            capture.close(&held(&self.cache, slot), &self.names);
        }
        capture.take_facts()
    }
}

/// The member in `slot`, which is unpacked.
pub(super) fn held(cache: &Cache, slot: Slot) -> HeldMember<'_> {
    HeldMember { slot, name: cache.name(slot), state: cache.unpacked(slot) }
}
