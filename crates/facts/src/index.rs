//! The sidecar index of a table that is ordered by member: where each member's rows are.
//!
//! It can be made anew from the files at any time, and knows which files it was made from: an index of other files is
//! not used. Bloom filters and page statistics do not do what it does, since pages are far larger than a member.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_array::{Array, ArrayRef};

use crate::columns::MEMBER;
use crate::error::{FactsError, Result};
use crate::members::Members;
use crate::source::{Group, Read, Source};

use file::Entry;
pub(crate) use file::IndexFile;

/// The name of a folder's index.
pub(crate) const INDEX: &str = "_members.index";
/// A table in which a member's rows are in more pieces than this on average is not ordered by member.
const MOST_PIECES: u64 = 4;

/// What making an index came to.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Indexed {
    /// Where it is.
    pub path: PathBuf,
    /// Rows of the table.
    pub rows: u64,
    /// Runs of rows of one member.
    pub runs: u64,
    /// Bytes of the index.
    pub bytes: u64,
}

/// Where the index of a table is: in its folder, or beside its file.
pub(crate) fn place(paths: &[PathBuf]) -> Option<PathBuf> {
    let [path] = paths else { return None };
    if path.is_dir() {
        return Some(path.join(INDEX));
    }
    let name = path.file_name()?.to_str()?;
    path.is_file().then(|| path.with_file_name(format!("_{name}.members.index")))
}

/// Makes the index of a table that is ordered by member, within its files at least.
///
/// # Errors
/// Files that cannot be read, and tables in which members' rows are scattered.
pub fn build_index(paths: &[PathBuf], threads: usize) -> Result<Indexed> {
    let Some(path) = place(paths) else {
        return Err(FactsError::Refused("an index belongs to one folder or one file; name one".into()));
    };
    let source = Source::open(paths)?;
    source.required(MEMBER)?;
    let groups: Vec<&Group> = source.groups.iter().collect();
    let runs = Source::each(&groups, threads, |group| runs(&source, group))?;
    let mut entries: Vec<Entry> = runs.into_iter().flatten().collect();
    entries.sort_unstable();
    let pieces = entries.len() as u64;
    let members = entries.chunk_by(|one, other| one.hash == other.hash).count() as u64;
    if pieces > members.saturating_mul(MOST_PIECES) + 1_000 {
        return Err(FactsError::Refused(format!(
            "{} holds the rows of {members} members in {pieces} pieces: it is not ordered by member; compact it first",
            path.parent().unwrap_or(Path::new("")).display()
        )));
    }
    let bytes = file::write(&path, &source.snapshot().digest, &entries)?;
    Ok(Indexed { path, rows: source.rows(), runs: pieces, bytes })
}

/// The runs of equal members in a row group.
fn runs(source: &Source, group: &Group) -> Result<Vec<Entry>> {
    let path = source.path(group);
    let mut entries: Vec<Entry> = Vec::new();
    let mut row = group.first_row;
    for batch in source.read(group, Read { columns: vec![MEMBER], ..Read::default() })? {
        let batch = batch.map_err(FactsError::parquet(path))?;
        let array = batch.column(0);
        for hash in hashes(path, array)? {
            match (entries.last_mut(), hash) {
                (_, None) => {}
                (Some(last), Some(hash)) if last.hash == hash && last.row + u64::from(last.rows) == row => {
                    last.rows += 1;
                }
                (_, Some(hash)) => entries.push(Entry { hash, row, rows: 1 }),
            }
            row += 1;
        }
    }
    Ok(entries)
}

/// A hash of each member; none for a null.
pub(crate) fn hashes(path: &Path, array: &ArrayRef) -> Result<Vec<Option<u64>>> {
    let members = Members::of(path, MEMBER, array)?;
    Ok((0..array.len()).map(|row| (!array.is_null(row)).then(|| members.hash(row))).collect())
}

/// Rows of a table by row group: ascending, disjoint ranges of their numbers.
pub(crate) type Ranges = BTreeMap<usize, Vec<std::ops::Range<u64>>>;

/// The rows of some members, by the place of the row group.
pub(crate) fn ranges(source: &Source, index: &IndexFile, hashes: &[u64]) -> Result<Ranges> {
    let mut found = index.find(hashes)?;
    found.sort_unstable_by_key(|entry| entry.row);
    let mut ranges = Ranges::new();
    for entry in found {
        let (mut from, end) = (entry.row, entry.row + u64::from(entry.rows));
        while from < end {
            let place = source.groups.partition_point(|group| group.first_row <= from) - 1;
            let group = &source.groups[place];
            let to = end.min(group.first_row + group.rows as u64);
            let of_group = ranges.entry(place).or_default();
            match of_group.last_mut() {
                Some(last) if last.end >= from => last.end = last.end.max(to),
                _ => of_group.push(from..to),
            }
            from = to;
        }
    }
    Ok(ranges)
}
