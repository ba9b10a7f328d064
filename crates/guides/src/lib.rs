//! The guides read as text: what they quote, and the command lines that they tell.
//!
//! For the project's own checks and tests alone: each program holds the guides against what it takes (`Held`), and
//! `cargo xtask tidy` holds names, paths and routes.

mod command;
mod guide;
#[cfg(feature = "clap")]
mod held;

pub use command::{Command, commands_of_line};
pub use guide::{Guide, Quoted};
#[cfg(feature = "clap")]
pub use held::Held;

use std::path::Path;

/// Guides that tell how something was; what they name need not exist any more.
const HISTORIES: [&str; 2] = ["docs/adr/", "CHANGELOG.md"];

/// All guides of the project at `root`, but histories, in the order of their paths.
///
/// # Errors
/// If a file or folder cannot be read.
pub fn of_project(root: &Path) -> std::io::Result<Vec<Guide>> {
    let mut guides = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" {
                    folders.push(path);
                }
            } else if name.ends_with(".md") && !HISTORIES.iter().any(|history| below.starts_with(history)) {
                guides.push(Guide { text: std::fs::read_to_string(&path)?, path: below });
            }
        }
    }
    guides.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(guides)
}
