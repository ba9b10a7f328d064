//! A plan in words, for a terminal.

use std::fmt::Write as _;

use crate::{Outcome, Plan};

/// So many strata and sums are shown; the others are counted.
const MOST_LINES: usize = 20;

/// The plan as text of at most some sixty lines.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let outcome = match plan.outcome {
        Outcome::Exact => "every rule holds exactly",
        Outcome::RoundedWithinOne => "every rule holds; rounding is off by less than one row",
        Outcome::Closest => "not every rule holds; this comes closest",
        Outcome::Refused => "refused: hard rules conflict, nothing is selected",
    };
    let available: u64 = plan.available().iter().sum();
    let _ = writeln!(out, "{outcome}\n{} of {available} rows in {} strata", plan.size, plan.strata.len());
    for conflict in &plan.conflicts {
        let _ = writeln!(out, "conflict of {}: {}", conflict.rules.join(" and "), conflict.detail);
    }
    if let (Some((low, high)), false) = (plan.sizes, plan.conflicts.is_empty()) {
        let _ = writeln!(out, "without the rule about size, all rules hold at sizes from {low} to {high}");
    }
    for note in &plan.notes {
        let _ = writeln!(out, "note: {note}");
    }
    rare(plan, &mut out);
    missed(plan, &mut out);
    strata(plan, &mut out);
    let d = &plan.distances;
    let _ = writeln!(
        out,
        "total variation from the data {:.4}, from the target {:.6}; KL {:.4}, {:.6} nats; ASMD {:.6}",
        d.variation_from_data, d.variation_from_target, d.kl_from_data, d.kl_from_target, d.asmd_from_target
    );
    let nested = if plan.nested {
        "a larger sample contains this one"
    } else {
        "a larger sample need not contain this one"
    };
    let _ = writeln!(
        out,
        "weights {:.3} to {:.3}, effective size {:.1}; largest deviation {:.3} rows; {nested}",
        d.weights.0, d.weights.1, d.effective_size, plan.largest_deviation
    );
    out
}

fn rare(plan: &Plan, out: &mut String) {
    for rare in plan.rare.iter().take(MOST_LINES) {
        let _ = writeln!(out, "rare: {} ({} rows) {}", rare.stratum, rare.rows, rare.action);
    }
    if plan.rare.len() > MOST_LINES {
        let _ = writeln!(out, "rare: {} more", plan.rare.len() - MOST_LINES);
    }
}

fn missed(plan: &Plan, out: &mut String) {
    let mut missed: Vec<_> = plan.sums.iter().filter(|sum| sum.missed > 1e-6).collect();
    missed.sort_by(|a, b| b.missed.total_cmp(&a.missed));
    for sum in missed.iter().filter(|sum| sum.missed >= 1.0 - 1e-6).take(MOST_LINES) {
        let _ = writeln!(out, "missed: {sum}");
    }
}

fn strata(plan: &Plan, out: &mut String) {
    let width = plan
        .strata
        .iter()
        .take(MOST_LINES)
        .map(|stratum| stratum.levels.join(" ").len())
        .max()
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "{:width$}  {:>12}  {:>12}  {:>12}  {:>9}",
        plan.keys.join(" "),
        "rows",
        "target",
        "taken",
        "weight"
    );
    for stratum in plan.strata.iter().take(MOST_LINES) {
        let _ = writeln!(
            out,
            "{:width$}  {:>12}  {:>12.2}  {:>12}  {:>9.3}",
            stratum.levels.join(" "),
            stratum.available,
            stratum.target,
            stratum.take,
            stratum.weight
        );
    }
    if plan.strata.len() > MOST_LINES {
        let _ = writeln!(out, "… {} more strata", plan.strata.len() - MOST_LINES);
    }
}
