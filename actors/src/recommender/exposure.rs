//! How many members each variant was given to: the basis of the check for a sample ratio mismatch.
//!
//! Answers cannot be counted for it: a member who asks more often would count more, and the counts of one
//! member's answers go up together, which no chi-square test allows for. So distinct members are
//! counted, of a sample by hash (adaptive sampling; Flajolet 1990: "On Adaptive Sampling"): while more
//! than `MOST_MEMBERS` are held, those whose hash lacks one more leading zero are dropped. A member
//! belongs to the sample or not whatever its variant, so the ratio stays what it was. Counted since
//! the program started, on this node.

use parking_lot::Mutex;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Members held at most: 16 bytes each.
const MOST_MEMBERS: usize = 16_384;
/// Makes the sample's hash another one than those that deal members to variants.
const SEED: u64 = 0x5a3b_1e5d;

/// Members that were given each variant.
#[derive(Debug)]
pub struct Exposure {
    variants: usize,
    sample: Mutex<Sample>,
}

#[derive(Debug, Default)]
struct Sample {
    /// Leading zero bits that a hash must have to be in the sample.
    zeros: u32,
    members: HashMap<u64, u8>,
}

impl Exposure {
    /// Of `variants` variants.
    pub fn new(variants: usize) -> Self {
        Self { variants, sample: Mutex::default() }
    }

    /// `member` was given `variant`.
    pub fn add(&self, member: &str, variant: usize) {
        let hash = xxh3_64_with_seed(member.as_bytes(), SEED);
        let mut sample = self.sample.lock();
        if hash.leading_zeros() < sample.zeros {
            return;
        }
        sample.members.insert(hash, variant as u8);
        while sample.members.len() > MOST_MEMBERS {
            sample.zeros += 1;
            let zeros = sample.zeros;
            sample.members.retain(|hash, _| hash.leading_zeros() >= zeros);
        }
    }

    /// Members of the sample, by variant.
    pub fn members(&self) -> Vec<u64> {
        let mut members = vec![0; self.variants];
        for variant in self.sample.lock().members.values() {
            if let Some(count) = members.get_mut(usize::from(*variant)) {
                *count += 1;
            }
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_ranking::statistics::chi_square;

    #[test]
    fn a_member_counts_once_however_often_it_asks() {
        let exposure = Exposure::new(2);
        for _ in 0..10 {
            exposure.add("ana", 1);
        }
        exposure.add("bob", 0);
        assert_eq!(exposure.members(), [1, 1]);
    }

    #[test]
    fn the_sample_is_bounded_and_keeps_the_ratio() {
        let exposure = Exposure::new(2);
        for member in 0..200_000 {
            exposure.add(&format!("member-{member}"), usize::from(member % 4 == 0));
        }
        let members = exposure.members();
        let held: u64 = members.iter().sum();
        assert!((4_096..=MOST_MEMBERS as u64).contains(&held), "{members:?}");
        assert!(chi_square(&members, &[3.0, 1.0]).expect("counted").p_value > 1e-3, "{members:?}");
    }
}
