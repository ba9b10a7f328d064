//! Saves what is left of a damaged directory into a new one. The damaged one is only read.
//!
//! Records come from two places: from the journals, batch by batch, those behind damage, too; and from the tables
//! of a copy, opened without its journals. A partition's positions follow each other at a known distance, so what is
//! in neither is known by its number.

use super::SyncPolicy;
use super::damage::{copy_database, guarded, last_of, remove};
use super::directory::{Directory, partitions_of};
use super::failure::{damaged, unavailable};
use super::journal::{journals, read_written, scan};
use super::log::first_behind;
use super::log_end::LogEnd;
use super::log_files::LogFiles;
use super::partition_row::PartitionRow;
use super::state_files::StateFiles;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use hashbrown::HashSet;
use nearline_model::{PartitionId, Position};
use nearline_ports::PortError;
use std::path::Path;
use std::sync::Arc;

/// Records written together.
const BATCH: usize = 1_024;
/// Records read together.
const READ: usize = 4_096;
/// Positions that are passed over where a table cannot be read, and how far at most before it is given up.
const STEP: u64 = 64;
const GIVE_UP: u64 = 16 << 20;

/// What a repair came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Records in the new log.
    pub records: u64,
    /// Events that were acknowledged and are gone, stretch by stretch.
    pub gone: Vec<Gone>,
    /// Whether state was taken over; else it is folded anew from what is left of the log.
    pub is_state_kept: bool,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// Events that follow each other in a partition and are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Gone {
    /// The partition.
    pub partition: PartitionId,
    /// Position of the first of them.
    pub first: Position,
    /// Position of the last of them.
    pub last: Position,
    /// How many they are.
    pub events: u64,
    /// Whether nothing before them is left: then retention may have removed them.
    pub is_beginning: bool,
}

/// Saves what is left of `from` into `to`, which must not be there yet. `partitions` is the number configured,
/// taken where the directory does not tell its own any more.
///
/// # Errors
/// [`PortError::Misconfigured`] if a process has `from` open, or `to` is there; otherwise those of the file system.
pub fn repair(from: &Path, to: &Path, partitions: u16) -> Result<Repaired, PortError> {
    let what = from.display().to_string();
    if !from.is_dir() {
        return Err(PortError::Misconfigured(format!("there is no directory {what}")));
    }
    if to.exists() {
        let detail = "is there already; name one that is not";
        return Err(PortError::Misconfigured(format!("directory {} {detail}", to.display())));
    }
    let _held = Directory::open_damaged(from)?;
    let mut repaired = Repaired::default();
    let partitions = partitions_of(from).unwrap_or_else(|| {
        repaired
            .notes
            .push(format!("format.json cannot be read: {partitions} partitions are taken, as configured"));
        partitions
    });
    let end = LogEnd::read(from)?.map(|end| end.positions).unwrap_or_default();
    let directory = Arc::new(Directory::open(to, partitions)?);
    save_log(from, to, &mut repaired)?;
    let files = LogFiles::open(&directory, partitions)?;
    let present = positions(&files)?;
    for (partition, present) in (0..).map(PartitionId).zip(&present) {
        repaired.records += present.len() as u64;
        let end = end.get(usize::from(partition.0)).copied().unwrap_or_default();
        tell_what_is_gone(partition, partitions, present, end, &mut repaired);
    }
    save_state(from, (to, &directory), &files, &present, &mut repaired)?;
    drop(files);
    LogEnd::open(to, present.iter().map(|present| present.last().copied().unwrap_or_default()).collect())?;
    Ok(repaired)
}

