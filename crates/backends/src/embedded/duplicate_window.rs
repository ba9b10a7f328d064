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
    ring: Ring,
    /// Number of the oldest; numbers go on around.
    oldest: u32,
    max_ids: usize,
    max_age_ms: i64,
}

/// An id and where its event is: 32 bytes, and there are millions of them.
struct Remembered {
    id: IdHash,
    position: Position,
    /// Log time in milliseconds, then the partition in the lowest 16 bits.
    time_and_partition: i64,
}

impl Remembered {
    fn new(id: IdHash, partition: PartitionId, position: Position, log_ms: i64) -> Self {
        Self { id, position, time_and_partition: log_ms << 16 | i64::from(partition.0) }
    }

    fn log_ms(&self) -> i64 {
        self.time_and_partition >> 16
    }

    fn partition(&self) -> PartitionId {
        PartitionId(self.time_and_partition as u16)
    }
}

/// Ids in a chunk: 256 KiB.
const CHUNK_IDS: usize = 8_192;

/// What is remembered, oldest first, in chunks: it grows without a copy of all of it, which at the greatest would be there
/// twice.
#[derive(Default)]
struct Ring {
    chunks: VecDeque<Vec<Remembered>>,
    /// Of the first chunk, forgotten already.
    forgotten: usize,
    length: usize,
}

impl Ring {
    fn len(&self) -> usize {
        self.length
    }

    fn get(&self, at: usize) -> &Remembered {
        let at = self.forgotten + at;
        &self.chunks[at / CHUNK_IDS][at % CHUNK_IDS]
    }

    fn oldest(&self) -> Option<&Remembered> {
        (self.length > 0).then(|| self.get(0))
    }

    fn push(&mut self, remembered: Remembered) {
        match self.chunks.back_mut().filter(|chunk| chunk.len() < CHUNK_IDS) {
            Some(chunk) => chunk.push(remembered),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK_IDS);
                chunk.push(remembered);
                self.chunks.push_back(chunk);
            }
        }
        self.length += 1;
    }

    fn pop_oldest(&mut self) -> Option<IdHash> {
        let id = self.oldest()?.id;
        self.forgotten += 1;
        self.length -= 1;
        if self.forgotten == CHUNK_IDS {
            self.chunks.pop_front();
            self.forgotten = 0;
        }
        Some(id)
    }

    fn pop_newest(&mut self) -> Option<IdHash> {
        if self.length == 0 {
            return None;
        }
        self.length -= 1;
        let chunk = self.chunks.back_mut()?;
        let id = chunk.pop()?.id;
        if chunk.is_empty() {
            self.chunks.pop_back();
        }
        Some(id)
    }

    fn memory_bytes(&self) -> usize {
        self.chunks.len() * CHUNK_IDS * size_of::<Remembered>()
    }
}

impl DuplicateWindow {
    pub(super) fn new(max_ids: usize, max_age_seconds: u64) -> Self {
        let max_age_ms = i64::try_from(max_age_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        // Numbers tell no more of them apart.
        let max_ids = max_ids.min(u32::MAX as usize);
        Self { places: HashTable::new(), ring: Ring::default(), oldest: 0, max_ids, max_age_ms }
    }

    /// Bytes that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.ring.memory_bytes() + self.places.allocation_size()
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
        let remembered = |number: u32| self.ring.get(number.wrapping_sub(self.oldest) as usize);
        let number = self.places.find(id as u64, |number| remembered(*number).id == id)?;
        let remembered = remembered(*number);
        Some((remembered.partition(), remembered.position))
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
        self.ring.push(Remembered::new(id, partition, position, log_ms));
        let (ring, oldest) = (&self.ring, self.oldest);
        let hash = |number: &u32| ring.get(number.wrapping_sub(oldest) as usize).id as u64;
        self.places.insert_unique(id as u64, number, hash);
    }

    /// Forgets what is too old as of `now_ms`.
    pub(super) fn expire(&mut self, now_ms: i64) {
        let oldest_ms = self.oldest_ms(now_ms);
        while self.ring.oldest().is_some_and(|remembered| remembered.log_ms() < oldest_ms) {
            self.forget_oldest();
        }
    }

    /// Forgets the `count` ids remembered last: their events were not stored after all.
    pub(super) fn forget_newest(&mut self, count: usize) {
        for _ in 0..count.min(self.ring.len()) {
            let Some(id) = self.ring.pop_newest() else { break };
            self.forget(id, self.oldest.wrapping_add(self.ring.len() as u32));
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(id) = self.ring.pop_oldest() {
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
    fn what_is_remembered_is_given_back_whole() {
        for (partition, log_ms) in [(0, 0), (u16::MAX, -1), (7, 1_772_396_100_000), (1, -(1 << 47))] {
            let remembered = Remembered::new(9, PartitionId(partition), Position(4), log_ms);
            assert_eq!((remembered.partition(), remembered.log_ms()), (PartitionId(partition), log_ms));
        }
        assert_eq!(size_of::<Remembered>(), 32);
    }

    #[test]
    fn the_ring_is_a_queue_over_the_bounds_of_its_chunks() {
        let (mut ring, mut queue, mut next) = (Ring::default(), VecDeque::new(), 0);
        let most = 2 * CHUNK_IDS + 3;
        // Filled, emptied from one end, from the other, and from both, in parts that fit no chunk.
        for (pushed, oldest, newest) in [
            (most, 5, 0),
            (7, 0, most),
            (CHUNK_IDS, CHUNK_IDS, 9),
            (most, CHUNK_IDS - 1, CHUNK_IDS),
            (1, most, most),
        ] {
            for _ in 0..pushed {
                ring.push(Remembered::new(next, P0, Position(1), 0));
                queue.push_back(next);
                next += 1;
            }
            (0..oldest).for_each(|_| assert_eq!(ring.pop_oldest(), queue.pop_front()));
            (0..newest).for_each(|_| assert_eq!(ring.pop_newest(), queue.pop_back()));
            let held: Vec<IdHash> = (0..ring.len()).map(|at| ring.get(at).id).collect();
            assert_eq!(
                (held, ring.oldest().map(|oldest| oldest.id)),
                (queue.clone().into(), queue.front().copied())
            );
        }
        assert!(ring.memory_bytes() <= CHUNK_IDS * 32, "what is empty is given back");
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
