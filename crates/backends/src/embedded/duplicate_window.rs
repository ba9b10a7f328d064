//! The event ids that the log remembers, so that an event sent again is not stored again.

use hashbrown::HashTable;
use nearline_model::identifier::MAX_ID_BYTES;
use nearline_model::{PartitionId, Position};
use std::collections::VecDeque;

/// Hash of a member and an id of its events: 128 bits, so that two do not meet by chance.
pub(super) type IdHash = u128;

/// Hash of an event's `id` among those of its member. It is stored with the record.
pub(super) fn hash_of(member: &str, id: &str) -> IdHash {
    // The slash is in neither of them.
    let parts = [member.as_bytes(), b"/", id.as_bytes()];
    let mut text = [0; 2 * MAX_ID_BYTES + 1];
    let mut length = 0;
    for part in parts {
        match text.get_mut(length..length + part.len()) {
            Some(place) => place.copy_from_slice(part),
            None => return xxhash_rust::xxh3::xxh3_128(&parts.concat()),
        }
        length += part.len();
    }
    xxhash_rust::xxh3::xxh3_128(&text[..length])
}

/// The newest ids and where their events are, bounded by count and by age.
///
/// The table holds places of the ring alone, so that it stays in the processor's cache: nearly every id is new, which the
/// table tells without a look at the ring.
pub(super) struct DuplicateWindow {
    /// Numbers of the ids in the ring, by their hash.
    places: HashTable<u32>,
    /// Oldest first.
    ring: VecDeque<Remembered>,
    /// Number of the oldest; numbers go on around.
    oldest: u32,
    max_ids: usize,
    max_age_ms: i64,
}

struct Remembered {
    id: IdHash,
    log_ms: i64,
    position: Position,
    partition: PartitionId,
}

impl DuplicateWindow {
    pub(super) fn new(max_ids: usize, max_age_seconds: u64) -> Self {
        let max_age_ms = i64::try_from(max_age_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        // Numbers tell no more of them apart.
        let max_ids = max_ids.min(u32::MAX as usize);
        Self { places: HashTable::new(), ring: VecDeque::new(), oldest: 0, max_ids, max_age_ms }
    }

    /// Bytes that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.ring.capacity() * size_of::<Remembered>() + self.places.allocation_size()
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
        let remembered = |number: u32| &self.ring[number.wrapping_sub(self.oldest) as usize];
        let number = self.places.find(id as u64, |number| remembered(*number).id == id)?;
        let Remembered { partition, position, .. } = *remembered(*number);
        Some((partition, position))
    }

    /// Remembers an id that it did not know; the oldest goes if there are too many.
    pub(super) fn remember(&mut self, id: IdHash, partition: PartitionId, position: Position, log_ms: i64) {
        if self.max_ids == 0 {
            return;
        }
        if self.ring.len() >= self.max_ids {
            self.forget_oldest();
        }
        let number = self.oldest.wrapping_add(self.ring.len() as u32);
        self.ring.push_back(Remembered { id, log_ms, position, partition });
        let (ring, oldest) = (&self.ring, self.oldest);
        let hash = |number: &u32| ring[number.wrapping_sub(oldest) as usize].id as u64;
        self.places.insert_unique(id as u64, number, hash);
    }

    /// Forgets what is too old as of `now_ms`.
    pub(super) fn expire(&mut self, now_ms: i64) {
        let oldest_ms = self.oldest_ms(now_ms);
        while self.ring.front().is_some_and(|remembered| remembered.log_ms < oldest_ms) {
            self.forget_oldest();
        }
    }

    /// Forgets the `count` ids remembered last: their events were not stored after all.
    pub(super) fn forget_newest(&mut self, count: usize) {
        for _ in 0..count.min(self.ring.len()) {
            let Some(Remembered { id, .. }) = self.ring.pop_back() else { break };
            self.forget(id, self.oldest.wrapping_add(self.ring.len() as u32));
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(Remembered { id, .. }) = self.ring.pop_front() {
            self.forget(id, self.oldest);
            self.oldest = self.oldest.wrapping_add(1);
        }
    }

    fn forget(&mut self, id: IdHash, number: u32) {
        if let Ok(found) = self.places.find_entry(id as u64, |known| *known == number) {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P0: PartitionId = PartitionId(0);

    #[test]
    fn hashes_are_those_that_are_stored() {
        for (member, id) in
            [("ada", "e1"), ("", ""), (&*"m".repeat(64), &*"e".repeat(64)), ("a", &*"e".repeat(300))]
        {
            let mut hasher = xxhash_rust::xxh3::Xxh3::new();
            [member, "/", id].iter().for_each(|part| hasher.update(part.as_bytes()));
            assert_eq!(hash_of(member, id), hasher.digest128(), "{member} {id}");
        }
    }

    #[test]
    fn count_and_age_bound_the_window() {
        let mut window = DuplicateWindow::new(3, 10);
        for position in 1..=4_u64 {
            window.remember(
                hash_of("ada", &position.to_string()),
                P0,
                Position(position),
                position as i64 * 1_000,
            );
        }
        assert_eq!(window.place(hash_of("ada", "1")), None);
        assert_eq!(window.place(hash_of("ada", "2")), Some((P0, Position(2))));
        window.expire(13_000);
        assert_eq!(window.place(hash_of("ada", "2")), None);
        assert_eq!(window.place(hash_of("ada", "3")), Some((P0, Position(3))));
    }

    #[test]
    fn ids_of_a_failed_write_are_forgotten() {
        let mut window = DuplicateWindow::new(10, 10);
        for position in 1..=4_u64 {
            window.remember(hash_of("ada", &position.to_string()), P0, Position(position), 0);
        }
        window.forget_newest(2);
        assert_eq!(window.place(hash_of("ada", "2")), Some((P0, Position(2))));
        assert_eq!(window.place(hash_of("ada", "3")), None);
        assert_eq!(window.place(hash_of("ada", "4")), None);
        window.remember(hash_of("ada", "3"), P0, Position(5), 0);
        assert_eq!(window.place(hash_of("ada", "3")), Some((P0, Position(5))));
    }
}
