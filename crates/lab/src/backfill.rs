//! Facts of members, made of archived events by the code that serves: for what was never captured, or was lost on the way.
//!
//! Partitions are done side by side. Each file is committed with how far its partition has come, so that a run that was
//! broken off is gone on with; what is folded again until there makes no facts.

mod refolded;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use anyhow::{Context, bail};
use nearline_facts::{Archived, EventArchive, FactArchive, FactTable, Location, Standing};
use nearline_model::facts::CaptureSettings;
use nearline_model::identifier::sequence_of;
use nearline_model::{FoldSettings, PartitionId};
use serde::Serialize;

use crate::archive::{chosen, of_another_log, unique_name};
pub use refolded::{Part, refold};

/// What is made, and of what.
#[derive(Debug, Clone)]
pub struct BackfillJob {
    /// The archive of events.
    pub archive: Location,
    /// Where the facts' tables are.
    pub to: Location,
    /// Partitions that this run takes; all if there are none.
    pub partitions: Vec<u16>,
    /// Facts of a file at most, about; so many are in memory for each thread.
    pub file_facts: usize,
    /// Partitions that are done side by side.
    pub threads: usize,
    /// How the engine folds.
    pub fold: FoldSettings,
    /// What facts are made of.
    pub capture: CaptureSettings,
}

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BackfillReport {
    /// Facts that were added.
    pub facts: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Files.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Events that were folded.
    pub events: u64,
    /// Partitions in which another run has come further.
    pub overtaken: u64,
    /// Seconds from start to end.
    pub wall_s: f64,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl BackfillReport {
    /// The report as text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} facts of {} events in {} files: {} bytes, their payloads are {}; {:.2} s\n",
            self.facts, self.events, self.files, self.bytes, self.payload_bytes, self.wall_s
        );
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text
    }

    fn add(&mut self, other: Self) {
        self.facts += other.facts;
        self.payload_bytes += other.payload_bytes;
        self.files += other.files;
        self.bytes += other.bytes;
        self.events += other.events;
        self.overtaken += other.overtaken;
        self.notes.extend(other.notes);
    }
}

/// Makes the facts that the tables lack, of what the archive holds. `progress` hears of events that were folded.
///
/// # Errors
/// A folder that is no archive, events that cannot be folded, a folder that cannot be written.
pub fn backfill(
    job: &BackfillJob,
    now_ms: i64,
    progress: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<BackfillReport> {
    let started = Instant::now();
    let events = EventArchive::existing(job.archive.clone())?;
    let count = events.partitions();
    let partitions = chosen(&job.partitions, "the archive", count)?;
    // The table is made before the threads race for it.
    open(job, &events, now_ms)?;
    let left = Mutex::new(partitions.into_iter());
    let (total, failed) = (Mutex::new(BackfillReport::default()), AtomicBool::new(false));
    let work = || -> anyhow::Result<()> {
        loop {
            let next = left.lock().expect("no thread panics while it holds the list").next();
            let Some(partition) = next.filter(|_| !failed.load(Relaxed)).map(PartitionId) else {
                return Ok(());
            };
            let done = one_partition(job, &events, partition, now_ms, progress);
            let done = done.with_context(|| format!("partition {partition} cannot be backfilled"));
            let report = done.inspect_err(|_| failed.store(true, Relaxed))?;
            total.lock().expect("no thread panics while it holds the report").add(report);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..job.threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a panic ends the program"))
    })?;
    let mut report = total.into_inner().expect("no thread is left");
    report.notes.sort();
    report.wall_s = started.elapsed().as_secs_f64();
    Ok(report)
}

fn open(job: &BackfillJob, events: &EventArchive, now_ms: i64) -> anyhow::Result<FactArchive> {
    let (root, id) = (job.to.below(FactTable::Members.name()), unique_name());
    let opened = FactArchive::open(root, FactTable::Members, events.log(), events.partitions(), &id, now_ms);
    Ok(opened?)
}

fn one_partition(
    job: &BackfillJob,
    events: &EventArchive,
    partition: PartitionId,
    now_ms: i64,
    progress: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<BackfillReport> {
    let mut facts = open(job, events, now_ms)?;
    let mut report = BackfillReport::default();
    if let Some(marked) = facts.marked(partition)
        && let Some(record) = events.record(partition, marked)?
        && !facts.may_be_of(partition, &record)
    {
        bail!(of_another_log(facts.table().root(), partition, marked));
    }
    let (after, last) = (facts.covered(partition), events.last(partition));
    if last <= after {
        progress(sequence_of(last, partition, events.partitions()).unwrap_or_default());
        return Ok(report);
    }
    let part = Part { partition, after, up_to: last, most_facts: job.file_facts };
    refold(events, &part, &job.fold, job.capture, progress, |made| {
        let count = made.facts.len() as u64;
        let then = Standing {
            covered: [(partition, made.position)].into(),
            marks: made.mark.map(|mark| (partition, (made.position, mark))).into_iter().collect(),
            ..Standing::default()
        };
        match facts.add(&made.facts, &then, &unique_name(), now_ms)? {
            Archived::Added { bytes } => {
                report.facts += count;
                report.payload_bytes += made.facts.iter().map(|fact| fact.payload.len() as u64).sum::<u64>();
                report.bytes += bytes;
                report.files += u64::from(count > 0);
                Ok(true)
            }
            Archived::Overtaken { .. } => {
                report.overtaken += 1;
                report.notes.push(format!("partition {partition}: another run has come further; run again"));
                Ok(false)
            }
        }
    })?;
    report.events = sequence_of(last, partition, events.partitions()).unwrap_or_default();
    Ok(report)
}
