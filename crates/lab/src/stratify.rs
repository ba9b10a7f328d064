//! Stratified samples of Parquet files: two streaming passes (count, select) and one that writes.
//!
//! The sample depends on rows, rules and seed alone (I10): strata are counted in the order of their levels, rows are
//! taken by hash, and ties are refused. Threads only share the row groups out.

mod balance;
mod columns;
mod count;
mod croissant;
mod details;
mod entity;
mod ids;
mod output;
mod rowset;
mod select;
mod source;
mod unique;
mod write;

use std::path::PathBuf;

use anyhow::Context;
use arrow_schema::{DataType, Schema};
use nearline_facts::refuse_inputs;
use nearline_stratify::rules::{EntityMethod, RuleKind};
use nearline_stratify::sql::{self, Cuts, Dialect};
use nearline_stratify::{Outcome, Plan, References, Rules};

pub use croissant::described;
pub use output::{Entities, PartRows, Report};
pub use source::{Progress, Source};

use columns::expression::Expression;
use details::Details;

/// What is to be done.
#[derive(Debug)]
pub struct Job {
    /// The rules.
    pub rules: Rules,
    /// The files to sample, of one schema.
    pub inputs: Vec<PathBuf>,
    /// Where the sample goes; nothing is written if there is none.
    pub output: Option<PathBuf>,
    /// Data sets that targets may want to be like.
    pub references: Vec<(String, PathBuf)>,
    /// The engine whose SQL is wanted.
    pub dialect: Option<Dialect>,
    /// How many threads read.
    pub threads: usize,
}

/// Samples, writes, and says what came of it.
///
/// # Errors
/// Files that cannot be read or written, rules that do not fit the data, ids that are null or doubled.
pub fn run(job: &Job, progress: &Progress) -> anyhow::Result<Report> {
    let started = std::time::Instant::now();
    let source = Source::open(&job.inputs)?;
    if let Some(output) = &job.output {
        let references = job.references.iter().map(|(_, path)| path);
        let read = || job.inputs.iter().chain(references.clone()).map(PathBuf::as_path);
        refuse_inputs(output, read())?;
        let description = described(output);
        refuse_inputs(&description, read())?;
        anyhow::ensure!(
            !description.is_dir(),
            "{} is a folder, and is to describe the sample",
            description.display()
        );
    }
    let rules = &job.rules;
    if let Some(dialect) = job.dialect {
        // What SQL cannot say is better known before the work is done.
        sql::counts(rules, dialect, "input")?;
        check_emitted(rules, &source)?;
    }
    let keys = columns::Keys::new(rules, &source)?;
    let mut entities = None;
    let mut eligible = None;
    if let Some(rule) = rules.entity().filter(|rule| !rule.whole) {
        let cap = if rule.method == EntityMethod::Thin { rule.at_most } else { None };
        if cap.is_some() || rule.at_least.is_some() {
            let (left, found) = entity::thin(rules, rule, cap, &source, job.threads, progress)?;
            (eligible, entities) = (Some(left), Some(found));
        }
    }
    let counted = count::count(&source, &keys, eligible.as_ref(), job.threads, progress)?;
    let references = references(job, progress)?;
    let plan = Plan::with_references(rules, &counted.census, &references)?;
    let strata = counted.strata(&plan);
    let selection = if plan.outcome == Outcome::Refused {
        None
    } else {
        Some(select::select(rules, &plan, &source, &keys, &strata, eligible.as_ref(), job.threads, progress)?)
    };
    let sql = match (job.dialect, &selection) {
        (Some(dialect), Some(selection)) => Some(emit(
            &quoted(rules, Some(source.schema()), dialect)?,
            &counted.census,
            &plan,
            &selection.thresholds,
            dialect,
        )?),
        _ => None,
    };
    let mut report = Report::new(rules, &source, &plan, &counted.census);
    report.entities = entities;
    report.sql = sql;
    if let Some(selection) = selection {
        report.balance.clone_from(&selection.totals);
        report.rows_out = selection.rows.count();
        report.tell_missing(selection.missing.clone());
        write_sample(job, &source, &keys, &strata, &plan, &selection, &mut report, progress)?;
    }
    report.finish(started);
    Ok(report)
}

/// Rules whose expressions name columns as an engine quotes them.
fn quoted(rules: &Rules, schema: Option<&Schema>, dialect: Dialect) -> anyhow::Result<Rules> {
    let mut rules = rules.clone();
    for (key, source) in &mut rules.keys {
        if let Some(sql) = &mut source.sql {
            *sql = columns::expression::quoted(key, sql, schema, dialect.quote())?;
        }
    }
    Ok(rules)
}

