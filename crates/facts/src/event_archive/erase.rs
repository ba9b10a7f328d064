//! Erasure: the events of forgotten members leave the archive, files and all.
//!
//! A file that holds such events is written anew without them; one commit takes the old one out and the new one in; then
//! the old one is deleted. At the end every file that is left is searched for the members' names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use memchr::memmem::Finder;
use nearline_model::event::EventKind;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use serde::Serialize;

use super::{EventArchive, dictionaries, rows};
use crate::columns::{MEMBER, POSITION};
use crate::delta::{Add, Change, Committed, DeltaTable};
use crate::error::{FactsError, Result};
use crate::table_writer::{TableWriter, nothing_strange};

/// What an erasure came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Members that were to be erased.
    pub members: u64,
    /// Rows that left the table: events, facts, candidates of decisions.
    pub events: u64,
    /// Files that were written anew, or went.
    pub files: u64,
    /// Files that were deleted: the old ones, and those that the archive did not name.
    pub deleted: u64,
}

/// How long a file that the archive does not name may still be somebody's.
const GRACE_MS: i64 = 600_000;

/// Up to which position rows of a member are erased.
pub type Limits = BTreeMap<String, i64>;

impl EventArchive {
    /// Erases all events of these members, and with `forgotten` those of every member that asked to be forgotten, up to that
    /// event. `name` gives names that are nobody else's. Archivers may run meanwhile; two erasures may not.
    ///
    /// # Errors
    /// Files that cannot be read, written or deleted; a name that is found afterwards.
    pub fn erase(
        &mut self,
        members: &[String],
        forgotten: bool,
        mut name: impl FnMut() -> String,
        now_ms: i64,
    ) -> Result<Erased> {
        let limits = self.erasable(members, forgotten)?;
        Erasing { table: &mut self.table, schema: rows::schema(), properties: &dictionaries, limits: &limits }
            .erase(&mut name, now_ms)
    }

    /// Up to which position each of these members is to be erased; with `forgotten`, whoever asked for it, too.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn erasable(&self, members: &[String], forgotten: bool) -> Result<Limits> {
        let mut limits = if forgotten { self.forgotten()? } else { Limits::new() };
        limits.extend(members.iter().map(|member| (member.clone(), i64::MAX)));
        Ok(limits)
    }

    /// The members that asked to be forgotten, and where they did it last.
    fn forgotten(&self) -> Result<Limits> {
        let mut limits = Limits::new();
        for file in self.table.files() {
            for batch in batches(&self.table.file(&file.path)?)? {
                let kinds = batch["kind"].as_string::<i32>();
                let forget =
                    kinds.iter().enumerate().filter(|(_, kind)| *kind == Some(EventKind::Forget.name()));
                for (row, _) in forget {
                    let member = batch[MEMBER].as_string::<i32>().value(row).to_owned();
                    let position = batch[POSITION].as_primitive::<Int64Type>().value(row);
                    let limit = limits.entry(member).or_insert(position);
                    *limit = position.max(*limit);
                }
            }
        }
        Ok(limits)
    }
}

/// A table that members are erased from.
pub(crate) struct Erasing<'a> {
    pub table: &'a mut DeltaTable,
    pub schema: SchemaRef,
    pub properties: &'a dyn Fn() -> WriterProperties,
    pub limits: &'a Limits,
}

