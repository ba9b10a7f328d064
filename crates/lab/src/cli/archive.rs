//! `nearline-lab archive`: the log's events, kept for good.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use nearline_config::{Config, open_stored_ports};
use nearline_facts::usage;
use nearline_terminal::print_all;

use crate::archive::{ArchiveJob, archive};

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
    let job = ArchiveJob { to: args.to, partitions: args.partitions, file_events: args.file_events };
    let report = archive(&ports, &job).await?;
    print_all(&if args.json {
        format!("{}\n", serde_json::to_string(&report)?)
    } else {
        format!("{}{:.2} CPU s, {:.0} MiB\n", report.text(), usage::cpu_s(), usage::peak_mib())
    })
}
