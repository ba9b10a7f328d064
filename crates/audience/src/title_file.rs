//! A catalogue in a file: one title a line.

use crate::text_file::TextFile;
use anyhow::Context;
use nearline_model::Title;
use std::path::Path;

/// Reads the titles; empty lines are skipped.
///
/// # Errors
/// A file that cannot be read, or the first line that is no valid title.
pub fn read_titles(path: &Path) -> anyhow::Result<Vec<Title>> {
    let (mut file, mut titles) = (TextFile::open(path)?, Vec::new());
    while let Some(line) = file.next_line()? {
        let place = || format!("{}:{}", path.display(), line.number);
        let text = line.text.as_deref().with_context(|| format!("{}: is too long for a title", place()))?;
        if text.trim().is_empty() {
            continue;
        }
        let title = Title::parse(text.as_bytes()).with_context(place)?;
        title.validate().with_context(place)?;
        titles.push(title);
    }
    Ok(titles)
}
