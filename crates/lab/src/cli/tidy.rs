//! `nearline-lab tidy`: tables that are used for long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nearline_facts::{EventArchive, FactArchive, FactTable, Tidied, Tidying, parse_duration};
use nearline_ports::{Clock, SystemClock};
use nearline_terminal::print_all;

use crate::archive::unique_name;
use crate::places::Places;

/// Keeps tables fit for use: weeks of facts of members that are over are written anew in the order of their members, with an
/// index; small files of events and decisions of a day that is over become large ones; what is older than is kept goes; files
/// that writers left behind when they died are deleted after a day.
///
/// Archivers may run meanwhile. A reader that began before may find a file gone, and is run again.
#[derive(Debug, Args)]
pub struct TidyArgs {
    /// The archive of events.
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// The folder of the facts.
    #[arg(long, value_name = "DIR", required_unless_present = "archive")]
    facts: Option<PathBuf>,
    /// How long rows are kept, like 90d: files all of whose rows became known before that go. Without it, all are kept. Once
    /// events are gone, facts can no longer be made of those that are left.
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    keep: Option<Duration>,
    /// Leaves weeks as they are.
    #[arg(long)]
    no_weeks: bool,
    /// Threads that sort.
    #[arg(long)]
    threads: Option<usize>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read, written or deleted; another program that tidied or erased at the same time.
pub fn run(args: &TidyArgs, places: &mut Places) -> anyhow::Result<()> {
    let now_ms = SystemClock.now_ms();
    let keep_ms = args.keep.map(|keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let tidying = Tidying {
        keep_from_ms: keep_ms.map(|keep_ms| now_ms.saturating_sub(keep_ms)),
        by_week: !args.no_weeks,
        threads: super::threads(args.threads),
        now_ms,
    };
    let mut done: Vec<(&str, Tidied)> = Vec::new();
    if let Some(archive) = &args.archive {
        let mut archive = EventArchive::existing(places.location(archive)?)?;
        done.push(("events", archive.tidy(&tidying, unique_name)?));
    }
    for which in [FactTable::Members, FactTable::Decisions] {
        let Some(facts) = &args.facts else { break };
        if let Some(mut table) = FactArchive::existing(places.location(facts)?.below(which.name()), which)? {
            done.push((which.name(), table.tidy(&tidying, unique_name)?));
        }
    }
    print_all(&match args.json {
        true => {
            let tables =
                done.into_iter().map(|(table, tidied)| Ok((table.to_owned(), serde_json::to_value(tidied)?)));
            format!("{}\n", serde_json::Value::Object(tables.collect::<anyhow::Result<_>>()?))
        }
        false => {
            done.iter().map(|(table, tidied)| format!("{table}: {}\n", tidied.text())).collect::<String>()
        }
    })
}
