//! `bench ingest`: from the log to committed state.
//!
//! Embedded: from the first append to the last commit. NATS + Redis: the stream is filled first,
//! bare consumers without acknowledgements drain it, then the engine catches up with it.

use super::process::{cpu_time, rss_mib};
use super::report::Report;
use super::{Backend, Bed, workload};
use anyhow::Context;
use clap::Args;
use futures_util::StreamExt;
use nearline_actors::Engine;
use nearline_config::{Config, TelemetrySection};
use nearline_model::PartitionId;
use nearline_model::identifier::{MAX_BLOCK, sequence_of};
use nearline_ports::NewEvent;
use nearline_ports::trace::{TraceContext, carrying};
use std::time::{Duration, Instant};

/// Events that all bare consumers together ask for at once. A server holds 64 MiB for a connection and closes it beyond, with
/// what is under way to consumers that acknowledge nothing: half of that, of events of 256 bytes.
const BARE_UNDER_WAY: usize = (32 << 20) / 256;

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Which backend.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    backend: Backend,
    /// Events ingested.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Members they come from.
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// Titles they are about.
    #[arg(long, default_value_t = 10_000)]
    titles: usize,
    /// Partitions.
    #[arg(long, default_value_t = 16)]
    partitions: u16,
    /// Events that one message of the log in NATS may hold.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_BLOCK)))]
    block_events: u16,
    /// Captures facts.
    #[arg(long)]
    facts: bool,
    /// Sends traces to this collector (OTLP over HTTP).
    #[arg(long, value_name = "URL")]
    traces: Option<String>,
    /// One of so many events asks for a span of its own.
    #[arg(long, value_name = "EVENTS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    traced: u64,
}

pub async fn run(args: &IngestArgs) -> anyhow::Result<Report> {
    let bed = Bed::with_blocks(args.backend, args.partitions, args.block_events).await?;
    let mut events = workload::events(args.events, args.members, args.titles, 1);
    if let Some(endpoint) = &args.traces {
        record(endpoint, args.traced, &mut events)?;
    }
    match args.backend {
        Backend::Embedded => {
            let engine = Engine::start(bed.ports.clone(), super::settings(args.facts)).await?;
            let (started, cpu) = (Instant::now(), cpu_time());
            workload::fill(&*bed.ports.log, &events, 16).await?;
            let acknowledged = started.elapsed();
            engine.caught_up().await?;
            let (elapsed, cpu) = (started.elapsed(), cpu_time() - cpu);
            let (folded, replayed) = folded(&engine, args.partitions)?;
            anyhow::ensure!(folded == args.events as u64, "{folded} of {} events were folded", args.events);
            let report = Report::new("ingest", args.backend.name(), "≥ 500,000 events/s on two cores")
                .figure("events_per_s", args.events as f64 / elapsed.as_secs_f64())
                .figure("events_per_cpu_s", args.events as f64 / cpu.as_secs_f64())
                .figure("acknowledged_per_s", args.events as f64 / acknowledged.as_secs_f64())
                .figure("replayed_events", replayed as f64)
                .figure("rss_mib", rss_mib());
            engine.stop().await;
            Ok(report)
        }
        Backend::Cluster => {
            let published = Instant::now();
            workload::fill(&*bed.ports.log, &events, 1).await?;
            let published = published.elapsed();
            let [nats, _] = bed.urls.as_ref().context("the cluster bed has servers")?;
            let bare = bare_drain(nats, args.partitions, args.block_events).await?;
            let (started, cpu) = (Instant::now(), cpu_time());
            let engine = Engine::start(bed.ports.clone(), super::settings(args.facts)).await?;
            engine.caught_up().await?;
            let (elapsed, cpu) = (started.elapsed(), cpu_time() - cpu);
            let rate = args.events as f64 / elapsed.as_secs_f64();
            let bare_rate = args.events as f64 / bare.as_secs_f64();
            let report = Report::new("ingest", args.backend.name(), "≥ 0.8 of bare consumers' drain")
                .figure("events_per_s", rate)
                .figure("share_of_bare_drain", rate / bare_rate)
                .figure("bare_drain_events_per_s", bare_rate)
                .figure("events_per_cpu_s", args.events as f64 / cpu.as_secs_f64())
                .figure("published_per_s", args.events as f64 / published.as_secs_f64())
                .figure("rss_mib", rss_mib());
            engine.stop().await;
            Ok(report)
        }
    }
}

/// Records traces from now on, and has one of so many events ask for it.
fn record(endpoint: &str, traced: u64, events: &mut [NewEvent]) -> anyhow::Result<()> {
    let telemetry = TelemetrySection { endpoint: endpoint.to_owned(), sampling: 1.0 / traced as f64 };
    let config = Config { telemetry, ..Config::default() };
    crate::traces::install(&config)?;
    for (number, event) in (1..).zip(events).step_by(traced as usize) {
        let context = TraceContext { trace: number, span: 1, sampled: true };
        event.payload = carrying(event.payload.clone(), context, config.fold.event_bytes);
    }
    Ok(())
}

/// Events that the engine's state reflects, by their dense positions; and how many were folded once more, because an
/// actor was taken for hung (a busy machine does that) and built anew.
fn folded(engine: &Engine, partitions: u16) -> anyhow::Result<(u64, u64)> {
    let (mut reflected, mut folds) = (0, 0);
    for status in engine.partitions() {
        if !status.folded.is_start() {
            let sequence = sequence_of(status.folded, status.partition, partitions);
            reflected +=
                sequence.with_context(|| format!("{} is at none of its positions", status.partition))?;
        }
        folds += status.events;
    }
    Ok((reflected, folds.saturating_sub(reflected)))
}

/// Time that bare consumers without acknowledgements, one for each of the log's streams, take to drain all of them over
/// one connection, doing nothing.
async fn bare_drain(url: &str, partitions: u16, block_events: u16) -> anyhow::Result<Duration> {
    use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await?);
    let started = Instant::now();
    let (mut drains, mut all) = (Vec::new(), 0);
    for partition in (0..partitions).map(PartitionId) {
        let stream = jetstream.get_stream(format!("EVENTS_{partition}")).await?;
        all += stream.cached_info().state.messages;
        let consumer = stream
            .create_consumer(pull::Config {
                ack_policy: AckPolicy::None,
                deliver_policy: DeliverPolicy::All,
                ..pull::Config::default()
            })
            .await?;
        let messages = BARE_UNDER_WAY / usize::from(block_events);
        let batch = (messages / usize::from(partitions)).max(1);
        drains.push(consumer.stream().max_messages_per_batch(batch).messages().await?);
    }
    let mut messages = futures_util::stream::select_all(drains);
    for drained in 0..all {
        let message = tokio::time::timeout(Duration::from_secs(20), messages.next()).await;
        message
            .ok()
            .flatten()
            .with_context(|| format!("the bare consumers stopped after {drained} messages"))??;
    }
    Ok(started.elapsed())
}
