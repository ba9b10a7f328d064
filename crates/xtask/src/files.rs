//! Files and folders of the tree.

use crate::XtaskError;
use std::path::{Path, PathBuf};

/// The text of a file.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<String, XtaskError> {
    std::fs::read_to_string(path).map_err(|source| XtaskError::Unreadable { path: path.to_owned(), source })
}

/// A file of ours in TOML.
///
/// # Errors
/// If it cannot be read or has other keys than it should.
pub fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, XtaskError> {
    toml::from_str(&read(path)?)
        .map_err(|error| XtaskError::Malformed { path: path.to_owned(), detail: error.to_string() })
}

/// A file of JSON.
///
/// # Errors
/// If it cannot be read or is none.
pub fn read_json(path: &Path) -> Result<serde_json::Value, XtaskError> {
    serde_json::from_str(&read(path)?)
        .map_err(|error| XtaskError::Malformed { path: path.to_owned(), detail: error.to_string() })
}

/// Paths below `folder` that are `wanted`, sorted. Hidden folders and build output are not entered.
///
/// # Errors
/// If a folder cannot be read.
pub fn walk(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, XtaskError> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    let unreadable = |source| XtaskError::Unreadable { path: folder.to_owned(), source };
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                found.extend(walk(&path, wanted)?);
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The path below `root`, with slashes.
pub fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Lines of a file, counted as editors do.
///
/// # Errors
/// If it cannot be read.
pub fn count_lines(path: &Path) -> Result<usize, XtaskError> {
    Ok(read(path)?.lines().count())
}
