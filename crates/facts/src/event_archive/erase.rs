//! Erasure: the events of forgotten members leave the archive, files and all.
//!
//! A file that holds such events is written anew without them; one commit takes the old one out and the new one in; then
//! the old one is deleted. At the end every file that is left is searched for the members' names.
//!
//! Of whoever asked to be forgotten the event that asks for it stays: without it, what comes again or comes late would
//! count when events are folded again, as it does not where they are served.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use memchr::memmem::Finder;
use nearline_model::FoldSettings;
use nearline_model::event::{Event, EventKind};
use nearline_model::member::erases_again;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use serde::Serialize;

use super::{EventArchive, dictionaries, rows};
use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::delta::{Add, Change, Committed, DeltaTable};
use crate::error::{FactsError, Result};
use crate::table_writer::{TableWriter, nothing_strange};
use crate::tidy::taken_out;

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

/// How much of a member is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Everything.
    Everything,
    /// What came before the member asked to be forgotten, and what came later and is of before.
    Forgotten {
        /// Where the log has the event.
        position: i64,
        /// When it was, Unix milliseconds: the latest time, if it was asked several times.
        at_ms: i64,
    },
}

/// How much is erased, by member.
pub type Limits = BTreeMap<String, Limit>;

impl Limit {
    /// Whether a row from this position of the log goes.
    fn takes(self, position: i64) -> bool {
        match self {
            Self::Everything => true,
            Self::Forgotten { position: forgotten, .. } => position < forgotten,
        }
    }

    /// Whether an event goes though it came later: the fold lets it change nothing.
    fn takes_late(self, is_forget: bool, at_ms: i64, known_ms: i64) -> bool {
        match self {
            Self::Everything => true,
            // Of what the log's clock bounds, the later in the log is the later. What the log had before that time came after a
            // clock that was ahead was put right: the fold brings the time of erasure back then.
            Self::Forgotten { at_ms: forgotten_ms, .. } => {
                let is_before = at_ms < forgotten_ms || (at_ms == forgotten_ms && at_ms < known_ms);
                !is_forget && is_before && known_ms >= forgotten_ms
            }
        }
    }

    /// One more event that asks for it; the fold obeys it or does not.
    fn asked_again(&mut self, position: i64, at_ms: i64, known_ms: i64, settings: &FoldSettings) {
        let Self::Forgotten { position: last, at_ms: forgotten_ms } = self else { return };
        let is_later = at_ms > *forgotten_ms || (at_ms == *forgotten_ms && at_ms == known_ms);
        if is_later || erases_again(EventKind::Forget, (at_ms, known_ms), *forgotten_ms, settings) {
            (*last, *forgotten_ms) = (position, at_ms.max(*forgotten_ms));
        }
    }
}

impl EventArchive {
    /// Erases events of members as far as `limits` say. `name` gives names that are nobody else's. Archivers may run
    /// meanwhile; two erasures may not.
    ///
    /// # Errors
    /// Files that cannot be read, written or deleted; a name that is found afterwards.
    pub fn erase(
        &mut self,
        limits: &Limits,
        mut name: impl FnMut() -> String,
        now_ms: i64,
    ) -> Result<Erased> {
        Erasing {
            table: &mut self.table,
            schema: rows::schema(),
            properties: &dictionaries,
            limits,
            are_events: true,
        }
        .erase(&mut name, now_ms)
    }

