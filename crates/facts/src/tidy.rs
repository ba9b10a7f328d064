//! Tables that are used for long: weeks that are over in the order of their members, small files of one day made large ones,
//! old files gone, and nothing left behind.
//!
//! Each step is one commit, and a file is deleted when no version names it any more: whoever dies leaves files that nobody
//! reads, which the next run deletes.

mod carried;
mod last_known;
mod merge;

use std::collections::BTreeMap;
use std::path::Path;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use serde::Serialize;

use crate::compact::{Compaction, PAGE_ROWS};
use crate::delta::{Add, Change, Committed, DeltaTable, SORTING};
use crate::error::{FactsError, Result};
use crate::index::{INDEX, build_index};

use last_known::LastKnown;
pub(crate) use last_known::taken_out;
pub(crate) use merge::Form;

/// How long a file that the table does not name may still be somebody's.
const GRACE_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * 86_400_000;
/// From a Monday's midnight to the beginning of 1970, which was a Thursday.
const TO_MONDAY_MS: i64 = 3 * 86_400_000;
/// What the names of files in the order of members begin with.
const WEEKLY: &str = "week-";

/// What is done with a table.
#[derive(Debug, Clone)]
pub struct Tidying {
    /// Files all of whose rows became known before this moment go, Unix milliseconds. What was known then of each member stays.
    pub keep_from_ms: Option<i64>,
    /// Whether weeks that are over are written anew in the order of their members.
    pub by_week: bool,
    /// Threads that sort.
    pub threads: usize,
    /// Now, Unix milliseconds.
    pub now_ms: i64,
}

/// What the rows of a table are to those who read it.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// What happened, in an order: small files of a day are merged.
    Ordered(&'a Form<'a>),
    /// What was known of members from then on: each one's newest row is needed for as long as there is no newer one.
    Newest(&'a Form<'a>),
}

/// What it came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tidied {
    /// Weeks that were written anew.
    pub weeks: u64,
    /// Rows of them.
    pub weekly_rows: u64,
    /// Files that they were in, and that they are in.
    pub weekly_files: (u64, u64),
    /// Rows of small files that became large ones.
    pub merged_rows: u64,
    /// Files that they were in, and that they are in.
    pub merged_files: (u64, u64),
    /// Rows that were too old.
    pub old_rows: u64,
    /// Files of them.
    pub old_files: u64,
    /// Rows of these files that stay: the newest fact of each member.
    pub carried_rows: u64,
    /// Files that no version names, deleted: of writers that died.
    pub orphans: u64,
    /// Whether there is an index of members now.
    pub indexed: bool,
}

impl Tidied {
    /// What it came to, in words.
    pub fn text(&self) -> String {
        let index = if self.indexed { "; indexed by member" } else { "" };
        format!(
            "{} rows of {} weeks sorted, from {} files into {}; {} rows merged from {} files into {}; {} rows in {} files were too \
             old, {} in them were each member's newest and stay; {} files of nobody deleted{index}",
            self.weekly_rows,
            self.weeks,
            self.weekly_files.0,
            self.weekly_files.1,
            self.merged_rows,
            self.merged_files.0,
            self.merged_files.1,
            self.old_rows,
            self.old_files,
            self.carried_rows,
            self.orphans
        )
    }
}

/// The Monday that a moment's week begins with.
fn monday(at_ms: i64) -> i64 {
    (at_ms + TO_MONDAY_MS).div_euclid(WEEK_MS) * WEEK_MS - TO_MONDAY_MS
}

impl Tidying {
    /// Does it. `name` gives names that are nobody else's. Archivers may run meanwhile; of two that tidy one table, one alone gets
    /// its way.
    ///
    /// # Errors
    /// Files that cannot be read, written or deleted; another one that tidied or erased at the same time.
    pub(crate) fn run(
        &self,
        table: &mut DeltaTable,
        rows: Rows<'_>,
        mut name: impl FnMut() -> String,
    ) -> Result<Tidied> {
        let mut tidied = Tidied::default();
        let mut known = LastKnown::default();
        if let Some(keep_from_ms) = self.keep_from_ms {
            self.retain(table, keep_from_ms, rows, &mut name, &mut known, &mut tidied)?;
        }
        if self.by_week {
            self.weeks(table, &mut known, &mut name, &mut tidied)?;
            tidied.indexed = self.index(table)?;
        }
        if let Rows::Ordered(form) = rows {
            self.merge(table, form, &mut known, &mut name, &mut tidied)?;
        }
        for left in table.left_behind()? {
            if left.object.modified_ms < self.now_ms - GRACE_MS {
                table.delete_left(&left)?;
                tidied.orphans += 1;
            }
        }
        Ok(tidied)
    }

