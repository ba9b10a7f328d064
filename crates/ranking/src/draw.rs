//! Draws that are the same on every node and after any restart: hashes of what they are drawn for.

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// Hash of parts, each ended by a byte that no id holds. They are put together first: hashing as they come costs
/// several times as much for so few bytes.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut bytes = SmallVec::<[u8; 256]>::new();
    for part in parts {
        bytes.extend_from_slice(part);
        bytes.push(0xff);
    }
    xxh3_64(&bytes)
}

/// A draw above 0 and below 1, of what both hashes are of.
pub(crate) fn uniform(one: u64, other: u64) -> f64 {
    let mut both = [0; 16];
    both[..8].copy_from_slice(&one.to_le_bytes());
    both[8..].copy_from_slice(&other.to_le_bytes());
    ((xxh3_64(&both) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::Xxh3;

    #[test]
    fn parts_hash_as_one_after_the_other_does_however_long() {
        for length in [0, 1, 16, 240, 241, 5_000] {
            let part = vec![b'x'; length];
            let parts = [&part[..], b"a", &part[..]];
            let mut streamed = Xxh3::new();
            for part in parts {
                streamed.update(part);
                streamed.update(&[0xff]);
            }
            assert_eq!(hash(parts), streamed.digest(), "{length}");
        }
        assert_ne!(hash([&b"ab"[..], b"c"]), hash([&b"a"[..], b"bc"]), "parts are told apart");
    }

    #[test]
    fn draws_are_uniform_whatever_they_are_of() {
        for (one, step) in [(0, 1), (u64::MAX, 1 << 32), (hash([&b"m"[..]]), 1)] {
            let draws: Vec<f64> = (0..10_000).map(|n| uniform(one, n * step)).collect();
            assert!(draws.iter().all(|draw| 0.0 < *draw && *draw < 1.0));
            for tenth in 0..10 {
                let within = |draw: &&f64| (**draw * 10.0) as usize == tenth;
                let count = draws.iter().filter(within).count();
                // A thousand, give or take five standard deviations.
                assert!((850..1_150).contains(&count), "{count} of {one} {step} in tenth {tenth}");
            }
        }
    }
}
