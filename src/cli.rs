//! The command line: what each command takes, and what comes out of it.
//!
//! Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage.

pub mod bench;
mod chaos;
mod dead_letters;
mod demo;
mod evaluate;
mod import;
mod inspect;
mod publish;
mod serve;

use crate::config::Config;
use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  nearline demo                               watch recommendations change while simulated members watch things
  nearline serve                              embedded in ./nearline-data, API on http://127.0.0.1:7700
  nearline --config config/cluster.toml serve the same program on NATS and Redis
  nearline publish events.ndjson              publish a file of events, resumable
  nearline inspect member m17                 what the store knows of a member

Configuration: defaults, then the file of --config, then NEARLINE__SECTION__KEY in the environment,
such as NEARLINE__HTTP__ADDRESS=0.0.0.0:7700. Every key is described in config/default.toml.

Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage.";

/// Near-real-time recommendations: what a member just watched shapes the very next page.
#[derive(Debug, Parser)]
#[command(name = "nearline", version, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    /// Configuration file (TOML); without one, the defaults: embedded, in ./nearline-data.
    #[arg(long, global = true, value_name = "FILE", env = "NEARLINE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the engine and its HTTP API until SIGTERM or Ctrl-C.
    Serve,
    /// Run the engine beside a simulated audience, and show what changes.
    Demo(demo::DemoArgs),
    /// Publish a file of events (one JSON object a line) and, with --titles, of titles.
    Publish(publish::PublishArgs),
    /// Publish a public data set from its original files, or write it as events and titles.
    Import(import::ImportArgs),
    /// Read what is stored of a member, a title or a partition.
    Inspect(inspect::InspectArgs),
    /// Look at events that were refused, and why.
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Measure what recommendations would have been worth, on events of the past.
    Evaluate(evaluate::EvaluateArgs),
    /// Measure the engine.
    Bench(bench::BenchArgs),
    /// Break the engine on purpose, simulated from seeds or live, and judge what is left.
    Chaos(chaos::ChaosArgs),
    /// Print shell completions.
    #[command(
        after_help = "Example:\n  nearline completions bash > ~/.local/share/bash-completion/completions/nearline"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Runs the program with the arguments it was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "nearline", &mut script);
        return print_all(&String::from_utf8_lossy(&script));
    }
    let path = cli.config.as_deref();
    let environment = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(path, environment).context("the configuration was refused")?;
    let system = actix_rt::System::new();
    system.block_on(async {
        match cli.command {
            Command::Serve => serve::run(config).await,
            Command::Demo(args) => demo::run(args, config).await,
            Command::Publish(args) => publish::run(args, &config).await,
            Command::Import(args) => import::run(args, &config).await,
            Command::Inspect(args) => inspect::run(args, &config).await,
            Command::DeadLetters(args) => dead_letters::run(args, &config).await,
            Command::Evaluate(args) => evaluate::run(args, &config).await,
            Command::Bench(args) => bench::run(args).await,
            Command::Chaos(args) => chaos::run(args).await,
            Command::Completions { .. } => Ok(()),
        }
    })
}

/// Writes `text` to standard output. A reader that has seen enough (`| head`) is no failure.
fn print_all(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
