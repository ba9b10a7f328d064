//! Erasure: the events of forgotten members leave the archive, files and all.
//!
//! A file that holds such events is written anew without them; one commit takes the old one out and the new one in; then
//! the old one is deleted. At the end every file that is left is searched for the members' names.
//!
//! Of whoever asked to be forgotten the event that asks for it stays: without it, what comes again or comes late would
//! count when events are folded again, as it does not where they are served.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use memchr::memmem::Finder;
use nearline_model::FoldSettings;
use nearline_model::event::{Event, EventKind};
use nearline_model::identifier::partition_of;
use nearline_model::member::erases_again;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use serde::Serialize;

use super::{EventArchive, dictionaries, rows};
use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::delta::{Add, Change, Committed, DeltaTable, LeftKind};
use crate::error::{FactsError, Result};
use crate::table_writer::{TableWriter, nothing_strange};
use crate::tidy::taken_out;
use crate::whole_file::{Writer, writer_of};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// Everything.
    Everything,
    /// What came before the member asked to be forgotten, and what came later and is of before.
    Forgotten(Forgotten),
}

/// Where and when a member asked to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Where the log has the event that the fold obeyed last.
    position: i64,
    /// When it was, Unix milliseconds: the latest time, if it was asked several times.
    at_ms: i64,
    /// Where the log has the event with that time: it stays, for the fold holds late events against it.
    latest: i64,
    /// Where the events are that came later and stay.
    stay: BTreeSet<i64>,
    /// Up to where the member's events are archived.
    archived: i64,
}

/// How much is erased, by member.
pub type Limits = BTreeMap<String, Limit>;

impl Limit {
    /// Whether a row from this position of the log goes.
    fn takes(&self, position: i64, rows: ErasedRows) -> bool {
        match self {
            Self::Everything => true,
            // What was shown goes, also of the moment of the event that stays.
            Self::Forgotten(forgotten) => {
                position < forgotten.position
                    && (position != forgotten.latest || rows == ErasedRows::Decisions)
            }
        }
    }
}

impl Forgotten {
    /// Whether an event goes though it came later: the fold lets it change nothing.
    fn takes_late(&self, is_forget: bool, [at_ms, known_ms]: [i64; 2]) -> bool {
        // Of what the log's clock bounds, the later in the log is the later. What the log had before that time came after a
        // clock that was ahead was put right: the fold brings the time of erasure back then.
        let is_before = at_ms < self.at_ms || (at_ms == self.at_ms && at_ms < known_ms);
        !is_forget && is_before && known_ms >= self.at_ms
    }

    /// Whether a fact goes though it came later: the event that it is of goes, or has gone.
    fn takes_fact(&self, position: i64) -> bool {
        position <= self.archived && position != self.latest && !self.stay.contains(&position)
    }

    /// One more event that asks for it; the fold obeys it or does not.
    fn asked_again(&mut self, position: i64, at_ms: i64, known_ms: i64, settings: &FoldSettings) {
        let is_later = at_ms > self.at_ms || (at_ms == self.at_ms && at_ms == known_ms);
        if is_later {
            (self.position, self.at_ms, self.latest) = (position, at_ms, position);
        } else if erases_again(EventKind::Forget, (at_ms, known_ms), self.at_ms, settings) {
            self.position = position;
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
            rows: ErasedRows::Events,
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
        let (mut all, mut ids) = (BTreeMap::<String, Forgotten>::new(), BTreeSet::new());
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
                    match all.get_mut(member) {
                        Some(forgotten) => forgotten.asked_again(position, at_ms, known_ms, settings),
                        None => {
                            let archived = self.last(partition_of(member, self.partitions)).0;
                            let archived = i64::try_from(archived).unwrap_or(i64::MAX);
                            let latest = position;
                            let stay = BTreeSet::new();
                            let forgotten = Forgotten { position, at_ms, latest, stay, archived };
                            all.insert(member.to_owned(), forgotten);
                        }
                    }
                }
            }
        }
        self.find_what_stays(&mut all)?;
        Ok(all.into_iter().map(|(member, forgotten)| (member, Limit::Forgotten(forgotten))).collect())
    }

    /// Notes the events that came later than their member asked, and stay.
    fn find_what_stays(&self, all: &mut BTreeMap<String, Forgotten>) -> Result<()> {
        if all.is_empty() {
            return Ok(());
        }
        for file in self.table.files() {
            for batch in batches(&self.table.file(&file.path)?)? {
                let members = batch[MEMBER].as_string::<i32>();
                for row in (0..batch.num_rows()).filter(|row| members.is_valid(*row)) {
                    let Some(forgotten) = all.get_mut(members.value(row)) else { continue };
                    let position = batch[POSITION].as_primitive::<Int64Type>().value(row);
                    let is_late = forgotten.takes_late(is_forget(&batch, row), times_of(&batch, row));
                    if position >= forgotten.position && !is_late {
                        forgotten.stay.insert(position);
                    }
                }
            }
        }
        Ok(())
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
    pub rows: ErasedRows,
}

/// What the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErasedRows {
    /// Events: late ones go, too, and a file of which nothing is left stays, since its name says which positions were archived.
    Events,
    /// Facts, each of an event: where that goes, the fact goes.
    Facts,
    /// Decisions, each of a member's state at a position.
    Decisions,
}

