//! Facts by whom they are about, by when they became known, and everybody's as of a moment.

mod choose;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{FieldRef, Schema, SchemaRef};
use jiff::Timestamp;
use serde::Serialize;

use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::{FactsError, Result};
use crate::gather::{compact, taken};
use crate::index::Ranges;
use crate::rules::Order;
use crate::source::{Group, Read, Source, selection};
use crate::table_writer::{self, TableWriter};
use crate::whole_file::refuse_inputs;

use choose::Chosen;

/// Rows that are held before they are written, about; a row group is held whole.
const ROWS_AT_ONCE: u64 = 1 << 18;

/// Which facts are looked up.
#[derive(Debug, Clone)]
pub enum What {
    /// All facts of the members of Parquet files with the column `member`.
    Members(Vec<PathBuf>),
    /// Of every member, the fact that was the one at a moment.
    AsOf {
        /// The moment.
        at: Timestamp,
        /// Which of the known facts is the one.
        order: Order,
    },
    /// The facts that became known in a range of time.
    Changes {
        /// The first moment of the range.
        from: Timestamp,
        /// The first moment behind it.
        to: Timestamp,
    },
}

/// Some facts, in the order of the table.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The facts: files, folders, or patterns.
    pub facts: Vec<PathBuf>,
    /// Which facts.
    pub what: What,
    /// The columns beside `member`, `event_at`, `known_at` and `position`; all if there are none.
    pub columns: Vec<String>,
    /// Where the facts go; without it, they are read and counted.
    pub output: Option<PathBuf>,
    /// How many threads read; the result does not depend on it.
    pub threads: usize,
}

/// What a look-up came to.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Facts found.
    pub rows: u64,
    /// `index`: only pages with rows of the members were read; `scan`: every fact was looked at.
    pub plan: &'static str,
    /// Facts that were looked at.
    pub facts_read: u64,
    /// Facts of the table.
    pub facts: u64,
    /// Seconds from start to end.
    pub wall_s: f64,
    /// Bytes of the result.
    pub output_bytes: u64,
}

impl Found {
    /// The report as text.
    pub fn text(&self) -> String {
        format!(
            "{} facts; plan {}: {} of {} facts looked at; {:.2} s\n",
            self.rows, self.plan, self.facts_read, self.facts, self.wall_s
        )
    }
}

impl Lookup {
    /// Finds the facts and writes them.
    ///
    /// # Errors
    /// Files that cannot be read or written; columns that are missing or of the wrong type.
    pub fn run(&self) -> Result<Found> {
        let started = Instant::now();
        let facts = Source::open(&self.facts)?;
        if let Some(output) = &self.output {
            let members = match &self.what {
                What::Members(paths) => paths.as_slice(),
                What::AsOf { .. } | What::Changes { .. } => &[],
            };
            refuse_inputs(output, facts.paths().chain(members.iter().map(PathBuf::as_path)))?;
        }
        let columns = self.columns(&facts)?;
        let chosen = choose::choose(&facts, &self.facts, &self.what, self.threads)?;
        let mut found = Found {
            rows: 0,
            plan: if chosen.verify.is_some() { "index" } else { "scan" },
            facts_read: chosen.facts_read,
            facts: facts.rows(),
            wall_s: 0.0,
            output_bytes: 0,
        };
        let fields = columns.iter().map(|column| facts.field(column).map(Arc::clone));
        let fields: Vec<FieldRef> = fields.collect::<Result<_>>()?;
        let schema = Arc::new(Schema::new(fields));
        let mut writer = match &self.output {
            Some(path) => Some(self.writer(path, &schema, &facts)?),
            None => None,
        };
        for some in rounds(&facts, &chosen.ranges, self.threads.max(1) * 2) {
            let parts =
                Source::each(&some, self.threads, |group| of_group(&facts, group, &columns, &chosen))?;
            for batch in parts.into_iter().flatten() {
                found.rows += batch.num_rows() as u64;
                if let Some(writer) = &mut writer {
                    writer.write(&batch, Vec::new())?;
                }
            }
        }
        if let Some(writer) = writer {
            found.output_bytes = writer.finish()?;
        }
        found.wall_s = started.elapsed().as_secs_f64();
        Ok(found)
    }

    fn columns(&self, facts: &Source) -> Result<Vec<String>> {
        if self.columns.is_empty() {
            return Ok(facts.columns().map(str::to_owned).collect());
        }
        let mut columns: Vec<String> = [MEMBER, EVENT_AT, KNOWN_AT, POSITION].map(str::to_owned).to_vec();
        for column in &self.columns {
            facts.field(column)?;
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        Ok(columns)
    }

    fn writer(&self, path: &Path, schema: &SchemaRef, facts: &Source) -> Result<TableWriter> {
        let mut properties = table_writer::properties(None);
        for field in schema.fields() {
            properties = table_writer::encoded_as(properties, facts, field.name(), field.name());
        }
        TableWriter::create(path, schema, properties.build())
    }
}

/// Row groups that are read before what is found is written: at least so many, and more where few of their rows are wanted.
fn rounds<'a>(facts: &'a Source, ranges: &Ranges, least: usize) -> Vec<Vec<&'a Group>> {
    let mut rounds: Vec<Vec<&Group>> = Vec::new();
    let mut held = u64::MAX;
    for (place, ranges) in ranges {
        let rows = ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        held = held.saturating_add(rows);
        match rounds.last_mut() {
            Some(round) if round.len() < least || held <= ROWS_AT_ONCE => round.push(&facts.groups[*place]),
            _ => {
                held = rows;
                rounds.push(vec![&facts.groups[*place]]);
            }
        }
    }
    rounds
}

/// The chosen facts of a row group.
fn of_group(facts: &Source, group: &Group, columns: &[String], chosen: &Chosen) -> Result<Vec<RecordBatch>> {
    let path = facts.path(group);
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let selection = Some(selection(group, &chosen.ranges[&group.number]));
    let mut found = Vec::new();
    for batch in facts.read(group, Read { columns, selection, ..Read::default() })? {
        let batch = batch.map_err(FactsError::parquet(path))?;
        // An index holds hashes: two members may have the same one.
        let places = match &chosen.verify {
            Some(wanted) => wanted.places(path, &batch)?,
            None => Vec::new(),
        };
        let is_whole = chosen.verify.is_none() || places.len() == batch.num_rows();
        if !is_whole && places.is_empty() {
            continue;
        }
        let places = UInt32Array::from(places);
        let columns = batch.columns().iter().map(|column| match is_whole {
            true => Ok(ArrayRef::clone(column)),
            false => taken(column, &places),
        });
        let columns = columns.map(|column| column.map(compact)).collect::<Result<Vec<_>>>()?;
        let batch = RecordBatch::try_new(batch.schema(), columns);
        found.push(batch.map_err(|error| FactsError::Refused(error.to_string()))?);
    }
    Ok(found)
}
