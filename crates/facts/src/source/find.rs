//! The files that a path or a pattern means.

use std::path::{Path, PathBuf};

use super::is_hidden;
use crate::delta::DeltaTable;
use crate::error::{FactsError, Result};

/// Paths and names, sorted by name.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            folder(path, path, &mut found)?;
        } else if path.is_file() {
            found.push((path.clone(), name(path, path.parent().unwrap_or(Path::new("")))));
        } else {
            pattern(path, &mut found)?;
        }
    }
    if found.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(FactsError::Refused(format!(
            "there is no Parquet file at {}; name a file, a folder or a quoted pattern",
            names.join(", ")
        )));
    }
    found.sort_by(|(one, one_name), (other, other_name)| (one_name, one).cmp(&(other_name, other)));
    found.dedup();
    Ok(found)
}

fn folder(root: &Path, at: &Path, found: &mut Vec<(PathBuf, String)>) -> Result<()> {
    if let Some(table) = DeltaTable::open(at)? {
        // Files that its log does not name are none of it: those of writers that died, and those that were removed.
        let files = table.files().map(|file| at.join(&file.path));
        found.extend(files.map(|path| (path.clone(), name(&path, root))));
        return Ok(());
    }
    for entry in std::fs::read_dir(at).map_err(FactsError::reading(at))? {
        let path = entry.map_err(FactsError::reading(at))?.path();
        if is_hidden(&path) {
            continue;
        }
        if path.is_dir() {
            folder(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            let name = name(&path, root);
            found.push((path, name));
        }
    }
    Ok(())
}

fn pattern(path: &Path, found: &mut Vec<(PathBuf, String)>) -> Result<()> {
    let text = path.to_string_lossy();
    let matches = glob::glob(&text)
        .map_err(|error| FactsError::Refused(format!("{text} is neither there nor a pattern: {error}")))?;
    for entry in matches {
        let path = entry.map_err(|error| FactsError::Io {
            path: error.path().to_owned(),
            verb: "read",
            source: error.into(),
        })?;
        if path.is_file() && !is_hidden(&path) {
            let name = name(&path, path.parent().unwrap_or(Path::new("")));
            found.push((path, name));
        }
    }
    Ok(())
}

fn name(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}
