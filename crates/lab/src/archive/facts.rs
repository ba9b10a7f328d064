//! The archiver of facts: takes what the stream holds into tables, and makes of archived events what it lacks.

use std::collections::HashSet;
use std::path::Path;

use anyhow::bail;
use nearline_facts::{Archived, EventArchive, FactArchive, FactTable, Location, Standing, Taken};
use nearline_model::facts::{CaptureSettings, Decision};
use nearline_model::{Fact, FactEntry, FoldSettings, MemberFacts, PartitionId, Position, RecordMark};
use serde::Serialize;

use super::{Source, unique_name};
use crate::backfill::{Part, refold};

/// Entries read from the stream at a time.
const READ: usize = 64;
/// Times that a table is begun anew because another archiver came further.
const ATTEMPTS: usize = 20;

/// Where facts go, and how they are made where the stream lacks them.
#[derive(Debug, Clone)]
pub struct FactJob {
    /// The archive of events, which must be as new as the facts.
    pub events: Location,
    /// Where the tables are.
    pub to: Location,
    /// Number of the last entry of the stream to take: that as of before the events were archived, so that they reach as far as
    /// these facts do, and a running engine's stream has an end.
    pub up_to: u64,
    /// Facts of a file at most, about; so many are in memory.
    pub file_facts: usize,
    /// How the engine folds.
    pub fold: FoldSettings,
    /// What facts are made of.
    pub capture: CaptureSettings,
}

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FactReport {
    /// Facts of members that were added.
    pub members: u64,
    /// Of these, those that the stream lacked and that were made of events.
    pub made_again: u64,
    /// Facts of members that were there already: a replay repeats them.
    pub repeated: u64,
    /// Facts that belong to a log that was set back: left out.
    pub foreign: u64,
    /// Decisions that were added.
    pub decisions: u64,
    /// Tables for which the stream was read from its beginning, since it was set back.
    pub set_back: u64,
    /// Entries that had left the stream before they were read.
    pub gone: u64,
    /// Bytes of payloads, and of the files.
    pub payload_bytes: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// Times that another archiver came further.
    pub overtaken: u64,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl FactReport {
    /// The report as text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} facts of members ({} made again of events, {} were there already), {} decisions in {} files: {} bytes, their \
             payloads are {}\n",
            self.members,
            self.made_again,
            self.repeated,
            self.decisions,
            self.files,
            self.bytes,
            self.payload_bytes
        );
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text
    }
}

/// Takes what the stream holds now and the tables do not.
///
/// # Errors
/// A stream or a folder that cannot be read or written.
pub async fn archive_facts(source: &Source, job: &FactJob) -> anyhow::Result<FactReport> {
    let mut report = FactReport::default();
    let stream = source.facts.identity().await?;
    if stream.is_empty() {
        report.notes.push(
            "no fact was ever captured (facts.capture); `nearline-lab backfill` makes those of members of the events".into(),
        );
        return Ok(report);
    }
    for which in [FactTable::Members, FactTable::Decisions] {
        if which == FactTable::Members {
            same_log(source, &open(source, job, which)?).await?;
        }
        let mut attempts = 0;
        while !one_table(source, job, which, &stream, &mut report).await? {
            attempts += 1;
            report.overtaken += 1;
            if attempts == ATTEMPTS {
                report.notes.push(format!("{}: other archivers were quicker all the time", which.name()));
                break;
            }
        }
    }
    if report.foreign > 0 {
        let note =
            format!("{} facts belong to a log that was set back since, and are left out", report.foreign);
        report.notes.push(note);
    }
    if report.set_back > 0 {
        report.notes.push(
            "the stream of facts does not hold what was taken of it last: it was set back, from a backup or without its last \
             second. It was read from its beginning, without what the tables have already; decisions that it lost before they \
             were archived are lost"
                .into(),
        );
    }
    if report.gone > 0 {
        let note = format!(
            "{} entries had left the stream before they were read: decisions among them are lost; archive more often, or raise \
             facts.stream_bytes",
            report.gone
        );
        report.notes.push(note);
    }
    Ok(report)
}

