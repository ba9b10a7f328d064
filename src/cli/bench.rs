//! `nearline bench`: the budgets, measured, each beside a limit taken in the same run.

mod bandit;
mod compare;
mod fold;
mod freshness;
mod ingest;
mod overload;
mod paired;
mod peers;
mod process;
mod query;
mod query_load;
mod report;
mod restart;
mod scale;
mod state;
mod takerate;
#[cfg(feature = "otlp")]
mod traces;
mod workload;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use nearline_actors::{EngineSettings, FactSettings};
use nearline_backends::cluster::connect_cluster;
use nearline_backends::embedded::{self, EmbeddedSettings, SyncPolicy};
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_ports::Ports;
use nearline_servers::{NatsServer, RedisServer};
use process::Neighbours;
use report::Report;

/// What to measure, and how to print it.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    bench: Bench,
    /// Print one JSON object a line instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Measure that many times: figures are medians then, beside the least and the greatest.
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeat: u32,
}

/// The benchmarks.
#[derive(Debug, Subcommand)]
enum Bench {
    /// Parse and fold events in memory, on one core.
    Fold(fold::FoldArgs),
    /// One of these benchmarks by two programs in turn; fails where the second is worse.
    Compare(compare::CompareArgs),
    /// Artworks chosen for a simulated audience: regret, and whether propensities are calibrated.
    Bandit(bandit::BanditArgs),
    /// Events from the log to committed state, end to end and durable.
    Ingest(ingest::IngestArgs),
    /// The take-rate job by this program, DuckDB, Spark and Flink, one after the other.
    Peers(peers::PeersArgs),
    /// Recommendations over HTTP beside a stream of events.
    Query(query::QueryArgs),
    /// More queries over HTTP than can be answered: what is answered, what is refused, and how soon
    Overload(overload::OverloadArgs),
    /// What asks beside `query`, as a process of its own.
    #[command(hide = true)]
    QueryLoad(query_load::QueryLoadArgs),
    /// Time from the acknowledgement of an event to a query that sees it.
    Freshness(freshness::FreshnessArgs),
    /// Time from a panic in the fold to live answers.
    Restart(restart::RestartArgs),
    /// What an event costs a cluster, by the number of its nodes.
    Scale(scale::ScaleArgs),
    /// Memory that Redis takes for one member.
    State(state::StateArgs),
    /// Take rates of a stream of impressions and plays, end to end and durable.
    Takerate(takerate::TakerateArgs),
    /// What recording one request in a hundred costs, and looking whether anything records.
    #[cfg(feature = "otlp")]
    Traces(traces::TracesArgs),
}

/// Which backend to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// One directory, no server (a temporary one is made).
    Embedded,
    /// NATS and Redis (private servers are started on free ports).
    Cluster,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Cluster => "nats+redis",
        }
    }
}

/// How the engine runs: as ever, or capturing facts.
fn settings(facts: bool) -> EngineSettings {
    let facts = FactSettings { capture: facts, ..FactSettings::default() };
    EngineSettings { facts, ..EngineSettings::default() }
}

/// A backend made for one benchmark; dropping it removes everything.
struct Bed {
    ports: Ports,
    /// Of NATS and Redis.
    urls: Option<[String; 2]>,
    _directory: Option<tempfile::TempDir>,
    _servers: Option<(NatsServer, RedisServer)>,
}

impl Bed {
    /// Ids of the processes that share the work: this one, and the servers.
    fn processes(&self) -> Vec<u32> {
        std::iter::once(std::process::id()).chain(self.server_processes().into_iter().flatten()).collect()
    }

    /// Ids of the processes of NATS and Redis.
    fn server_processes(&self) -> Option<[u32; 2]> {
        let (nats, redis) = self._servers.as_ref()?;
        Some([nats.process_id()?, redis.process_id()?])
    }

    async fn make(backend: Backend, partitions: u16) -> anyhow::Result<Self> {
        Self::with_blocks(backend, partitions, 1).await
    }

