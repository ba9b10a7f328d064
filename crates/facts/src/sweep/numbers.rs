//! Which rows of the table a reader gives.

use std::collections::VecDeque;
use std::ops::Range;

use crate::source::Group;

/// The numbers of the rows that a reader gives.
pub(super) enum Numbers {
    /// One after the other, from this one on.
    From(u64),
    /// Those of a selection that were not passed yet.
    Of(VecDeque<u64>),
}

impl Numbers {
    pub fn new(group: &Group, ranges: Option<&[Range<u64>]>) -> Self {
        match ranges {
            None => Self::From(group.first_row),
            Some(ranges) => Self::Of(ranges.iter().cloned().flatten().collect()),
        }
    }

    #[inline]
    pub fn of(&self, row: usize) -> u64 {
        match self {
            Self::From(first) => first + row as u64,
            Self::Of(numbers) => numbers[row],
        }
    }

    pub fn pass(&mut self, rows: usize) {
        match self {
            Self::From(first) => *first += rows as u64,
            Self::Of(numbers) => drop(numbers.drain(..rows)),
        }
    }
}