/// False: another archiver has come further.
async fn one_table(
    source: &Source,
    job: &FactJob,
    which: FactTable,
    stream: &str,
    report: &mut FactReport,
) -> anyhow::Result<bool> {
    let archive = open(source, job, which)?;
    let mut gathered = Gathered::of(archive, stream, source.clock.now_ms());
    let set_back = is_set_back(source, &gathered.archive, stream).await?;
    // Of a stream that was set back, nobody knows from where on it gives other entries: all are looked at once more.
    let mut known = HashSet::new();
    if set_back {
        gathered.begin_anew();
        if which == FactTable::Decisions {
            known = gathered.archive.decision_ids()?;
        }
        report.set_back += 1;
    }
    loop {
        let mut entries = source.facts.read(gathered.taken, READ).await?;
        entries.retain(|streamed| streamed.sequence <= job.up_to);
        if entries.is_empty() {
            return gathered.flush(report);
        }
        for streamed in entries {
            let mark = streamed.entry.mark();
            // What is before the first entry of a stream that is looked at once more was taken, or is counted already.
            if which == FactTable::Decisions && !(set_back && gathered.mark.is_none()) {
                report.gone += streamed.sequence - gathered.taken - 1;
            }
            match streamed.entry {
                FactEntry::Members(members) if which == FactTable::Members => {
                    if !take_members(source, job, &mut gathered, members, report).await? {
                        return Ok(false);
                    }
                }
                FactEntry::Decisions(mut decisions) if which == FactTable::Decisions => {
                    if !known.is_empty() {
                        decisions.retain(|fact| is_new(fact, &known));
                    }
                    gathered.facts.extend(decisions);
                }
                FactEntry::Members(_) | FactEntry::Decisions(_) => {}
            }
            (gathered.taken, gathered.mark) = (streamed.sequence, Some(mark));
            if gathered.facts.len() >= job.file_facts && !gathered.flush(report)? {
                return Ok(false);
            }
        }
    }
}

fn open(source: &Source, job: &FactJob, which: FactTable) -> anyhow::Result<FactArchive> {
    let (now_ms, partitions) = (source.clock.now_ms(), source.log.partitions());
    let (root, log) = (job.to.below(which.name()), source.log.identity());
    Ok(FactArchive::open(root, which, log, partitions, &unique_name(), now_ms)?)
}

/// Whether the log still holds what facts of members were made of.
async fn same_log(source: &Source, archive: &FactArchive) -> anyhow::Result<()> {
    for partition in (0..source.log.partitions()).map(PartitionId) {
        if let Some(marked) = archive.marked(partition)
            && let Some(record) = source.log.record(partition, marked).await?
            && !archive.may_be_of(partition, &record)
        {
            bail!(of_another_log(archive.table().root(), partition, marked));
        }
    }
    Ok(())
}

/// What is said of facts that were made of a log that was set back since.
pub(crate) fn of_another_log(table: &Path, partition: PartitionId, position: Position) -> String {
    format!(
        "{} holds facts of partition {partition} up to position {position} that were made of another event there: the log was \
         set back and has grown since, and facts of what it was given would pass for archived; archive them into another folder",
        table.display()
    )
}

/// Whether the stream does not hold the entry that was taken last, though it has not gone with time: a stream that was set back
/// gives its number, and those before, to others.
async fn is_set_back(source: &Source, archive: &FactArchive, stream: &str) -> anyhow::Result<bool> {
    let taken = archive.taken(stream);
    let Some(before) = taken.checked_sub(1) else { return Ok(false) };
    // One that holds nothing any more tells nothing.
    if (1..taken).contains(&source.facts.last().await?) {
        return Ok(true);
    }
    let there = source.facts.read(before, 1).await?.into_iter().find(|there| there.sequence == taken);
    Ok(there
        .is_some_and(|there| !archive.may_be(stream, Taken { sequence: taken, mark: there.entry.mark() })))
}

/// Whether a decision is not among those that are `known`. What cannot be read is told by whoever adds it.
fn is_new(fact: &Fact, known: &HashSet<String>) -> bool {
    let decision = Decision::decode(&fact.payload);
    !decision.is_ok_and(|decision| known.contains(&*decision.recommendation_id))
}

