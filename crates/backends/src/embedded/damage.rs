//! Looks for damage before anything is opened: opening a database cuts off what it cannot read, as if it were a
//! torn end. Only the last record that was not acknowledged may be torn; all else stops the start, and nothing
//! is changed.

use super::SyncPolicy;
use super::failure::{ADVICE, damaged, unavailable};
use super::journal::{Batch, Scanned, journals, read_written, scan};
use super::log_block::StoredRecords;
use super::log_end::KnownEnd;
use bytes::Bytes;
use fjall::{Database, KeyspaceCreateOptions};
use hashbrown::HashMap;
use nearline_model::{PartitionId, Position};
use nearline_ports::PortError;
use std::ffi::OsString;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Position of the last record, by partition.
type Lasts = HashMap<PartitionId, Position>;

/// Files of a database above which they are linked, not copied, for a look at it.
const LINKED_BYTES: u64 = 1 << 20;

/// Checks the databases of `directory`; `end` is how far the log was acknowledged.
pub(super) fn check(directory: &Path, end: Option<&KnownEnd>, sync: SyncPolicy) -> Result<(), PortError> {
    let mut checked = Vec::new();
    for name in ["log", "state"] {
        let path = directory.join(name);
        let what = format!("the {name} in {}", path.display());
        if !path.join("version").exists() {
            match end {
                Some(end) if end.is_of_records() => {
                    return Err(damaged(&what, format!("the database is gone; {ADVICE}")));
                }
                _ => continue,
            }
        }
        let journals = check_journals(&path, &what)?;
        // Where the journals alone do not show that all that was acknowledged is there, that is looked at in a
        // copy: opening changes what it opens.
        if name == "log"
            && let Some(end) = end
            && (sync == SyncPolicy::EachBatch || end.is_of_this_boot)
            && first_short(&journals.lasts, end).is_some()
        {
            check_copy(&path, &journals, end)?;
        }
        checked.push((what, path, journals));
    }
    let mut cuts = checked.iter();
    cuts.try_for_each(|(what, path, journals)| journals.cut(path).map_err(|error| unavailable(what, &error)))
}

/// Journals without damage.
struct Journals {
    /// Positions of the last records in them, of a log.
    lasts: Lasts,
    /// The file with a torn end, and where that begins.
    torn: Option<(OsString, u64)>,
}

impl Journals {
    /// Cuts the torn end off: the database itself takes some of them for damage.
    fn cut(&self, database: &Path) -> std::io::Result<()> {
        let Some((file, from)) = &self.torn else { return Ok(()) };
        let file = std::fs::File::options().write(true).open(database.join(file))?;
        file.set_len(*from)?;
        file.sync_all()
    }
}

/// Looks through the journals: the newest may have a torn end, everything else that cannot be read is damage.
fn check_journals(database: &Path, what: &str) -> Result<Journals, PortError> {
    let failed = |error: std::io::Error| unavailable(what, &error);
    let found = journals(database).map_err(failed)?;
    let (mut torn, mut problems, mut newest) = (None, String::new(), None::<u64>);
    let mut lasts = Lasts::new();
    for (at, (_, path)) in found.iter().enumerate() {
        let bytes = read_written(path).map_err(failed)?;
        let take = |batch: Batch<'_>| {
            for (partition, position) in batch.items.iter().filter_map(|item| last_of(item.key, item.value?))
            {
                let last = lasts.entry(partition).or_default();
                *last = position.max(*last);
            }
        };
        let Scanned { batches, numbers, unreadable } = scan(&bytes, take);
        let name = path.file_name().unwrap_or_default();
        let file = name.display();
        for stretch in unreadable {
            match stretch.to {
                None if at + 1 == found.len() => torn = Some((name.to_owned(), stretch.from as u64)),
                to => {
                    let end = to.unwrap_or(bytes.len());
                    let behind = if to.is_some() { "whole batches follow" } else { "nothing follows" };
                    write!(problems, "{file} is damaged from byte {} to {end}, {behind}; ", stretch.from)
                        .expect("writing to a string does not fail");
                }
            }
        }
        if let (Some(before), Some((first, _))) = (newest, numbers)
            && first < before
        {
            write!(problems, "{file} is older than the file before it (were files swapped?); ")
                .expect("writing to a string does not fail");
        }
        newest = newest.max(numbers.map(|(_, last)| last));
        tracing::debug!(%file, batches, bytes = bytes.len(), "journal looked through");
    }
    if problems.is_empty() {
        Ok(Journals { lasts, torn })
    } else {
        Err(damaged(what, format!("{problems}{ADVICE}")))
    }
}

