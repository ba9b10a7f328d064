//! `nearline-lab archive`: the log's events, and facts, kept for good.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use nearline_config::{Config, open_stored_ports};
use nearline_facts::usage;
use nearline_model::facts::CaptureSettings;
use nearline_terminal::print_all;
use serde::Serialize;

use crate::archive::{ArchiveJob, ArchiveReport, FactJob, FactReport, archive, archive_facts};

/// Copies the log's events into an archive: a Delta table of Parquet files, which Spark, DuckDB, Polars and others read as
/// it is. What is there already is not copied again, so that it can be run as often as one likes, by several at a time.
///
/// The log is that of the configuration: NATS, or an embedded directory whose engine does not run.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// The folder of the archive; made if it is not there.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Partitions to take, so that several machines share the work; all unless given.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    partitions: Vec<u16>,
    /// Events of a file at most.
    #[arg(long, value_name = "EVENTS", default_value_t = 250_000, value_parser = file_events)]
    file_events: usize,
    /// Takes facts, too: into the tables `members` and `decisions` of this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "partitions")]
    facts: Option<PathBuf>,
    /// Facts of a file at most, about.
    #[arg(long, value_name = "FACTS", default_value_t = 100_000, value_parser = file_events)]
    file_facts: usize,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

fn file_events(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|events| *events > 0).ok_or_else(|| "a file has at least one event".into())
}

/// Runs the command.
///
/// # Errors
/// A log or a folder that cannot be read or written.
pub async fn run(args: ArchiveArgs, config: &Config) -> anyhow::Result<()> {
    let ports = open_stored_ports(config).await.context("the log cannot be opened")?;
    let job = ArchiveJob { to: args.to.clone(), partitions: args.partitions, file_events: args.file_events };
    let report = archive(&ports, &job).await?;
    let facts = match args.facts {
        None => None,
        Some(to) => {
            let job = FactJob {
                events: args.to,
                to,
                file_facts: args.file_facts,
                fold: config.fold.clone(),
                capture: captured(config),
            };
            Some(archive_facts(&ports, &job).await.context("the events are archived, the facts are not")?)
        }
    };
    print_all(&match (args.json, &facts) {
        (true, _) => {
            format!("{}\n", serde_json::to_string(&Reports { report: &report, facts: facts.as_ref() })?)
        }
        (false, facts) => {
            let facts = facts.as_ref().map(FactReport::text).unwrap_or_default();
            format!("{}{facts}{:.2} CPU s, {:.0} MiB\n", report.text(), usage::cpu_s(), usage::peak_mib())
        }
    })
}

#[derive(Serialize)]
struct Reports<'a> {
    #[serde(flatten)]
    report: &'a ArchiveReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<&'a FactReport>,
}

/// What facts of members are made of, as the engine makes them.
pub fn captured(config: &Config) -> CaptureSettings {
    CaptureSettings { titles: config.facts.titles, every_change: false }
}
