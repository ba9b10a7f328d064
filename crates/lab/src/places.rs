//! Where tables are: folders, and places in object stores, which are mirrored into folders.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use nearline_facts::{Location, Remote};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_128;

/// Mirrors of what was named.
#[derive(Debug, Default)]
pub struct Places {
    /// Where mirrors are kept from run to run.
    kept: Option<PathBuf>,
    /// Where they are otherwise, made when one is needed.
    passing: Option<TempDir>,
}

/// The URL that a path is, if it is one.
fn url(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.contains("://"))
}

impl Places {
    /// Mirrors in a folder that stays; without one, in one that goes with this.
    pub fn new(kept: Option<PathBuf>) -> Self {
        Self { kept, passing: None }
    }

    /// Where a table is that a path or a URL names.
    ///
    /// # Errors
    /// A URL that names no place in an object store, or a program that is built without.
    pub fn location(&mut self, path: &Path) -> anyhow::Result<Location> {
        let Some(url) = url(path) else { return Ok(Location::from(path)) };
        let url = url.trim_end_matches('/');
        let remote = connect(url).with_context(|| format!("{url} cannot be used"))?;
        let root = match (&self.kept, &mut self.passing) {
            (Some(kept), _) => kept.as_path(),
            (None, Some(passing)) => passing.path(),
            (None, passing) => passing.insert(TempDir::new()?).path(),
        };
        Ok(Location::mirrored(&root.join(format!("{:032x}", xxh3_128(url.as_bytes()))), remote))
    }

    /// A folder with what a path or a URL names: a URL's files are fetched.
    ///
    /// # Errors
    /// As [`Places::location`]; nothing is there.
    pub fn folder(&mut self, path: &Path) -> anyhow::Result<PathBuf> {
        let Some(url) = url(path) else { return Ok(path.to_owned()) };
        let location = self.location(path)?;
        location.fetch_all()?;
        if !location.folder().exists() {
            bail!("there is nothing at {url}");
        }
        Ok(location.folder().to_owned())
    }

    /// The same of several.
    ///
    /// # Errors
    /// As [`Places::folder`].
    pub fn folders(&mut self, paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
        paths.iter().map(|path| self.folder(path)).collect()
    }
}

#[cfg(feature = "object-stores")]
fn connect(url: &str) -> anyhow::Result<Arc<dyn Remote>> {
    crate::object_store::connect(url)
}

#[cfg(not(feature = "object-stores"))]
fn connect(_url: &str) -> anyhow::Result<Arc<dyn Remote>> {
    bail!(
        "this program is built without object stores: `cargo build -p nearline-lab --release --features object-stores` makes one \
         with them"
    )
}