/// Opens a copy of the log, and looks how far it reaches.
fn check_copy(log: &Path, journals: &Journals, end: &KnownEnd) -> Result<(), PortError> {
    let what = format!("the log in {}", log.display());
    let copy = log.with_file_name("log.looked-at");
    let failed = |error: std::io::Error| unavailable(&what, &error);
    remove(&copy).map_err(failed)?;
    copy_database(log, &copy).map_err(failed)?;
    journals.cut(&copy).map_err(failed)?;
    let lasts = last_positions(&copy);
    remove(&copy).map_err(failed)?;
    match lasts.map(|lasts| first_short(&lasts, end)) {
        Ok(None) => Ok(()),
        Ok(Some(short)) => Err(ends_too_soon(&what, short)),
        Err(detail) => Err(damaged(&what, format!("{detail}; {ADVICE}"))),
    }
}

/// The first partition that ends before what was acknowledged: it, its end, and what was acknowledged.
fn first_short(lasts: &Lasts, end: &KnownEnd) -> Option<(PartitionId, Position, Position)> {
    let ends = (0..).map(PartitionId).zip(end.positions.iter().copied());
    let ends =
        ends.map(|(partition, end)| (partition, lasts.get(&partition).copied().unwrap_or_default(), end));
    ends.into_iter().find(|(_, last, end)| last < end)
}

fn ends_too_soon(what: &str, (partition, last, end): (PartitionId, Position, Position)) -> PortError {
    let detail = format!(
        "{partition} ends at position {last}, but everything up to {end} was acknowledged: the records between are \
         gone; {ADVICE}"
    );
    damaged(what, detail)
}

/// Checks an opened log whose partitions end at `lasts`.
pub(super) fn check_end(
    what: &str,
    lasts: &[Position],
    end: Option<&KnownEnd>,
    sync: SyncPolicy,
) -> Result<(), PortError> {
    let lasts: Lasts = (0..).map(PartitionId).zip(lasts.iter().copied()).collect();
    let Some((end, short)) = end.and_then(|end| Some((end, first_short(&lasts, end)?))) else {
        return Ok(());
    };
    if sync == SyncPolicy::Os && !end.is_of_this_boot {
        let (partition, last, acknowledged) = short;
        tracing::warn!(
            %partition,
            last = last.0,
            acknowledged = acknowledged.0,
            "the machine was started anew, and what was left to the operating system is gone from the log's end"
        );
        return Ok(());
    }
    Err(ends_too_soon(what, short))
}

/// Runs what a database does with damaged files: it may end in an error or in a panic.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, PortError>) -> Result<T, PortError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Err(damaged("the database", format!("its files do not fit together ({said}); {ADVICE}")))
    })
}

fn last_positions(log: &Path) -> Result<Lasts, String> {
    let opened = guarded(|| {
        let read = || -> fjall::Result<Lasts> {
            let database = Database::builder(log).open()?;
            let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
            let mut lasts = Lasts::new();
            for partition in 0..nearline_model::identifier::MAX_PARTITIONS {
                if let Some(guard) = records.prefix(partition.to_be_bytes()).next_back() {
                    let (key, value) = guard.into_inner()?;
                    lasts.extend(last_of(&key, &value));
                }
            }
            Ok(lasts)
        };
        read().map_err(|error| damaged("the log", format!("{error:?}")))
    });
    opened.map_err(|error| error.to_string())
}

/// Partition, and position of the last of the records that stand under `key`, if it is a key of records.
pub(super) fn last_of(key: &[u8], value: &[u8]) -> Option<(PartitionId, Position)> {
    if key.len() != 10 {
        return None;
    }
    let first = Position(u64::from_be_bytes(*key.last_chunk::<8>()?));
    let partition = PartitionId(u16::from_be_bytes(*key.first_chunk::<2>()?));
    let stored = StoredRecords::read(first, Bytes::copy_from_slice(value)).ok()?;
    Some((partition, stored.last()))
}

/// Copies a database; large files, which are never written again, are linked.
pub(super) fn copy_database(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let about = entry.metadata()?;
        if about.is_dir() {
            copy_database(&path, &copy)?;
            continue;
        }
        let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
        let is_linked = !is_journal && about.len() > LINKED_BYTES && std::fs::hard_link(&path, &copy).is_ok();
        if !is_linked {
            std::fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}

pub(super) fn remove(directory: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
