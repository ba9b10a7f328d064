//! A clean stop leaves nothing to replay: what stands in a database's journal alone is sorted into its files, and
//! the journal emptied, so that the next start reads through none of it.
//!
//! What is deliberately absent: anything that durability rests on. Without it, as after a kill, the next start
//! replays the journal.

use super::journal::journals;
use fjall::{AbstractTree, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of journals below which reading through them costs less than this.
const WORTH_BYTES: u64 = 4 << 20;
/// Longest time that is waited for the files.
const DEADLINE: Duration = Duration::from_secs(10);
/// Pause between two looks at whether they are written.
const PAUSE: Duration = Duration::from_millis(1);

/// Leaves nothing to replay in the database at `path`. Nobody writes to it any more.
pub(super) fn leave_nothing_to_replay(database: &Database, path: &Path) {
    let journals_bytes = written_bytes(path);
    if std::thread::panicking() || journals_bytes < WORTH_BYTES {
        return;
    }
    let started = Instant::now();
    match sort_and_empty(database, path) {
        Ok(true) => {
            let took_ms = started.elapsed().as_millis() as u64;
            tracing::debug!(path = %path.display(), journals_bytes, took_ms, "nothing is left to replay");
        }
        Ok(false) => {
            tracing::debug!(path = %path.display(), "the files were not written in time: the next start replays")
        }
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "the files were not written: the next start replays")
        }
    }
}

/// Whether it was done in time.
fn sort_and_empty(database: &Database, path: &Path) -> fjall::Result<bool> {
    let until = Instant::now() + DEADLINE;
    // All that there are, known to this version or not.
    let names = database.list_keyspace_names();
    let keyspaces = names.iter().map(|name| database.keyspace(name, KeyspaceCreateOptions::default));
    let keyspaces = keyspaces.collect::<fjall::Result<Vec<_>>>()?;
    // All before the first is waited for: they are written one after another.
    for keyspace in &keyspaces {
        keyspace.rotate_memtable()?;
    }
    let is_sorted = |keyspace: &Keyspace| {
        keyspace.tree.sealed_memtable_count() == 0 && keyspace.tree.active_memtable().is_empty()
    };
    while !keyspaces.iter().all(is_sorted) || database.journal_count() > 1 {
        if Instant::now() >= until {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
    }
    // Nothing of it waits in memory to be written behind the cut.
    database.persist(PersistMode::SyncAll)?;
    let found = journals(path)?;
    let [(_, journal)] = &found[..] else { return Ok(false) };
    let file = std::fs::File::options().write(true).open(journal)?;
    file.set_len(0)?;
    file.sync_all()?;
    Ok(true)
}

/// Bytes of the journals that were written: a file is made longer than it is.
fn written_bytes(database: &Path) -> u64 {
    let found = journals(database).unwrap_or_default();
    found.iter().filter_map(|(_, path)| path.metadata().ok()).map(|about| written(&about)).sum()
}

#[cfg(unix)]
fn written(about: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    about.len().min(about.blocks() * 512)
}

#[cfg(not(unix))]
fn written(about: &std::fs::Metadata) -> u64 {
    about.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(path: &Path) -> (Database, Keyspace, Keyspace) {
        let database = Database::builder(path).open().expect("opened");
        let keyspace = |name: &str| database.keyspace(name, KeyspaceCreateOptions::default).expect("made");
        let (records, rare) = (keyspace("records"), keyspace("rare"));
        (database, records, rare)
    }

    fn journal_bytes(path: &Path) -> Vec<u64> {
        let found = journals(path).expect("listed");
        found.iter().map(|(_, path)| written(&path.metadata().expect("there"))).collect()
    }

    /// Stores `count` values of 1 KiB.
    fn filled(path: &Path, count: u64) -> (Database, Keyspace, Keyspace) {
        let (database, records, rare) = opened(path);
        for number in 0..count {
            records.insert(number.to_be_bytes(), vec![number as u8; 1_024]).expect("stored");
        }
        rare.insert("seldom", "written").expect("stored");
        (database, records, rare)
    }

    #[test]
    fn after_a_clean_stop_the_journal_is_empty_and_everything_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let count = 3 * WORTH_BYTES / 1_024;
        let (database, records, rare) = filled(path, count);
        leave_nothing_to_replay(&database, path);
        drop((records, rare, database));
        assert_eq!(journal_bytes(path), [0]);
        let (database, records, rare) = opened(path);
        assert_eq!(records.iter().count() as u64, count);
        assert_eq!(rare.get("seldom").expect("read").as_deref(), Some(&b"written"[..]));
        // What is written afterwards counts as newer, and is there once more.
        rare.insert("seldom", "again").expect("stored");
        database.persist(PersistMode::SyncAll).expect("synced");
        drop((records, rare, database));
        let (_database, _records, rare) = opened(path);
        assert_eq!(rare.get("seldom").expect("read").as_deref(), Some(&b"again"[..]));
    }

    #[test]
    fn what_is_soon_read_through_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let (database, records, rare) = filled(path, 10);
        leave_nothing_to_replay(&database, path);
        drop((records, rare, database));
        assert!(journal_bytes(path)[0] > 0);
    }
}
