//! A file that is whole or not there.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{FactsError, Result};

/// How many links are followed, and how often a file that another run took away is opened anew.
const MOST_TRIES: usize = 40;

/// Written beside its place and renamed when it is whole; dropped before that, nothing is left of it.
///
/// The file beside it is locked until it has its name: two runs never write one file together.
#[derive(Debug)]
pub struct WholeFile {
    target: PathBuf,
    partial: PathBuf,
    /// Holds the lock.
    file: File,
    is_named: bool,
}

impl WholeFile {
    /// Begins a file. Where its place is a link, what the link points to will be written.
    ///
    /// # Errors
    /// A place that cannot be written, that is no file, or that another run is writing.
    pub fn create(path: &Path) -> Result<Self> {
        let target = pointed_to(path)?;
        if std::fs::metadata(&target).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(FactsError::Refused(format!("{} is there and no file; name a file", path.display())));
        }
        let partial = partial(&target);
        let file = locked(path, &partial)?;
        let whole = Self { target, partial, file, is_named: false };
        whole.file.set_len(0).map_err(FactsError::writing(&whole.target))?;
        Ok(whole)
    }

    /// Where the file will be.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Waits until what was written is on disk and not only in the operating system's hands.
    ///
    /// # Errors
    /// A disk that is full or broken.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(FactsError::writing(&self.target))
    }

    /// Puts the file in its place; gives its bytes.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn name(mut self) -> Result<u64> {
        std::fs::rename(&self.partial, &self.target).map_err(FactsError::writing(&self.target))?;
        self.is_named = true;
        Ok(self.file.metadata().map_err(FactsError::reading(&self.target))?.len())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_named {
            // The error that matters is the one that came before.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Refuses a file for a result that would take the place of one that is read.
///
/// # Errors
/// Such a file; links that lead to themselves.
pub fn refuse_inputs<'a>(output: &Path, inputs: impl Iterator<Item = &'a Path>) -> Result<()> {
    let target = pointed_to(output)?;
    let written: Vec<Metadata> =
        [partial(&target), target].iter().filter_map(|path| std::fs::metadata(path).ok()).collect();
    for input in inputs {
        let Ok(read) = std::fs::metadata(input) else { continue };
        if written.iter().any(|written| is_same(written, &read)) {
            return Err(FactsError::Refused(format!(
                "{} is one of the files that are read; name another file for the result",
                output.display()
            )));
        }
    }
    Ok(())
}

/// Refuses a file for a result that is there, in a folder that is read: it may be a part of what is there.
///
/// # Errors
/// Such a file.
pub fn refuse_inside(output: &Path, folder: &Path) -> Result<()> {
    let (Ok(there), Ok(read)) = (output.canonicalize(), folder.canonicalize()) else { return Ok(()) };
    if there.starts_with(read) {
        return Err(FactsError::Refused(format!(
            "{} is there already, in {}, which is read; name another file for the result",
            output.display(),
            folder.display()
        )));
    }
    Ok(())
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The whole name and an ending: files that differ in their endings alone do not share it.
fn partial(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn pointed_to(path: &Path) -> Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..MOST_TRIES {
        let Ok(link) = std::fs::read_link(&at) else { return Ok(at) };
        at = at.parent().unwrap_or(Path::new("")).join(link);
    }
    Err(FactsError::Refused(format!("{} is a link that leads to itself; name a file", path.display())))
}

/// Opens a file and locks it; what it holds is left as it is.
fn locked(path: &Path, partial: &Path) -> Result<File> {
    for _ in 0..MOST_TRIES {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options.open(partial).map_err(FactsError::writing(partial))?;
        // Where files cannot be locked, as on some that come over a network, it is written without.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            break;
        }
        let opened = file.metadata().map_err(FactsError::writing(partial))?;
        // Another run may have named or removed it since it was opened.
        if std::fs::metadata(partial).is_ok_and(|named| is_same(&named, &opened)) {
            return Ok(file);
        }
    }
    Err(FactsError::Refused(format!(
        "{} is being written by another run; wait for it, or name another file",
        path.display()
    )))
}

