//! Block maxima: the greatest of every 64 values, so that a search for the greatest of all passes over
//! blocks in which there is none.
//!
//! After Ding, Suel: "Faster Top-k Document Retrieval Using Block-Max Indexes" (SIGIR 2011). Here blocks
//! are of titles by their number, and maxima are exact at all times: values change with every delta.

use get_size2::GetSize;

/// Titles of one block.
pub const BLOCK: usize = 64;

/// The greatest value of each block; none is below 0.
#[derive(Debug, Clone, Default, PartialEq, GetSize)]
pub struct BlockMaxima {
    maxima: Vec<f64>,
}

impl BlockMaxima {
    /// Those of `values`, of which there may be more than are given: each of those is `rest`.
    pub fn of(values: impl Iterator<Item = f64>, rest: f64) -> Self {
        let mut maxima = Vec::new();
        let mut count = 0;
        for value in values {
            match maxima.last_mut() {
                Some(greatest) if count % BLOCK > 0 => *greatest = f64::max(*greatest, value),
                _ => maxima.push(value),
            }
            count += 1;
        }
        if let Some(last) = maxima.last_mut().filter(|_| count % BLOCK > 0) {
            *last = last.max(rest);
        }
        Self { maxima }
    }

    /// The value at `at` was `before` and is now what `values` says.
    pub fn changed(&mut self, values: &[f64], at: usize, before: f64) {
        let block = at / BLOCK;
        if self.maxima.len() <= block {
            self.maxima.resize(block + 1, 0.0);
        }
        let (now, greatest) = (values[at], &mut self.maxima[block]);
        if now >= *greatest {
            *greatest = now;
        } else if before >= *greatest {
            let end = values.len().min((block + 1) * BLOCK);
            *greatest = values[block * BLOCK..end].iter().copied().fold(0.0, f64::max);
        }
    }

    /// Forgets all: every value is 0 now.
    pub fn clear(&mut self) {
        self.maxima.clear();
    }

    /// The greatest of each of 64 blocks from `first` on; those that are missing have `rest`.
    pub fn of_blocks(&self, first: usize, rest: f64) -> [f64; BLOCK] {
        let mut maxima = [rest; BLOCK];
        let known = self.maxima.get(first..).unwrap_or_default();
        maxima.iter_mut().zip(known).for_each(|(most, known)| *most = *known);
        maxima
    }

    /// The greatest of all; 0 of none.
    pub fn greatest(&self) -> f64 {
        greatest(&self.maxima)
    }
}

/// The greatest of `values`, at least 0: several at a time, which do not wait for each other.
pub fn greatest(values: &[f64]) -> f64 {
    let mut most = [0.0; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for values in chunks {
        most.iter_mut()
            .zip(values)
            .for_each(|(most, value)| *most = if *value > *most { *value } else { *most });
    }
    most.into_iter().chain(rest.iter().copied()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_that_are_not_given_count_in_the_last_block() {
        let maxima = BlockMaxima::of([0.5; BLOCK + 1].into_iter(), 1.0);
        assert_eq!(maxima.of_blocks(0, 9.0)[..4], [0.5, 1.0, 9.0, 9.0]);
        assert_eq!(maxima.of_blocks(1, 9.0)[..2], [1.0, 9.0]);
        assert_eq!(maxima.of_blocks(BLOCK, 9.0), [9.0; BLOCK]);
        assert_eq!(BlockMaxima::of([0.5; BLOCK].into_iter(), 1.0).greatest(), 0.5);
    }

    proptest! {
        #[test]
        fn maxima_are_exact_after_every_change(
            changes in prop::collection::vec((0..200_usize, 0..20_u8), 1..300)
        ) {
            let (mut values, mut maxima) = (vec![0.0; 200], BlockMaxima::default());
            for (at, value) in changes {
                let before = values[at];
                values[at] = f64::from(value);
                maxima.changed(&values, at, before);
                let exact = BlockMaxima::of(values.iter().copied(), 0.0);
                prop_assert_eq!(maxima.of_blocks(0, 0.0), exact.of_blocks(0, 0.0));
                let greatest = values.iter().copied().fold(0.0, f64::max);
                prop_assert_eq!([maxima.greatest(), exact.greatest()], [greatest; 2]);
            }
        }
    }
}
