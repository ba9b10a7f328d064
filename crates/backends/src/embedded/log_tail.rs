//! The newest records of a partition, kept in memory for readers that keep up.

use super::log_block::Records;
use nearline_model::{LogRecord, Position};
use std::collections::VecDeque;

/// All records of a partition after `floor`, as long as they fit.
pub(super) struct LogTail {
    blocks: VecDeque<Records>,
    floor: Position,
    bytes: usize,
    max_bytes: usize,
}

impl LogTail {
    /// An empty tail of a partition whose last record is at `last`.
    pub(super) fn new(last: Position, max_bytes: usize) -> Self {
        Self { blocks: VecDeque::new(), floor: last, bytes: 0, max_bytes }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds records that follow; the oldest go where there is no room.
    pub(super) fn extend(&mut self, blocks: impl Iterator<Item = Records>) {
        for block in blocks {
            self.bytes += block.weight();
            self.blocks.push_back(block);
        }
        while self.bytes > self.max_bytes {
            let Some(oldest) = self.blocks.pop_front() else { break };
            self.bytes -= oldest.weight();
            self.floor = oldest.last();
        }
    }

    /// Up to `max_records` records after `after`; `None` if some of them are no longer here.
    pub(super) fn after(&self, after: Position, max_records: usize) -> Option<Vec<LogRecord>> {
        if after < self.floor {
            return None;
        }
        let mut records = Vec::new();
        let start = self.blocks.partition_point(|block| block.last() <= after);
        for block in self.blocks.range(start..) {
            if records.len() >= max_records {
                break;
            }
            records.extend(block.after(after, max_records - records.len()));
        }
        Some(records)
    }
}

#[cfg(test)]
mod tests {
    use super::super::log_block::BlockBuilder;
    use super::*;

    fn block(positions: &[u64]) -> impl Iterator<Item = Records> {
        let mut builder = BlockBuilder::default();
        positions.iter().for_each(|position| builder.push(Position(*position), 0, 0, b"payload"));
        std::iter::once(builder.take().0)
    }

    fn positions(tail: &LogTail, after: u64, max_records: usize) -> Option<Vec<u64>> {
        tail.after(Position(after), max_records)
            .map(|records| records.iter().map(|record| record.position.0).collect())
    }

    #[test]
    fn records_are_given_only_without_a_gap() {
        let mut tail = LogTail::new(Position(10), 320);
        assert_eq!(positions(&tail, 9, 5), None);
        assert_eq!(positions(&tail, 10, 5), Some(vec![]));
        tail.extend(block(&[13, 17]));
        assert_eq!(positions(&tail, 10, 5), Some(vec![13, 17]));
        assert_eq!(positions(&tail, 13, 5), Some(vec![17]));
        assert_eq!(positions(&tail, 10, 1), Some(vec![13]));
        tail.extend(block(&[20]));
        assert_eq!(positions(&tail, 10, 2), Some(vec![13, 17]));
        tail.extend(block(&[21]));
        assert_eq!(positions(&tail, 16, 5), None);
        assert_eq!(positions(&tail, 17, 5), Some(vec![20, 21]));
        assert_eq!(positions(&tail, 20, 5), Some(vec![21]));
        assert_eq!(positions(&tail, 21, 5), Some(vec![]));
    }

    #[test]
    fn a_record_larger_than_the_tail_is_read_from_disk() {
        let mut tail = LogTail::new(Position::START, 10);
        tail.extend(block(&[1]));
        assert_eq!(positions(&tail, 0, 5), None);
        assert_eq!(positions(&tail, 1, 5), Some(vec![]));
    }
}
