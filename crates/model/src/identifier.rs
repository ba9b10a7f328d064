//! Identifiers: what an id may look like, and which partition a member belongs to.

mod blocks;
mod epoch;
mod position;

pub use blocks::{Blocks, MAX_BLOCK};
pub use epoch::OwnerEpoch;
pub use position::Position;

use serde::{Deserialize, Serialize};

/// Longest id, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// Most partitions a stream may have.
pub const MAX_PARTITIONS: u16 = 1024;

/// Number of a partition, from 0. Shown as `p07`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionId(pub u16);

impl std::fmt::Display for PartitionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p{:02}", self.0)
    }
}

/// The position of a partition's record number `sequence` (from 1 on), in a log of `partitions`: no two records of a log
/// have the same position, and each partition's are dense, in steps of the number of partitions.
///
/// ```
/// use nearline_model::identifier::{position_of, sequence_of};
/// use nearline_model::{PartitionId, Position};
/// assert_eq!(position_of(3, PartitionId(1), 4), Position(10));
/// assert_eq!(sequence_of(Position(10), PartitionId(1), 4), Some(3));
/// assert_eq!(sequence_of(Position(9), PartitionId(1), 4), None);
/// ```
pub fn position_of(sequence: u64, partition: PartitionId, partitions: u16) -> Position {
    Position((sequence - 1) * u64::from(partitions.max(1)) + u64::from(partition.0) + 1)
}

/// The number of the partition's record at `position`; `None`: no record of the partition is there.
pub fn sequence_of(position: Position, partition: PartitionId, partitions: u16) -> Option<u64> {
    let behind = position.0.checked_sub(u64::from(partition.0) + 1)?;
    let step = u64::from(partitions.max(1));
    behind.is_multiple_of(step).then(|| behind / step + 1)
}

const ID_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        byte += 1;
    }
    table
};

/// Whether `id` matches `[A-Za-z0-9_-]{1,64}`: such ids are safe as subject tokens and key parts.
#[inline]
pub fn is_id(id: &str) -> bool {
    let (words, rest) = id.as_bytes().as_chunks::<8>();
    (1..=MAX_ID_BYTES).contains(&id.len())
        && words.iter().all(|word| are_id_bytes(u64::from_le_bytes(*word)))
        && rest.iter().all(|byte| ID_BYTE[usize::from(*byte)])
}

/// Whether all eight bytes may stand in an id, looked at together.
#[inline]
fn are_id_bytes(word: u64) -> bool {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // The high bit of each byte that is at least `least`; bytes have none of their own.
    let at_least = |word: u64, least: u8| (word | HIGH).wrapping_sub(LOW * u64::from(least));
    let between = |word: u64, least: u8, most: u8| at_least(word, least) & !at_least(word, most + 1);
    let is = |byte: u8| !at_least(word ^ (LOW * u64::from(byte)), 1);
    // Capitals become small letters, and nothing else becomes one.
    let letters = between(word | (LOW * 0x20), b'a', b'z');
    let known = letters | between(word, b'0', b'9') | is(b'_') | is(b'-');
    word & HIGH == 0 && known & HIGH == HIGH
}

/// Why `id` is no id, in words for the one who sent it. `None` if it is one.
pub fn id_problem(id: &str) -> Option<String> {
    if is_id(id) {
        None
    } else if id.is_empty() {
        Some("is empty; ids have 1 to 64 characters of A-Z, a-z, 0-9, _ and -".into())
    } else if id.len() > MAX_ID_BYTES {
        Some(format!("has {} bytes; ids have at most {MAX_ID_BYTES}", id.len()))
    } else {
        let bad = id.chars().find(|c| !c.is_ascii() || !ID_BYTE[*c as usize]).unwrap_or('?');
        Some(format!("holds {bad:?}; ids are made of A-Z, a-z, 0-9, _ and -"))
    }
}

/// The partition of `member` among `partitions`.
///
/// FNV-1a (32 bits) of the member's token, modulo the number of partitions: the same function that
/// NATS applies in the subject transform `partition(N,1)`.
pub fn partition_of(member: &str, partitions: u16) -> PartitionId {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in member.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    PartitionId((hash % u32::from(partitions.max(1))) as u16)
}

/// Fingerprint of an id: XXH3-64, stable across versions and machines (it is stored).
pub fn fingerprint(id: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_subject_tokens_and_nothing_else() {
        for good in ["a", "A-b_9", &"x".repeat(64)] {
            assert!(is_id(good), "{good}");
            assert_eq!(id_problem(good), None);
        }
        for bad in ["", "a.b", "a b", "é", "*", ">", "a\n", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad}");
            assert!(id_problem(bad).is_some());
        }
    }

    #[test]
    fn every_byte_is_judged_the_same_at_every_place() {
        for byte in 0..128_u8 {
            for place in 0..11 {
                let mut id = *b"A0_-zaZ9m5x";
                id[place] = byte;
                let is_one = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
                assert_eq!(is_id(std::str::from_utf8(&id).expect("ASCII")), is_one, "{byte} at {place}");
            }
        }
        assert!(!is_id("\u{e1}bcdefgh"));
    }

    #[test]
    fn partition_is_fnv_1a_modulo_count() {
        // Reference values of 32-bit FNV-1a: "" = 811c9dc5, "a" = e40c292c, "foobar" = bf9cf968.
        assert_eq!(partition_of("a", 1000), PartitionId((0xe40c_292c_u32 % 1000) as u16));
        assert_eq!(partition_of("foobar", 16), PartitionId((0xbf9c_f968_u32 % 16) as u16));
    }
}
