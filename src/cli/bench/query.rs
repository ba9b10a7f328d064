//! `bench query`: recommendations over HTTP, at a fixed rate, beside a stream of events.
//!
//! Open loop: each query is due at its time and its latency counts from then, so that a stall counts
//! for every query that waited (no coordinated omission). Who asks is a [process of its own](super::query_load).

use super::query_load::{Asked, Measured};
use super::report::Report;
use super::{Backend, Bed, process, workload};
use crate::http;
use anyhow::{Context, ensure};
use clap::Args;
use nearline_actors::Engine;
use nearline_config::Config;
use nearline_ports::NewEvent;
use nearline_servers::{command, spawn};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Queries a second.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// What is asked for.
    #[arg(long, value_enum, default_value_t = Asked::Row)]
    ask: Asked,
    #[command(flatten)]
    served: ServedArgs,
}

/// Who is asked, and what happens beside.
#[derive(Debug, Args)]
pub struct ServedArgs {
    /// Which backend.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    pub backend: Backend,
    /// Events published a second beside them.
    #[arg(long, default_value_t = 5_000)]
    pub events_rate: u64,
    /// Seconds.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Members.
    #[arg(long, default_value_t = 100_000)]
    pub members: usize,
    /// Titles.
    #[arg(long, default_value_t = 10_000)]
    pub titles: usize,
    /// Events folded before the clock starts.
    #[arg(long, default_value_t = 1_000_000)]
    pub warm_events: usize,
    /// Partitions.
    #[arg(long, default_value_t = 16)]
    pub partitions: u16,
    /// Captures facts.
    #[arg(long)]
    pub facts: bool,
}

/// Of the audience.
const SEED: u64 = 1;
/// Connections that queries share.
const CONNECTIONS: usize = 32;
/// Seconds in which everybody is asked for the first time: what is worked out then is told apart.
const FIRST_SECONDS: u64 = 5;

pub async fn run(args: &QueryArgs) -> anyhow::Result<Report> {
    let served = &args.served;
    let mut service = Served::start(served, FIRST_SECONDS + served.seconds).await?;
    let load = |seconds| Load {
        asked: args.ask,
        rate: args.rate,
        queries: args.rate * seconds,
        connections: CONNECTIONS,
        refusable: false,
    };
    let (first, _) = service.under(load(FIRST_SECONDS), FIRST_SECONDS).await?;
    let queries = args.rate * served.seconds;
    let (measured, own_cpu) = service.under(load(served.seconds), served.seconds).await?;
    service.stop().await;
    let Measured { latency_us, late_us, elapsed_s, cpu_s, .. } = measured;
    let (what, budget) = match args.ask {
        Asked::Row => ("query", "p99 ≤ 1 ms at 2,000/s beside 5,000 events/s"),
        Asked::Home => ("query, home page", "≤ 2 ms of CPU with 200,000 titles"),
        Asked::Trending => ("query, what trends", "≤ 2 ms of CPU with 200,000 titles"),
    };
    Ok(Report::new(what, served.backend.name(), budget)
        .figure("p50_ms", latency_us.p50 as f64 / 1_000.0)
        .figure("p99_ms", latency_us.p99 as f64 / 1_000.0)
        .figure("max_ms", latency_us.max as f64 / 1_000.0)
        .figure("first_5_s_p99_ms", first.latency_us.p99 as f64 / 1_000.0)
        .figure("asked_late_p50_ms", late_us.p50 as f64 / 1_000.0)
        .figure("asked_late_p99_ms", late_us.p99 as f64 / 1_000.0)
        .figure("queries_per_s", queries as f64 / elapsed_s)
        .figure("cpu_us_per_query_and_events", own_cpu.as_secs_f64() * 1e6 / queries as f64)
        .figure("load_cpu_us_per_query", cpu_s * 1e6 / queries as f64)
        .figure("events_per_s", served.events_rate as f64)
        .figure("members", served.members as f64)
        .figure("titles", served.titles as f64)
        .figure("rss_mib", process::rss_mib()))
}

