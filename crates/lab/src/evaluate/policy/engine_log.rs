//! Decisions from the engine's own log, read as verification reads it: beside a running engine on the
//! cluster backend, or in its place on the embedded one.

use super::artworks::ArtworkLog;
use anyhow::Context;
use nearline_model::{FoldSettings, PartitionId, Title};
use nearline_ports::Ports;

/// Records read at a time.
const BATCH_RECORDS: usize = 4_096;

/// Reads everything that is in the log now. What the fold refuses is counted and left out.
///
/// # Errors
/// The log's.
pub async fn read(ports: &Ports, settings: &FoldSettings) -> anyhow::Result<ArtworkLog> {
    let mut log = ArtworkLog::new(settings);
    for partition in (0..ports.log.partitions()).map(PartitionId) {
        let context = || format!("reading the log of partition {partition}");
        let bounds = ports.log.bounds(partition).await.with_context(context)?;
        if bounds.last.is_start() {
            continue;
        }
        let after = bounds.first.before();
        let mut reader = ports.log.open_reader(partition, after).await.with_context(context)?;
        let mut position = after;
        while position < bounds.last {
            for record in reader.next_batch(BATCH_RECORDS).await.with_context(context)? {
                position = record.position;
                if log.add(&record.payload, record.log_ms).is_err() {
                    log.skipped.refused += 1;
                }
            }
        }
    }
    Ok(log)
}

/// All titles of the catalogue.
///
/// # Errors
/// The catalogue's.
pub async fn titles(ports: &Ports) -> anyhow::Result<Vec<Title>> {
    let mut batches = ports.catalogue.watch().await.context("reading the catalogue")?;
    let entries = batches.recv().await.unwrap_or_default();
    Ok(entries.into_iter().map(|entry| entry.title).collect())
}
