//! Whole rows from fractions, so that every sum that a rule is about is off by less than one where that is possible.
//!
//! One family of nested groups: apportionment from the top down. Two: a min-cost flow, whose solutions are integral.
//! Three or more: branch and bound within a limit, after the cube method where there are many fractions.

pub mod apportion;
pub mod cube;
mod integer;
mod network;

use serde::Serialize;

use crate::StratifyError;
use crate::problem::{Constraint, Partition, Problem};
use crate::rules::Rounding;

/// How fractions became whole rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundingMethod {
    /// Webster's divisor method.
    SainteLague,
    /// Hamilton's method.
    LargestRemainder,
    /// Min-cost flow.
    Flow,
    /// Branch and bound, to its end or to its limit.
    BranchAndBound,
    /// The cube method, then branch and bound on what it left.
    Cube,
}

/// Whole rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rounded {
    pub rows: Vec<u64>,
    pub method: RoundingMethod,
    /// Whether a larger sample contains this one.
    pub nested: bool,
}

/// A fraction closer than this to a whole number is one.
pub(crate) const WHOLE: f64 = 1e-6;

pub(crate) fn floor(value: f64) -> f64 {
    (value + WHOLE).floor()
}

pub(crate) fn ceil(value: f64) -> f64 {
    (value - WHOLE).ceil()
}

/// Rounds an allocation to `size` rows.
pub(crate) fn round(
    problem: &Problem,
    rows: &[f64],
    size: f64,
    rounding: Rounding,
    seed: u64,
) -> Result<Rounded, StratifyError> {
    let chains = chains(&problem.partitions, rows.len());
    let bounded = is_bounded(problem, rows);
    if chains.len() <= 1 {
        let chain = chains.into_iter().next().unwrap_or_default();
        let whole = apportion::down(problem, &chain, rows, size, rounding, bounded);
        let (method, nested) = match rounding {
            Rounding::SainteLague => (RoundingMethod::SainteLague, !bounded),
            Rounding::LargestRemainder => (RoundingMethod::LargestRemainder, false),
        };
        return Ok(Rounded { rows: whole, method, nested });
    }
    if let [one, two] = chains.as_slice()
        && rows.len() <= network::MOST_STRATA
    {
        return Ok(Rounded {
            rows: network::round(rows, one, two, size),
            method: RoundingMethod::Flow,
            nested: false,
        });
    }
    let partitions: Vec<&Partition> = chains.into_iter().flatten().collect();
    let (rows, method) = integer::round(rows, &partitions, size, seed)?;
    Ok(Rounded { rows, method, nested: false })
}

/// Whether anything but shares decides: a bound in the rules, or a stratum that is taken whole.
fn is_bounded(problem: &Problem, rows: &[f64]) -> bool {
    let by_rule = |c: &Constraint| !c.terms.is_empty() && (c.size == 0.0 || !c.is_equality());
    problem.constraints.iter().any(by_rule)
        || rows.iter().zip(&problem.available).any(|(rows, available)| *rows >= available - WHOLE)
}

/// Partitions sorted into chains, each member finer than the one before.
fn chains(partitions: &[Partition], strata: usize) -> Vec<Vec<&Partition>> {
    let mut sorted: Vec<&Partition> = partitions.iter().filter(|p| p.count > 1 && p.count < strata).collect();
    sorted.sort_by_key(|partition| partition.count);
    sorted.dedup_by(|one, other| one.groups == other.groups);
    let mut chains: Vec<Vec<&Partition>> = Vec::new();
    for partition in sorted {
        match chains.iter_mut().find(|chain| chain.last().is_some_and(|last| refines(partition, last))) {
            Some(chain) => chain.push(partition),
            None => chains.push(vec![partition]),
        }
    }
    chains
}

/// Whether every group of one partition lies within one group of the other.
fn refines(fine: &Partition, coarse: &Partition) -> bool {
    let mut parent = vec![usize::MAX; fine.count];
    fine.groups.iter().zip(&coarse.groups).all(|(group, above)| {
        let known = &mut parent[*group];
        let same = *known == usize::MAX || *known == *above;
        *known = *above;
        same
    })
}

/// The sum of each group.
pub(crate) fn group_sums(partition: &Partition, rows: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; partition.count];
    partition.groups.iter().zip(rows).for_each(|(group, rows)| sums[*group] += rows);
    sums
}

/// Rounds a table under two margins; `None` if it is too large for that.
pub(crate) fn split_table(cells: &[f64], rows: &Partition, columns: &Partition) -> Option<Vec<u64>> {
    let size = cells.iter().sum::<f64>().round();
    (cells.len() <= network::MOST_STRATA).then(|| network::round(cells, &[rows], &[columns], size))
}
