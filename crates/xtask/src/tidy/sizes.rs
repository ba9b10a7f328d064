//! How long functions and files are.

use super::Rules;
use crate::files::{below, count_lines, walk};
use crate::source::{Folder, short};
use crate::{Finding, Workspace, XtaskError};

/// Functions and files of Rust that are too long, tests included, and other scripts.
pub fn check(workspace: &Workspace, rules: &Rules) -> Result<Vec<Finding>, XtaskError> {
    let mut findings = Vec::new();
    for (_, file) in workspace.files() {
        for function in file.all.functions.iter().filter(|function| function.lines() > rules.function_lines) {
            let lines = function.lines();
            let tests = if file.folder == Folder::Test { " (test)" } else { "" };
            let detail =
                format!("{}:{}: {} has {lines} lines{tests}", file.path, function.start, function.name);
            let what = format!("{}: {}", file.short(), function.name);
            findings.push(Finding::new("tidy/function", what, detail).of_size(lines));
        }
        findings.extend(file_size(&file.path, file.lines, rules));
    }
    for path in walk(&workspace.root, &|path| path.extension().is_some_and(|ending| ending == "py"))? {
        findings.extend(file_size(&below(&workspace.root, &path), count_lines(&path)?, rules));
    }
    Ok(findings)
}

fn file_size(path: &str, lines: usize, rules: &Rules) -> Option<Finding> {
    let detail = format!("{path} has {lines} lines");
    (lines > rules.file_lines).then(|| Finding::new("tidy/file", short(path), detail).of_size(lines))
}