/// What a file is of: its name without what makes it nobody else's, be it one of [`UNIQUE`] characters, or what is left of
/// several of them.
fn place_in(name: &str) -> &str {
    let stem = name.strip_suffix(".parquet").unwrap_or(name);
    let is_unique = |part: &str| {
        let groups: Vec<&str> = part.split('-').collect();
        let is_hex = groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let lengths = groups.iter().map(|group| group.len());
        is_hex && (lengths.clone().eq([8, 4, 4, 4]) || lengths.eq([8, 4, 4, 4, 12]))
    };
    let mut place = stem;
    while let Some((before, _)) = [UNIQUE, UNIQUE_WITHOUT_ITS_LAST_GROUP].into_iter().find_map(|length| {
        let (before, last) = place.split_at_checked(place.len().checked_sub(length)?)?;
        Some((before.strip_suffix('-')?, last)).filter(|(_, last)| is_unique(last))
    }) {
        place = before;
    }
    if place.len() < stem.len() { place } else { stem.rsplit_once('-').map_or(stem, |(place, _)| place) }
}

/// Characters of a UUID, and of one without its last group and the dash before it.
const UNIQUE: usize = 36;
const UNIQUE_WITHOUT_ITS_LAST_GROUP: usize = 23;

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
        for left in self.table.left_behind()? {
            let path = self.table.root().join(&left.object.name);
            // What it holds cannot be read. A file that is being written goes into the table after this, as what is archived later.
            let writer = (left.kind == LeftKind::Partial).then(|| writer_of(&path));
            let may_hold = match left.kind {
                LeftKind::Unnamed => self.may_hold(&left.object.name)?,
                LeftKind::Partial => !matches!(writer, Some(Writer::Lives | Writer::Gone)),
                LeftKind::Sorting => true,
                LeftKind::Draft => false,
            };
            if !may_hold {
                continue;
            }
            // An archiver writes its file first, and then the commit that names it.
            let is_dead = writer == Some(Writer::Dead);
            if !is_dead && left.object.modified_ms > now_ms - GRACE_MS {
                return Err(FactsError::Refused(format!(
                    "{} may hold erased members and is not the archive's yet: an archiver or `tidy` may be about to add it; erase \
                     again in ten minutes",
                    path.display()
                )));
            }
            self.table.delete_left(&left)?;
            erased.deleted += 1;
        }
        self.prove()?;
        Ok(erased)
    }

    /// Whether a file that the table does not name holds rows that are to be erased; one that is gone holds none.
    fn may_hold(&self, name: &str) -> Result<bool> {
        match self.table.file(name).and_then(|path| self.holds(&path)) {
            Err(FactsError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(false),
            found => found.map(|members| !members.is_empty()),
        }
    }

    fn erase_from(&mut self, old: &str, nonce: &str, now_ms: i64, erased: &mut Erased) -> Result<()> {
        let path = self.table.file(old)?;
        let searches = Searches::new(self.limits, self.rows);
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
        if rows > 0 || self.rows == ErasedRows::Events {
            // Its positions stay in its name, which is its place in the order; the last part is new.
            let new = format!("{}-{nonce}.parquet", place_in(old));
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
        let searches = Searches::new(self.limits, self.rows);
        let mut found = BTreeSet::new();
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
    rows: ErasedRows,
    /// The names as they stand in JSON, for records that are no event.
    quoted: Vec<(&'a str, Finder<'static>)>,
}

impl<'a> Searches<'a> {
    fn new(limits: &'a Limits, rows: ErasedRows) -> Self {
        let quoted = |member: &'a String| {
            (member.as_str(), Finder::new(format!("\"{member}\"").as_bytes()).into_owned())
        };
        Self { limits, rows, quoted: limits.keys().map(quoted).collect() }
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
            let is_late = || match (limit, self.rows) {
                (Limit::Forgotten(forgotten), ErasedRows::Events) => {
                    forgotten.takes_late(is_forget(batch, row), times_of(batch, row))
                }
                (Limit::Forgotten(forgotten), ErasedRows::Facts) => forgotten.takes_fact(position),
                (Limit::Forgotten(_), ErasedRows::Decisions) | (Limit::Everything, _) => false,
            };
            return (limit.takes(position, self.rows) || is_late()).then_some(member.as_str());
        }
        let payload = batch["payload"].as_binary::<i32>().value(row);
        let named = self.quoted.iter().filter(|(_, quoted)| quoted.find(payload).is_some());
        named.map(|(member, _)| *member).find(|member| self.limits[*member].takes(position, self.rows))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_requests_the_latest_stays_as_an_event_and_not_as_what_was_shown() {
        let (position, latest, at_ms, stay) = (150, 100, 7, BTreeSet::new());
        let limit = Limit::Forgotten(Forgotten { position, at_ms, latest, stay, archived: 200 });
        for (rows, taken) in [
            (ErasedRows::Events, [true, false, true, false]),
            (ErasedRows::Facts, [true, false, true, false]),
            (ErasedRows::Decisions, [true, true, true, false]),
        ] {
            assert_eq!([99, 100, 149, 150].map(|position| limit.takes(position, rows)), taken, "{rows:?}");
        }
    }

    #[test]
    fn a_name_is_cut_where_what_is_its_own_begins() {
        let unique = "0123abcd-0000-4000-8000-0123456789ab";
        let grown = format!("events-p00003-1-2-{}-{}-{unique}.parquet", &unique[..23], &unique[..23]);
        for (name, place) in [
            (format!("events-p00003-1-2-{unique}.parquet"), "events-p00003-1-2"),
            (grown, "events-p00003-1-2"),
            (format!("week-002931-0004-{unique}.parquet"), "week-002931-0004"),
            (format!("decisions-{unique}.parquet"), "decisions"),
            ("events-p00003-1-2-n1.parquet".to_owned(), "events-p00003-1-2"),
        ] {
            assert_eq!(place_in(&name), place, "{name}");
        }
    }
}