fn save_log(from: &Path, to: &Path, repaired: &mut Repaired) -> Result<(), PortError> {
    let (old, new) = (from.join("log"), to.join("log"));
    let what = new.display().to_string();
    let failed = |error: fjall::Error| unavailable(&what, &error);
    let database = Database::builder(&new).open().map_err(failed)?;
    let records = database.keyspace("records", KeyspaceCreateOptions::default).map_err(failed)?;
    let mut saved = Saved { database, records, waiting: Vec::new(), what: what.clone() };
    let mut removed = HashSet::new();
    // Tables first: what the journals removed later is removed here, too.
    if old.is_dir() {
        let copy = to.join("log.salvaged");
        let io = |error: std::io::Error| unavailable(&what, &error);
        copy_database(&old, &copy).map_err(io)?;
        for (_, journal) in journals(&copy).map_err(io)? {
            std::fs::remove_file(journal).map_err(io)?;
        }
        let read = guarded(|| save_tables(&copy, &mut saved, &mut repaired.notes));
        if let Err(error) = read {
            repaired.notes.push(format!("the tables of the log cannot be opened: {error}"));
        }
        remove(&copy).map_err(io)?;
        for (_, journal) in journals(&old).map_err(io)? {
            let bytes = read_written(&journal).map_err(io)?;
            let mut outcome = Ok(());
            let scanned = scan(&bytes, |batch| {
                for item in batch.items {
                    match item.value {
                        Some(value) => {
                            outcome = std::mem::replace(&mut outcome, Ok(())).and(saved.take(item.key, value))
                        }
                        None => drop(removed.insert(item.key.to_vec())),
                    }
                }
            });
            outcome?;
            for stretch in scanned.unreadable {
                let end = stretch.to.unwrap_or(bytes.len());
                repaired.notes.push(format!(
                    "{} is unreadable from byte {} to {end}",
                    journal.display(),
                    stretch.from
                ));
            }
        }
    }
    saved.write()?;
    for key in removed {
        saved.records.remove(key).map_err(failed)?;
    }
    saved.database.persist(PersistMode::SyncAll).map_err(failed)
}

/// The new log, while it is filled.
struct Saved {
    database: Database,
    records: Keyspace,
    waiting: Vec<(Vec<u8>, Vec<u8>)>,
    what: String,
}

impl Saved {
    /// Takes a value in, if it is one of records.
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), PortError> {
        if last_of(key, value).is_some() {
            self.waiting.push((key.to_vec(), value.to_vec()));
        }
        if self.waiting.len() < BATCH { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), PortError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        for (key, value) in self.waiting.drain(..) {
            batch.insert(&self.records, key, value);
        }
        batch.commit().map_err(|error| unavailable(&self.what, &error))
    }
}

fn save_tables(copy: &Path, saved: &mut Saved, notes: &mut Vec<String>) -> Result<(), PortError> {
    let what = copy.display().to_string();
    let failed = |error: fjall::Error| damaged(&what, format!("{error:?}"));
    let database = Database::builder(copy).open().map_err(failed)?;
    let identity = database.keyspace("meta", KeyspaceCreateOptions::default).map_err(failed)?;
    let meta = saved.database.keyspace("meta", KeyspaceCreateOptions::default).map_err(failed)?;
    for guard in identity.iter() {
        let (key, value) = guard.into_inner().map_err(failed)?;
        meta.insert(key, value).map_err(failed)?;
    }
    let records = database.keyspace("records", KeyspaceCreateOptions::default).map_err(failed)?;
    let mut next = vec![0; 10];
    let mut passed = 0;
    loop {
        let mut unreadable = None;
        for guard in records.range(next.clone()..) {
            match guard.into_inner() {
                Ok((key, value)) => {
                    saved.take(&key, &value)?;
                    passed = 0;
                    next = [&key[..], &[0]].concat();
                }
                Err(error) => {
                    unreadable = Some(format!("{error:?}"));
                    break;
                }
            }
        }
        let Some(error) = unreadable else { return Ok(()) };
        if passed == 0 {
            notes.push(format!("a table of the log cannot be read behind {}: {error}", place(&next)));
        }
        // Behind what cannot be read more may stand.
        passed += STEP;
        if passed > GIVE_UP {
            return Ok(());
        }
        next = after(&next, STEP);
    }
}

