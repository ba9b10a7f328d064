//! The point-in-time join: one row of the result for each label, in the labels' order.

mod answer;
mod explain;
mod plan;
mod report;
mod write;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::{FactsError, Result};
use crate::gather::Gathered;
use crate::index::{self, IndexFile};
use crate::labels::{self, Labels};
use crate::layout::Layout;
use crate::members;
use crate::moments::{self, Unit};
use crate::rules::Rules;
use crate::source::{Group, Read, Source};
use crate::sql::{Dialect, Statement};
use crate::sweep::{Answers, Facts, sweep};
use crate::table_writer::TableWriter;
use crate::whole_file::refuse_inputs;

use answer::Answered;
pub use explain::Explanation;
use plan::Plan;
pub use report::{Counts, Lineage, Report};

/// What is to be joined.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// The labels: a file, a folder, or a pattern, of `member` and `event_at`.
    pub labels: Vec<PathBuf>,
    /// The facts: files, folders, or patterns, of `member`, `event_at`, `known_at` and `position`.
    pub facts: Vec<PathBuf>,
    /// What the join is to give.
    pub rules: Rules,
    /// Where the result goes; without it, the join is done and counted, and nothing is written.
    pub output: Option<PathBuf>,
    /// How many threads read; the result does not depend on it.
    pub threads: usize,
    /// Bytes that labels and their answers may take up; more labels are joined in several sweeps.
    pub memory: usize,
}

/// Rows of the result that are made at a time.
const ROWS_AT_ONCE: usize = 32_768;

/// Bytes that labels and answers may take up if nothing else is said.
pub const MEMORY: usize = 256 << 20;

impl Extraction {
    /// Joins, writes, and says what came of it.
    ///
    /// # Errors
    /// Files that cannot be read or written; columns that are missing, doubled or of the wrong type; times without an
    /// offset; facts that do not say when they became known; rules that do not fit the columns.
    pub fn run(&self) -> Result<Report> {
        let started = Instant::now();
        let (facts, labels, layout, unit) = self.open()?;
        if let Some(output) = &self.output {
            refuse_inputs(output, facts.paths().chain(labels.paths()))?;
        }
        let index = self.index(&facts)?;
        let mut report = Report::new(self, &facts, &labels, &layout);
        let mut output = match &self.output {
            Some(path) => Some(write::create(path, &facts, &labels, &layout, &report.lineage, unit)?),
            None => None,
        };
        for rows in self.sweeps(labels.rows(), &layout) {
            let part = Labels::read(&labels, rows.clone(), unit)?;
            let plan = Plan::choose(&facts, index.as_ref(), &part)?;
            let answered = self.answer(&facts, &part, &layout, &plan, unit, &mut report)?;
            write_rows(&labels, rows, &answered, &mut report.counts, output.as_mut())?;
        }
        if let Some(output) = output {
            report.output_bytes = output.finish()?;
        }
        report.finish(started);
        Ok(report)
    }

    /// The same join as SQL.
    ///
    /// # Errors
    /// As [`Extraction::run`], as far as footers tell; times finer than microseconds, which SQL's are not.
    pub fn sql(&self, dialect: Dialect) -> Result<String> {
        let (facts, labels, layout, unit) = self.open()?;
        if unit == Unit::Nanos {
            return Err(FactsError::Refused(
                "times of nanoseconds are cut to microseconds in SQL; write them as microseconds first"
                    .into(),
            ));
        }
        let statement = Statement {
            labels: &self.labels,
            facts: &self.facts,
            label_source: &labels,
            fact_source: &facts,
            label_columns: labels.columns().collect(),
            layout: &layout,
        };
        Ok(statement.text(dialect))
    }

    fn open(&self) -> Result<(Source, Source, Layout, Unit)> {
        let facts = Source::open(&self.facts)?;
        let labels = Source::open(&self.labels)?;
        let unit = check(&facts, &labels)?;
        labels::check(&labels, &facts)?;
        let layout = Layout::new(&self.rules, &facts, &labels, unit)?;
        Ok((facts, labels, layout, unit))
    }

    /// Bytes that one label, its answers and its features take up in a sweep, about.
    fn bytes_per_label(layout: &Layout) -> usize {
        Labels::BYTES_PER_LABEL
            + (Answers::BYTES_PER_LABEL + size_of::<u32>()) * layout.views.len()
            + layout.bytes_per_row
    }

