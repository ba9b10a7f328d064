//! `bench takerate`: take rates of a stream of impressions and plays, end to end, durable, while it
//! streams in.
//!
//! Events are read from files (NDJSON, in the order of arrival) or generated, published into the log,
//! folded and committed; then the cells (title, 30-minute epoch of the impression, country) are read
//! from the aggregates. The clock runs from the first byte read to the last cell at hand.

mod cells;
pub mod source;

use super::process::{self, cpu_time_of, peak_rss_mib};
use super::report::Report;
use super::{Backend, Bed};
use anyhow::Context;
use clap::Args;
use futures_util::StreamExt;
use nearline_actors::{Engine, EngineSettings};
use nearline_audience::take_rates;
use nearline_model::Position;
use nearline_model::identifier::MAX_BLOCK;
use source::Source;
use std::path::PathBuf;
use std::time::Instant;

/// Events appended in one call.
const APPEND_EVENTS: usize = 4_096;

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct TakerateArgs {
    /// Directory of files with events, one JSON object a line, read in the order of their names; without
    /// it events are generated.
    events_dir: Option<PathBuf>,
    /// Which backend.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    backend: Backend,
    /// Partitions.
    #[arg(long, default_value_t = 16)]
    partitions: u16,
    /// Events that one message of the log in NATS may hold.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_BLOCK)))]
    block_events: u16,
    /// Where to write the cells: a file that ends in .csv or .ndjson.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write the events generated into this directory, and measure nothing: generating them takes more memory than the job.
    #[arg(long, conflicts_with_all = ["events_dir", "out"])]
    write: Option<PathBuf>,
    /// Events generated, where no directory is given.
    #[arg(long, default_value_t = 2_000_000)]
    events: usize,
    /// Seed of the events generated.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Threads that fold.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Events after which a partition commits.
    #[arg(long, default_value_t = EngineSettings::default().commit_events)]
    commit_events: u64,
    /// Records read at once.
    #[arg(long, default_value_t = EngineSettings::default().batch_events)]
    batch_events: usize,
}

pub async fn run(args: &TakerateArgs) -> anyhow::Result<Report> {
    if let Some(directory) = &args.write {
        source::write_files(directory, &take_rates::lines(args.events, args.seed))?;
        return Ok(Report::new("takerate", "files", "").figure("events_written", args.events as f64));
    }
    let format = args.out.as_deref().map(cells::Format::of).transpose()?;
    let mut source = match &args.events_dir {
        Some(directory) => Source::files(directory)?,
        None => Source::generated(take_rates::lines(args.events, args.seed)),
    };
    let bed = Bed::with_blocks(args.backend, args.partitions, args.block_events).await?;
    let settings = EngineSettings {
        workers: args.workers.max(1),
        commit_events: args.commit_events.max(1),
        batch_events: args.batch_events.max(1),
        ..EngineSettings::default()
    };
    let engine = Engine::start(bed.ports.clone(), settings).await?;
    let processes = bed.processes();
    let used = || processes.iter().map(|process| cpu_time_of(*process)).sum::<std::time::Duration>();
    let (started, cpu, own_cpu) = (Instant::now(), used(), process::cpu_time());
    let (mut events, mut duplicates) = (0_u64, 0_u64);
    {
        let log = &bed.ports.log;
        let appends =
            futures_util::stream::iter(std::iter::from_fn(|| source.next(APPEND_EVENTS).transpose()));
        let under_way = if args.backend == Backend::Embedded { 8 } else { 2 };
        let mut appends = appends
            .map(|batch| async { Ok::<_, anyhow::Error>(log.append(batch?).await) })
            .buffered(under_way);
        while let Some(outcomes) = appends.next().await {
            for outcome in outcomes? {
                events += 1;
                duplicates += u64::from(outcome?.duplicate);
            }
        }
    }
    let acknowledged = started.elapsed();
    engine.caught_up().await?;
    let cells = cells::of(&engine.aggregates().read());
    let (elapsed, cpu, own_cpu) = (started.elapsed(), used() - cpu, process::cpu_time() - own_cpu);
    let rejected = engine.ports().dead_letters.list(Position::START, 1).await?;
    anyhow::ensure!(rejected.is_empty(), "events were refused, the first: {}", rejected[0].detail);
    if let (Some(path), Some(format)) = (&args.out, format) {
        cells::write(path, format, &cells).with_context(|| format!("writing {}", path.display()))?;
    }
    let impressions: u64 = cells.iter().map(|cell| cell.impressions).sum();
    let plays: u64 = cells.iter().map(|cell| cell.plays).sum();
    let report = Report::new("takerate", args.backend.name(), "≥ 500,000 events per CPU second")
        .figure("events", events as f64)
        .figure("duplicates_dropped_by_the_log", duplicates as f64)
        .figure("cells", cells.len() as f64)
        .figure("impressions", impressions as f64)
        .figure("attributed_plays", plays as f64)
        .figure("wall_s", elapsed.as_secs_f64())
        .figure("acknowledged_s", acknowledged.as_secs_f64())
        .figure("cpu_s", cpu.as_secs_f64())
        .figure("own_cpu_s", own_cpu.as_secs_f64())
        .figure("peak_rss_mib", peak_rss_mib())
        .figure("events_per_s", events as f64 / elapsed.as_secs_f64())
        .figure("events_per_cpu_s", events as f64 / cpu.as_secs_f64());
    engine.stop().await;
    Ok(report)
}
