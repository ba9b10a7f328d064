//! The guides that the rules name.

use super::Rules;
use crate::files::{below, walk};
use crate::{Workspace, XtaskError};
use nearline_guides::Guide;

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
