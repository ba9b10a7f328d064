//! A set of rows: one bit per row, by row group.

use arrow_array::BooleanArray;
use arrow_buffer::{BooleanBuffer, Buffer};
use parquet::arrow::arrow_reader::RowSelection;

use super::source::Source;

/// A set of rows of a source.
#[derive(Debug, Clone)]
pub(super) struct RowSet {
    groups: Vec<Bits>,
    starts: Vec<u64>,
}

/// The bits of one row group.
#[derive(Debug, Clone)]
pub(super) struct Bits {
    words: Vec<u64>,
    rows: usize,
}

impl Bits {
    pub fn new(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(64)], rows }
    }

    #[inline]
    pub fn set(&mut self, row: usize) {
        self.words[row / 64] |= 1 << (row % 64);
    }

    #[inline]
    pub fn has(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    pub fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// What the reader skips and reads; none if nothing is to be read.
    pub fn selection(&self) -> Option<RowSelection> {
        if self.count() == 0 {
            return None;
        }
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mask = BooleanArray::new(BooleanBuffer::new(Buffer::from_vec(bytes), 0, self.rows), None);
        Some(RowSelection::from_filters(&[mask]))
    }
}

impl RowSet {
    pub fn new(source: &Source, groups: Vec<Bits>) -> Self {
        Self { groups, starts: source.groups().iter().map(|group| group.start).collect() }
    }

    /// The set of ascending or unordered row numbers.
    pub fn of(source: &Source, rows: &[u64]) -> Self {
        let groups = source.groups().iter().map(|group| Bits::new(group.rows)).collect();
        let mut set = Self::new(source, groups);
        set.extend(rows);
        set
    }

    pub fn extend(&mut self, rows: &[u64]) {
        for row in rows {
            let group = self.starts.partition_point(|start| start <= row) - 1;
            self.groups[group].set((row - self.starts[group]) as usize);
        }
    }

    pub fn group(&self, place: usize) -> &Bits {
        &self.groups[place]
    }

    pub fn count(&self) -> u64 {
        self.groups.iter().map(Bits::count).sum()
    }

    /// How many rows of the set come before each row group.
    pub fn offsets(&self) -> Vec<u64> {
        let mut sum = 0;
        let before = self.groups.iter().map(|bits| {
            let offset = sum;
            sum += bits.count();
            offset
        });
        before.collect()
    }
}
