//! The newest records of a partition, kept in memory for readers that keep up.

use nearline_model::{LogRecord, Position};
use std::collections::VecDeque;

/// All records of a partition after `floor`, as long as they fit.
pub(super) struct LogTail {
    records: VecDeque<LogRecord>,
    floor: Position,
    bytes: usize,
    max_bytes: usize,
}

impl LogTail {
    /// An empty tail of a partition whose last record is at `last`.
    pub(super) fn new(last: Position, max_bytes: usize) -> Self {
        Self { records: VecDeque::new(), floor: last, bytes: 0, max_bytes }
    }

    /// Adds records that follow; the oldest go where there is no room.
    pub(super) fn extend(&mut self, records: impl Iterator<Item = LogRecord>) {
        for record in records {
            self.bytes += weight(&record);
            self.records.push_back(record);
        }
        while self.bytes > self.max_bytes {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= weight(&oldest);
            self.floor = oldest.position;
        }
    }

    /// Up to `max_records` records after `after`; `None` if some of them are no longer here.
    pub(super) fn after(&self, after: Position, max_records: usize) -> Option<Vec<LogRecord>> {
        if after < self.floor {
            return None;
        }
        let start = self.records.partition_point(|record| record.position <= after);
        let end = self.records.len().min(start.saturating_add(max_records));
        Some(self.records.range(start..end).cloned().collect())
    }
}

fn weight(record: &LogRecord) -> usize {
    record.payload.len() + 128
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(positions: impl Iterator<Item = u64>) -> impl Iterator<Item = LogRecord> {
        positions.map(|position| LogRecord { position, log_ms: 0, payload: "payload".into() })
    }

    fn positions(tail: &LogTail, after: u64, max_records: usize) -> Option<Vec<u64>> {
        tail.after(after, max_records).map(|records| records.iter().map(|record| record.position).collect())
    }

    #[test]
    fn records_are_given_only_without_a_gap() {
        let mut tail = LogTail::new(10, 135 * 3);
        assert_eq!(positions(&tail, 9, 5), None);
        assert_eq!(positions(&tail, 10, 5), Some(vec![]));
        tail.extend(records([13, 17].into_iter()));
        assert_eq!(positions(&tail, 10, 5), Some(vec![13, 17]));
        assert_eq!(positions(&tail, 13, 5), Some(vec![17]));
        assert_eq!(positions(&tail, 10, 1), Some(vec![13]));
        tail.extend(records([20, 21].into_iter()));
        assert_eq!(positions(&tail, 10, 5), None);
        assert_eq!(positions(&tail, 13, 5), Some(vec![17, 20, 21]));
        assert_eq!(positions(&tail, 21, 5), Some(vec![]));
    }

    #[test]
    fn a_record_larger_than_the_tail_is_read_from_disk() {
        let mut tail = LogTail::new(0, 10);
        tail.extend(records(1..=1));
        assert_eq!(positions(&tail, 0, 5), None);
        assert_eq!(positions(&tail, 1, 5), Some(vec![]));
    }
}