/// Refuses keys whose levels another engine writes otherwise: it would find no row of any stratum.
fn check_emitted(rules: &Rules, source: &Source) -> anyhow::Result<()> {
    for key in &rules.strata {
        let found = rules.keys.get(key);
        if let Some(sql) = found.and_then(|found| found.sql.as_deref()) {
            let expression = Expression::new(key, sql, source.schema())?;
            anyhow::ensure!(
                !expression.is_date() || expression.is_cast(),
                "the key `{key}`, `{sql}`, gives dates, and other engines moments of which they write more: say CAST({sql} AS DATE)"
            );
            continue;
        }
        let column = found.and_then(|found| found.column.as_deref()).unwrap_or(key);
        let is_moment = matches!(source::values(source.data_type(column)?), DataType::Timestamp(..));
        let is_cut = found.is_some_and(|found| found.date.is_some() || !found.bins.is_empty());
        anyhow::ensure!(
            !is_moment || is_cut,
            "the key `{key}` is a moment, of which its day is taken here and all of it by other engines: say [keys.{key}] date = \"day\""
        );
    }
    Ok(())
}

/// The counting statement, and the selection by thresholds and by quotas.
fn emit(
    rules: &Rules,
    census: &nearline_stratify::Census,
    plan: &Plan,
    thresholds: &[Option<u64>],
    dialect: Dialect,
) -> anyhow::Result<String> {
    let counts = sql::counts(rules, dialect, "input")?;
    let by_threshold = sql::selection(rules, census, plan, Cuts::Thresholds(thresholds), dialect, "input")?;
    let zone = zone(rules);
    Ok(format!(
        "{zone}-- The counting pass: a plan needs no more of the data than this.\n{};\n\n-- The sample: every row up to its stratum's threshold.\n{};\n",
        counts.trim_end(),
        by_threshold.trim_end()
    ))
}

/// What must be known of the session, if times are taken apart: their parts are those of UTC here.
fn zone(rules: &Rules) -> &'static str {
    let mut used = rules.strata.iter().filter_map(|key| rules.keys.get(key));
    if used.any(|source| source.date.is_some() || source.sql.is_some()) {
        "-- Times are taken apart as those of UTC: run this in a session whose time zone is UTC.\n"
    } else {
        ""
    }
}

/// What came of counts alone.
#[derive(Debug)]
pub struct Counted {
    /// The plan.
    pub plan: Plan,
    /// The statement that selects its rows, by quotas: the first so many hashes of each stratum.
    pub sql: String,
}

/// Solves rules for counts that another engine made with the counting statement: only counts have travelled.
///
/// # Errors
/// A file of other columns than the keys and `rows_in`, and rules that do not fit.
pub fn plan_counts(rules: &Rules, counts: &std::path::Path, dialect: Dialect) -> anyhow::Result<Counted> {
    let source = Source::open(&[counts.to_owned()])?;
    // The levels are text already.
    let plain = Rules { keys: std::collections::BTreeMap::new(), ..rules.clone() };
    let keys = columns::Keys::new(&plain, &source)?;
    let census = count::of_counts(&source, &keys)?;
    let plan = Plan::new(rules, &census)?;
    let sql = sql::selection(&quoted(rules, None, dialect)?, &census, &plan, Cuts::Quotas, dialect, "input")?;
    Ok(Counted { plan, sql: format!("{}{sql}", zone(rules)) })
}

fn references(job: &Job, progress: &Progress) -> anyhow::Result<References> {
    let mut references = References::new();
    for (name, path) in &job.references {
        let source = Source::open(std::slice::from_ref(path))?;
        let keys = columns::Keys::present(&job.rules, &source)?;
        let counted = count::count(&source, &keys, None, job.threads, progress)?;
        references.insert(name.clone(), counted.census);
    }
    Ok(references)
}

#[expect(clippy::too_many_arguments, reason = "one call, from the one function that has them all")]
fn write_sample(
    job: &Job,
    source: &Source,
    keys: &columns::Keys,
    strata: &count::Strata,
    plan: &Plan,
    selection: &select::Selection,
    report: &mut Report,
    progress: &Progress,
) -> anyhow::Result<()> {
    let (rules, rows) = (&job.rules, &selection.rows);
    let mut added = Vec::new();
    let mut kept = None;
    if rules.split().is_some() || rules.weights().is_some() {
        let details = Details::read(rules, source, keys, strata, rows, job.threads, progress)?;
        details.check_hashes(&selection.thresholds);
        if let Some(rule) = rules.weights() {
            let is_hard =
                rules.rules.iter().any(|rule| rule.hard && matches!(rule.kind, RuleKind::Weights(_)));
            added.push((rule.column.clone(), details::weights((rule, is_hard), plan, &details, report)?));
        }
        if let Some(rule) = rules.split() {
            let parts = details.split(rule, source)?;
            report.parts = output::part_rows(rule, &parts);
            report.rows_out = parts.part.iter().flatten().count() as u64;
            added.push(("part".to_owned(), details::part_column(rule, &parts)));
            kept = Some(parts.part.iter().map(Option::is_some).collect::<Vec<bool>>());
        }
    }
    let Some(output) = &job.output else { return Ok(()) };
    let lineage = serde_json::to_string(&report.lineage).context("the lineage cannot be written as JSON")?;
    write::write(
        source,
        rows,
        &write::Added { columns: added, kept },
        output,
        &lineage,
        job.threads,
        progress,
    )?;
    croissant::write(output, report)
}
