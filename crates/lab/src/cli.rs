//! The command line of `nearline-lab`.
//!
//! Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage; those of `stratify` stand there.

mod archive;
mod audit;
mod backfill;
mod compact;
mod erase;
mod evaluate;
mod extract;
mod lookup;
mod state;
mod stratify;
mod tidy;
mod to_jsonl;
mod what_if;

use anyhow::Context;
use clap::{Parser, Subcommand};
use nearline_config::Config;

use crate::places::Places;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  nearline-lab evaluate prequential events.ndjson --html report.html
  nearline-lab evaluate policy decisions.csv
  nearline-lab extract --labels labels.parquet --facts facts/ -o train.parquet
  nearline-lab to-jsonl events.parquet | nearline publish -
  nearline-lab stratify --rules rules.toml events.parquet -o train.parquet

Configuration: defaults, then the file of --config, then NEARLINE__SECTION__KEY in the environment. Every
key is described in config/default.toml.

Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage; stratify: 3 refused, 4 not
every rule holds.";

/// Nearline off-line: what recommendations and policies would have been worth, on events of the past.
#[derive(Debug, Parser)]
#[command(name = "nearline-lab", version, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    /// Configuration file (TOML); without one, the defaults.
    #[arg(long, global = true, value_name = "FILE", env = "NEARLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Keeps what is fetched of object stores in this folder, for the next run; without it, it is fetched each time.
    #[arg(long, global = true, value_name = "DIR")]
    mirror: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what recommendations would have been worth, on events of the past.
    Evaluate(evaluate::EvaluateArgs),
    /// Copy the log's events into an archive, and facts into tables.
    Archive(archive::ArchiveArgs),
    /// Look whether facts are as many as ever, whole, and what was served.
    Audit(audit::AuditArgs),
    /// Make facts of members of archived events.
    Backfill(backfill::BackfillArgs),
    /// Write facts anew in the order of their members, with an index.
    Compact(compact::CompactArgs),
    /// Take forgotten members out of an archive.
    Erase(erase::EraseArgs),
    /// Join labels with what was known at the moment of each.
    Extract(extract::ExtractArgs),
    /// Print a member's state at a past moment, from an archive.
    State(state::StateArgs),
    /// Sort weeks that are over, drop what is old, and delete what writers left behind.
    Tidy(tidy::TidyArgs),
    /// Write the rows of Parquet files as JSON, one object a line, for whoever reads that.
    ToJsonl(to_jsonl::ToJsonlArgs),
    /// Take a stratified sample of Parquet files.
    Stratify(stratify::StratifyArgs),
    /// Replay an archived interval under other settings, beside those that served it.
    WhatIf(what_if::WhatIfArgs),
}

/// Runs the program with the arguments it was started with.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", nearline_terminal::clean_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut places = Places::new(cli.mirror);
    let command = match cli.command {
        // Samples and joins need no configuration of the engine.
        Command::Stratify(args) => return stratify::stratify(args),
        Command::Compact(args) => return compact::compact(args, &mut places),
        Command::Extract(args) => return extract::extract(args, &mut places),
        Command::Tidy(args) => return tidy::run(&args, &mut places).map(|()| ExitCode::SUCCESS),
        Command::ToJsonl(args) => return to_jsonl::run(&args).map(|()| ExitCode::SUCCESS),
        command => command,
    };
    let config =
        Config::load(cli.config.as_deref(), environment()).context("the configuration was refused")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be made")?;
    match command {
        Command::Archive(args) => runtime.block_on(archive::run(args, &config, &mut places))?,
        Command::Audit(args) => audit::run(args, &config, &mut places)?,
        Command::Backfill(args) => backfill::run(args, &config, &mut places)?,
        Command::Erase(args) => erase::run(&args, &config, &mut places)?,
        Command::State(args) => state::run(&args, &config, &mut places)?,
        Command::WhatIf(args) => what_if::run(&args, &config, &mut places)?,
        Command::Evaluate(args) => runtime.block_on(evaluate::run(args, &config))?,
        // Done above: they need no configuration.
        Command::Compact(_)
        | Command::Extract(_)
        | Command::Stratify(_)
        | Command::Tidy(_)
        | Command::ToJsonl(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The variables of the environment that are text.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
}

/// How many threads read if nothing else is said.
fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from).min(8)).max(1)
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
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let held = nearline_guides::Held::of(&Cli::command(), &root, &[])?;
        assert!(held.seen > 20, "{} commands seen", held.seen);
        assert_eq!(held.refused, Vec::<String>::new());
        Ok(())
    }
}
