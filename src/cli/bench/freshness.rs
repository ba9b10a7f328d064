//! `bench freshness`: from the acknowledgement of an event to a query that sees it.

use super::report::Report;
use super::{Backend, Bed, process, workload};
use clap::Args;
use hdrhistogram::Histogram;
use nearline_actors::{Engine, EngineSettings};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct FreshnessArgs {
    /// Which backend.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    backend: Backend,
    /// Events published a second.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// Seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Members they come from.
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// Partitions.
    #[arg(long, default_value_t = 16)]
    partitions: u16,
}

pub async fn run(args: &FreshnessArgs) -> anyhow::Result<Report> {
    let bed = Bed::make(args.backend, args.partitions).await?;
    let engine = Engine::start(bed.ports.clone(), EngineSettings::default()).await?;
    engine.caught_up().await?;
    let events = workload::events((args.rate * args.seconds) as usize, args.members, 10_000, 1);
    let visible_us = Arc::new(parking_lot::Mutex::new(Histogram::<u64>::new_with_bounds(1, 600_000_000, 3)?));
    let acknowledged_us =
        Arc::new(parking_lot::Mutex::new(Histogram::<u64>::new_with_bounds(1, 600_000_000, 3)?));
    let started = Instant::now();
    let mut tasks = Vec::with_capacity(events.len());
    for (at, event) in events.into_iter().enumerate() {
        let due = started + Duration::from_nanos(at as u64 * 1_000_000_000 / args.rate.max(1));
        tokio::time::sleep_until(due.into()).await;
        let (engine, log) = (engine.clone(), bed.ports.log.clone());
        let (visible_us, acknowledged_us) = (visible_us.clone(), acknowledged_us.clone());
        tasks.push(actix_rt::spawn(async move {
            let member = event.member.clone();
            let appended = log.append(vec![event]).await.remove(0)?;
            let acknowledged = Instant::now();
            engine.member(&member, false, Some(appended.position)).await?;
            visible_us.lock().saturating_record(acknowledged.elapsed().as_micros() as u64);
            // From when it was due, so that waiting for a slow log counts too.
            acknowledged_us.lock().saturating_record((acknowledged - due).as_micros() as u64);
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let quantile = |histogram: &Histogram<u64>, q: f64| histogram.value_at_quantile(q) as f64 / 1_000.0;
    let (visible, acknowledged) = (visible_us.lock().clone(), acknowledged_us.lock().clone());
    engine.stop().await;
    Ok(Report::new("freshness", args.backend.name(), "p99 ≤ 10 ms at 5,000 events/s")
        .figure("p50_ms", quantile(&visible, 0.5))
        .figure("p99_ms", quantile(&visible, 0.99))
        .figure("max_ms", visible.max() as f64 / 1_000.0)
        .figure("acknowledged_p50_ms", quantile(&acknowledged, 0.5))
        .figure("acknowledged_p99_ms", quantile(&acknowledged, 0.99))
        .figure("events", visible.len() as f64)
        .figure("rss_mib", process::rss_mib()))
}
