//! The files of a table's log: one for each version, never changed once it is there.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::LOG;
use super::actions::Action;
use crate::error::{FactsError, Result};
use crate::location::{Location, write_whole};

/// Tells the drafts of one process apart.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

fn place(root: &Path, version: u64) -> PathBuf {
    root.join(LOG).join(format!("{version:020}.json"))
}

/// A version of the log, and what it says.
pub(super) type Version = (u64, Vec<Action>);

/// All versions, in order; none if there is no log.
pub(super) fn read(location: &Location) -> Result<Option<Vec<Version>>> {
    fetch(location)?;
    let root = location.folder();
    let folder = root.join(LOG);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FactsError::reading(&folder)(error)),
    };
    let mut versions = Vec::new();
    for entry in entries {
        let name = entry.map_err(FactsError::reading(&folder))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok());
        versions.extend(number);
    }
    versions.sort_unstable();
    if versions.is_empty() {
        return Ok(None);
    }
    if versions.iter().enumerate().any(|(place, version)| place as u64 != *version) {
        return Err(FactsError::Refused(format!(
            "the log of the Delta table {} does not begin with its first version: it was cleaned up behind a checkpoint, \
             which is not built in; write its current rows to plain Parquet files first",
            root.display()
        )));
    }
    let version = |version: u64| Ok((version, parse(&place(root, version))?));
    versions.into_iter().map(version).collect::<Result<_>>().map(Some)
}

/// Fetches the versions that the folder lacks; a mirror of what was there before is no mirror any more.
fn fetch(location: &Location) -> Result<()> {
    let Some(remote) = location.remote() else { return Ok(()) };
    let folder = location.folder().join(LOG);
    let reading = || FactsError::reading(&folder);
    let log = remote.below(LOG);
    let versions = log.list().map_err(reading())?;
    let first = place(location.folder(), 0);
    if first.exists() {
        let name = first.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_same = versions.iter().any(|version| version.name == name)
            && std::fs::read(&first).map_err(reading())? == log.get(name).map_err(reading())?;
        if !is_same {
            std::fs::remove_dir_all(location.folder()).map_err(FactsError::writing(location.folder()))?;
        }
    }
    versions.iter().try_for_each(|version| location.file(&format!("{LOG}/{}", version.name)).map(|_| ()))
}

fn parse(path: &Path) -> Result<Vec<Action>> {
    let text = std::fs::read_to_string(path).map_err(FactsError::reading(path))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let parsed = lines.enumerate().map(|(number, line)| {
        Action::parse(line).map_err(|error| {
            FactsError::Refused(format!(
                "{}, line {}, is no action of a Delta log: {error}",
                path.display(),
                number + 1
            ))
        })
    });
    parsed.collect()
}

/// Makes a version; false if somebody else has made it. The version is there whole or not at all.
pub(super) fn write(location: &Location, version: u64, actions: &[Action]) -> Result<bool> {
    let folder = location.folder().join(LOG);
    std::fs::create_dir_all(&folder).map_err(FactsError::writing(&folder))?;
    let path = place(location.folder(), version);
    let text: String = actions.iter().map(|action| action.print() + "\n").collect();
    if let Some(remote) = location.remote() {
        let name = format!("{version:020}.json");
        let made = remote.below(LOG).put_new(&name, text.clone().into_bytes());
        let mut made = made.map_err(FactsError::writing(&path))?;
        if !made {
            // An answer that was lost on its way: what is there may be what was just made. Files have names of their own.
            let there = remote.below(LOG).get(&name).map_err(FactsError::reading(&path))?;
            made = there == text.as_bytes();
        }
        if made {
            write_whole(&path, text.as_bytes()).map_err(FactsError::writing(&path))?;
        }
        return Ok(made);
    }
    let draft = folder.join(format!(
        ".{version:020}.{}.{}.draft",
        std::process::id(),
        DRAFTS.fetch_add(1, Ordering::Relaxed)
    ));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })();
    if let Err(error) = written {
        let _ = std::fs::remove_file(&draft);
        return Err(FactsError::writing(&draft)(error));
    }
    // A second name for the draft: the file system gives it to one writer alone.
    let made = match std::fs::hard_link(&draft, &path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FactsError::writing(&path)(error)),
    };
    // Its name alone is left behind if this fails, and readers pass over it.
    let _ = std::fs::remove_file(&draft);
    if made.as_ref().is_ok_and(|made| *made) {
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(FactsError::writing(&folder))?;
    }
    made
}