    /// Makes the index anew, where there is something sorted to find by it.
    fn index(&self, table: &DeltaTable) -> Result<bool> {
        if !table.files().any(|file| file.path.starts_with(WEEKLY)) {
            return Ok(false);
        }
        for file in table.files() {
            table.file(&file.path)?;
        }
        match build_index(&[table.root().to_owned()], self.threads) {
            Ok(_) => table.location().keep(INDEX).map(|()| true),
            // What is not sorted yet is too much beside what is.
            Err(FactsError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn retain(
        &self,
        table: &mut DeltaTable,
        keep_from_ms: i64,
        rows: Rows<'_>,
        name: &mut dyn FnMut() -> String,
        known: &mut LastKnown,
        tidied: &mut Tidied,
    ) -> Result<()> {
        let files = Vec::from_iter(table.files().cloned());
        let mut old = Vec::new();
        for file in &files {
            if known.of(table, &file.path)?.is_some_and(|last| last < keep_from_ms) {
                old.push(file.clone());
            }
        }
        if old.is_empty() {
            return Ok(());
        }
        let mut add = Vec::new();
        match rows {
            Rows::Ordered(Form { series: Some(series), .. }) => {
                // A file of which nothing is left says that its events were archived: not when others go.
                let goes = |file: &&Add| old.iter().any(|old| series(&old.path) == series(&file.path));
                let empty: Vec<Add> =
                    files.iter().filter(|file| file.rows() == 0).filter(goes).cloned().collect();
                old.extend(empty);
            }
            Rows::Ordered(_) => {}
            Rows::Newest(form) => match self.carry(table, form, &old, &name())? {
                Some(carried) => add.push(carried),
                None => return Ok(()),
            },
        }
        let count = |files: &[Add]| files.iter().map(Add::rows).sum::<u64>();
        tidied.old_files = old.len() as u64;
        tidied.old_rows = count(&old) - count(&add);
        tidied.carried_rows = count(&add);
        let remove = old.into_iter().map(|file| file.path).collect();
        self.commit(table, Change { add, remove, operation: "DELETE", ..Change::default() })
    }

    /// Writes each week that is over anew, in the order of its members.
    fn weeks(
        &self,
        table: &mut DeltaTable,
        known: &mut LastKnown,
        name: &mut dyn FnMut() -> String,
        tidied: &mut Tidied,
    ) -> Result<()> {
        let mut weeks: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for file in Vec::from_iter(table.files().cloned()) {
            if let Some(last) = known.of(table, &file.path)? {
                weeks.entry(monday(last)).or_default().push(file.path.clone());
            }
        }
        weeks.retain(|week, files| {
            *week < monday(self.now_ms) && files.iter().any(|file| !file.starts_with(WEEKLY))
        });
        for (week, files) in weeks {
            self.week(table, week, files, &name(), tidied)?;
        }
        Ok(())
    }

    fn week(
        &self,
        table: &mut DeltaTable,
        week: i64,
        files: Vec<String>,
        nonce: &str,
        tidied: &mut Tidied,
    ) -> Result<()> {
        let sorting = table.root().join(format!("{SORTING}{nonce}"));
        let paths = files.iter().map(|file| table.file(file)).collect::<Result<Vec<_>>>()?;
        let job =
            Compaction { facts: paths, output: sorting.clone(), page_rows: PAGE_ROWS, threads: self.threads };
        let sorted = job
            .run()
            .and_then(|compacted| Ok((compacted.rows, self.taken_in(table, &sorting, week, nonce)?)));
        // What is left in it is in a folder that readers pass over.
        let _ = std::fs::remove_dir_all(&sorting);
        let (rows, add) = sorted?;
        tidied.weeks += 1;
        tidied.weekly_rows += rows;
        tidied.weekly_files.0 += files.len() as u64;
        tidied.weekly_files.1 += add.len() as u64;
        self.commit(table, Change { add, remove: files, operation: "OPTIMIZE", ..Change::default() })
    }

    /// Takes the sorted files of a week into the table's folder.
    fn taken_in(&self, table: &DeltaTable, sorting: &Path, week: i64, nonce: &str) -> Result<Vec<Add>> {
        let mut add = Vec::new();
        for entry in std::fs::read_dir(sorting).map_err(FactsError::reading(sorting))? {
            let path = entry.map_err(FactsError::reading(sorting))?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let Some(bucket) = stem.and_then(|stem| stem.strip_prefix("bucket-")) else { continue };
            let name = format!("{WEEKLY}{:06}-{bucket}-{nonce}.parquet", week.div_euclid(WEEK_MS));
            let to = table.root().join(&name);
            let file = std::fs::File::open(&path).map_err(FactsError::reading(&path))?;
            file.sync_all().map_err(FactsError::writing(&path))?;
            let bytes = file.metadata().map_err(FactsError::reading(&path))?.len();
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default());
            let metadata = metadata.map_err(FactsError::parquet(&path))?;
            let rows = metadata.metadata().file_metadata().num_rows().unsigned_abs();
            std::fs::rename(&path, &to).map_err(FactsError::writing(&to))?;
            table.location().keep(&name)?;
            add.push(Add::arranged(name, bytes, rows, self.now_ms));
        }
        Ok(add)
    }

    /// Commits, and deletes what was removed, or what was written where nothing came of it. It is refused where another one has
    /// removed some of it. A file that cannot be deleted is nobody's, and goes after a day.
    fn commit(&self, table: &mut DeltaTable, change: Change) -> Result<()> {
        while table.commit(&change, self.now_ms)? == Committed::Conflict {
            table.refresh()?;
            let gone = change.remove.iter().find(|path| !table.files().any(|file| &file.path == *path));
            if let Some(gone) = gone {
                let refused = taken_out(table, gone);
                change.add.iter().try_for_each(|add| table.location().delete(&add.path))?;
                return Err(refused);
            }
        }
        // They are named no more, whatever becomes of them.
        for path in &change.remove {
            let _left = table.location().delete(path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_mondays() {
        let day = 86_400_000;
        // 1970-01-01 was a Thursday: the Monday before is three days earlier, the next one four days later.
        assert_eq!((monday(0), monday(-1), monday(4 * day - 1)), (-3 * day, -3 * day, -3 * day));
        assert_eq!((monday(4 * day), monday(-3 * day), monday(-3 * day - 1)), (4 * day, -3 * day, -10 * day));
    }
}
