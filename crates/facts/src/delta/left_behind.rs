//! What lies in a table's folder and is not the table's.

use super::{DeltaTable, LOG};
use crate::error::{FactsError, Result};
use crate::location::{Object, still_there};
use std::collections::BTreeMap;
use std::path::Path;

/// What folders begin with in which a week is sorted.
pub(crate) const SORTING: &str = "_week-";

/// Something that is not the table's: of a writer that died or has not finished, or what was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// Where it is, in the table's folder.
    pub object: Object,
    /// What it is.
    pub kind: LeftKind,
}

/// What was left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftKind {
    /// A Parquet file that the table does not name.
    Unnamed,
    /// A file without its name yet.
    Partial,
    /// A folder in which a week is sorted.
    Sorting,
    /// A version of the log without its name yet.
    Draft,
}

impl DeltaTable {
    /// What is in the folder and not the table's: of writers that died or have not finished, and what was removed.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn left_behind(&self) -> Result<Vec<LeftBehind>> {
        let mut left = Vec::new();
        let is_unnamed = |name: &str| name.ends_with(".parquet") && !self.files.contains_key(name);
        let mut unnamed: BTreeMap<String, Object> = BTreeMap::new();
        // Of an object store there is a mirror here, into which things are written before they go there.
        for object in self.location.files()?.into_iter().chain(self.location.local_files()?) {
            let is_partial = || object.name.ends_with(".partial") && self.root().join(&object.name).exists();
            if is_unnamed(&object.name) || is_partial() {
                unnamed.entry(object.name.clone()).or_insert(object);
            }
        }
        for (name, object) in unnamed {
            let kind = if name.ends_with(".partial") { LeftKind::Partial } else { LeftKind::Unnamed };
            left.push(LeftBehind { object, kind });
        }
        let sorting = self.location.folders()?.into_iter().filter(|object| object.name.starts_with(SORTING));
        left.extend(sorting.map(|object| LeftBehind { object, kind: LeftKind::Sorting }));
        for mut object in self.location.below(LOG).local_files()? {
            if object.name.ends_with(".draft") {
                object.name = format!("{}/{}", LOG, object.name);
                left.push(LeftBehind { object, kind: LeftKind::Draft });
            }
        }
        left.sort_by(|one, other| one.object.name.cmp(&other.object.name));
        Ok(left)
    }

    /// Deletes what was left behind.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub(crate) fn delete_left(&self, left: &LeftBehind) -> Result<()> {
        let path = self.root().join(&left.object.name);
        match left.kind {
            LeftKind::Unnamed => self.location.delete(&left.object.name),
            LeftKind::Sorting => removed(std::fs::remove_dir_all(&path), &path),
            LeftKind::Partial | LeftKind::Draft => removed(std::fs::remove_file(&path), &path),
        }
    }
}

/// Whoever was faster has done it.
fn removed(done: std::io::Result<()>, path: &Path) -> Result<()> {
    still_there(done).map(|_| ()).map_err(FactsError::writing(path))
}