    /// How much of each of these members is to be erased; with `forgotten`, of whoever asked for it, too, by the settings of
    /// the fold.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn erasable(&self, members: &[String], forgotten: Option<&FoldSettings>) -> Result<Limits> {
        let mut limits = forgotten.map_or_else(|| Ok(Limits::new()), |settings| self.forgotten(settings))?;
        limits.extend(members.iter().map(|member| (member.clone(), Limit::Everything)));
        Ok(limits)
    }

    /// The members that asked to be forgotten, and where they did it last.
    fn forgotten(&self, settings: &FoldSettings) -> Result<Limits> {
        let (mut limits, mut ids) = (Limits::new(), BTreeSet::new());
        // Names hold positions: their order is the log's.
        for file in self.table.files() {
            for batch in batches(&self.table.file(&file.path)?)? {
                for row in (0..batch.num_rows()).filter(|row| is_forget(&batch, *row)) {
                    let member = batch[MEMBER].as_string::<i32>().value(row);
                    let position = batch[POSITION].as_primitive::<Int64Type>().value(row);
                    let [at_ms, known_ms] = times_of(&batch, row);
                    let payload = batch["payload"].as_binary::<i32>().value(row);
                    let id = Event::parse(payload, usize::MAX).map(|event| event.id.into_owned());
                    // One that comes again asks for nothing.
                    if !ids.insert((member.to_owned(), id.unwrap_or_default())) {
                        continue;
                    }
                    match limits.get_mut(member) {
                        Some(limit) => Limit::asked_again(limit, position, at_ms, known_ms, settings),
                        None => {
                            limits.insert(member.to_owned(), Limit::Forgotten { position, at_ms });
                        }
                    }
                }
            }
        }
        Ok(limits)
    }
}

fn is_forget(batch: &RecordBatch, row: usize) -> bool {
    let kinds = batch["kind"].as_string::<i32>();
    kinds.is_valid(row) && kinds.value(row) == EventKind::Forget.name()
}

/// When an event was, and when the log had it, Unix milliseconds.
fn times_of(batch: &RecordBatch, row: usize) -> [i64; 2] {
    [EVENT_AT, KNOWN_AT]
        .map(|name| batch[name].as_primitive::<TimestampMicrosecondType>().value(row).div_euclid(1_000))
}

/// A table that members are erased from.
pub(crate) struct Erasing<'a> {
    pub table: &'a mut DeltaTable,
    pub schema: SchemaRef,
    pub properties: &'a dyn Fn() -> WriterProperties,
    pub limits: &'a Limits,
    /// Whether its rows are events: late ones go, too, and a file of which nothing is left stays, since its name says which
    /// positions were archived.
    pub are_events: bool,
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
            if self.holds(&path)?.is_empty() {
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
        let searches = Searches::new(self.limits, self.are_events);
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
        if rows > 0 || self.are_events {
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
            if !self.table.files().any(|file| file.path == old) {
                change.add.iter().try_for_each(|add| self.table.location().delete(&add.path))?;
                return Err(taken_out(self.table, old));
            }
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
            left.extend(self.holds(&self.table.file(&file.path)?)?);
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

    /// The members of which a file holds a row that is to be erased.
    fn holds(&self, path: &Path) -> Result<BTreeSet<String>> {
        let searches = Searches::new(self.limits, self.are_events);
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
}

/// Searches for the names of members.
struct Searches<'a> {
    limits: &'a Limits,
    are_events: bool,
    /// The names as they stand in JSON, for records that are no event.
    quoted: Vec<(&'a str, Finder<'static>)>,
}

impl<'a> Searches<'a> {
    fn new(limits: &'a Limits, are_events: bool) -> Self {
        let quoted = |member: &'a String| {
            (member.as_str(), Finder::new(format!("\"{member}\"").as_bytes()).into_owned())
        };
        Self { limits, are_events, quoted: limits.keys().map(quoted).collect() }
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
            let is_late = || {
                let [at_ms, known_ms] = times_of(batch, row);
                self.are_events && limit.takes_late(is_forget(batch, row), at_ms, known_ms)
            };
            return (limit.takes(position) || is_late()).then_some(member.as_str());
        }
        let payload = batch["payload"].as_binary::<i32>().value(row);
        let named = self.quoted.iter().filter(|(_, quoted)| quoted.find(payload).is_some());
        named.map(|(member, _)| *member).find(|member| self.limits[*member].takes(position))
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
