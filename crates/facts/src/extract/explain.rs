//! How a join would be done, and what it would read.

use serde::Serialize;

use super::Extraction;
use super::plan::Plan;
use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::Result;
use crate::labels::Labels;
use crate::layout::Layout;
use crate::source::Source;

/// How a join would be done.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// `sweep`: all facts that can answer are read once for each part of the labels. `index`: those of the labels' members.
    pub plan: &'static str,
    /// Runs of one member's rows in the index; none if the facts have no index that belongs to them.
    pub index_runs: Option<u64>,
    /// Rows that would be decoded by the index for the first part of the labels, about.
    pub rows_by_index: Option<u64>,
    /// Labels.
    pub labels: u64,
    /// Facts.
    pub facts: u64,
    /// Row groups of the facts.
    pub row_groups: usize,
    /// How often the facts are swept.
    pub sweeps: usize,
    /// Bytes that the labels of one sweep and their answers take up, about.
    pub memory_bytes: u64,
    /// The different ways in which features see the facts: one for each delay.
    pub views: usize,
    /// Compressed bytes of the columns that find the answers.
    pub answer_bytes: u64,
    /// Compressed bytes of the columns that are features; of these only rows that answer are kept.
    pub feature_bytes: u64,
    /// The features, in their order.
    pub features: Vec<String>,
}

impl Explanation {
    pub(super) fn new(job: &Extraction, facts: &Source, labels: &Source, layout: &Layout) -> Self {
        let sources: Vec<&str> = (0..layout.views.len()).flat_map(|view| layout.sources(view)).collect();
        let sweeps = job.sweeps(labels.rows(), layout);
        let largest = sweeps.iter().map(|rows| rows.end - rows.start).max().unwrap_or_default();
        Self {
            plan: "sweep",
            index_runs: None,
            rows_by_index: None,
            labels: labels.rows(),
            facts: facts.rows(),
            row_groups: facts.groups.len(),
            sweeps: sweeps.len(),
            memory_bytes: largest * Extraction::bytes_per_label(layout) as u64,
            views: layout.views.len(),
            answer_bytes: facts.compressed_bytes(&[MEMBER, EVENT_AT, KNOWN_AT, POSITION]),
            feature_bytes: facts.compressed_bytes(&sources),
            features: layout.columns.iter().map(|column| column.name.clone()).collect(),
        }
    }

    /// The explanation as text.
    pub fn text(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let why = match (self.index_runs, self.rows_by_index) {
            (Some(runs), Some(rows)) => {
                format!(
                    "there is an index of {runs} runs; by it about {rows} rows would be decoded, of {}",
                    self.facts
                )
            }
            _ => "there is no index of these files (nearline-lab compact makes one)".to_owned(),
        };
        format!(
            "plan: {}; {why}\n\
             1. {} labels by member and time, {} at a time: {:.0} MiB\n\
             2. sweep {} facts of {} row groups, {} time(s), in any order: {MEMBER}, {EVENT_AT}, {KNOWN_AT}, {POSITION}, {:.0} MiB compressed; \
             row groups that became known after the last label are passed over\n\
             3. read the features of the facts that answer, {:.0} MiB compressed: {}\n\
             4. write one row for each label, in the labels' order\n",
            self.plan,
            self.labels,
            self.labels.div_ceil(self.sweeps.max(1) as u64),
            mib(self.memory_bytes),
            self.facts,
            self.row_groups,
            self.sweeps,
            mib(self.answer_bytes),
            mib(self.feature_bytes),
            self.features.join(", ")
        )
    }
}

impl Extraction {
    /// How the join would be done.
    ///
    /// # Errors
    /// As [`Extraction::run`], as far as footers tell.
    pub fn explain(&self) -> Result<Explanation> {
        let (facts, labels, layout, unit) = self.open()?;
        let mut explanation = Explanation::new(self, &facts, &labels, &layout);
        // Which members the labels name decides whether the index pays; only then are labels read.
        if let Some(index) = self.index(&facts)? {
            let first = self.sweeps(labels.rows(), &layout).swap_remove(0);
            let plan = Plan::choose(&facts, Some(&index), &Labels::read(&labels, first, unit)?)?;
            explanation.plan = plan.name();
            explanation.rows_by_index = plan.rows_by_index;
            explanation.index_runs = Some(index.runs());
        }
        Ok(explanation)
    }
}