    /// With a log in NATS whose messages hold up to so many events.
    async fn with_blocks(backend: Backend, partitions: u16, block_events: u16) -> anyhow::Result<Self> {
        match backend {
            Backend::Embedded => {
                let directory = tempfile::tempdir().context("a directory for the benchmark")?;
                let settings = EmbeddedSettings {
                    partitions,
                    sync: SyncPolicy::EachBatch,
                    ..EmbeddedSettings::in_directory(directory.path().to_owned())
                };
                let ports = embedded::open(settings)?;
                Ok(Self { ports, urls: None, _directory: Some(directory), _servers: None })
            }
            Backend::Cluster => {
                let (nats, redis) = (NatsServer::start(None)?, RedisServer::start()?);
                let nats_settings =
                    NatsSettings { url: nats.url(), partitions, block_events, ..NatsSettings::default() };
                let redis_settings = RedisSettings { url: redis.url(), ..RedisSettings::default() };
                let ports = connect_cluster(nats_settings, redis_settings).await?;
                let urls = Some([nats.url(), redis.url()]);
                Ok(Self { ports, urls, _directory: None, _servers: Some((nats, redis)) })
            }
        }
    }
}

/// Runs one benchmark and prints its report.
///
/// # Errors
/// What the benchmark ran into.
pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    match &args.bench {
        Bench::QueryLoad(args) => return query_load::run(args).await,
        Bench::Compare(compare) => return compare::run(compare, args.json),
        _ => {}
    }
    let neighbours = Neighbours::now();
    let first = measure(&args.bench)
        .await?
        .figure("load_before", neighbours.load())
        .figure("stolen_cpu_s", neighbours.stolen_since().as_secs_f64());
    let mut runs = Vec::new();
    for _ in 1..args.repeat {
        runs.push(first.of_json(&again()?));
    }
    runs.push(first);
    let reports: Vec<Report> = Report::together(runs).into_iter().collect();
    report::print(&reports, args.json);
    Ok(())
}

/// What this benchmark finds in a process of its own: what the allocator kept of a run before would count as memory of this one.
fn again() -> anyhow::Result<serde_json::Value> {
    let program = std::env::current_exe().context("finding this program")?;
    let output = std::process::Command::new(program)
        .args(once(std::env::args().skip(1)))
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("measuring again")?;
    anyhow::ensure!(output.status.success(), "measuring again ended with {}", output.status);
    let printed = String::from_utf8(output.stdout)?;
    serde_json::from_str(&printed).with_context(|| format!("measuring again printed {printed}"))
}

/// Arguments that measure once, and print JSON.
fn once(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut left_out = false;
    let mut once: Vec<String> = arguments
        .filter(|argument| {
            let is_value = std::mem::replace(&mut left_out, argument == "--repeat");
            !(is_value || left_out || argument == "--json" || argument.starts_with("--repeat="))
        })
        .collect();
    once.push("--json".to_owned());
    once
}

async fn measure(bench: &Bench) -> anyhow::Result<Report> {
    match bench {
        Bench::Fold(args) => fold::run(args),
        Bench::Bandit(args) => bandit::run(args),
        Bench::Ingest(args) => ingest::run(args).await,
        Bench::Peers(args) => peers::run(args),
        Bench::Query(args) => query::run(args).await,
        Bench::Overload(args) => overload::run(args).await,
        Bench::QueryLoad(_) | Bench::Compare(_) => anyhow::bail!("it measures nothing by itself"),
        Bench::Freshness(args) => freshness::run(args).await,
        Bench::Restart(args) => restart::run(args).await,
        Bench::Scale(args) => scale::run(args).await,
        Bench::State(args) => state::run(args).await,
        Bench::Takerate(args) => takerate::run(args).await,
        #[cfg(feature = "otlp")]
        Bench::Traces(args) => traces::run(args).await,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn measuring_again_takes_all_arguments_but_how_often() {
        let given =
            ["bench", "--repeat", "3", "fold", "--json", "--events", "5", "--repeat=2"].map(str::to_owned);
        assert_eq!(super::once(given.into_iter()), ["bench", "fold", "--events", "5", "--json"]);
    }
}