/// Who wrote a file beside its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// It holds the lock.
    Lives,
    /// Nobody does.
    Dead,
    /// Files cannot be locked there, or this one is not to be opened.
    Unknown,
    /// It has named its file, or left none.
    Gone,
}

pub(crate) fn writer_of(partial: &Path) -> Writer {
    let opened = OpenOptions::new().write(true).open(partial);
    match opened.map(|file| file.try_lock()) {
        Ok(Ok(())) => Writer::Dead,
        Ok(Err(TryLockError::WouldBlock)) => Writer::Lives,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Writer::Gone,
        Ok(Err(TryLockError::Error(_))) | Err(_) => Writer::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_that_differ_in_their_endings_are_written_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["day.1", "day.2"].map(|name| folder.path().join(name));
        let mut first = WholeFile::create(&one).unwrap();
        let mut second = WholeFile::create(&other).unwrap();
        first.write_all(b"one").unwrap();
        second.write_all(b"other").unwrap();
        assert_eq!((first.name().unwrap(), second.name().unwrap()), (3, 5));
        assert_eq!(std::fs::read(&one).unwrap(), b"one");
        assert_eq!(std::fs::read(&other).unwrap(), b"other");
        assert_eq!(names(folder.path()), ["day.1", "day.2"]);
    }

    #[test]
    fn a_file_that_is_being_written_is_refused_to_others_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.parquet");
        let mut first = WholeFile::create(&path).unwrap();
        first.write_all(b"whole").unwrap();
        let refused = WholeFile::create(&path).unwrap_err().to_string();
        assert!(refused.contains("out.parquet is being written by another run"), "{refused}");
        first.name().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        WholeFile::create(&path).unwrap().name().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn what_is_not_named_leaves_nothing_and_what_a_dead_run_left_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(folder.path().join("out.partial"), "a long rest of a run that died").unwrap();
        let mut whole = WholeFile::create(&path).unwrap();
        whole.write_all(b"new").unwrap();
        drop(whole);
        assert!(names(folder.path()).is_empty());
        std::fs::write(folder.path().join("out.partial"), "a long rest of a run that died").unwrap();
        assert_eq!(WholeFile::create(&path).unwrap().name().unwrap(), 0);
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn a_link_stays_and_what_it_points_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let link = folder.path().join("latest");
        std::os::unix::fs::symlink("data/one", &link).unwrap();
        let mut whole = WholeFile::create(&link).unwrap();
        whole.write_all(b"new").unwrap();
        whole.name().unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("data/one"));
        assert_eq!(std::fs::read(folder.path().join("data/one")).unwrap(), b"new");
        std::os::unix::fs::symlink("round", folder.path().join("round")).unwrap();
        let refused = WholeFile::create(&folder.path().join("round")).unwrap_err().to_string();
        assert!(refused.contains("leads to itself"), "{refused}");
        let refused = WholeFile::create(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("no file"), "{refused}");
    }

    #[test]
    fn a_result_in_the_place_of_what_is_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("in.partial");
        std::fs::write(&input, "rows").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("in.partial", &link).unwrap();
        let inputs = || std::iter::once(input.as_path());
        for output in ["in.partial", "in", "link"] {
            let refused = refuse_inputs(&folder.path().join(output), inputs()).unwrap_err().to_string();
            assert!(refused.contains("is one of the files that are read"), "{output}: {refused}");
        }
        refuse_inputs(&folder.path().join("out"), inputs()).unwrap();
        let refused = refuse_inside(&link, folder.path()).unwrap_err().to_string();
        assert!(refused.contains("is there already"), "{refused}");
        refuse_inside(&folder.path().join("out"), folder.path()).unwrap();
        refuse_inside(&input, &folder.path().join("elsewhere")).unwrap();
    }
}
