//! A made-up workspace in a folder of its own.

use std::path::Path;
use tempfile::TempDir;
use xtask::{Finding, Workspace};

/// Files below a temporary folder.
pub struct Tree(TempDir);

impl Tree {
    /// A workspace whose members are the folders given, with the files given. A member without a manifest among the
    /// files gets one named `nearline-` and its folder, with an empty library unless it has one.
    pub fn new(members: &[&str], files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().expect("a folder"));
        let list: Vec<String> = members.iter().map(|member| format!("{member:?}")).collect();
        tree.write("Cargo.toml", &format!("[workspace]\nmembers = [{}]\n", list.join(", ")));
        for member in members {
            let name = member.rsplit('/').next().expect("a name");
            tree.write(&format!("{member}/Cargo.toml"), &format!("[package]\nname = \"nearline-{name}\"\n"));
            tree.write(&format!("{member}/src/lib.rs"), "");
        }
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    /// A workspace of one room, `model`.
    pub fn of_model(files: &[(&str, &str)]) -> Self {
        Self::new(&["crates/model"], files)
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// The workspace as it is now.
    pub fn open(&self) -> Workspace {
        Workspace::open(self.root()).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Rules and what breaks them, sorted.
pub fn told(findings: &[Finding]) -> Vec<String> {
    let mut told: Vec<String> =
        findings.iter().map(|finding| format!("{}: {}", finding.rule, finding.what)).collect();
    told.sort();
    told
}
