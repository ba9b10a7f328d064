//! The rooms of the workspace: their folders, what their manifests say, their files.

mod manifest;

pub use manifest::{Dependency, Kind};

use crate::XtaskError;
use crate::files::{read_toml, walk};
use crate::module_tree::reached;
use crate::source::{Folder, SourceFile};
use std::path::{Path, PathBuf};
use toml::Table;

/// Folders of a room that hold Rust files, besides `src`.
const BESIDE: [&str; 4] = ["tests", "benches", "examples", "fuzz"];

/// All rooms, in the order of their names.
pub struct Workspace {
    /// The folder of the workspace's manifest.
    pub root: PathBuf,
    /// The rooms.
    pub rooms: Vec<Room>,
}

/// One crate of the workspace.
pub struct Room {
    /// `src` for the package at the root, otherwise the crate's folder without `crates/`.
    pub name: String,
    /// The package's name.
    pub package: String,
    /// Folder below the root; empty for the package at the root.
    pub folder: String,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
    /// Its Rust files, in the order of their paths.
    pub files: Vec<SourceFile>,
    /// Paths of the files at which its module trees start: the library first.
    pub roots: Vec<String>,
}

impl Workspace {
    /// Reads the workspace whose manifest is in `start` or the nearest folder above it.
    ///
    /// # Errors
    /// If there is none, or a manifest or Rust file cannot be read or parsed.
    pub fn open(start: &Path) -> Result<Self, XtaskError> {
        for root in start.ancestors() {
            let manifest = root.join("Cargo.toml");
            if manifest.is_file() {
                let table = read_toml::<Table>(&manifest)?;
                if table.contains_key("workspace") {
                    return Self::read(root, &table);
                }
            }
        }
        Err(XtaskError::NoWorkspace(start.to_owned()))
    }

    fn read(root: &Path, manifest: &Table) -> Result<Self, XtaskError> {
        let mut folders = manifest::member_folders(root, manifest)?;
        if manifest.contains_key("package") {
            folders.push(String::new());
        }
        folders.sort();
        folders.dedup();
        let shared = manifest::shared_dependencies(manifest);
        let mut rooms = Vec::new();
        for folder in folders {
            rooms.push(Room::read(root, folder, &shared)?);
        }
        rooms.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root: root.to_owned(), rooms })
    }

    /// The room of a package.
    pub fn room_of_package(&self, package: &str) -> Option<&Room> {
        self.rooms.iter().find(|room| room.package == package)
    }

    /// All Rust files with their rooms.
    pub fn files(&self) -> impl Iterator<Item = (&Room, &SourceFile)> {
        self.rooms.iter().flat_map(|room| room.files.iter().map(move |file| (room, file)))
    }
}

impl Room {
    fn read(root: &Path, folder: String, shared: &Table) -> Result<Self, XtaskError> {
        let path = root.join(&folder).join("Cargo.toml");
        let manifest: Table = read_toml(&path)?;
        let package = manifest::text(&manifest, &["package", "name"]).ok_or_else(|| {
            XtaskError::Malformed { path: path.clone(), detail: "no package.name".to_owned() }
        })?;
        let name = match folder.as_str() {
            "" => "src".to_owned(),
            other => other.strip_prefix("crates/").unwrap_or(other).to_owned(),
        };
        let mut files = Vec::new();
        for (below, kind) in
            std::iter::once(("src", Folder::Product)).chain(BESIDE.map(|name| (name, Folder::Test)))
        {
            for path in walk(&root.join(&folder).join(below), &is_rust)? {
                files.push(SourceFile::read(root, &path, kind)?);
            }
        }
        let roots = manifest::tree_roots(&manifest, &folder, &files);
        let mut room = Self {
            name,
            package,
            folder,
            dependencies: manifest::dependencies(&manifest, shared),
            files,
            roots,
        };
        room.mark_test_modules();
        Ok(room)
    }

    /// Files that are reached through `#[cfg(test)] mod` alone belong to the tests.
    fn mark_test_modules(&mut self) {
        let product = reached(&self.files, &self.roots, false);
        let all = reached(&self.files, &self.roots, true);
        for (at, file) in self.files.iter_mut().enumerate() {
            if file.folder == Folder::Product && !product.contains(&at) {
                file.folder = if all.contains(&at) { Folder::Test } else { Folder::Unreached };
            }
        }
    }
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rs")
}
