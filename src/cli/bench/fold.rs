//! `bench fold`: one core, in memory, from bytes to state and delta.

use super::process::{cpu_time, rss_mib};
use super::report::Report;
use super::workload;
use clap::Args;
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::partition::Batch;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord, Partition, PartitionId};
use std::time::Instant;

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct FoldArgs {
    /// Events folded.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Members they come from.
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// Titles they are about.
    #[arg(long, default_value_t = 10_000)]
    titles: usize,
}

pub fn run(args: &FoldArgs) -> anyhow::Result<Report> {
    let records: Vec<LogRecord> = workload::events(args.events, args.members, args.titles, 1)
        .into_iter()
        .zip(1..)
        .map(|(event, position)| LogRecord {
            position: Position(position),
            log_ms: workload::now_ms(),
            payload: event.payload,
        })
        .collect();
    let bytes: usize = records.iter().map(|record| record.payload.len()).sum();
    let settings = FoldSettings::default();
    let mut partition = Partition::new(PartitionId(0), 1, settings.clone());
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    let (started, cpu) = (Instant::now(), cpu_time());
    let mut learning = std::time::Duration::ZERO;
    for chunk in records.chunks(1_024) {
        let (admitted, missing) = partition.admit(Batch::parse(chunk.to_vec(), settings.event_bytes));
        for slot in missing {
            partition.loaded(slot, None)?;
        }
        let folded = partition.fold(admitted, |_, _| {});
        anyhow::ensure!(
            folded.rejected.is_empty(),
            "the workload must be valid: {:?}",
            folded.rejected[0].reject
        );
        if partition.uncommitted_events() >= 20_000 {
            let taken = Instant::now();
            if let Some(commit) = partition.take_commit(OwnerEpoch(1)) {
                aggregates.add(&commit.delta);
            }
            learning += taken.elapsed();
        }
    }
    let (elapsed, cpu) = (started.elapsed(), cpu_time() - cpu);
    let folding = elapsed - learning;
    Ok(Report::new("fold", "memory", "≥ 1,500,000 events/s on one core")
        .figure("events_per_s", args.events as f64 / folding.as_secs_f64())
        .figure("events_per_cpu_s", args.events as f64 / cpu.as_secs_f64())
        .figure("events_per_s_with_encoding_and_learning", args.events as f64 / elapsed.as_secs_f64())
        .figure("event_bytes", bytes as f64 / args.events as f64)
        .figure("rss_mib", rss_mib()))
}