    /// The labels' rows that are joined at a time.
    fn sweeps(&self, labels: u64, layout: &Layout) -> Vec<Range<u64>> {
        let at_once = (self.memory / Self::bytes_per_label(layout)).max(1_000) as u64;
        let sweeps = labels.div_ceil(at_once).max(1);
        let size = labels.div_ceil(sweeps).max(1);
        (0..sweeps).map(|sweep| (sweep * size).min(labels)..((sweep + 1) * size).min(labels)).collect()
    }

    /// The index of the facts, if there is one that belongs to the files.
    fn index(&self, facts: &Source) -> Result<Option<IndexFile>> {
        match index::place(&self.facts) {
            Some(place) => IndexFile::open(&place, &facts.snapshot().digest),
            None => Ok(None),
        }
    }

    fn answer<'a>(
        &self,
        facts: &Source,
        labels: &'a Labels,
        layout: &'a Layout,
        plan: &Plan,
        unit: Unit,
        report: &mut Report,
    ) -> Result<Answered<'a>> {
        let groups = match &plan.ranges {
            Some(ranges) => ranges.keys().map(|place| &facts.groups[*place]).collect(),
            None => needed(facts, labels, layout, unit)?,
        };
        let from = Facts { source: facts, groups: &groups, ranges: plan.ranges.as_ref(), unit };
        let (answers, met) = sweep(&from, labels, &layout.views, self.threads)?;
        report.add(labels, &met, groups.len(), plan.name());
        let mut gathered = Vec::new();
        for (view, columns) in layout.columns_by_view() {
            gathered.push(Gathered::read(facts, answers.wanted(view), &columns, self.threads)?);
        }
        Ok(Answered { labels, answers, gathered, layout, unit })
    }
}

/// Makes the result's rows, and writes them if they are wanted.
fn write_rows(
    source: &Source,
    rows: Range<u64>,
    answered: &Answered<'_>,
    counts: &mut Counts,
    output: Option<&mut TableWriter>,
) -> Result<()> {
    let Some(output) = output else {
        return answered.columns(0..(rows.end - rows.start) as usize, counts).map(|_| ());
    };
    let mut done = 0;
    for (group, within) in source.groups_within(&rows) {
        let (mut skip, mut left) = (within.start, within.len());
        for batch in source.read(group, Read { batch: ROWS_AT_ONCE, ..Read::default() })? {
            let batch = batch.map_err(FactsError::parquet(source.path(group)))?;
            let from = skip.min(batch.num_rows());
            let count = left.min(batch.num_rows() - from);
            (skip, left) = (skip - from, left - count);
            if count > 0 {
                let added = answered.columns(done..done + count, counts)?;
                output.write(&batch.slice(from, count), added)?;
                done += count;
            }
        }
    }
    Ok(())
}

/// The row groups that can hold an answer: not those that became known after the last label.
fn needed<'a>(facts: &'a Source, labels: &Labels, layout: &Layout, unit: Unit) -> Result<Vec<&'a Group>> {
    if labels.any_by_position() {
        return Ok(facts.groups.iter().collect());
    }
    let Some(latest) = labels.latest() else { return Ok(Vec::new()) };
    let file_unit = moments::check(&facts.files[0].path, KNOWN_AT, facts.field(KNOWN_AT)?.data_type())?;
    let delay = layout.views.iter().map(|view| view.delay).min().unwrap_or_default();
    let in_time = |group: &&Group| match facts.least(group, KNOWN_AT) {
        Some(least) => least.saturating_mul(unit.per(file_unit)).saturating_add(delay) <= latest,
        None => true,
    };
    Ok(facts.groups.iter().filter(in_time).collect())
}

/// Checks the columns that every table of facts has; gives the unit to calculate in.
fn check(facts: &Source, labels: &Source) -> Result<Unit> {
    let path = &facts.files[0].path;
    members::check(path, MEMBER, facts.required(MEMBER)?.data_type())?;
    let event_at = facts.required(EVENT_AT)?.data_type();
    let known_at = facts.required(KNOWN_AT)?.data_type();
    moments::check(path, EVENT_AT, event_at)?;
    moments::check(path, KNOWN_AT, known_at)?;
    if !facts.required(POSITION)?.data_type().is_integer() {
        return Err(FactsError::column(
            path,
            POSITION,
            "is no integer; it is the fact's position in its log",
        ));
    }
    Ok(Unit::for_types([event_at, known_at, labels.required(EVENT_AT)?.data_type()]))
}
