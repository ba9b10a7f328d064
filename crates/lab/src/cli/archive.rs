//! `nearline-lab archive`: the log's events, and facts, kept for good.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use nearline_config::{Config, open_stored_ports};
use nearline_facts::usage;
use nearline_model::facts::CaptureSettings;
use nearline_terminal::print_all;
use serde::Serialize;

use crate::archive::{ArchiveJob, ArchiveReport, FactJob, FactReport, Source, archive, archive_facts};
use crate::places::Places;

/// Copies the log's events into an archive: a Delta table of Parquet files, which Spark, DuckDB, Polars and others read as
/// it is. What is there already is not copied again, so that it can be run as often as one likes, by several at a time.
///
/// The log is that of the configuration: NATS, or an embedded directory whose engine does not run. With --from it is the one
/// of an engine that runs.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// The folder of the archive, or a place in an object store, such as s3://bucket/events; made if it is not there.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Reads from the operators' listener of a running engine, such as http://127.0.0.1:7701. Where a key is asked for, it
    /// stands in the environment variable NEARLINE_KEY; its scope is admin.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
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
pub async fn run(args: ArchiveArgs, config: &Config, places: &mut Places) -> anyhow::Result<()> {
    let to = places.location(&args.to)?;
    let source = source(args.from.as_deref(), config).await?;
    let job = ArchiveJob { to: to.clone(), partitions: args.partitions, file_events: args.file_events };
    let up_to = match args.facts {
        Some(_) => source.facts.last().await?,
        None => 0,
    };
    let report = archive(&source, &job).await?;
    let facts = match args.facts {
        None => None,
        Some(facts) => {
            let job = FactJob {
                events: to,
                to: places.location(&facts)?,
                up_to,
                file_facts: args.file_facts,
                fold: config.fold.clone(),
                capture: captured(config),
            };
            Some(archive_facts(&source, &job).await.context("the events are archived, the facts are not")?)
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

async fn source(from: Option<&str>, config: &Config) -> anyhow::Result<Source> {
    let Some(url) = from else {
        let ports = open_stored_ports(config).await.context(
            "the log cannot be opened (that of an embedded engine that runs is read with --from, from its operators' listener)",
        )?;
        return Ok(Source::from(&ports));
    };
    let key = nearline_api::caller::key_of_environment();
    Source::running(url, key.as_deref()).await.context("the running engine cannot be read")
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
