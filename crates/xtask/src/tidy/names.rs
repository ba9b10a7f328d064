//! Names of files, files that nothing leads to, and `unwrap`.

use super::Rules;
use crate::source::Folder;
use crate::{Finding, Workspace};
use std::collections::BTreeSet;

/// Names that say nothing, files outside every module tree, and `.unwrap()` outside tests.
pub fn check(workspace: &Workspace, rules: &Rules) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for (room, file) in workspace.files() {
        let path = file.path.strip_prefix(room.folder.as_str()).unwrap_or(&file.path);
        // `tests/checks/main.rs` and `src/bin/name/main.rs` are cargo's own names.
        for part in path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part)) {
            if rules.empty_names.iter().any(|name| name == part)
                && seen.insert((part.to_owned(), file.path.clone()))
            {
                let detail = format!("{}: a file is named after what it holds, not {part:?}", file.path);
                findings.push(Finding::new("tidy/name", file.short(), detail));
            }
        }
        if file.folder == Folder::Unreached {
            let detail = format!("{}: no `mod` leads to it, so it is not compiled", file.path);
            findings.push(Finding::new("tidy/unreached", file.short(), detail));
        }
        let Some(scanned) = file.in_product() else { continue };
        let unwraps = scanned.methods.iter().filter(|call| call.name == "unwrap" && call.no_arguments);
        let lines: Vec<String> = unwraps.map(|call| call.line.to_string()).collect();
        if !lines.is_empty() {
            let detail =
                format!("{}:{}: .unwrap(); say why it cannot fail with expect", file.path, lines.join(","));
            findings.push(Finding::new("tidy/unwrap", file.short(), detail));
        }
    }
    findings
}
