//! `nearline repair`: saves what is left of a damaged embedded directory into a new one.

use anyhow::{Context, bail};
use clap::Args;
use nearline_backends::embedded::{Gone, Repaired, repair};
use nearline_config::{BackendKind, Config};
use nearline_terminal::{grouped, print_clean};
use std::fmt::Write;
use std::path::PathBuf;

/// Stretches of what is gone that are listed; `--json` has all of them.
const LISTED: usize = 50;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline repair --to nearline-data.new
  nearline repair --from /backup/nearline-data --to nearline-data.new

The damaged directory is only read. Which events are gone is said by their positions in the log; whoever
published them was answered with the same. To go on with what is left, set embedded.directory to the new
directory, or move it to the place of the old one. Exit code 1 if anything is gone.")]
pub(super) struct RepairArgs {
    /// The damaged directory [default: embedded.directory of the configuration].
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The new directory, which must not be there yet.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RepairArgs, config: &Config) -> anyhow::Result<()> {
    if args.from.is_none() && config.backend.kind != BackendKind::Embedded {
        bail!("the configured backend is no directory; name one with --from");
    }
    let from = args.from.clone().unwrap_or_else(|| PathBuf::from(&config.embedded.directory));
    let repaired = repair(&from, &args.to, config.engine.partitions).context("repairing")?;
    let gone: u64 = repaired.gone.iter().map(|gone| gone.events).sum();
    let out = if args.json { json(&repaired, gone) } else { text(&repaired, gone, args) };
    print_clean(&out)?;
    match gone {
        0 => Ok(()),
        _ => bail!("{} events are gone; publish them again if you have them", grouped(gone)),
    }
}

fn json(repaired: &Repaired, gone: u64) -> String {
    let value = serde_json::json!({
        "records": repaired.records, "gone": gone, "gone_positions": repaired.gone, "state_kept": repaired.is_state_kept,
        "notes": repaired.notes,
    });
    format!("{value}\n")
}

fn text(repaired: &Repaired, gone: u64, args: &RepairArgs) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string does not fail");
    repaired.notes.iter().for_each(|note| line(note.clone()));
    line(format!("{} records are saved in {}", grouped(repaired.records), args.to.display()));
    line(match repaired.is_state_kept {
        true => "state is as it was".to_owned(),
        false => "state is folded anew at the next start".to_owned(),
    });
    if gone == 0 {
        line("nothing that was acknowledged is gone".to_owned());
    }
    for Gone { partition, first, last, events, is_beginning } in repaired.gone.iter().take(LISTED) {
        let hint = if *is_beginning { " (or removed by embedded.retention_events)" } else { "" };
        line(match events {
            1 => format!("gone: position {first} of {partition}{hint}"),
            _ => format!("gone: {events} events at positions {first} to {last} of {partition}{hint}"),
        });
    }
    if repaired.gone.len() > LISTED {
        line(format!("and {} more stretches: --json lists all", repaired.gone.len() - LISTED));
    }
    out
}
