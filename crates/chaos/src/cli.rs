//! The command line of `nearline-chaos`: breaks the engine on purpose, and judges what is left.

use crate::live::bed::Program;
use crate::live::{self, Plan, Told, html};
use crate::simulate::{SeedOutcome, SeedsReport, simulate, simulate_seeds};
use crate::sizing::Sizing;
use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use nearline_model::control::ownership::Millis;
use nearline_terminal::{grouped, print_all};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Failing seeds spelled out; more are only counted.
const SHOWN_SEEDS: usize = 10;
/// Violations of one seed spelled out.
const SHOWN_VIOLATIONS: usize = 3;

const AFTER_HELP: &str = "\
Examples:
  nearline-chaos simulate --seeds 10000            worlds 0 to 9,999, in memory
  nearline-chaos simulate --seeds 1 --trace --from 17
                                                   one world again, step by step
  nearline-chaos run config/chaos/quick.toml       real NATS, Redis and engines, about a minute
  nearline-chaos run config/chaos/full.toml --json --html report.html
  nearline-chaos sizing --nodes 100 --partitions 1000
                                                   who owns what while nodes come, go and die

Live runs need nats-server and redis-server (or NEARLINE_NATS_SERVER and NEARLINE_REDIS_SERVER set to
their paths), and the program `nearline` beside this one (or --engine).

Exit codes: 0 every invariant held, 1 one was broken or the run failed, 2 wrong usage.";

/// Breaks Nearline on purpose, simulated from seeds or live, and judges what is left.
#[derive(Debug, Parser)]
#[command(name = "nearline-chaos", version, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run worlds in memory, each drawn from a seed, in virtual time, and check every invariant.
    Simulate(SimulateArgs),
    /// Carry a plan out on real servers and processes.
    Run(RunArgs),
    /// Show how the ownership of many nodes and partitions behaves, in virtual time.
    Sizing(SizingArgs),
}

#[derive(Debug, Args)]
struct SimulateArgs {
    /// Seeds to run.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads; 0: one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print everything that happens; for a single seed.
    #[arg(long)]
    trace: bool,
    /// Print JSON: one object per failing seed, then one for all.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The plan (TOML), such as config/chaos/quick.toml.
    plan: PathBuf,
    /// The engine's program; without it, `nearline` in the directory of this one.
    #[arg(long, value_name = "FILE", env = "NEARLINE_ENGINE")]
    engine: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Write the report with a timeline to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// What to show on standard error while it runs; a bar only in a terminal.
    #[arg(long, value_enum, default_value_t = Progress::Both)]
    progress: Progress,
}

#[derive(Debug, Args)]
struct SizingArgs {
    /// Nodes.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(3..=1_000))]
    nodes: u16,
    /// Partitions of the log.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..))]
    partitions: u16,
    /// Milliseconds of silence after which a node counts as dead.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(200..=60_000))]
    lease_ms: u64,
    /// Milliseconds that the registry takes to deliver what was written.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=10_000))]
    registry_ms: u64,
    /// Milliseconds that the last commit of a partition takes which is given up.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(..=10_000))]
    commit_ms: u64,
    /// Milliseconds that the store takes to give a partition out.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=10_000))]
    acquire_ms: u64,
    /// Nodes restarted one after another.
    #[arg(long, default_value_t = 3)]
    restarts: usize,
    /// Print one JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Progress {
    /// A bar, and a line for each fault.
    Both,
    /// A bar.
    Bar,
    /// A line for each fault.
    Lines,
    /// Nothing.
    None,
}

