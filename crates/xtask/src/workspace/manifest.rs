//! What a `Cargo.toml` says, as far as the checks need it.

use crate::XtaskError;
use crate::files::below;
use crate::source::SourceFile;
use std::path::Path;
use toml::{Table, Value};

/// Which part of a manifest names a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `[dependencies]`: part of the product.
    Normal,
    /// `[dev-dependencies]`: for tests, benches and examples.
    Dev,
    /// `[build-dependencies]`.
    Build,
}

impl Kind {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Normal, "dependencies"),
        (Self::Dev, "dev-dependencies"),
        (Self::Build, "build-dependencies"),
    ];
}

/// One dependency of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Name of the package, whatever it is called in the manifest.
    pub package: String,
    /// For what it is needed.
    pub kind: Kind,
    /// Whether only a feature of the room brings it.
    pub optional: bool,
    /// Features that are asked for here or in the workspace's table.
    pub features: Vec<String>,
}

/// A text below nested tables.
pub fn text(table: &Table, keys: &[&str]) -> Option<String> {
    let (last, tables) = keys.split_last()?;
    let mut at = table;
    for key in tables {
        at = at.get(*key)?.as_table()?;
    }
    at.get(*last)?.as_str().map(str::to_owned)
}

/// Folders of the members; `*` at the end of one stands for each folder with a manifest.
pub fn member_folders(root: &Path, manifest: &Table) -> Result<Vec<String>, XtaskError> {
    let texts = |key: &str| -> Vec<String> {
        let list = manifest.get("workspace").and_then(|workspace| workspace.get(key));
        let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(|text| text.trim_end_matches('/').to_owned()).collect()
    };
    let excluded = texts("exclude");
    let mut folders = Vec::new();
    for member in texts("members") {
        let Some(above) = member.strip_suffix('*') else {
            folders.push(if member == "." { String::new() } else { member });
            continue;
        };
        let above = root.join(above);
        let entries = std::fs::read_dir(&above)
            .map_err(|source| XtaskError::Unreadable { path: above.clone(), source })?;
        for entry in entries.flatten() {
            let folder = below(root, &entry.path());
            if entry.path().join("Cargo.toml").is_file() && !excluded.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    Ok(folders)
}

/// `[workspace.dependencies]`.
pub fn shared_dependencies(manifest: &Table) -> Table {
    let shared = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    shared.and_then(Value::as_table).cloned().unwrap_or_default()
}

/// All dependencies, those of single targets included.
pub fn dependencies(manifest: &Table, shared: &Table) -> Vec<Dependency> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        tables.extend(targets.values().filter_map(Value::as_table));
    }
    let mut found = Vec::new();
    for table in tables {
        for (kind, key) in Kind::ALL {
            let entries = table.get(key).and_then(Value::as_table);
            for (name, entry) in entries.into_iter().flatten() {
                let common = entry.get("workspace").and_then(Value::as_bool).unwrap_or(false);
                let common = shared.get(name).filter(|_| common);
                found.push(dependency(name, entry, common, kind));
            }
        }
    }
    found
}

fn dependency(name: &str, entry: &Value, common: Option<&Value>, kind: Kind) -> Dependency {
    let package = |value: &Value| value.get("package").and_then(Value::as_str).map(str::to_owned);
    let package = package(entry).or_else(|| common.and_then(package)).unwrap_or_else(|| name.to_owned());
    let mut features = Vec::new();
    for value in std::iter::once(entry).chain(common) {
        let list = value.get("features").and_then(Value::as_array);
        features.extend(list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    }
    let optional = entry.get("optional").and_then(Value::as_bool).unwrap_or(false);
    Dependency { package, kind, optional, features }
}

/// Where the module trees of a package start: its library, then its programs.
pub fn tree_roots(manifest: &Table, folder: &str, files: &[SourceFile]) -> Vec<String> {
    let under = |path: &str| if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
    let mut roots = vec![under(&text(manifest, &["lib", "path"]).unwrap_or_else(|| "src/lib.rs".to_owned()))];
    roots.push(under("src/main.rs"));
    let programs = manifest.get("bin").and_then(Value::as_array);
    for program in programs.into_iter().flatten() {
        roots.extend(program.get("path").and_then(Value::as_str).map(under));
    }
    let bin = under("src/bin/");
    for file in files {
        if let Some(rest) = file.path.strip_prefix(&bin)
            && (!rest.contains('/') || rest.ends_with("/main.rs") && rest.matches('/').count() == 1)
        {
            roots.push(file.path.clone());
        }
    }
    let known = |path: &String| files.iter().any(|file| &file.path == path);
    let mut seen = Vec::new();
    for root in roots.into_iter().filter(known) {
        if !seen.contains(&root) {
            seen.push(root);
        }
    }
    seen
}
