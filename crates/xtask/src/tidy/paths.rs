//! Files that the guides point to.

use crate::{Finding, Workspace};
use nearline_guides::Guide;
use std::path::Path;

/// Ends of what is taken for a file's path, if a slash is in it.
const ENDINGS: [&str; 9] = [".rs", ".toml", ".md", ".py", ".conf", ".svg", ".sh", ".html", ".yaml"];

/// Paths in backquotes and links that lead to no file. A path may be told from the root, from `crates/` or from the
/// guide's own folder.
pub fn check(workspace: &Workspace, guides: &[Guide]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for guide in guides {
        let folder = Path::new(&guide.path).parent().unwrap_or(Path::new(""));
        let exists = |path: &str| workspace.root.join(path).exists();
        let mut missing = |path: &str, line: usize| {
            let what = format!("{}: {path}", guide.path);
            let detail = format!("{}:{line}: there is no {path}", guide.path);
            findings.push(Finding::new("tidy/path", what, detail));
        };
        for quoted in guide.quoted().iter().filter(|quoted| is_path(quoted.text)) {
            let beside = folder.join(quoted.text);
            let places = [quoted.text, &format!("crates/{}", quoted.text), &beside.to_string_lossy()];
            if !places.into_iter().any(exists) {
                missing(quoted.text, quoted.line);
            }
        }
        for (line, target) in links(&guide.text) {
            if !exists(&folder.join(target).to_string_lossy()) {
                missing(target, line);
            }
        }
    }
    findings.sort();
    findings.dedup_by(|one, other| one.what == other.what);
    findings
}

fn is_path(text: &str) -> bool {
    text.contains('/')
        && !text.starts_with('/')
        && ENDINGS.iter().any(|ending| text.ends_with(ending))
        && text.chars().all(|sign| sign.is_ascii_alphanumeric() || "._/-".contains(sign))
}

/// Targets of links inside the project, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for part in line.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains(':') && !target.contains('`') {
                found.push((index + 1, target));
            }
        }
    }
    found
}
