//! Rows of one entity: at most so many, or all or none.

mod flow;
mod whole;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub use flow::{Assigned, MemberRow, assign};
pub use whole::{Whole, whole};

/// Leaves each entity's rows of smallest hash; what is left depends on neither order nor threads.
///
/// Takes `16 * at_most` bytes per entity, and some 40 more. Entities are told apart by a 64-bit hash of their names.
#[derive(Debug, Clone)]
pub struct Thinner {
    at_most: usize,
    slots: HashMap<u64, (u32, u32), BuildHasherDefault<AlreadyHashed>>,
    kept: Vec<(u64, u64)>,
}

/// What thinning left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thinned {
    /// The rows left, ascending.
    pub rows: Vec<u64>,
    /// How many entities there were.
    pub entities: u64,
    /// How many of them had too few rows and are left out.
    pub too_few: u64,
    /// How many rows are gone.
    pub lost: u64,
}

/// Entities come as hashes: hashing them again would be half the work of thinning.
#[derive(Debug, Clone, Copy, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

const EMPTY: (u64, u64) = (u64::MAX, u64::MAX);

impl Thinner {
    /// A thinner that leaves at most so many rows per entity.
    pub fn new(at_most: u32) -> Self {
        Self { at_most: at_most.max(1) as usize, slots: HashMap::default(), kept: Vec::new() }
    }

    /// Looks at one row.
    pub fn offer(&mut self, entity: u64, hash: u64, row: u64) {
        self.add(entity, 1, &[(hash, row)]);
    }

    fn add(&mut self, entity: u64, count: u32, rows: &[(u64, u64)]) {
        let next = u32::try_from(self.slots.len()).expect("fewer than 2^32 entities");
        let slot = self.slots.entry(entity).or_insert((next, 0));
        slot.1 = slot.1.saturating_add(count);
        let start = slot.0 as usize * self.at_most;
        if self.kept.len() < start + self.at_most {
            self.kept.resize(start + self.at_most, EMPTY);
        }
        let kept = &mut self.kept[start..start + self.at_most];
        for row in rows {
            let largest = kept.iter_mut().max().expect("at least one slot per entity");
            if row < largest {
                *largest = *row;
            }
        }
    }

    /// Adds what another thinner saw.
    pub fn merge(&mut self, other: &Self) {
        for (entity, (slot, count)) in &other.slots {
            let start = *slot as usize * other.at_most;
            self.add(*entity, *count, &other.kept[start..start + other.at_most]);
        }
    }

    /// The rows left, without entities of fewer than `at_least` rows.
    pub fn finish(self, at_least: u32) -> Thinned {
        let mut thinned =
            Thinned { rows: Vec::new(), entities: self.slots.len() as u64, too_few: 0, lost: 0 };
        for (slot, count) in self.slots.values() {
            let mut left = 0;
            if *count >= at_least {
                let start = *slot as usize * self.at_most;
                let kept = self.kept[start..start + self.at_most].iter().filter(|row| **row != EMPTY);
                left = kept.map(|(_, row)| thinned.rows.push(*row)).count() as u64;
            } else {
                thinned.too_few += 1;
            }
            thinned.lost += u64::from(*count) - left;
        }
        thinned.rows.sort_unstable();
        thinned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::mix;

    #[test]
    fn thinning_leaves_the_smallest_hashes_in_any_order() {
        let rows: Vec<(u64, u64, u64)> = (0..500).map(|row| (mix(row % 60 % 37), mix(row), row)).collect();
        let mut forwards = Thinner::new(3);
        rows.iter().for_each(|(entity, hash, row)| forwards.offer(*entity, *hash, *row));
        let mut halves = [Thinner::new(3), Thinner::new(3)];
        rows.iter()
            .rev()
            .for_each(|(entity, hash, row)| halves[(*row % 2) as usize].offer(*entity, *hash, *row));
        let [mut merged, other] = halves;
        merged.merge(&other);
        let (one, two) = (forwards.finish(0), merged.finish(0));
        assert_eq!(one, two);
        assert_eq!((one.rows.len(), one.entities, one.lost), (37 * 3, 37, 500 - 37 * 3));
    }

    #[test]
    fn entities_with_too_few_rows_are_left_out() {
        let mut thinner = Thinner::new(5);
        [(1, 10), (1, 11), (2, 12)].iter().for_each(|(entity, row)| thinner.offer(*entity, mix(*row), *row));
        let thinned = thinner.finish(2);
        assert_eq!((thinned.rows.as_slice(), thinned.too_few, thinned.lost), ([10, 11].as_slice(), 1, 1));
    }
}
