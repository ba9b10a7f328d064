//! The directory: held by one process, and made for one number of partitions.

use super::directory_watch::DirectoryWatch;
use super::failure::unavailable;
use nearline_model::identifier::MAX_PARTITIONS;
use nearline_ports::PortError;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const FORMAT_VERSION: u32 = 1;
const FORMAT_FILE: &str = "format.json";

/// What the directory was made with.
#[derive(Serialize, Deserialize)]
struct Format {
    version: u32,
    partitions: u16,
}

/// The directory, locked for as long as this lives.
pub(super) struct Directory {
    path: PathBuf,
    /// Told when a database in it takes no more writes, and when it is closed.
    pub(super) watch: DirectoryWatch,
    _lock: File,
}

impl Directory {
    /// Locks the directory and checks its format; makes both where there is none.
    pub(super) fn open(path: &Path, partitions: u16) -> Result<Self, PortError> {
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err(PortError::Misconfigured(format!(
                "{partitions} partitions are configured; there may be 1 to {MAX_PARTITIONS}"
            )));
        }
        let lock = lock(path)?;
        check_format(path, partitions)?;
        Ok(Self { path: path.to_owned(), watch: DirectoryWatch::default(), _lock: lock })
    }

    /// Locks a directory whatever its format says; nothing of it is made.
    pub(super) fn open_damaged(path: &Path) -> Result<Self, PortError> {
        Ok(Self { path: path.to_owned(), watch: DirectoryWatch::default(), _lock: lock(path)? })
    }

    /// The same, which tells `watch`.
    pub(super) fn telling(mut self, watch: DirectoryWatch) -> Self {
        watch.set_open(true);
        self.watch = watch;
        self
    }

    /// The path of `name` within the directory.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.watch.set_open(false);
    }
}

/// Makes the directory where there is none, and locks it for as long as the file lives.
fn lock(path: &Path) -> Result<File, PortError> {
    let what = path.display().to_string();
    let unusable = |error: std::io::Error| {
        PortError::Misconfigured(format!(
            "directory {what} cannot be used: {error}; correct its permissions, or use another directory"
        ))
    };
    std::fs::create_dir_all(path).map_err(unusable)?;
    let lock =
        File::options().create(true).write(true).truncate(false).open(path.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(PortError::Misconfigured(format!(
            "directory {what} is open already; stop the process that has it, or use another directory"
        ))),
        Err(TryLockError::Error(error)) => Err(unavailable(&what, &error)),
    }
}

/// The number of partitions that a directory was made with, if it can be read.
pub(super) fn partitions_of(directory: &Path) -> Option<u16> {
    let bytes = std::fs::read(directory.join(FORMAT_FILE)).ok()?;
    let format: Format = serde_json::from_slice(&bytes).ok()?;
    (format.version == FORMAT_VERSION && (1..=MAX_PARTITIONS).contains(&format.partitions))
        .then_some(format.partitions)
}

fn check_format(directory: &Path, partitions: u16) -> Result<(), PortError> {
    let path = directory.join(FORMAT_FILE);
    let what = path.display().to_string();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return make_format(directory, partitions),
        Err(error) => return Err(unavailable(&what, &error)),
    };
    let format: Format = serde_json::from_slice(&bytes)
        .map_err(|error| PortError::Damaged { what: what.clone(), detail: error.to_string() })?;
    if format.version != FORMAT_VERSION {
        return Err(PortError::Misconfigured(format!(
            "directory {} has format {}, this version reads format {FORMAT_VERSION}; \
             use the version that made it, or another directory",
            directory.display(),
            format.version
        )));
    }
    let made_with = format.partitions;
    if made_with != partitions {
        return Err(PortError::Misconfigured(format!(
            "directory {} was made with {made_with} partitions, but {partitions} are configured; \
             configure {made_with}, or use another directory",
            directory.display(),
        )));
    }
    Ok(())
}

/// Writes the format file before anything else is there, and whole or not at all.
fn make_format(directory: &Path, partitions: u16) -> Result<(), PortError> {
    let path = directory.join(FORMAT_FILE);
    let what = path.display().to_string();
    if directory.join("log").exists() || directory.join("state").exists() {
        return Err(PortError::Damaged { what, detail: "the file is missing, though there is data".into() });
    }
    let format = serde_json::to_vec(&Format { version: FORMAT_VERSION, partitions })
        .expect("a struct of numbers is JSON");
    let write = || -> std::io::Result<()> {
        let unfinished = directory.join("format.json.new");
        let mut file = File::create(&unfinished)?;
        file.write_all(&format)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|error| unavailable(&what, &error))
}
