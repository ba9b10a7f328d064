//! The guides as lines, and what stands in backquotes.

use super::Rules;
use crate::files::{below, walk};
use crate::{Workspace, XtaskError};

/// One guide.
#[derive(Debug)]
pub struct Guide {
    /// Path below the root.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A text in backquotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// Its line.
    pub line: usize,
    /// The text.
    pub text: &'a str,
    /// Whether it stands in the first cell of a table's row.
    pub heads_row: bool,
}

/// Reads the guides that the rules name, but histories.
pub fn read(workspace: &Workspace, rules: &Rules) -> Result<Vec<Guide>, XtaskError> {
    let root = &workspace.root;
    let mut guides: Vec<Guide> = Vec::new();
    for place in &rules.guides {
        let path = root.join(place);
        let paths = match path.is_dir() {
            true => walk(&path, &|path| path.extension().is_some_and(|ending| ending == "md"))?,
            false if path.is_file() => vec![path],
            false => Vec::new(),
        };
        for path in paths {
            let name = below(root, &path);
            let is_history = rules.histories.iter().any(|folder| name.starts_with(&format!("{folder}/")));
            if !is_history && !guides.iter().any(|guide| guide.path == name) {
                guides.push(Guide { text: crate::files::read(&path)?, path: name });
            }
        }
    }
    Ok(guides)
}

impl Guide {
    /// All texts in backquotes, those of code blocks left out.
    pub fn quoted(&self) -> Vec<Quoted<'_>> {
        let mut found = Vec::new();
        let mut fenced = false;
        for (index, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            if fenced {
                continue;
            }
            let first_cell = line.strip_prefix('|').and_then(|rest| rest.find(" |")).map_or(0, |end| end + 1);
            let mut offset = 0;
            for (at, part) in line.split('`').enumerate() {
                if at % 2 == 1 {
                    found.push(Quoted { line: index + 1, text: part, heads_row: offset < first_cell });
                }
                offset += part.len() + 1;
            }
        }
        found
    }
}
