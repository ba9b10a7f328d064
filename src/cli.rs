//! The command line: what each command takes, and what comes out of it.
//!
//! Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage.

#[cfg(feature = "bench")]
pub mod bench;
mod dead_letters;
mod demo;
mod doctor;
mod import;
mod inspect;
mod key;
mod publish;
mod refold;
mod repair;
mod serve;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use nearline_config::Config;
use nearline_ports::{Clock, SystemClock};
use nearline_terminal::print_all;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  nearline demo                               watch recommendations change while simulated members watch things
  nearline serve                              embedded in ./nearline-data, API on http://127.0.0.1:7700
  nearline --config config/cluster.toml serve
                                              the same program on NATS and Redis
  nearline publish events.ndjson              publish a file of events, resumable
  nearline doctor                             is everything as it should be, and what to do
  nearline inspect member m17                 what the store knows of a member

Configuration: defaults, then the file of --config, then NEARLINE__SECTION__KEY in the environment,
such as NEARLINE__HTTP__ADDRESS=127.0.0.1:8080. Every key is described in config/default.toml.

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
    /// Save what is left of a damaged embedded directory into a new one, and say what is gone.
    Repair(repair::RepairArgs),
    /// Forget what was folded, so that the log is folded anew.
    Refold(refold::RefoldArgs),
    /// Look whether configuration, servers and machine are as they should be, and say what to do.
    Doctor(doctor::DoctorArgs),
    /// Make keys for callers, and list them.
    Key(key::KeyArgs),
    /// Measure the engine.
    #[cfg(feature = "bench")]
    Bench(bench::BenchArgs),
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
            eprintln!("error: {}", nearline_terminal::clean_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let cli = match cli {
        // Before there is a configuration that its file stands in.
        Cli { command: Command::Key(args), .. } => return key::run(args),
        other => other,
    };
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "nearline", &mut script);
        return print_all(&String::from_utf8_lossy(&script));
    }
    let path = cli.config.as_deref();
    let environment = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(path, environment);
    let system = actix_rt::System::new();
    if let Command::Doctor(args) = &cli.command {
        return system.block_on(doctor::run(args, config));
    }
    let config = config.context("the configuration was refused")?;
    system.block_on(async {
        match cli.command {
            Command::Serve => serve::run(config).await,
            Command::Demo(args) => demo::run(args, config).await,
            Command::Publish(args) => publish::run(args, &config).await,
            Command::Import(args) => import::run(args, &config).await,
            Command::Inspect(args) => inspect::run(args, &config).await,
            Command::Repair(args) => repair::run(&args, &config),
            Command::Refold(args) => refold::run(args, &config).await,
            Command::DeadLetters(args) => dead_letters::run(args, &config).await,
            #[cfg(feature = "bench")]
            Command::Bench(args) => bench::run(args).await,
            Command::Completions { .. } | Command::Key(_) | Command::Doctor(_) => Ok(()),
        }
    })
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    SystemClock.now_ms()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_guides_tell_commands_that_it_takes() -> std::io::Result<()> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let absent: &[&str] = if cfg!(feature = "bench") { &[] } else { &["bench"] };
        let held = nearline_guides::Held::of(&Cli::command(), root, absent)?;
        assert!(held.seen > 30, "{} commands seen", held.seen);
        assert_eq!(held.refused, Vec::<String>::new());
        Ok(())
    }
}
