//! Rows per stratum, as fractions: the allocation that meets the rules and is closest to the start, or comes closest to
//! meeting them.
//!
//! Feasibility is decided first (max-flow for two margins, a linear programme otherwise); nothing is iterated on
//! rules that contradict each other.

mod closest;
mod conflict;
mod dual;
pub(crate) mod flow;
mod linear;
mod newton;
mod project;
pub mod raking;

use serde::Serialize;

pub(crate) use linear::Boxes;
pub(crate) use project::project;

use crate::StratifyError;
use crate::problem::{Constraint, Problem, Wanted};

/// How far sums may be from their limits, as a share of the size.
pub(crate) const TOLERANCE: f64 = 1e-10;

/// Rules that cannot hold together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// The names of the rules.
    pub rules: Vec<String>,
    /// The parts of the rules that conflict, as `rule (level)`.
    pub parts: Vec<String>,
    /// In words.
    pub detail: String,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Solved {
    pub rows: Vec<f64>,
    pub size: f64,
    /// All rules hold.
    pub feasible: bool,
    /// All hard rules can hold together.
    pub hard_feasible: bool,
    pub conflicts: Vec<Conflict>,
    /// The sizes at which all other rules hold.
    pub sizes: Option<(f64, f64)>,
}

/// Solves a problem.
pub(crate) fn solve(problem: &Problem, names: &[String]) -> Result<Solved, StratifyError> {
    let others: Vec<Constraint> = problem.constraints.iter().filter(|c| !is_size(c)).cloned().collect();
    let sizes = linear::sizes(&problem.available, &others)?;
    let sizes = if leaves_rows(problem, sizes) { sizes } else { None };
    let (feasible, size) = match (problem.wanted, sizes) {
        (Wanted::Exactly(size), _) if flow::applies(problem) => (flow::cut(problem, size).is_none(), size),
        (Wanted::Exactly(size), Some((low, high))) => (within(size, low, high), size),
        (Wanted::AtMost(most), Some((low, high))) => {
            let size = whole(high.min(most));
            (within(size, low, high), size)
        }
        (Wanted::Exactly(size) | Wanted::AtMost(size), None) => (false, size),
    };
    if !feasible {
        return infeasible(problem, names, sizes);
    }
    let rows = match Boxes::fold(&problem.available, &others) {
        Some(boxes) => allocate(problem, &boxes, size)?,
        None => return infeasible(problem, names, sizes),
    };
    Ok(Solved { rows, size, feasible: true, hard_feasible: true, conflicts: Vec::new(), sizes })
}

/// The allocation of a feasible problem: raking if no bound is met on the way, bounded raking otherwise.
fn allocate(problem: &Problem, boxes: &Boxes, size: f64) -> Result<Vec<f64>, StratifyError> {
    if let Some(margins) = raking::margins_of(problem, boxes, size) {
        let raked = raking::rake(&problem.start, &margins)?;
        let fits = raked.rows.iter().zip(boxes.lower.iter().zip(&boxes.upper));
        if raked.converged
            && fits.into_iter().all(|(rows, (low, high))| *rows >= *low && *rows <= *high + 1e-12)
        {
            return Ok(raked.rows);
        }
    }
    let projection = project(&problem.start, boxes, &boxes.constraints, size)?;
    if projection.converged() {
        return Ok(projection.rows);
    }
    let pinned = linear::pin_forced(boxes, size, &projection.rows)?;
    let again = project(&problem.start, &pinned, &pinned.constraints, size)?;
    if again.converged() {
        return Ok(again.rows);
    }
    closest::from_programme(problem, boxes, &boxes.constraints, size)
}

fn infeasible(
    problem: &Problem,
    names: &[String],
    sizes: Option<(f64, f64)>,
) -> Result<Solved, StratifyError> {
    let conflicts = conflict::find(problem, names, sizes)?;
    let hard: Vec<Constraint> = problem.constraints.iter().filter(|c| c.hard).cloned().collect();
    let hard_feasible = leaves_rows(problem, linear::sizes(&problem.available, &hard)?);
    let (rows, size) = closest::closest(problem)?;
    Ok(Solved { rows, size, feasible: false, hard_feasible, conflicts, sizes })
}

/// Whether constraints that hold at these sizes leave a row, if there is one: no rows at all keep any rule of shares.
fn leaves_rows(problem: &Problem, sizes: Option<(f64, f64)>) -> bool {
    let is_any = problem.available.iter().sum::<f64>() >= 1.0;
    sizes.is_some_and(|(_, high)| high >= 1.0 - 1e-6 || !is_any)
}

pub(crate) fn is_size(constraint: &Constraint) -> bool {
    constraint.terms.is_empty()
}

fn within(size: f64, low: f64, high: f64) -> bool {
    let slack = 1e-6 * size.abs().max(1.0).sqrt().min(10.0);
    size >= low - slack && size <= high + slack
}

/// The largest whole number that is not above, but for rounding errors.
pub(crate) fn whole(size: f64) -> f64 {
    (size + 1e-6).floor()
}
