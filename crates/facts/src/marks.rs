//! Fingerprints: what was at the last number that a table has taken of a log or a stream. One that was set back, from a backup
//! or without its last second, gives that number to something else, which would pass for taken.
//!
//! A table holds whole numbers by name: the fingerprint is one, and the number that it belongs to another. A version that
//! knows nothing of fingerprints goes on and notes none: those of before say nothing of the number that it came to.

use nearline_model::RecordMark;

use crate::delta::{DeltaTable, Transaction};

/// Notes what was at `number` of what is called `what`.
pub(crate) fn note(what: &str, number: i64, mark: RecordMark, now_ms: i64) -> [Transaction; 2] {
    let transaction =
        |app_id: String, version: i64| Transaction { app_id, version, last_updated: Some(now_ms) };
    [transaction(number_of(what), number), transaction(mark_of(what), version_of(mark))]
}

/// The number of `what` whose fingerprint was noted last.
pub(crate) fn noted(table: &DeltaTable, what: &str) -> Option<u64> {
    u64::try_from(table.transaction(&number_of(what))?).ok()
}

/// Whether what has that fingerprint at `number` may be what was there: not, if another one was noted.
pub(crate) fn may_be(table: &DeltaTable, what: &str, number: u64, mark: RecordMark) -> bool {
    noted(table, what) != Some(number) || table.transaction(&mark_of(what)) == Some(version_of(mark))
}

fn number_of(what: &str) -> String {
    format!("{what}-marked")
}

fn mark_of(what: &str) -> String {
    format!("{what}-mark")
}

/// 63 bits of it.
fn version_of(mark: RecordMark) -> i64 {
    (mark.get() >> 1).cast_signed()
}