/// `key` moved on by so many positions of its partition.
fn after(key: &[u8], step: u64) -> Vec<u8> {
    let position = key.get(2..10).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    [&key[..2], &position.saturating_add(step).to_be_bytes()[..]].concat()
}

fn place(key: &[u8]) -> String {
    let partition = u16::from_be_bytes([key[0], key[1]]);
    let position = key.get(2..10).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    format!("position {position} of {}", PartitionId(partition))
}

/// Positions of all records, in order, by partition.
fn positions(files: &LogFiles) -> Result<Vec<Vec<Position>>, PortError> {
    let mut all = Vec::new();
    for (partition, log) in (0..).map(PartitionId).zip(&files.partitions) {
        let (mut found, mut after, last) = (Vec::new(), Position::START, *log.last.borrow());
        while after < last {
            let records = files.scan(partition, after, last, READ)?;
            let Some(newest) = records.last() else { break };
            after = newest.position;
            found.extend(records.into_iter().map(|record| record.position));
        }
        all.push(found);
    }
    Ok(all)
}

fn tell_what_is_gone(
    partition: PartitionId,
    partitions: u16,
    present: &[Position],
    end: Position,
    repaired: &mut Repaired,
) {
    let step = u64::from(partitions);
    let mut expected = first_behind(Position::START, partition, partitions);
    let behind = first_behind(end.max(present.last().copied().unwrap_or_default()), partition, partitions);
    for (at, position) in present.iter().copied().chain([behind]).enumerate() {
        if position > expected {
            let last = position.back((position.since(expected) - 1) % step + 1);
            let events = last.since(expected) / step + 1;
            repaired.gone.push(Gone { partition, first: expected, last, events, is_beginning: at == 0 });
        }
        expected = position.further(step);
    }
}

/// State is kept where the log still reaches it; else it is folded anew, and only what no log repeats is kept.
fn save_state(
    from: &Path,
    (to, directory): (&Path, &Arc<Directory>),
    files: &LogFiles,
    present: &[Vec<Position>],
    repaired: &mut Repaired,
) -> Result<(), PortError> {
    let (old, new) = (from.join("state"), to.join("state"));
    let partitions = present.len() as u16;
    let what = new.display().to_string();
    let io = |error: std::io::Error| unavailable(&what, &error);
    let anew = || StateFiles::open(directory, partitions, SyncPolicy::EachBatch);
    if !old.is_dir() {
        repaired.notes.push("the state is gone: it is folded anew; put the titles again".into());
        return anew().map(drop);
    }
    // Opening may change what it opens: a copy.
    let holder = to.join("salvaged");
    std::fs::create_dir_all(&holder).map_err(io)?;
    copy_database(&old, &holder.join("state")).map_err(io)?;
    let opened = guarded(|| {
        let held = Arc::new(Directory::open_damaged(&holder)?);
        StateFiles::open(&held, partitions, SyncPolicy::EachBatch)
    });
    match opened {
        Err(error) => {
            repaired.notes.push(format!(
                "the state cannot be opened ({error}): it is folded anew; put the titles again"
            ));
            anew()?;
        }
        Ok(state) => {
            let reaches = |(row, present): (&parking_lot::Mutex<PartitionRow>, &Vec<Position>)| {
                let position = row.lock().position;
                position.is_start() || present.binary_search(&position).is_ok()
            };
            repaired.is_state_kept = state.rows.iter().zip(present).all(reaches);
            if repaired.is_state_kept
                && let Some(identity) = state.rows.iter().find_map(|row| row.lock().log.clone())
            {
                // Of the log that it was folded from: the new one goes on for it.
                files.set_identity(&identity)?;
            }
            if !repaired.is_state_kept {
                repaired
                    .notes
                    .push("the state is ahead of what is left of the log: it is folded anew".into());
                anew()?.take_over(&state)?;
            }
        }
    }
    if repaired.is_state_kept {
        copy_database(&old, &new).map_err(io)?;
    }
    remove(&holder).map_err(io)
}
