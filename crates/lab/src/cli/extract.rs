//! `nearline-lab extract`: what was known at the moment of each label.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use nearline_facts::{
    Dialect, Extraction, Feature, MEMORY, Order, Rules, What, parse_duration, refuse_inputs, usage,
};
use nearline_terminal::print_all;
use serde::Serialize;

use super::lookup::LookupArgs;
use crate::places::Places;

/// Joins labels with the facts that were known when each label asks: one row for each label, in the labels' order.
///
/// Facts are Parquet files with `member`, `event_at` (when it happened), `known_at` (when the log had it), `position`, and
/// a column for each feature. Labels have `member` and `event_at`, and whatever else, which is kept; a label with a
/// `decision_position` is joined by it: by the newest fact up to that position of the log.
#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// The labels: a Parquet file, a folder, or a quoted pattern.
    #[arg(long, value_name = "L.parquet", required_unless_present_any = ["members", "as_of", "changes"],
        conflicts_with_all = ["members", "as_of", "changes"])]
    labels: Vec<PathBuf>,
    /// The facts: files, folders, or quoted patterns.
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    facts: Vec<PathBuf>,
    #[command(flatten)]
    lookup: LookupArgs,
    /// Features and rules (TOML): `order`, `strict`, `delay`, `ttl`, and `[[feature]]` tables of `name`, `column`, `delay`,
    /// `ttl`.
    #[arg(long, value_name = "F.toml")]
    features: Option<PathBuf>,
    /// The features by name, under the rules of the command line.
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "features")]
    columns: Vec<String>,
    /// Which of the known facts is the one: `event-time` (the newest event) or `as-served` (the newest position).
    #[arg(long, value_name = "event-time|as-served")]
    order: Option<Order>,
    /// Leaves out facts that became known at the label's very moment.
    #[arg(long)]
    strict: bool,
    /// How long before the label's time a fact must have been known, like 5m.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    delay: Option<Duration>,
    /// How old a fact may be, from its event to the label's time, like 30d.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    ttl: Option<Duration>,
    /// Where the result goes. Without it, labels are answered and counted.
    #[arg(short, long, value_name = "OUT.parquet")]
    output: Option<PathBuf>,
    /// Says how the join would be done and what it would read, and does not do it.
    #[arg(long, conflicts_with_all = ["members", "as_of", "changes"])]
    explain: bool,
    /// Prints the same join as SQL, and does not do it.
    #[arg(long, value_name = "spark|duckdb", conflicts_with_all = ["explain", "output", "members", "as_of", "changes"])]
    emit_sql: Option<Dialect>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Memory for labels and their answers, in MiB; more labels are joined in several sweeps over the facts.
    #[arg(long, value_name = "MIB", default_value_t = MEMORY >> 20)]
    memory: usize,
    /// Threads that read; the result does not depend on them.
    #[arg(long)]
    threads: Option<usize>,
}

/// What a run came to and what it cost.
#[derive(Serialize)]
struct Measured<T: Serialize> {
    #[serde(flatten)]
    report: T,
    /// CPU seconds of the process.
    cpu_s: f64,
    /// The most memory that the process had, in MiB.
    peak_mib: f64,
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read or written, columns and rules that do not fit.
pub fn extract(mut args: ExtractArgs, places: &mut Places) -> anyhow::Result<ExitCode> {
    (args.facts, args.labels) = (places.folders(&args.facts)?, places.folders(&args.labels)?);
    let rules = rules(&args)?;
    let threads = super::threads(args.threads);
    if let (Some(output), Some(features)) = (&args.output, &args.features) {
        refuse_inputs(output, [features.as_path()].into_iter())?;
    }
    let has_features = args.features.is_some() && !rules.features.is_empty();
    let is_for_labels = rules.strict || !rules.delay.is_zero() || rules.ttl.is_some() || has_features;
    if args.order.is_some() && args.lookup.is_wanted() && !args.lookup.is_as_of() {
        bail!(
            "`--order` says which fact of a member is the one, and `--members` and `--changes` give all; leave it out"
        );
    }
    if is_for_labels && args.lookup.is_wanted() {
        bail!(
            "`strict`, `delay`, `ttl` and the features of a file are for labels, and a look-up gives facts as they are; \
             leave them out (`--columns` names columns)"
        );
    }
    if let Some(lookup) =
        args.lookup.lookup(args.facts.clone(), args.columns, rules.order, args.output.clone(), threads)
    {
        if matches!(lookup.what, What::Members(_)) {
            // A few megabytes here and there: clearing pages of two megabytes for them takes longer than all the rest. Where the
            // system knows none of it, nothing is lost.
            let _ = rustix::thread::disable_transparent_huge_pages(true);
        }
        let found = lookup.run()?;
        let text = found.text();
        return print(found, &text, args.json);
    }
    let job = Extraction {
        labels: args.labels,
        facts: args.facts,
        rules,
        output: args.output,
        threads,
        memory: args.memory << 20,
    };
    if let Some(dialect) = args.emit_sql {
        print_all(&job.sql(dialect)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.explain {
        let explanation = job.explain()?;
        let text = if args.json {
            format!("{}\n", serde_json::to_string(&explanation)?)
        } else {
            explanation.text()
        };
        print_all(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = job.run()?;
    let text = report.text();
    print(report, &text, args.json)
}

fn print<T: Serialize>(report: T, text: &str, json: bool) -> anyhow::Result<ExitCode> {
    let measured = Measured { report, cpu_s: usage::cpu_s(), peak_mib: usage::peak_mib() };
    print_all(&if json {
        format!("{}\n", serde_json::to_string(&measured)?)
    } else {
        format!("{text}{:.2} CPU s, {:.0} MiB\n", measured.cpu_s, measured.peak_mib)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The rules of the file, then what the command line says.
fn rules(args: &ExtractArgs) -> anyhow::Result<Rules> {
    let mut rules = match &args.features {
        Some(path) => from_file(path)?,
        None => Rules::default(),
    };
    if let Some(twice) =
        args.columns.iter().find(|name| args.columns.iter().filter(|other| other == name).count() > 1)
    {
        bail!("--columns names `{twice}` twice");
    }
    rules.features.extend(args.columns.iter().map(|name| Feature::plain(name)));
    rules.order = args.order.unwrap_or(rules.order);
    rules.strict |= args.strict;
    rules.delay = args.delay.unwrap_or(rules.delay);
    rules.ttl = args.ttl.or(rules.ttl);
    Ok(rules)
}

fn from_file(path: &Path) -> anyhow::Result<Rules> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Rules::from_toml(&text).with_context(|| format!("{} holds no rules of features", path.display()))
}
