//! Which rows of a stratum are taken: those with the smallest hashes (permanent random numbers, Ohlsson 1995).
//!
//! The hash is SHA-256 of `seed:id`, its first 16 hexadecimal digits compared as text, which is its first eight bytes
//! compared as one big-endian number. Spark, DuckDB, Trino, BigQuery and Python compute the same.

mod balanced;
mod sieve;

use sha2::block_api::compress256;

pub use balanced::{Balanced, BalancedRows, BalancedTotal, MOST_BALANCED_ROWS};
pub use sieve::{Candidate, Sieve, SieveMissed, Verdict};

use crate::StratifyError;

/// The initial state of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The keyed hash of ids under one seed.
///
/// ```
/// use nearline_stratify::select::IdHasher;
/// // python: hashlib.sha256(b"7:42").hexdigest()[:16]
/// assert_eq!(format!("{:016x}", IdHasher::new(7).hash(b"42")), "6fb44d7d504d375b");
/// ```
#[derive(Debug, Clone)]
pub struct IdHasher {
    prefix: Vec<u8>,
}

impl IdHasher {
    /// The hash of a seed.
    pub fn new(seed: u64) -> Self {
        Self { prefix: format!("{seed}:").into_bytes() }
    }

    /// The hash of an id, as the text it is written as.
    #[inline]
    pub fn hash(&self, id: &[u8]) -> u64 {
        let length = self.prefix.len() + id.len();
        if length > 55 { self.hash_long(id) } else { self.hash_block(id, length) }
    }

    /// Messages of up to 55 bytes fill one block.
    #[inline]
    fn hash_block(&self, id: &[u8], length: usize) -> u64 {
        let mut block = [0_u8; 64];
        block[..self.prefix.len()].copy_from_slice(&self.prefix);
        block[self.prefix.len()..length].copy_from_slice(id);
        block[length] = 0x80;
        block[56..].copy_from_slice(&(length as u64 * 8).to_be_bytes());
        let mut state = INITIAL;
        compress256(&mut state, &[block]);
        first_eight(&state)
    }

    fn hash_long(&self, id: &[u8]) -> u64 {
        let mut message = [self.prefix.as_slice(), id].concat();
        let bits = message.len() as u64 * 8;
        message.push(0x80);
        while message.len() % 64 != 56 {
            message.push(0);
        }
        message.extend_from_slice(&bits.to_be_bytes());
        let mut state = INITIAL;
        for chunk in message.chunks_exact(64) {
            let block: [u8; 64] = chunk.try_into().expect("chunks of 64 bytes");
            compress256(&mut state, &[block]);
        }
        first_eight(&state)
    }
}

fn first_eight(state: &[u32; 8]) -> u64 {
    (u64::from(state[0]) << 32) | u64::from(state[1])
}

/// The rows to take when all hashes are at hand: `take[s]` rows with the smallest hashes of each stratum `s`.
///
/// `strata` gives each row's stratum, or none for a row that is left out. The answer holds row numbers, ascending.
///
/// # Errors
/// Two rows with the same hash where a stratum is cut ([`StratifyError::Tie`]).
pub fn smallest(strata: &[Option<usize>], hashes: &[u64], take: &[u64]) -> Result<Vec<usize>, StratifyError> {
    let mut rows: Vec<Vec<(u64, usize)>> = vec![Vec::new(); take.len()];
    for (row, (stratum, hash)) in strata.iter().zip(hashes).enumerate() {
        if let Some(stratum) = stratum {
            rows[*stratum].push((*hash, row));
        }
    }
    let mut taken = Vec::new();
    for (stratum, mut rows) in rows.into_iter().enumerate() {
        rows.sort_unstable();
        let quota = usize::try_from(take[stratum]).expect("a quota fits in memory").min(rows.len());
        if quota > 0 && quota < rows.len() && rows[quota - 1].0 == rows[quota].0 {
            return Err(StratifyError::Tie { stratum });
        }
        taken.extend(rows[..quota].iter().map(|(_, row)| *row));
    }
    taken.sort_unstable();
    Ok(taken)
}

/// A number within 0 and 1 from a hash, for choices by share.
pub fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// A second, independent hash of a hash (SplitMix64's finaliser), for choices that must not repeat the first.
pub fn mix(hash: u64) -> u64 {
    let mut mixed = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn hashes_are_those_of_sha_256_at_every_length() {
        for length in 0..200 {
            let id = "x".repeat(length);
            let digest = Sha256::digest(format!("1234:{id}"));
            let wanted = u64::from_be_bytes(digest[..8].try_into().unwrap());
            assert_eq!(IdHasher::new(1234).hash(id.as_bytes()), wanted, "length {length}");
        }
    }

    #[test]
    fn a_smaller_quota_takes_a_subset() {
        let strata: Vec<_> = (0..1000).map(|row| Some(row % 3)).collect();
        let hasher = IdHasher::new(3);
        let hashes: Vec<_> = (0..1000).map(|row| hasher.hash(row.to_string().as_bytes())).collect();
        let small = smallest(&strata, &hashes, &[10, 20, 30]).unwrap();
        let large = smallest(&strata, &hashes, &[11, 40, 30]).unwrap();
        assert_eq!((small.len(), large.len()), (60, 81));
        assert!(small.iter().all(|row| large.contains(row)));
    }

    #[test]
    fn equal_hashes_at_the_cut_are_refused() {
        let tied = smallest(&[Some(0), Some(0)], &[5, 5], &[1]);
        assert_eq!(tied, Err(StratifyError::Tie { stratum: 0 }));
        assert!(smallest(&[Some(0), Some(0)], &[5, 5], &[2]).is_ok());
    }
}
