//! The audit of facts: are they as many as ever, is nothing left out, and is what was served what is kept?
//!
//! - *Rows and nulls* of each table, by day, against the days before.
//! - *Coverage*: up to where facts of members leave nothing out, against the events that are archived.
//! - *Consistency*: a sample of members by hash. The digest of what each of their answers was made from must be that of the fact that
//!   the answer is joined with; with a refold, their facts must be those of the events, byte for byte.

mod consistency;
mod page;
mod profile;

use std::path::PathBuf;
use std::time::Instant;

use nearline_facts::{EventArchive, FactArchive, FactTable};
use nearline_model::facts::CaptureSettings;
use nearline_model::identifier::sequence_of;
use nearline_model::{FoldSettings, PartitionId};
use serde::Serialize;

pub use consistency::{Refolded, Served};
pub use page::page;
pub use profile::{Column, Day, Table};

/// What is audited.
#[derive(Debug, Clone)]
pub struct AuditJob {
    /// The archive of events.
    pub archive: PathBuf,
    /// The folder of the facts.
    pub facts: PathBuf,
    /// Share of the members that are looked at closely.
    pub sample: f64,
    /// Whether the events are folded again.
    pub refold: bool,
    /// How the engine folds.
    pub fold: FoldSettings,
    /// What facts are made of.
    pub capture: CaptureSettings,
}

/// How far facts of members go in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The partition.
    pub partition: u16,
    /// Events that are archived, from the log's first on.
    pub events: u64,
    /// Of these, those up to which no fact is left out.
    pub covered: u64,
}

/// What an audit came to.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// The tables.
    pub tables: Vec<Table>,
    /// The partitions.
    pub coverage: Vec<Coverage>,
    /// Share of the members that were looked at closely.
    pub sample: f64,
    /// Their answers.
    pub served: Served,
    /// Their facts, if the events were folded again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refolded: Option<Refolded>,
    /// What is not as it should be; empty: all is well.
    pub findings: Vec<String>,
    /// Seconds from start to end.
    pub wall_s: f64,
}

/// Audits.
///
/// # Errors
/// Folders that hold something else, files that cannot be read, events that cannot be folded.
pub fn audit(job: &AuditJob) -> anyhow::Result<AuditReport> {
    let started = Instant::now();
    let events = EventArchive::existing(&job.archive)?;
    let mut findings = Vec::new();
    let mut tables = vec![profile::profile("events", events.table())?];
    let members = FactArchive::existing(&job.facts.join(FactTable::Members.name()), FactTable::Members)?;
    let decisions =
        FactArchive::existing(&job.facts.join(FactTable::Decisions.name()), FactTable::Decisions)?;
    for (which, archive) in [(FactTable::Members, &members), (FactTable::Decisions, &decisions)] {
        match archive {
            Some(archive) => tables.push(profile::profile(which.name(), archive.table())?),
            None => findings.push(format!("there is no table {} in {}", which.name(), job.facts.display())),
        }
    }
    tables.iter().for_each(|table| findings.extend(table.findings()));
    let coverage = members.as_ref().map(|members| coverage(&events, members)).unwrap_or_default();
    findings.extend(coverage.iter().filter_map(Coverage::finding));
    let (mut served, mut refolded) = (Served::default(), None);
    if let Some(members) = &members {
        let sampled = consistency::sampled(members, job.sample)?;
        if let Some(decisions) = &decisions {
            served = consistency::served(decisions, &sampled, job.sample)?;
            findings.extend(served.finding());
        }
        if job.refold {
            let again = consistency::refolded(job, &events, members, &sampled)?;
            findings.extend(again.finding());
            refolded = Some(again);
        }
    }
    let wall_s = started.elapsed().as_secs_f64();
    Ok(AuditReport { tables, coverage, sample: job.sample, served, refolded, findings, wall_s })
}

fn coverage(events: &EventArchive, members: &FactArchive) -> Vec<Coverage> {
    let count = events.partitions();
    let sequence = |position, partition| sequence_of(position, partition, count).unwrap_or_default();
    let of = |partition: PartitionId| Coverage {
        partition: partition.0,
        events: sequence(events.last(partition), partition),
        covered: sequence(members.covered(partition), partition),
    };
    (0..count).map(PartitionId).map(of).collect()
}

impl Coverage {
    fn finding(&self) -> Option<String> {
        let left_out = self.events.saturating_sub(self.covered);
        (left_out > 0).then(|| {
            format!(
                "partition {}: facts go up to event {} of {}; `nearline-lab archive --facts`, or `backfill`, makes the other \
                 {left_out}",
                self.partition, self.covered, self.events
            )
        })
    }
}

impl AuditReport {
    /// The report as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            text.push_str(&table.text());
        }
        let (events, covered) = self.coverage.iter().fold((0, 0), |(events, covered), partition| {
            (events + partition.events, covered + partition.covered.min(partition.events))
        });
        text.push_str(&format!(
            "coverage: facts of members leave nothing out of {covered} of {events} events\n"
        ));
        text.push_str(&format!(
            "answers to {} % of the members: {}\n",
            self.sample * 100.0,
            self.served.text()
        ));
        if let Some(refolded) = &self.refolded {
            text.push_str(&format!("facts of those members, folded again: {}\n", refolded.text()));
        }
        for finding in &self.findings {
            text.push_str(&format!("finding: {finding}\n"));
        }
        text.push_str(if self.findings.is_empty() { "all is well\n" } else { "" });
        text
    }
}
