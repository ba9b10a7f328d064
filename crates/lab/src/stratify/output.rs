//! What the command says: one JSON object, a page, text.

use nearline_stratify::rules::{Rules, SplitRule};
use nearline_stratify::select::BalancedTotal;
use nearline_stratify::splits::Parts;
use nearline_stratify::{Census, Conflict, Outcome, Plan, report};
use serde::Serialize;

use super::source::Source;
use nearline_facts::usage;

/// What came of a job.
#[derive(Debug, Serialize)]
pub struct Report {
    /// All rows of the input.
    pub rows_in: u64,
    /// The rows of the sample.
    pub rows_out: u64,
    /// How far from the rules.
    pub outcome: Outcome,
    /// The largest miss of a rule's sum, in rows.
    pub largest_deviation: f64,
    /// Rules that cannot hold together.
    pub conflicts: Vec<Conflict>,
    /// Seconds.
    pub wall_s: f64,
    /// CPU seconds of the process.
    pub cpu_s: f64,
    /// The most memory the process had.
    pub peak_mib: f64,
    /// The plan.
    pub plan: Plan,
    /// What a rule about entities did before the count.
    pub entities: Option<Entities>,
    /// Strata off what was planned because of entities, and by how many rows; the plan says what they got.
    pub missing: Vec<(usize, i64)>,
    /// Parts and their rows.
    pub parts: Vec<PartRows>,
    /// Totals that the sample keeps.
    pub balance: Vec<Balance>,
    /// What else was decided.
    pub notes: Vec<String>,
    /// Where the sample comes from.
    pub lineage: Lineage,
    /// The selection as SQL, if it was wanted.
    #[serde(skip)]
    pub sql: Option<String>,
}

/// What a rule about entities did before the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entities {
    /// How many there are.
    pub entities: u64,
    /// How many had too few rows.
    pub too_few: u64,
    /// Rows that may be taken.
    pub rows_left: u64,
    /// Rows that may not.
    pub rows_lost: u64,
}

/// A total that the sample keeps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Balance {
    /// The column.
    pub column: String,
    /// Its total.
    #[serde(flatten)]
    pub total: BalancedTotal,
}

impl Balance {
    /// How far the sample's estimate is off, and how far that of the rows of smallest hashes would have been.
    fn text(&self) -> String {
        let off = |estimate: f64| {
            let share = (estimate - self.total.data) / self.total.data.abs().max(f64::MIN_POSITIVE);
            format!("{:+.4} %", 100.0 * share)
        };
        format!(
            "{}: {} in the data, the sample says {} ({}); by hashes alone it would say {}",
            self.column,
            self.total.data,
            self.total.estimate,
            off(self.total.estimate),
            off(self.total.unbalanced)
        )
    }
}

/// One part's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartRows {
    /// The part's name; `left out: …` for rows that are in none.
    pub part: String,
    /// Its rows.
    pub rows: u64,
    /// Its first time, where parts follow each other.
    pub from: Option<i64>,
}

/// Where a sample comes from.
#[derive(Debug, Clone, Serialize)]
pub struct Lineage {
    /// The program and its version.
    pub program: String,
    /// The seed.
    pub seed: u64,
    /// The rules as TOML.
    pub rules: String,
    /// The files.
    pub inputs: Vec<Input>,
}

/// One input file.
#[derive(Debug, Clone, Serialize)]
pub struct Input {
    /// Its path as given.
    pub path: String,
    /// Its rows.
    pub rows: i64,
    /// Its bytes.
    pub bytes: u64,
}

impl Report {
    pub(super) fn new(rules: &Rules, source: &Source, plan: &Plan, census: &Census) -> Self {
        let inputs =
            source.files().map(|(path, rows, bytes)| Input { path: path.display().to_string(), rows, bytes });
        let left_out: u64 = census
            .rows()
            .iter()
            .zip(&plan.stratum_of)
            .filter(|(_, s)| s.is_none())
            .map(|(rows, _)| rows)
            .sum();
        let notes = (left_out > 0).then(|| format!("{left_out} rows of rare strata were left out"));
        Self {
            rows_in: source.rows(),
            rows_out: 0,
            outcome: plan.outcome,
            largest_deviation: plan.largest_deviation,
            conflicts: plan.conflicts.clone(),
            wall_s: 0.0,
            cpu_s: 0.0,
            peak_mib: 0.0,
            plan: plan.clone(),
            entities: None,
            missing: Vec::new(),
            parts: Vec::new(),
            balance: Vec::new(),
            notes: notes.into_iter().collect(),
            lineage: Lineage {
                program: concat!("nearline-lab ", env!("CARGO_PKG_VERSION")).to_owned(),
                seed: rules.seed,
                rules: rules.to_toml().unwrap_or_default(),
                inputs: inputs.collect(),
            },
            sql: None,
        }
    }