/// An engine that is served over HTTP, with what is published while it is asked.
pub struct Served {
    bed: Bed,
    engine: Engine,
    servers: http::Servers,
    members: Vec<String>,
    /// What is left to be published.
    beside: std::vec::IntoIter<NewEvent>,
    events_rate: u64,
}

impl Served {
    /// Starts it and folds what it is to know, for loads of so many seconds together.
    pub async fn start(args: &ServedArgs, seconds: u64) -> anyhow::Result<Self> {
        let bed = Bed::make(args.backend, args.partitions).await?;
        let engine = Engine::start(bed.ports.clone(), super::settings(args.facts)).await?;
        engine.put_titles(workload::titles(args.titles, SEED)).await?;
        let beside = (args.events_rate * seconds) as usize;
        let mut events = workload::events(args.warm_events + beside, args.members, args.titles, SEED);
        let beside = events.split_off(args.warm_events).into_iter();
        workload::fill(&*bed.ports.log, &events, 16).await?;
        engine.caught_up().await?;
        let members: Vec<String> = events.iter().map(|event| event.member.clone()).collect();
        drop(events);

        let mut config = Config::default();
        config.http.address = "127.0.0.1:0".to_owned();
        config.admin.enabled = false;
        let prometheus = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
        let servers = http::serve(engine.clone(), &config, prometheus).await?;
        Ok(Self { bed, engine, servers, members, beside, events_rate: args.events_rate })
    }

    /// Puts a load on it beside so many seconds of its stream of events: what the load measured, and this process's own time of the
    /// processor.
    pub async fn under(&mut self, load: Load, seconds: u64) -> anyhow::Result<(Measured, Duration)> {
        let publishing = {
            let (log, rate) = (self.bed.ports.log.clone(), self.events_rate);
            let beside: Vec<_> = self.beside.by_ref().take((rate * seconds) as usize).collect();
            actix_rt::spawn(async move {
                let started = Instant::now();
                for (at, chunk) in beside.chunks(50).enumerate() {
                    let due = started + Duration::from_nanos(at as u64 * 50 * 1_000_000_000 / rate.max(1));
                    tokio::time::sleep_until(due.into()).await;
                    for outcome in log.append(chunk.to_vec()).await {
                        outcome?;
                    }
                }
                anyhow::Ok(())
            })
        };
        let before = process::cpu_time();
        let (address, members) = (self.servers.http, self.members.clone());
        let load = tokio::task::spawn_blocking(move || load.run(address, &members));
        let measured = load.await??;
        let own_cpu = process::cpu_time() - before;
        publishing.await??;
        Ok((measured, own_cpu))
    }

    pub async fn stop(self) {
        self.servers.stop(false).await;
        self.engine.stop().await;
    }
}

/// The process that asks.
pub struct Load {
    pub asked: Asked,
    /// Queries a second.
    pub rate: u64,
    pub queries: u64,
    pub connections: usize,
    /// Whether queries may be refused.
    pub refusable: bool,
}

impl Load {
    /// Waits until it has asked everything.
    fn run(&self, address: SocketAddr, members: &[String]) -> anyhow::Result<Measured> {
        let mut command = command(&std::env::current_exe()?);
        command.args(["bench", "query-load"]);
        for (option, value) in [
            ("--address", address.to_string()),
            ("--asked", self.asked.name().to_owned()),
            ("--rate", self.rate.to_string()),
            ("--queries", self.queries.to_string()),
            ("--connections", self.connections.to_string()),
        ] {
            command.args([option, &value]);
        }
        if self.refusable {
            command.arg("--refusable");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(command).context("starting the load")?;
        let mut to = child.stdin.take().context("the load reads nothing")?;
        to.write_all(members.join("\n").as_bytes()).context("telling the load whom to ask for")?;
        drop(to);
        let mut printed = String::new();
        child.stdout.take().context("the load prints nothing")?.read_to_string(&mut printed)?;
        let status = child.wait()?;
        ensure!(status.success(), "the load ended, {status}; what it said stands above");
        serde_json::from_str(&printed).context("what the load printed")
    }
}