/// Runs the program with the arguments it was started with.
pub fn main() -> ExitCode {
    let done = match Cli::parse().what {
        What::Simulate(args) => run_seeds(&args),
        What::Run(args) => run_plan(&args),
        What::Sizing(args) => show_sizing(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The engine's program: the one that was named, or `nearline` beside this one.
fn engine(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let beside = || {
        let own = std::env::current_exe().context("finding this program's own file")?;
        Ok::<_, anyhow::Error>(own.with_file_name(format!("nearline{}", std::env::consts::EXE_SUFFIX)))
    };
    let program = named.map_or_else(beside, |named| Ok(named.to_owned()))?;
    if !program.is_file() {
        bail!(
            "there is no program {}: build it with `cargo build --release --bin nearline`, or name one with --engine",
            program.display()
        );
    }
    Ok(program)
}

fn run_seeds(args: &SimulateArgs) -> anyhow::Result<()> {
    if args.trace {
        if args.seeds != 1 {
            bail!("--trace is for one seed: add --seeds 1 and --from SEED");
        }
        return trace(args);
    }
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let bar = ProgressBar::new(args.seeds);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {msg} failed, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.set_message("0");
    let failed = std::sync::atomic::AtomicU64::new(0);
    let report = simulate_seeds(args.from, args.seeds, threads, None, |outcome| {
        bar.inc(1);
        if !outcome.violations.is_empty() {
            let count = 1 + failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            bar.set_message(count.to_string());
        }
        true
    });
    bar.finish_and_clear();
    print_seeds(args, &report)?;
    match report.failed.len() {
        0 => Ok(()),
        failed => bail!("invariants were broken in {failed} of {} seeds", report.seeds),
    }
}

fn show_sizing(args: &SizingArgs) -> anyhow::Result<()> {
    let sizing = Sizing {
        nodes: args.nodes.into(),
        partitions: args.partitions,
        lease_ms: Millis(args.lease_ms),
        registry_ms: Millis(args.registry_ms),
        commit_ms: Millis(args.commit_ms),
        acquire_ms: Millis(args.acquire_ms),
    };
    let stages = sizing.run(args.restarts).map_err(anyhow::Error::msg)?;
    if args.json {
        let lines = stages.iter().map(|stage| serde_json::to_string(stage).map(|line| line + "\n"));
        return print_all(&lines.collect::<Result<String, _>>()?);
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "what happens",
        "settled after",
        "partitions moved",
        "longest without an owner",
        "partitions of a node",
        "beats",
        "written to the registry",
        "delivered by it",
        "CPU of a node",
    ]);
    for stage in &stages {
        let (fewest, most) = stage.held;
        let kib = |bytes: u64| format!("{} KiB", grouped(bytes / 1_024));
        table.add_row([
            stage.what.clone(),
            format!("{} ms", grouped(stage.settled_ms.0)),
            grouped(stage.moved as u64),
            format!("{} ms", grouped(stage.longest_gap_ms.0)),
            format!("{fewest} to {most}"),
            grouped(stage.beats),
            kib(stage.written_bytes),
            kib(stage.delivered_bytes),
            format!("{:.1} ms", stage.node_cpu_ms),
        ]);
    }
    print_all(&format!("{table}\n"))
}

fn replay(seed: u64) -> String {
    format!("nearline-chaos simulate --seeds 1 --trace --from {seed}")
}

fn print_seeds(args: &SimulateArgs, report: &SeedsReport) -> anyhow::Result<()> {
    let mut text = String::new();
    if args.json {
        for outcome in &report.failed {
            let line = json!({
                "seed": outcome.seed, "violated": outcome.violations, "replay": replay(outcome.seed),
            });
            text.push_str(&format!("{line}\n"));
        }
        let all = json!({
            "seeds": report.seeds, "from": args.from, "violations": report.violations(),
            "failed_seeds": report.failed.len(), "seeds_per_s": report.seeds_per_s().round(),
            "acknowledged": report.acknowledged, "commits": report.commits, "queries": report.queries,
            "answers": report.answers,
        });
        text.push_str(&format!("{all}\n"));
        return print_all(&text);
    }
    for outcome in report.failed.iter().take(SHOWN_SEEDS) {
        text.push_str(&violations(outcome));
        text.push_str(&format!("  replay: {}\n", replay(outcome.seed)));
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "seeds",
        "failed",
        "violations",
        "seeds/s",
        "acknowledged",
        "commits checked",
        "queries checked",
        "answers checked",
    ]);
    let numbers = [
        report.seeds,
        report.failed.len() as u64,
        report.violations(),
        report.seeds_per_s().round() as u64,
        report.acknowledged,
        report.commits,
        report.queries,
        report.answers,
    ];
    table.add_row(numbers.map(grouped));
    text.push_str(&format!("{table}\n"));
    print_all(&text)
}

fn violations(outcome: &SeedOutcome) -> String {
    let mut text = format!("seed {}:\n", outcome.seed);
    for violation in outcome.violations.iter().take(SHOWN_VIOLATIONS) {
        text.push_str(&format!("  {} violated: {}\n", violation.invariant, violation.what));
    }
    match outcome.violations.len().saturating_sub(SHOWN_VIOLATIONS) {
        0 => {}
        more => text.push_str(&format!("  and {more} more\n")),
    }
    text
}

fn trace(args: &SimulateArgs) -> anyhow::Result<()> {
    let outcome = simulate(args.from, None, true);
    let mut text = outcome.trace.join("\n");
    text.push_str(&format!("\n{} steps, hash {:016x}\n", outcome.steps, outcome.trace_hash));
    print_all(&text)?;
    if outcome.violations.is_empty() {
        return Ok(());
    }
    print_all(&violations(&outcome))?;
    bail!("invariants were broken in seed {}", args.from)
}

/// A bar in the terminal; nothing where there is no terminal, or none is wanted.
fn progress_bar(progress: Progress) -> ProgressBar {
    if !matches!(progress, Progress::Bar | Progress::Both) {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template(
        "{spinner} {elapsed_precise} {bar:30} {pos}/{len} faults, {eta} left  {wide_msg}",
    );
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn run_plan(args: &RunArgs) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&args.plan)
        .with_context(|| format!("the plan {} cannot be read", args.plan.display()))?;
    let plan = Plan::parse(&text)?;
    let program = Program { binary: engine(args.engine.as_deref())? };
    let bar = progress_bar(args.progress);
    let tell = |told: Told<'_>| {
        bar.set_length(told.of as u64);
        bar.set_position(told.done as u64);
        if matches!(args.progress, Progress::Lines | Progress::Both) {
            bar.suspend(|| eprintln!("{}", told.text));
        }
        bar.set_message(told.text.to_owned());
    };
    let report = live::run(&plan, &program, &tell)?;
    bar.finish_and_clear();
    if let Some(path) = &args.html {
        std::fs::write(path, html::page(&report))
            .with_context(|| format!("the report {} cannot be written", path.display()))?;
    }
    if args.json {
        print_all(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        print_all(&report.table())?;
    }
    if report.held() { Ok(()) } else { bail!("invariants were broken; the report says which") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_guides_tell_commands_that_it_takes() -> std::io::Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let held = nearline_guides::Held::of(&Cli::command(), &root, &[])?;
        assert!(held.seen > 8, "{} commands seen", held.seen);
        assert_eq!(held.refused, Vec::<String>::new());
        Ok(())
    }
}
