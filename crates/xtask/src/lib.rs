//! The project's own checks, run by `cargo xtask`.
//!
//! Each check reads the tree as text and gives [`Finding`]s; nothing here is linked by another room.
//! - [`arrows`]: which room may use which, circles of files, and what never stands in a room
//!   (the plan is `crates/xtask/arrows.toml`);
//! - [`tidy`]: sizes, names, and tables that must agree with the code (`crates/xtask/tidy.toml`);
//! - [`api`]: the API's description against that of the last release;
//! - [`invariants`]: where each numbered invariant is checked (`docs/invariants.md`).
//!
//! What is known and not mended yet is in `crates/xtask/allowed.toml`, each with its reason; an entry that is
//! no longer needed is a finding itself ([`findings::Verdict`]).

pub mod api;
pub mod arrows;
pub mod files;
pub mod findings;
pub mod invariants;
pub mod module_tree;
pub mod scan;
pub mod source;
pub mod tidy;
pub mod workspace;

pub use findings::Finding;
pub use workspace::Workspace;

use std::path::PathBuf;

/// Why a check could not be made at all.
#[derive(Debug, thiserror::Error)]
pub enum XtaskError {
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {detail}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// No workspace here.
    #[error("no Cargo.toml with [workspace] in {0} or above; run it inside the project")]
    NoWorkspace(PathBuf),
}
