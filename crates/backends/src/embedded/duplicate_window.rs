//! The event ids that the log remembers, so that an event sent again is not stored again.

use hashbrown::HashMap;
use nearline_model::{PartitionId, Position};
use std::collections::VecDeque;

/// Hash of a member and an id of its events: 128 bits, so that two do not meet by chance.
pub(super) type IdHash = u128;

/// Hash of an event's `id` among those of its member. It is stored with the record.
pub(super) fn hash_of(member: &str, id: &str) -> IdHash {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    hasher.update(member.as_bytes());
    // In neither of them.
    hasher.update(b"/");
    hasher.update(id.as_bytes());
    hasher.digest128()
}

/// The newest ids and where their events are, bounded by count and by age.
pub(super) struct DuplicateWindow {
    places: HashMap<IdHash, (PartitionId, Position)>,
    order: VecDeque<(i64, IdHash)>,
    max_ids: usize,
    max_age_ms: i64,
}

impl DuplicateWindow {
    pub(super) fn new(max_ids: usize, max_age_seconds: u64) -> Self {
        let max_age_ms = i64::try_from(max_age_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Self { places: HashMap::new(), order: VecDeque::new(), max_ids, max_age_ms }
    }

    /// How many ids it may hold.
    pub(super) fn max_ids(&self) -> usize {
        self.max_ids
    }

    /// Log time before which an event is forgotten, as of `now_ms`.
    pub(super) fn oldest_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.max_age_ms)
    }

    /// Where the event with this id is.
    pub(super) fn place(&self, id: IdHash) -> Option<(PartitionId, Position)> {
        self.places.get(&id).copied()
    }

    /// Remembers an id that it did not know; the oldest goes if there are too many.
    pub(super) fn remember(&mut self, id: IdHash, partition: PartitionId, position: Position, log_ms: i64) {
        if self.max_ids == 0 {
            return;
        }
        if self.order.len() >= self.max_ids {
            self.forget_oldest();
        }
        self.places.insert(id, (partition, position));
        self.order.push_back((log_ms, id));
    }

    /// Forgets what is too old as of `now_ms`.
    pub(super) fn expire(&mut self, now_ms: i64) {
        let oldest_ms = self.oldest_ms(now_ms);
        while self.order.front().is_some_and(|(log_ms, _)| *log_ms < oldest_ms) {
            self.forget_oldest();
        }
    }

    /// Forgets the `count` ids remembered last: their events were not stored after all.
    pub(super) fn forget_newest(&mut self, count: usize) {
        let kept = self.order.len().saturating_sub(count);
        for (_, id) in self.order.drain(kept..) {
            self.places.remove(&id);
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.places.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P0: PartitionId = PartitionId(0);

    #[test]
    fn count_and_age_bound_the_window() {
        let mut window = DuplicateWindow::new(3, 10);
        for position in 1..=4_u64 {
            window.remember(hash_of("ada", &position.to_string()), P0, position, position as i64 * 1_000);
        }
        assert_eq!(window.place(hash_of("ada", "1")), None);
        assert_eq!(window.place(hash_of("ada", "2")), Some((P0, 2)));
        window.expire(13_000);
        assert_eq!(window.place(hash_of("ada", "2")), None);
        assert_eq!(window.place(hash_of("ada", "3")), Some((P0, 3)));
    }

    #[test]
    fn ids_of_a_failed_write_are_forgotten() {
        let mut window = DuplicateWindow::new(10, 10);
        for position in 1..=4_u64 {
            window.remember(hash_of("ada", &position.to_string()), P0, position, 0);
        }
        window.forget_newest(2);
        assert_eq!(window.place(hash_of("ada", "2")), Some((P0, 2)));
        assert_eq!(window.place(hash_of("ada", "3")), None);
        assert_eq!(window.place(hash_of("ada", "4")), None);
        window.remember(hash_of("ada", "3"), P0, 5, 0);
        assert_eq!(window.place(hash_of("ada", "3")), Some((P0, 5)));
    }
}
