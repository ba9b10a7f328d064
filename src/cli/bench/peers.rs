//! `bench peers`: the take-rate job by this program and by what it may take the place of, one after the other in one
//! run, each as a process of its own on the same files, every cell held against this program's.
//!
//! Peers come from PyPI (`--install`): DuckDB, one batch over finished files; Spark and Flink, a stream, exactly once. What
//! they run stands in `benches/peers`.

mod answer;
mod job;
mod watched;

use super::report::Report;
use super::takerate::source;
use anyhow::Context;
use clap::{Args, ValueEnum};
use job::Place;
use nearline_audience::take_rates;
use std::path::{Path, PathBuf};

/// What else does the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// One batch, nothing durable.
    Duckdb,
    /// Structured streaming with checkpoints; needs Java 17 or newer.
    Spark,
    /// A stream in SQL with checkpoints, state on the heap; needs Java 17 or newer.
    Flink,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Duckdb => "duckdb",
            Self::Spark => "spark",
            Self::Flink => "flink",
        }
    }
}

/// Which peers, on what.
#[derive(Debug, Args)]
pub struct PeersArgs {
    /// Directory of files with events, one JSON object a line, read in the order of their names; without it events are
    /// generated.
    events_dir: Option<PathBuf>,
    /// Peers.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Peer::Duckdb, Peer::Spark, Peer::Flink])]
    only: Vec<Peer>,
    /// Folder where peers are installed, an environment of Python for each (1.8 GB together).
    #[arg(long, default_value = "target/peers")]
    environments: PathBuf,
    /// Install peers that are missing there, from PyPI.
    #[arg(long)]
    install: bool,
    /// Events generated, where no directory is given.
    #[arg(long, default_value_t = 500_000)]
    events: usize,
    /// Seed of the events generated.
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

pub fn run(args: &PeersArgs) -> anyhow::Result<Report> {
    let environments = std::path::absolute(&args.environments)?;
    for peer in &args.only {
        job::ready(*peer, &environments, args.install)?;
    }
    let work = tempfile::tempdir().context("a directory for the jobs")?;
    let events = match &args.events_dir {
        Some(directory) => std::path::absolute(directory)?,
        None => {
            let directory = work.path().join("events");
            source::write_files(&directory, &take_rates::lines(args.events, args.seed))?;
            directory
        }
    };
    let place = |name: &str| -> anyhow::Result<Place> {
        let work = work.path().join(name);
        std::fs::create_dir_all(&work)?;
        Ok(Place {
            environments: environments.clone(),
            events: events.clone(),
            cells: work.join("cells.csv"),
            work,
        })
    };
    let lines = lines_in(&events)?;

    let ours = place("nearline")?;
    let own = watched::run(job::nearline(&ours)?, &ours.work)?;
    let cells = answer::read(&ours.cells)?;
    let mut report =
        Report::new("peers", "embedded", "≥ 500,000 events per CPU second, as cheap as the batch")
            .figure("events", lines as f64)
            .figure("cells", cells.len() as f64);
    report = figures(report, "nearline", &own, lines);
    for peer in &args.only {
        let theirs = place(peer.name())?;
        eprintln!("{} is at work", peer.name());
        let command = job::of(*peer, &theirs)?;
        let used =
            watched::run(command, &theirs.work).with_context(|| format!("the job by {}", peer.name()))?;
        let unlike = answer::unlike(&cells, &answer::read(&theirs.cells)?);
        report = figures(report, peer.name(), &used, lines)
            .figure(format!("{}_cells_unlike", peer.name()), unlike as f64)
            .figure(format!("nearline_of_{}", peer.name()), used.cpu.as_secs_f64() / own.cpu.as_secs_f64());
    }
    Ok(report)
}

fn figures(report: Report, who: &str, used: &watched::Used, events: usize) -> Report {
    let cpu_s = used.cpu.as_secs_f64();
    report
        .figure(format!("{who}_wall_s"), used.wall.as_secs_f64())
        .figure(format!("{who}_cpu_s"), cpu_s)
        .figure(format!("{who}_peak_rss_mib"), used.peak_mib)
        .figure(format!("{who}_events_per_cpu_s"), events as f64 / cpu_s)
}

fn lines_in(events: &Path) -> anyhow::Result<usize> {
    let mut lines = 0;
    for file in source::files_of(events)? {
        // What the peers look for: none must read less than another.
        let is_read_by_all = file.extension().is_some_and(|ending| ending == "json");
        anyhow::ensure!(is_read_by_all, "{}: peers read files that end in .json alone", file.display());
        let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        lines += memchr::memchr_iter(b'\n', &bytes).count();
    }
    Ok(lines)
}
