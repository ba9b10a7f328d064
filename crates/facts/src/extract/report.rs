//! What came of a join.

use std::time::Instant;

use serde::Serialize;

use super::Extraction;
use crate::labels::Labels;
use crate::layout::Layout;
use crate::rules::Order;
use crate::source::{Snapshot, Source};
use crate::sweep::Met;

/// How many labels were answered how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Labels with a fact that is not too old and has a value.
    pub ok: u64,
    /// Labels before which nothing was known.
    pub none: u64,
    /// Labels whose fact is older than the limit.
    pub expired: u64,
    /// Labels whose fact holds nulls alone.
    pub null: u64,
}

/// What the result is made from; the same lineage gives the same bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Lineage {
    /// The program and its version.
    pub program: String,
    /// The rules as TOML, with the features that they came to.
    pub rules: String,
    /// The facts.
    pub facts: Snapshot,
    /// The labels.
    pub labels: Snapshot,
}

/// What came of a join.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Rows of the result: as many as there are labels.
    pub rows: u64,
    /// How they were answered.
    #[serde(flatten)]
    pub counts: Counts,
    /// How it was done: `sweep` (all facts), `index` (the facts of the labels' members), `mixed`.
    pub plan: &'static str,
    /// Seconds from start to end.
    pub wall_s: f64,
    /// Which fact is the one.
    pub order: Order,
    /// How often the facts were swept: once, unless the labels are too many for the memory.
    pub sweeps: u64,
    /// Facts that were read, in all sweeps.
    pub facts_read: u64,
    /// Those of members that labels name.
    pub facts_of_members: u64,
    /// Facts whose `event_at` is later than their `known_at`; a label sees them from `event_at` on.
    pub facts_ahead: u64,
    /// Facts that name no member.
    pub facts_without_member: u64,
    /// Row groups that were read, of all.
    pub row_groups_read: usize,
    /// Row groups of the facts.
    pub row_groups: usize,
    /// Labels without a member: answered by none.
    pub labels_without_member: u64,
    /// Labels without a time and without a position: answered by none.
    pub labels_without_time: u64,
    /// Bytes of the result.
    pub output_bytes: u64,
    /// XXH3-128, in hexadecimal, of snapshots and rules.
    pub digest: String,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What the result is made from.
    pub lineage: Lineage,
}

impl Report {
    pub(super) fn new(job: &Extraction, facts: &Source, labels: &Source, layout: &Layout) -> Self {
        let lineage = Lineage {
            program: concat!("nearline-facts ", env!("CARGO_PKG_VERSION")).to_owned(),
            rules: job.rules.to_toml(),
            facts: facts.snapshot(),
            labels: labels.snapshot(),
        };
        let lacking = layout.columns.iter().filter(|column| column.lacking > 0).map(|column| {
            format!(
                "`{}` is not in {} of {} files of facts and null there: it was added later",
                column.source,
                column.lacking,
                facts.files.len()
            )
        });
        Self {
            rows: labels.rows(),
            counts: Counts::default(),
            plan: "sweep",
            wall_s: 0.0,
            order: job.rules.order,
            sweeps: 0,
            facts_read: 0,
            facts_of_members: 0,
            facts_ahead: 0,
            facts_without_member: 0,
            row_groups_read: 0,
            row_groups: facts.groups.len(),
            labels_without_member: 0,
            labels_without_time: 0,
            output_bytes: 0,
            digest: lineage.digest(),
            notes: lacking.collect(),
            lineage,
        }
    }

    pub(super) fn add(&mut self, labels: &Labels, met: &Met, row_groups: usize, plan: &'static str) {
        self.plan = if self.sweeps == 0 || self.plan == plan { plan } else { "mixed" };
        self.sweeps += 1;
        self.facts_read += met.facts;
        self.facts_of_members += met.of_members;
        self.facts_ahead = self.facts_ahead.max(met.ahead);
        self.facts_without_member = self.facts_without_member.max(met.without_member);
        self.row_groups_read = self.row_groups_read.max(row_groups);
        self.labels_without_member += labels.without_member;
        self.labels_without_time += labels.without_time;
    }

    pub(super) fn finish(&mut self, started: Instant) {
        let counted = [
            (
                self.facts_ahead,
                "facts have an event_at later than their known_at: labels see them from event_at on",
            ),
            (self.facts_without_member, "facts name no member and answer no label"),
            (self.labels_without_member, "labels name no member: status none"),
            (self.labels_without_time, "labels have no event_at: status none"),
        ];
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        self.notes.extend(counted.map(|(count, what)| format!("{count} {what}")));
        self.wall_s = started.elapsed().as_secs_f64();
    }

    /// The report as text.
    pub fn text(&self) -> String {
        let Counts { ok, none, expired, null } = self.counts;
        let mut text =
            format!("{} labels: {ok} ok, {none} none, {expired} expired, {null} null\n", self.rows);
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text.push_str(&format!(
            "{} facts of {} row groups of {} read; {:.2} s\n",
            self.facts_read, self.row_groups_read, self.row_groups, self.wall_s
        ));
        text
    }
}

impl Lineage {
    /// XXH3-128 of what the result is made from.
    fn digest(&self) -> String {
        let text = serde_json::to_string(self).expect("a lineage is text and numbers");
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
    }
}
