//! The files of a table's log: one for each version, never changed once it is there.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::LOG;
use super::actions::Action;
use crate::error::{FactsError, Result};

/// Tells the drafts of one process apart.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

fn place(root: &Path, version: u64) -> PathBuf {
    root.join(LOG).join(format!("{version:020}.json"))
}

/// A version of the log, and what it says.
pub(super) type Version = (u64, Vec<Action>);

/// All versions, in order; none if there is no log.
pub(super) fn read(root: &Path) -> Result<Option<Vec<Version>>> {
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
pub(super) fn write(root: &Path, version: u64, actions: &[Action]) -> Result<bool> {
    let folder = root.join(LOG);
    std::fs::create_dir_all(&folder).map_err(FactsError::writing(&folder))?;
    let path = place(root, version);
    let draft = folder.join(format!(
        ".{version:020}.{}.{}.draft",
        std::process::id(),
        DRAFTS.fetch_add(1, Ordering::Relaxed)
    ));
    let text: String = actions.iter().map(|action| action.print() + "\n").collect();
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })();
    written.map_err(FactsError::writing(&draft))?;
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