impl Erasing<'_> {
    /// Erases them, and proves it.
    pub fn erase(mut self, name: &mut dyn FnMut() -> String, now_ms: i64) -> Result<Erased> {
        let limits = self.limits;
        let mut erased = Erased { members: limits.len() as u64, ..Erased::default() };
        if limits.is_empty() {
            return Ok(erased);
        }
        let paths: Vec<String> = self.table.files().map(|file| file.path.clone()).collect();
        for path in paths {
            self.erase_from(&path, &name(), now_ms, &mut erased)?;
        }
        for unnamed in self.table.unnamed()? {
            let path = self.table.file(&unnamed.name)?;
            if holds(&path, limits)?.is_empty() {
                continue;
            }
            // An archiver writes its file first, and then the commit that names it.
            if unnamed.modified_ms > now_ms - GRACE_MS {
                return Err(FactsError::Refused(format!(
                    "{} names erased members and is not the archive's yet: an archiver may be about to add it; erase again in \
                     ten minutes",
                    path.display()
                )));
            }
            self.table.location().delete(&unnamed.name)?;
            erased.deleted += 1;
        }
        self.prove()?;
        Ok(erased)
    }

    fn erase_from(&mut self, old: &str, nonce: &str, now_ms: i64, erased: &mut Erased) -> Result<()> {
        let path = self.table.file(old)?;
        let searches = Searches::new(self.limits);
        let (mut kept, mut gone) = (Vec::new(), 0);
        for batch in batches(&path)? {
            let keep: BooleanArray =
                (0..batch.num_rows()).map(|row| Some(!searches.erases(&batch, row))).collect();
            gone += keep.false_count() as u64;
            let rest =
                filter_record_batch(&batch, &keep).map_err(|error| FactsError::Refused(error.to_string()))?;
            kept.push(rest);
        }
        if gone == 0 {
            return Ok(());
        }
        if let Some(first) = kept.first() {
            nothing_strange(&path, &first.schema(), &self.schema)?;
        }
        let rows: u64 = kept.iter().map(|batch| batch.num_rows() as u64).sum();
        let mut change = Change { remove: vec![old.to_owned()], operation: "DELETE", ..Change::default() };
        if rows > 0 {
            // Its positions stay in its name, which is its place in the order; the last part is new.
            let stem = old.rsplit_once('-').map_or(old, |(stem, _)| stem);
            let new = format!("{stem}-{nonce}.parquet");
            let place = self.table.root().join(&new);
            let mut writer = TableWriter::create(&place, &self.schema, (self.properties)())?;
            kept.iter().try_for_each(|batch| writer.write(batch, Vec::new()))?;
            let bytes = writer.finish_synced()?;
            self.table.location().keep(&new)?;
            change.add.push(Add::new(new, bytes, rows, now_ms));
        }
        while self.table.commit(&change, now_ms)? == Committed::Conflict {
            self.table.refresh()?;
        }
        self.table.location().delete(old)?;
        erased.events += gone;
        erased.files += 1;
        erased.deleted += 1;
        Ok(())
    }

    /// Searches every file for the members' names.
    fn prove(&self) -> Result<()> {
        let mut left = BTreeSet::new();
        for file in self.table.files() {
            left.extend(holds(&self.table.file(&file.path)?, self.limits)?);
        }
        if left.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = left.iter().map(String::as_str).collect();
        Err(FactsError::Refused(format!(
            "members {} are still named in the archive {}; erase them again",
            names.join(", "),
            self.table.root().display()
        )))
    }
}

/// The members of which a file holds an event that is to be erased.
fn holds(path: &Path, limits: &Limits) -> Result<BTreeSet<String>> {
    let searches = Searches::new(limits);
    let mut found = BTreeSet::new();
    // A file that is being written has no footer yet.
    if path.extension().is_some_and(|kind| kind != "parquet") {
        return Ok(found);
    }
    for batch in batches(path)? {
        for row in 0..batch.num_rows() {
            found.extend(searches.found(&batch, row).map(str::to_owned));
        }
    }
    Ok(found)
}

/// Searches for the names of members.
struct Searches<'a> {
    limits: &'a Limits,
    /// The names as they stand in JSON, for records that are no event.
    quoted: Vec<(&'a str, Finder<'static>)>,
}

impl<'a> Searches<'a> {
    fn new(limits: &'a Limits) -> Self {
        let quoted = |member: &'a String| {
            (member.as_str(), Finder::new(format!("\"{member}\"").as_bytes()).into_owned())
        };
        Self { limits, quoted: limits.keys().map(quoted).collect() }
    }

    fn erases(&self, batch: &RecordBatch, row: usize) -> bool {
        self.found(batch, row).is_some()
    }

    /// The member that a row is of, if the row is to be erased.
    fn found(&self, batch: &RecordBatch, row: usize) -> Option<&'a str> {
        let position = batch[POSITION].as_primitive::<Int64Type>().value(row);
        let members = batch[MEMBER].as_string::<i32>();
        if members.is_valid(row) {
            let (member, limit) = self.limits.get_key_value(members.value(row))?;
            return (position <= *limit).then_some(member.as_str());
        }
        let payload = batch["payload"].as_binary::<i32>().value(row);
        let named = self.quoted.iter().filter(|(_, quoted)| quoted.find(payload).is_some());
        named.map(|(member, _)| *member).find(|member| position <= self.limits[*member])
    }
}

/// The rows of a file.
fn batches(path: &Path) -> Result<Vec<RecordBatch>> {
    let file = std::fs::File::open(path).map_err(FactsError::reading(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(FactsError::parquet(path))?;
    let reader = builder.build().map_err(FactsError::parquet(path))?;
    let batches = reader.map(|batch| batch.map_err(FactsError::parquet(path)));
    batches.collect()
}
