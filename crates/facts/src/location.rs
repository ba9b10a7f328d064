//! Where a table is: a folder, or an object store with a folder of this machine that mirrors it.
//!
//! Data files and versions of a table's log never change once they are there. So a file that was fetched once need not be
//! fetched again, and whoever reads and writes tables knows files alone.

use std::fmt::Debug;
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{FactsError, Result};

/// Tells files that are being fetched apart: threads may fetch the same one.
static FETCHED: AtomicU64 = AtomicU64::new(0);

/// An object of an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name below the place, with `/` between its parts.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written, Unix milliseconds.
    pub modified_ms: i64,
}

/// A place in an object store. Names are those below it.
pub trait Remote: Debug + Send + Sync {
    /// All objects below the place.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    fn list(&self) -> io::Result<Vec<Object>>;

    /// The bytes of an object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none; the store does not answer, or refuses.
    fn get(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Makes an object, or writes it anew.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    fn put(&self, name: &str, bytes: Vec<u8>) -> io::Result<()>;

    /// Makes an object; false if it is there already. Of several who try at once, one alone succeeds.
    ///
    /// # Errors
    /// The store does not answer, or refuses, or cannot promise that.
    fn put_new(&self, name: &str, bytes: Vec<u8>) -> io::Result<bool>;

    /// Deletes an object; none is fine, too.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    fn delete(&self, name: &str) -> io::Result<()>;

    /// The place below this one.
    fn below(&self, name: &str) -> Arc<dyn Remote>;
}

/// A folder, which may mirror a place in an object store.
#[derive(Debug, Clone)]
pub struct Location {
    folder: PathBuf,
    remote: Option<Arc<dyn Remote>>,
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Location {
    fn from(folder: &P) -> Self {
        Self { folder: folder.as_ref().to_owned(), remote: None }
    }
}

impl Location {
    /// A folder that mirrors a place in an object store.
    pub fn mirrored(folder: &Path, remote: Arc<dyn Remote>) -> Self {
        Self { folder: folder.to_owned(), remote: Some(remote) }
    }

    /// The folder on this machine.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The place below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self { folder: self.folder.join(name), remote: self.remote.as_ref().map(|remote| remote.below(name)) }
    }

    pub(crate) fn remote(&self) -> Option<&Arc<dyn Remote>> {
        self.remote.as_ref()
    }

    /// A file, which is fetched if it is not in the folder.
    pub(crate) fn file(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if let Some(remote) = &self.remote
            && !path.exists()
        {
            let bytes = remote.get(name).map_err(FactsError::reading(&path))?;
            write_whole(&path, &bytes).map_err(FactsError::writing(&path))?;
        }
        Ok(path)
    }

    /// Keeps a file of the folder for good.
    pub(crate) fn keep(&self, name: &str) -> Result<()> {
        let Some(remote) = &self.remote else { return Ok(()) };
        let path = self.folder.join(name);
        let bytes = std::fs::read(&path).map_err(FactsError::reading(&path))?;
        remote.put(name, bytes).map_err(FactsError::writing(&path))
    }

    /// Deletes a file, here and there.
    pub(crate) fn delete(&self, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        if let Some(remote) = &self.remote {
            still_there(remote.delete(name)).map_err(FactsError::writing(&path))?;
        }
        still_there(std::fs::remove_file(&path)).map(|_| ()).map_err(FactsError::writing(&path))
    }

    /// The files right below the place: of the object store, or of the folder.
    pub(crate) fn files(&self) -> Result<Vec<Object>> {
        if let Some(remote) = &self.remote {
            let mut objects = remote.list().map_err(FactsError::reading(&self.folder))?;
            objects.retain(|object| !object.name.contains('/'));
            return Ok(objects);
        }
        self.local_files()
    }

    /// The files right in the folder.
    pub(crate) fn local_files(&self) -> Result<Vec<Object>> {
        self.entries(Metadata::is_file)
    }

    /// The folders right in the folder; each was written when the newest file in it was.
    pub(crate) fn folders(&self) -> Result<Vec<Object>> {
        let mut folders = self.entries(Metadata::is_dir)?;
        for folder in &mut folders {
            let inside = newest_in(&self.folder.join(&folder.name))?;
            folder.modified_ms = inside.max(folder.modified_ms);
        }
        Ok(folders)
    }

    fn entries(&self, is_wanted: impl Fn(&Metadata) -> bool) -> Result<Vec<Object>> {
        let reading = || FactsError::reading(&self.folder);
        let mut entries = Vec::new();
        let Some(listed) = still_there(std::fs::read_dir(&self.folder)).map_err(reading())? else {
            return Ok(entries);
        };
        for entry in listed {
            let entry = entry.map_err(reading())?;
            let Some(file) = still_there(entry.metadata()).map_err(reading())? else { continue };
            if let (true, Ok(name)) = (is_wanted(&file), entry.file_name().into_string()) {
                let modified_ms = modified_ms(&file).map_err(reading())?;
                entries.push(Object { name, bytes: file.len(), modified_ms });
            }
        }
        Ok(entries)
    }

    /// Brings the folder to what the object store holds: fetches what is new, deletes what is gone. Without an object store it
    /// is what it is.
    ///
    /// # Errors
    /// The store does not answer; the folder cannot be written.
    pub fn fetch_all(&self) -> Result<()> {
        let Some(remote) = &self.remote else { return Ok(()) };
        let objects = remote.list().map_err(FactsError::reading(&self.folder))?;
        for object in &objects {
            let path = self.folder.join(&object.name);
            if std::fs::metadata(&path).is_ok_and(|file| file.len() != object.bytes) {
                std::fs::remove_file(&path).map_err(FactsError::writing(&path))?;
            }
            self.file(&object.name)?;
        }
        let names = objects.iter().map(|object| self.folder.join(&object.name)).collect();
        delete_others(&self.folder, &names).map_err(FactsError::writing(&self.folder))
    }
}

/// Deletes the files below a folder that are not among these.
fn delete_others(folder: &Path, names: &std::collections::BTreeSet<PathBuf>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            delete_others(&path, names)?;
        } else if !names.contains(&path) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// A file is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let number = FETCHED.fetch_add(1, Ordering::Relaxed);
    let partial = path.with_extension(format!("{}-{number}.fetched", std::process::id()));
    std::fs::write(&partial, bytes)?;
    std::fs::rename(&partial, path)
}

/// When something in a folder, or below, was written last, Unix milliseconds.
fn newest_in(folder: &Path) -> Result<i64> {
    let reading = || FactsError::reading(folder);
    let mut newest = 0;
    let Some(entries) = still_there(std::fs::read_dir(folder)).map_err(reading())? else { return Ok(newest) };
    for entry in entries {
        let entry = entry.map_err(reading())?;
        let Some(file) = still_there(entry.metadata()).map_err(reading())? else { continue };
        newest = newest.max(modified_ms(&file).map_err(reading())?);
        if file.is_dir() {
            newest = newest.max(newest_in(&entry.path())?);
        }
    }
    Ok(newest)
}

/// None where somebody has removed it since it was listed.
pub(crate) fn still_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn modified_ms(file: &Metadata) -> io::Result<i64> {
    let since = file.modified()?.duration_since(std::time::UNIX_EPOCH);
    Ok(i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX))
}
