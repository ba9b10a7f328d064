//! `bench query`: recommendations over HTTP, at a fixed rate, beside a stream of events.
//!
//! Open loop: each query is due at its time and its latency counts from then, so that a stall counts
//! for every query that waited (no coordinated omission).

use super::report::Report;
use super::{Backend, Bed, process, workload};
use crate::http;
use anyhow::{Context, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use nearline_actors::Engine;
use nearline_config::Config;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Which backend.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    backend: Backend,
    /// Queries a second.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// Events published a second beside them.
    #[arg(long, default_value_t = 5_000)]
    events_rate: u64,
    /// Seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Members.
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// Titles.
    #[arg(long, default_value_t = 10_000)]
    titles: usize,
    /// Events folded before the clock starts.
    #[arg(long, default_value_t = 1_000_000)]
    warm_events: usize,
    /// Partitions.
    #[arg(long, default_value_t = 16)]
    partitions: u16,
    /// Captures facts.
    #[arg(long)]
    facts: bool,
}

/// Connections that queries share.
const CONNECTIONS: usize = 32;

pub async fn run(args: &QueryArgs) -> anyhow::Result<Report> {
    let bed = Bed::make(args.backend, args.partitions).await?;
    let engine = Engine::start(bed.ports.clone(), super::settings(args.facts)).await?;
    let beside = (args.events_rate * args.seconds) as usize;
    let mut events = workload::events(args.warm_events + beside, args.members, args.titles, 1);
    let beside = events.split_off(args.warm_events);
    workload::fill(&*bed.ports.log, &events, 16).await?;
    engine.caught_up().await?;
    let members: Vec<String> = events.iter().map(|event| event.member.clone()).collect();
    drop(events);

    let mut config = Config::default();
    config.http.address = "127.0.0.1:0".to_owned();
    config.admin.enabled = false;
    let prometheus = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let servers = http::serve(engine.clone(), &config, prometheus).await?;
    let address = servers.http;

    let publishing = {
        let (log, rate) = (bed.ports.log.clone(), args.events_rate);
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
    let latency_us = Arc::new(parking_lot::Mutex::new(Histogram::<u64>::new_with_bounds(1, 600_000_000, 3)?));
    let queries = args.rate * args.seconds;
    let (due, next) = queue();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let (next, latency_us) = (next.clone(), latency_us.clone());
        connections.push(actix_rt::spawn(async move {
            let mut connection = Connection::open(address).await?;
            loop {
                let Some((due, member)) = next.lock().await.recv().await else { return anyhow::Ok(()) };
                connection.recommendations(&member).await?;
                let latency: Duration = Instant::now() - due;
                latency_us.lock().saturating_record(latency.as_micros() as u64);
            }
        }));
    }
    let started = Instant::now();
    for query in 0..queries {
        let at = started + Duration::from_nanos(query * 1_000_000_000 / args.rate.max(1));
        tokio::time::sleep_until(at.into()).await;
        let member = members[(query as usize).wrapping_mul(7_919) % members.len()].clone();
        due.send((at, member)).context("the query connections ended early")?;
    }
    drop(due);
    for connection in connections {
        connection.await??;
    }
    let elapsed = started.elapsed();
    publishing.await??;
    let latency_us = latency_us.lock().clone();
    servers.stop(false).await;
    engine.stop().await;
    ensure!(latency_us.len() == queries, "{} of {queries} queries were answered", latency_us.len());
    Ok(Report::new("query", args.backend.name(), "p99 ≤ 5 ms at 2,000/s beside 5,000 events/s")
        .figure("p50_ms", latency_us.value_at_quantile(0.5) as f64 / 1_000.0)
        .figure("p99_ms", latency_us.value_at_quantile(0.99) as f64 / 1_000.0)
        .figure("max_ms", latency_us.max() as f64 / 1_000.0)
        .figure("queries_per_s", queries as f64 / elapsed.as_secs_f64())
        .figure("events_per_s", args.events_rate as f64)
        .figure("members", args.members as f64)
        .figure("titles", args.titles as f64)
        .figure("rss_mib", process::rss_mib()))
}

type Due = (Instant, String);
type Receiver = Arc<tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<Due>>>;

/// One queue that many connections take from; unbounded, so that the schedule is never held up.
fn queue() -> (tokio::sync::mpsc::UnboundedSender<Due>, Receiver) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    (sender, Arc::new(tokio::sync::Mutex::new(receiver)))
}

/// A kept-alive HTTP/1.1 connection that costs the measuring side as little as possible.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16_384) })
    }

    /// Asks for a member's recommendations and reads the whole answer, which must be a 200.
    async fn recommendations(&mut self, member: &str) -> anyhow::Result<()> {
        let request =
            format!("GET /v1/members/{member}/recommendations?limit=20 HTTP/1.1\r\nhost: bench\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed the connection");
            let Some(head_end) = find(&self.buffer, b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..head_end])?.to_ascii_lowercase();
            ensure!(head.starts_with("http/1.1 200"), "not a 200: {head}");
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let length: usize = length.context("an answer without content-length")?;
            if self.buffer.len() >= head_end + 4 + length {
                return Ok(());
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
