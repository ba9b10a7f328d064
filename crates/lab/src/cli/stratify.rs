//! `nearline-lab stratify`: a sample that satisfies rules, or a plain word why not.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use nearline_facts::refuse_inputs;
use nearline_stratify::sql::Dialect;
use nearline_stratify::{Outcome, Rules};
use nearline_terminal::print_all;

use crate::stratify::{Job, Progress, described, plan_counts, run};

/// Takes a stratified sample of Parquet files.
///
/// Exit codes: 0 every rule holds (to rounding), 1 an error, 3 refused because hard rules conflict (nothing is
/// written), 4 the closest sample was written but some rule does not hold.
#[derive(Debug, Args)]
pub struct StratifyArgs {
    /// The rules (TOML).
    #[arg(long, value_name = "R.toml", required_unless_present = "json_schema")]
    rules: Option<PathBuf>,
    /// The files to sample, all of the same columns.
    #[arg(required_unless_present_any = ["json_schema", "counts"], value_name = "IN.parquet")]
    inputs: Vec<PathBuf>,
    /// Where the sample goes. Without it, only the plan and the selection are made.
    #[arg(short, long, value_name = "OUT.parquet")]
    output: Option<PathBuf>,
    /// A data set that targets may want to be like, by name.
    #[arg(long, value_name = "NAME=FILE.parquet", value_parser = reference)]
    like: Vec<(String, PathBuf)>,
    /// Writes the report as one HTML page.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Prints the JSON Schema of that object and does nothing else.
    #[arg(long)]
    json_schema: bool,
    /// Prints the plan as SQL that selects the same rows of the table `input`.
    #[arg(long, value_name = "spark|duckdb|trino|bigquery", conflicts_with = "json")]
    emit_sql: Option<Dialect>,
    /// Counts that another engine made with the counting statement, in place of the data: prints the selection as SQL.
    #[arg(long, value_name = "COUNTS.parquet", requires = "emit_sql", conflicts_with_all = ["inputs", "output"])]
    counts: Option<PathBuf>,
    /// The seed, in place of the rules' own.
    #[arg(long)]
    seed: Option<u64>,
    /// Threads that read; the sample does not depend on them.
    #[arg(long)]
    threads: Option<usize>,
}

fn reference(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it must be NAME=FILE.parquet")?;
    Ok((name.to_owned(), PathBuf::from(path)))
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read or written, and rules that are wrong or do not fit the data.
pub fn stratify(args: StratifyArgs) -> anyhow::Result<ExitCode> {
    if args.json_schema {
        print_all(nearline_stratify::report::SCHEMA)?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = args.rules.clone().unwrap_or_default();
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut rules = Rules::from_toml(&text).with_context(|| format!("{} holds no rules", path.display()))?;
    if let Some(seed) = args.seed {
        rules.seed = seed;
    }
    if let (Some(counts), Some(dialect)) = (&args.counts, args.emit_sql) {
        let counted = plan_counts(&rules, counts, dialect)?;
        if counted.plan.outcome == Outcome::Refused {
            eprint!("{}", nearline_stratify::report::text(&counted.plan));
            return Ok(code(counted.plan.outcome));
        }
        print_all(&counted.sql)?;
        return Ok(code(counted.plan.outcome));
    }
    refuse_places(&args, &path)?;
    let threads =
        args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from).min(8));
    let job = Job {
        rules,
        inputs: args.inputs,
        output: args.output,
        references: args.like,
        dialect: args.emit_sql,
        threads,
    };
    let report = run(&job, &Progress::new())?;
    if let Some(path) = &args.report {
        std::fs::write(path, report.html())
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if args.json {
        print_all(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else if let Some(sql) = &report.sql {
        print_all(sql)?;
    } else {
        print_all(&report.text())?;
    }
    Ok(code(report.outcome))
}

/// Refuses to write over what is read, and where nothing can be written: before the work is done.
fn refuse_places(args: &StratifyArgs, rules: &Path) -> anyhow::Result<()> {
    // What the sample is made of is refused as its place where it is made.
    let written: Vec<PathBuf> =
        args.output.iter().flat_map(|output| [output.clone(), described(output)]).collect();
    for path in &written {
        refuse_inputs(path, std::iter::once(rules))?;
    }
    if let Some(report) = &args.report {
        let read = args.inputs.iter().chain(args.like.iter().map(|(_, path)| path)).map(PathBuf::as_path);
        refuse_inputs(report, read.chain([rules]))?;
        anyhow::ensure!(
            written.iter().all(|path| place(path) != place(report)),
            "{} is to be the report, and the sample or what describes it",
            report.display()
        );
        let folder = report.parent().filter(|folder| !folder.as_os_str().is_empty());
        anyhow::ensure!(
            folder.is_none_or(Path::is_dir) && !report.is_dir(),
            "{} cannot be written: its folder is not there, or it is a folder itself",
            report.display()
        );
    }
    Ok(())
}

/// Where a file is or will be, by one name.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let in_folder =
        || folder.canonicalize().ok().zip(path.file_name()).map(|(folder, name)| folder.join(name));
    path.canonicalize().ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
}

fn code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Exact | Outcome::RoundedWithinOne => ExitCode::SUCCESS,
        Outcome::Refused => ExitCode::from(3),
        Outcome::Closest => ExitCode::from(4),
    }
}
