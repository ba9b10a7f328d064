//! A database of the embedded backend: opened in one way, and how much memory it takes.

use fjall::{CompressionType, Database};
use std::path::Path;

/// The journal at most, or nearly: what a start reads through.
const JOURNAL_BYTES: u64 = 128 << 20;
/// Threads that sort into files. With a second one, the first goes round in circles while the second compacts.
const WORKERS: usize = 1;

/// Opens the database at `path`, or makes it; it holds so many bytes of blocks that were read.
pub(super) fn open(path: &Path, cache_bytes: u64) -> fjall::Result<Database> {
    let builder = Database::builder(path).cache_size(cache_bytes).worker_threads(WORKERS);
    let builder = builder.max_journaling_size(JOURNAL_BYTES).journal_compression(CompressionType::None);
    builder.open()
}

/// Bytes that a database holds in memory: what is not written to its files yet, and blocks read from them.
pub(super) fn memory(database: &Database) -> usize {
    usize::try_from(database.write_buffer_size() + database.cache_size()).unwrap_or(usize::MAX)
}
