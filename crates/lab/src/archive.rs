//! The archiver: copies a log's events into an archive, partition by partition, from where the last run ended.

mod facts;
mod running;
mod source;

use std::time::Instant;

use anyhow::{Context, bail};
use nearline_facts::{Archived, ArchivedLog, EventArchive, Location};
use nearline_model::identifier::position_of;
use nearline_model::{LogRecord, PartitionId, Position};
use rand::Rng;
use serde::Serialize;

pub(crate) use facts::of_another_log;
pub use facts::{FactJob, FactReport, archive_facts};
pub use source::Source;

/// Events read from the log at a time.
const READ: usize = 4_096;

/// What is archived, and how.
#[derive(Debug, Clone)]
pub struct ArchiveJob {
    /// Where the archive is.
    pub to: Location,
    /// Partitions that this run takes; all if there are none.
    pub partitions: Vec<u16>,
    /// Events of a file at most; so many are in memory.
    pub file_events: usize,
}

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ArchiveReport {
    /// Events that were added.
    pub events: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// Files that another archiver made superfluous.
    pub overtaken: u64,
    /// The archive's version afterwards.
    pub version: u64,
    /// Seconds from start to end.
    pub wall_s: f64,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl ArchiveReport {
    /// The report as text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} events in {} files: {} bytes, their payloads are {}; version {}; {:.2} s\n",
            self.events, self.files, self.bytes, self.payload_bytes, self.version, self.wall_s
        );
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text
    }
}

/// Archives what the log holds now and the archive does not.
///
/// # Errors
/// A log or a folder that cannot be read or written; a log that is not the one that was archived before.
pub async fn archive(source: &Source, job: &ArchiveJob) -> anyhow::Result<ArchiveReport> {
    let started = Instant::now();
    let count = source.log.partitions();
    let log = ArchivedLog { identity: source.log.identity(), partitions: count, blocks: source.log.blocks() };
    let mut archive = EventArchive::open(job.to.clone(), log, &unique_name(), now_ms(source))?;
    let partitions = chosen(&job.partitions, "the log", count)?;
    let mut report = ArchiveReport::default();
    for partition in partitions.into_iter().map(PartitionId) {
        let done = partition_events(source, job, &mut archive, partition, &mut report).await;
        done.with_context(|| format!("partition {partition} cannot be archived"))?;
    }
    report.version = archive.table().version();
    report.wall_s = started.elapsed().as_secs_f64();
    Ok(report)
}

/// The partitions that were named, or all `count` of `what` where none was.
pub(crate) fn chosen(named: &[u16], what: &str, count: u16) -> anyhow::Result<Vec<u16>> {
    if let Some(unknown) = named.iter().find(|partition| **partition >= count) {
        bail!("there is no partition {unknown}: {what} has {count}, from 0 on");
    }
    Ok(if named.is_empty() { (0..count).collect() } else { named.to_vec() })
}

async fn partition_events(
    source: &Source,
    job: &ArchiveJob,
    archive: &mut EventArchive,
    partition: PartitionId,
    report: &mut ArchiveReport,
) -> anyhow::Result<()> {
    let bounds = source.log.bounds(partition).await?;
    let mut last = archive.last(partition);
    if bounds.last < last {
        bail!(
            "the log ends at position {}, and the archive holds events up to {last}: the log was set back; restore it, \
             or archive the log that is there into another folder",
            bounds.last
        );
    }
    let at_end = if last.is_start() { None } else { source.log.record(partition, last).await? };
    if at_end.is_some_and(|record| !archive.may_be(partition, &record)) {
        bail!(
            "the log's event at position {last} is not the one that was archived last: the log was set back and has grown since, \
             and events between are not in the archive; archive the log that is there into another folder"
        );
    }
    if last.is_start() && bounds.first > position_of(1, partition, source.log.partitions()) {
        report.notes.push(format!(
            "partition {partition}: the log begins at position {}; what was before is gone",
            bounds.first
        ));
    }
    // A reader from the beginning waits for what does not come.
    while last < bounds.last && !(last.is_start() && bounds.is_emptied()) {
        let records = read(source, partition, last, bounds.last, job.file_events).await?;
        let Some(end) = records.last().map(|record| record.position) else { break };
        let added = archive.add(partition, &records, &unique_name(), now_ms(source))?;
        last = match added {
            Archived::Added { bytes } => {
                report.events += records.len() as u64;
                report.payload_bytes += records.iter().map(|record| record.payload.len() as u64).sum::<u64>();
                report.bytes += bytes;
                report.files += 1;
                end
            }
            Archived::Overtaken { last } => {
                report.overtaken += 1;
                last
            }
        };
    }
    Ok(())
}

/// The events after one position up to another, so many at most.
async fn read(
    source: &Source,
    partition: PartitionId,
    after: Position,
    up_to: Position,
    most: usize,
) -> anyhow::Result<Vec<LogRecord>> {
    let mut reader = source.log.open_reader(partition, after).await?;
    let mut records: Vec<LogRecord> = Vec::new();
    while records.len() < most && records.last().is_none_or(|record| record.position < up_to) {
        let batch = reader.next_batch(READ.min(most - records.len())).await?;
        records.extend(batch);
    }
    Ok(records)
}

fn now_ms(source: &Source) -> i64 {
    source.clock.now_ms()
}

/// A name that is nobody else's, as of a random UUID.
pub fn unique_name() -> String {
    let bits: u128 = rand::rng().random();
    let text = format!("{:032x}", (bits & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62));
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