/// Takes the facts of a part that are new, and before them those that are missing. False: another archiver has come further.
async fn take_members(
    source: &Source,
    job: &FactJob,
    gathered: &mut Gathered<'_>,
    part: MemberFacts,
    report: &mut FactReport,
) -> anyhow::Result<bool> {
    // What the record at the end is now, if it is still there.
    if let Some(mark) = part.mark
        && source.log.record(part.partition, part.position).await?.is_some_and(|record| record.mark() != mark)
    {
        report.foreign += part.facts.len() as u64;
        return Ok(true);
    }
    let covered = gathered.covered(&part);
    if part.after > covered && !make_again(job, gathered, &part, covered, report)? {
        return Ok(false);
    }
    let covered = gathered.covered(&part);
    let count = part.facts.len();
    let new: Vec<Fact> = part.facts.into_iter().filter(|fact| fact.position > covered).collect();
    report.repeated += (count - new.len()) as u64;
    gathered.facts.extend(new);
    if part.position > covered {
        gathered.then.covered.insert(part.partition, part.position);
        if let Some(mark) = part.mark {
            gathered.then.marks.insert(part.partition, (part.position, mark));
        }
    }
    Ok(true)
}

/// Makes the facts between what is covered and what comes, of archived events.
fn make_again(
    job: &FactJob,
    gathered: &mut Gathered<'_>,
    part: &MemberFacts,
    covered: Position,
    report: &mut FactReport,
) -> anyhow::Result<bool> {
    let events = EventArchive::existing(job.events.clone())?;
    let missing =
        Part { partition: part.partition, after: covered, up_to: part.after, most_facts: job.file_facts };
    // Nobody knows which of them were served: all of them.
    let capture = CaptureSettings { every_change: true, ..job.capture };
    let mut goes_on = true;
    let made = refold(&events, &missing, &job.fold, capture, &|_| {}, |made| {
        report.made_again += made.facts.len() as u64;
        gathered.facts.extend(made.facts);
        gathered.then.covered.insert(made.partition, made.position);
        if gathered.facts.len() >= job.file_facts {
            goes_on = gathered.flush(report)?;
        }
        Ok(goes_on)
    });
    if let Err(error) = made {
        report.notes.push(format!(
            "partition {}: facts between positions {covered} and {} are missing and cannot be made again: {error:#}",
            part.partition, part.after
        ));
    }
    Ok(goes_on)
}

/// Facts on their way to a table.
struct Gathered<'a> {
    archive: FactArchive,
    stream: &'a str,
    /// Number of the last entry that was read.
    taken: u64,
    /// Its fingerprint, if it was read now.
    mark: Option<RecordMark>,
    /// Whether the stream is looked at from its beginning, though some of it was taken.
    is_anew: bool,
    facts: Vec<Fact>,
    then: Standing,
    now_ms: i64,
}

impl<'a> Gathered<'a> {
    /// Nothing yet, of a stream behind what the table has taken.
    fn of(archive: FactArchive, stream: &'a str, now_ms: i64) -> Self {
        let taken = archive.taken(stream);
        let (facts, then) = (Vec::new(), Standing::default());
        Self { archive, stream, taken, mark: None, is_anew: false, facts, then, now_ms }
    }

    fn begin_anew(&mut self) {
        (self.taken, self.is_anew) = (0, true);
    }

    fn covered(&self, part: &MemberFacts) -> Position {
        let gathered = self.then.covered.get(&part.partition).copied();
        gathered.unwrap_or_else(|| self.archive.covered(part.partition))
    }

    /// Adds what is gathered. False: another archiver has come further.
    fn flush(&mut self, report: &mut FactReport) -> anyhow::Result<bool> {
        if self.facts.is_empty() && !self.is_anew && self.taken == self.archive.taken(self.stream) {
            return Ok(true);
        }
        let taken = self.mark.map(|mark| Taken { sequence: self.taken, mark });
        self.then.stream = taken.map(|taken| (self.stream.to_owned(), taken));
        let added = self.archive.add(&self.facts, &self.then, &unique_name(), self.now_ms)?;
        let Archived::Added { bytes } = added else { return Ok(false) };
        let count = self.facts.len() as u64;
        match self.facts.first().map(|fact| fact.kind) {
            Some(nearline_model::facts::FactKind::Member) => report.members += count,
            _ => report.decisions += count,
        }
        report.payload_bytes += self.facts.iter().map(|fact| fact.payload.len() as u64).sum::<u64>();
        report.bytes += bytes;
        report.files += u64::from(count > 0);
        self.facts.clear();
        self.then = Standing::default();
        Ok(true)
    }
}
