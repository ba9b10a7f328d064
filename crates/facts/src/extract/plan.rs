//! By what way the facts are read: all of them, or those that the index names.

use crate::error::Result;
use crate::index::{self, IndexFile, Ranges};
use crate::labels::Labels;
use crate::source::Source;

/// Rows that are decoded in vain, about, wherever a run of rows begins: what is around it in its pages.
const AROUND: u64 = 512;

/// How a sweep reads the facts.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The rows that the index names; none if all are read.
    pub ranges: Option<Ranges>,
    /// Rows that would be decoded by the index, if there is one.
    pub rows_by_index: Option<u64>,
}

impl Plan {
    /// Chooses by the rows that either way would decode; a row by the index costs about twice as much.
    pub fn choose(facts: &Source, index: Option<&IndexFile>, labels: &Labels) -> Result<Self> {
        let Some(index) = index else { return Ok(Self::default()) };
        // Every member has a run at least.
        if labels.hashes.len() as u64 * AROUND * 2 > facts.rows() {
            let rows_by_index = Some(labels.hashes.len() as u64 * AROUND);
            return Ok(Self { ranges: None, rows_by_index });
        }
        let ranges = index::ranges(facts, index, &labels.hashes)?;
        let rows = ranges.values().flatten().map(|range| range.end - range.start + AROUND).sum::<u64>();
        let ranges = (rows * 2 < facts.rows()).then_some(ranges);
        Ok(Self { ranges, rows_by_index: Some(rows) })
    }

    pub fn name(&self) -> &'static str {
        if self.ranges.is_some() { "index" } else { "sweep" }
    }
}
