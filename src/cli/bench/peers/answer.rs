//! The answers of the job, held against each other.

use anyhow::Context;
use std::collections::BTreeMap;
use std::path::Path;

/// Title, epoch in milliseconds, country.
type Key = (String, i64, String);

/// Impressions and plays.
type Counted = (u64, u64);

/// The cells of an answer.
pub type Cells = BTreeMap<Key, Counted>;

/// Cells of a CSV file: title, epoch, country, impressions, plays; a header is passed over.
pub fn read(path: &Path) -> anyhow::Result<Cells> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut cells = Cells::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with("title,")) {
        let cell =
            cell_of(line).with_context(|| format!("{}, line {}: {line}", path.display(), number + 1))?;
        let (known, counts) = (cells.entry(cell.0).or_default(), cell.1);
        *known = (known.0 + counts.0, known.1 + counts.1);
    }
    Ok(cells)
}

fn cell_of(line: &str) -> Option<(Key, Counted)> {
    let mut fields = line.split(',').map(|field| field.trim_matches('"'));
    let mut next = || fields.next();
    let key = (next()?.to_owned(), next()?.parse().ok()?, next()?.to_owned());
    Some((key, (next()?.parse().ok()?, next()?.parse().ok()?)))
}

/// How many cells are not the same in both; one that only one has counts.
pub fn unlike(ours: &Cells, theirs: &Cells) -> usize {
    let changed = ours.iter().filter(|(key, counts)| theirs.get(*key) != Some(counts)).count();
    changed + theirs.keys().filter(|key| !ours.contains_key(*key)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_differs_is_missing_or_too_many_counts_once() {
        let cells = |text: &str| {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), text).expect("written");
            read(file.path()).expect("read")
        };
        let ours = cells("title,epoch_ms,country,impressions,plays\na,0,SE,3,1\nb,0,SE,1,0\nc,0,SE,1,0\n");
        assert_eq!(unlike(&ours, &cells("\"a\",0,SE,2,1\na,0,\"SE\",1,0\nb,0,SE,1,0\nc,0,SE,1,0\n")), 0);
        assert_eq!(unlike(&ours, &cells("a,0,SE,3,2\nb,0,SE,1,0\nd,0,SE,1,0\n")), 3);
    }

    #[test]
    fn a_line_that_is_no_cell_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "a,0,SE,3,1\na,0,SE\n").expect("written");
        let error = read(file.path()).expect_err("no cell");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
