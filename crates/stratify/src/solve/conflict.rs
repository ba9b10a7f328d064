//! Which rules conflict: the minimal cut of two margins, or a set of constraints of which none can be spared.

use std::collections::BTreeSet;

use crate::StratifyError;
use crate::problem::{Constraint, Problem, Wanted, trim};
use crate::solve::{Conflict, flow, is_size, leaves_rows, linear};

/// More conflicts than these help nobody; the next run shows the next ones.
const MOST: usize = 4;

/// The conflicts of an infeasible problem.
pub(super) fn find(
    problem: &Problem,
    names: &[String],
    sizes: Option<(f64, f64)>,
) -> Result<Vec<Conflict>, StratifyError> {
    let mut conflicts: Vec<Conflict> = problem
        .early
        .iter()
        .map(|(rules, detail)| Conflict {
            rules: rules.clone(),
            parts: rules.clone(),
            detail: detail.clone(),
        })
        .collect();
    if let Wanted::Exactly(size) = problem.wanted
        && flow::applies(problem)
        && let Some(cut) = flow::cut(problem, size)
    {
        conflicts.push(of_cut(problem, names, &cut, size));
        return Ok(conflicts);
    }
    let mut active: Vec<usize> = (0..problem.constraints.len()).collect();
    while conflicts.len() < MOST && !feasible(problem, &active)? {
        let minimal = minimal(problem, &active)?;
        conflicts.push(of_set(problem, names, &minimal, sizes));
        // The next conflict is one without the last rule of this one to be kept.
        let spared = minimal.iter().max_by_key(|place| (problem.constraints[**place].rank, **place)).copied();
        let rule = spared.map(|place| problem.constraints[place].rule);
        active.retain(|place| Some(problem.constraints[*place].rule) != rule);
    }
    dedup(&mut conflicts);
    Ok(conflicts)
}

fn dedup(conflicts: &mut Vec<Conflict>) {
    let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
    conflicts.retain(|conflict| seen.insert(conflict.rules.clone()));
}

fn feasible(problem: &Problem, active: &[usize]) -> Result<bool, StratifyError> {
    let constraints: Vec<Constraint> =
        active.iter().map(|place| problem.constraints[*place].clone()).collect();
    Ok(leaves_rows(problem, linear::sizes(&problem.available, &constraints)?))
}

/// The deletion filter: drops constraints in ever smaller chunks as long as the rest stays infeasible.
fn minimal(problem: &Problem, active: &[usize]) -> Result<Vec<usize>, StratifyError> {
    let mut kept = active.to_vec();
    let mut chunk = kept.len().div_ceil(2);
    loop {
        let mut start = 0;
        while start < kept.len() {
            let end = (start + chunk).min(kept.len());
            let without: Vec<usize> = kept[..start].iter().chain(&kept[end..]).copied().collect();
            if feasible(problem, &without)? {
                start = end;
            } else {
                kept = without;
            }
        }
        if chunk <= 1 {
            return Ok(kept);
        }
        chunk = chunk.div_ceil(2);
    }
}

fn of_cut(problem: &Problem, names: &[String], cut: &flow::Cut, size: f64) -> Conflict {
    let labels = |places: &[usize]| -> Vec<String> {
        places.iter().map(|place| problem.constraints[*place].label.clone()).collect()
    };
    let wanted: f64 = cut.wanting.iter().map(|place| -problem.constraints[*place].size * size).sum();
    let (wanting, taking) = (labels(&cut.wanting), labels(&cut.taking));
    let places = cut.wanting.iter().chain(&cut.taking);
    let takers = if taking.is_empty() { "nothing else".to_owned() } else { taking.join(", ") };
    Conflict {
        rules: rules_of(problem, names, places.copied()),
        detail: format!(
            "{} want {} rows, of which {} find no place: they can only be among the rows there are and {takers}",
            wanting.join(", "),
            trim(wanted),
            trim(cut.missing),
        ),
        parts: wanting.into_iter().chain(taking).collect(),
    }
}

fn rules_of(problem: &Problem, names: &[String], places: impl Iterator<Item = usize>) -> Vec<String> {
    let rules: BTreeSet<usize> = places.map(|place| problem.constraints[place].rule).collect();
    rules.into_iter().map(|rule| names[rule].clone()).collect()
}

fn of_set(problem: &Problem, names: &[String], places: &[usize], sizes: Option<(f64, f64)>) -> Conflict {
    let mut wants = Vec::new();
    for place in places {
        let constraint = &problem.constraints[*place];
        let available: f64 = constraint.terms.iter().map(|(stratum, _)| problem.available[*stratum]).sum();
        wants.push(match (is_size(constraint), constraint.size) {
            (true, _) => format!("{} wants {}", constraint.label, range(constraint.lower, constraint.upper)),
            (false, 0.0) => {
                let wanted = range(constraint.lower, constraint.upper);
                format!("{} wants {wanted} of {} rows", constraint.label, trim(available))
            }
            (false, share) => {
                let wanted = match (constraint.lower.is_finite(), constraint.upper.is_finite()) {
                    (true, true) => "a share of",
                    (true, false) => "a share of at least",
                    _ => "a share of at most",
                };
                format!(
                    "{} wants {wanted} {} and has {} rows",
                    constraint.label,
                    trim(-share),
                    trim(available)
                )
            }
        });
    }
    let sized = places.iter().any(|place| is_size(&problem.constraints[*place]));
    let remedy = match sizes {
        Some((low, high)) if sized => format!("; all other rules hold at {}", size_range(low, high)),
        _ => String::new(),
    };
    Conflict {
        rules: rules_of(problem, names, places.iter().copied()),
        parts: places.iter().map(|place| problem.constraints[*place].label.clone()).collect(),
        detail: format!("{}{remedy}", wants.join("; ")),
    }
}

fn range(lower: f64, upper: f64) -> String {
    match (lower.is_finite(), upper.is_finite()) {
        _ if lower == upper => format!("exactly {}", trim(lower)),
        (true, true) => format!("{} to {}", trim(lower), trim(upper)),
        (true, false) => format!("at least {}", trim(lower)),
        _ => format!("at most {}", trim(upper)),
    }
}

fn size_range(low: f64, high: f64) -> String {
    format!("sizes from {} to {}", (low - 1e-6).ceil() + 0.0, super::whole(high))
}