    /// Puts what strata got in the place of what was planned for them: no rule holds that they miss.
    fn tell_what_was_taken(&mut self) {
        self.miss();
        for (stratum, off) in &self.missing {
            if let Some(planned) = self.plan.strata.get_mut(*stratum) {
                planned.take = planned.take.saturating_add_signed(*off);
            }
        }
        self.plan.size = self.plan.strata.iter().map(|stratum| stratum.take).sum();
    }

    /// Tells of strata that the selection left off the plan, before anything is written of it.
    pub(super) fn tell_missing(&mut self, missing: Vec<(usize, i64)>) {
        self.missing = missing;
        if self.missing.is_empty() {
            return;
        }
        let planned = self.plan.size;
        self.tell_what_was_taken();
        let most = self.missing.iter().map(|(_, rows)| rows.unsigned_abs()).max().unwrap_or_default();
        self.largest_deviation = self.largest_deviation.max(most as f64);
        self.notes.push(format!(
            "entities: {} strata are off the plan, by up to {most} rows; {planned} rows were planned",
            self.missing.len()
        ));
    }

    /// Some rule does not hold.
    pub(super) fn miss(&mut self) {
        self.outcome = Outcome::Closest;
        self.plan.outcome = Outcome::Closest;
    }

    pub(super) fn finish(&mut self, started: std::time::Instant) {
        self.wall_s = started.elapsed().as_secs_f64();
        self.cpu_s = usage::cpu_s();
        self.peak_mib = usage::peak_mib();
    }

    /// Names and values for the head of a page.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("rows in", self.rows_in.to_string()),
            ("rows out", self.rows_out.to_string()),
            ("largest deviation", format!("{:.3} rows", self.largest_deviation)),
            ("total variation from the target", format!("{:.6}", self.plan.distances.variation_from_target)),
            ("effective size", format!("{:.1}", self.plan.distances.effective_size)),
            ("seed", self.lineage.seed.to_string()),
            ("program", self.lineage.program.clone()),
        ];
        facts.extend(
            self.lineage
                .inputs
                .iter()
                .map(|input| ("input", format!("{} ({} rows)", input.path, input.rows))),
        );
        facts.extend(self.balance.iter().map(|total| ("total", total.text())));
        facts.extend(self.notes.iter().map(|note| ("note", note.clone())));
        facts
    }

    /// The report as a page.
    pub fn html(&self) -> String {
        report::html(&self.plan, &self.facts())
    }

    /// The report as text.
    pub fn text(&self) -> String {
        let mut text = report::text(&self.plan);
        if let Some(found) = self.entities {
            text.push_str(&format!(
                "entities: {} of which {} have too few rows; {} rows may be taken, {} may not: shares of the data, rates and \
                 distances are of those that may\n",
                found.entities, found.too_few, found.rows_left, found.rows_lost
            ));
        }
        for part in &self.parts {
            text.push_str(&format!("part {}: {} rows\n", part.part, part.rows));
        }
        for total in &self.balance {
            text.push_str(&format!("total of {}\n", total.text()));
        }
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text.push_str(&format!(
            "{} rows in, {} out; {:.2} s, {:.2} CPU s, {:.0} MiB\n",
            self.rows_in, self.rows_out, self.wall_s, self.cpu_s, self.peak_mib
        ));
        text
    }
}

/// The rows of every part, and of what is in none.
pub(super) fn part_rows(rule: &SplitRule, parts: &Parts) -> Vec<PartRows> {
    let mut rows: Vec<PartRows> = rule
        .parts
        .iter()
        .enumerate()
        .map(|(place, part)| PartRows {
            part: part.name.clone(),
            rows: parts.part.iter().filter(|found| **found == Some(place)).count() as u64,
            from: place.checked_sub(1).and_then(|before| parts.cuts.get(before).copied()),
        })
        .collect();
    for (part, rows_left_out) in
        [("left out: embargo", parts.embargoed), ("left out: entity of a later part", parts.straddling)]
    {
        if rows_left_out > 0 {
            rows.push(PartRows { part: part.to_owned(), rows: rows_left_out, from: None });
        }
    }
    rows
}
