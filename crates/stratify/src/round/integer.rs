//! Rounding under three or more families of groups: no integral solution need exist, so the largest deviation is made
//! as small as branch and bound finds it within a number of nodes.

use microlp::{ComparisonOp, OptimizationDirection, Problem as Lp, SolveOptions, Variable};

use crate::StratifyError;
use crate::problem::Partition;
use crate::round::{RoundingMethod, WHOLE, cube, floor, group_sums};
use crate::select::mix;

/// With more fractions than this, the cube method first makes most of them whole.
const MOST_FRACTIONS: usize = 80;
/// Flights that end where no whole numbers are close are repeated, so many times in all.
const MOST_FLIGHTS: u64 = 6;
/// Nodes, not seconds: the same rows must come out on any machine.
const MOST_NODES: u64 = 400;

pub(super) fn round(
    rows: &[f64],
    partitions: &[&Partition],
    size: f64,
    seed: u64,
) -> Result<(Vec<u64>, RoundingMethod), StratifyError> {
    let floors: Vec<f64> = rows.iter().map(|rows| floor(*rows)).collect();
    let fractions: Vec<f64> =
        rows.iter().zip(&floors).map(|(rows, floor)| (rows - floor).clamp(0.0, 1.0)).collect();
    let targets: Vec<Vec<f64>> =
        partitions.iter().map(|partition| group_sums(partition, &fractions)).collect();
    let extra = size - floors.iter().sum::<f64>();
    let many = fractions.iter().filter(|fraction| is_open(**fraction)).count() > MOST_FRACTIONS;
    let (method, tries) =
        if many { (RoundingMethod::Cube, MOST_FLIGHTS) } else { (RoundingMethod::BranchAndBound, 1) };
    let sums = if many { indicators(partitions, rows.len()) } else { Vec::new() };
    let mut best: Option<(f64, Vec<bool>)> = None;
    for flight in 0..tries {
        let mut left = fractions.clone();
        if many {
            cube::flight(&mut left, &sums, &mut mix(seed ^ mix(flight)), MOST_FRACTIONS);
        }
        let up = branch(&left, partitions, &targets, extra)?.unwrap_or_else(|| greedy(&left, extra));
        let off = largest_deviation(&up, partitions, &targets);
        if best.as_ref().is_none_or(|(least, _)| off < *least) {
            best = Some((off, up));
        }
        if best.as_ref().is_some_and(|(least, _)| *least < 1.0 - WHOLE) {
            break;
        }
    }
    let up = best.map(|(_, up)| up).unwrap_or_default();
    Ok((floors.iter().zip(up).map(|(floor, up)| *floor as u64 + u64::from(up)).collect(), method))
}

/// How far a choice is from a group's sum at most.
fn largest_deviation(up: &[bool], partitions: &[&Partition], targets: &[Vec<f64>]) -> f64 {
    let up: Vec<f64> = up.iter().map(|up| f64::from(u8::from(*up))).collect();
    let off = partitions.iter().zip(targets).flat_map(|(partition, targets)| {
        group_sums(partition, &up).into_iter().zip(targets).map(|(sum, target)| (sum - target).abs())
    });
    off.fold(0.0, f64::max)
}

fn is_open(fraction: f64) -> bool {
    fraction > WHOLE && fraction < 1.0 - WHOLE
}

/// One row per group: which strata it has.
fn indicators(partitions: &[&Partition], strata: usize) -> Vec<Vec<f64>> {
    let mut rows = vec![vec![1.0; strata]];
    for partition in partitions {
        // The last group follows from the whole and the others.
        for group in 0..partition.count - 1 {
            rows.push(partition.groups.iter().map(|other| f64::from(u8::from(*other == group))).collect());
        }
    }
    rows
}

/// The choice of least largest deviation, then of least sum of deviations, then closest to the fractions.
fn branch(
    fractions: &[f64],
    partitions: &[&Partition],
    targets: &[Vec<f64>],
    extra: f64,
) -> Result<Option<Vec<bool>>, StratifyError> {
    let mut lp = Lp::new(OptimizationDirection::Minimize);
    let open: Vec<Option<Variable>> = fractions
        .iter()
        .map(|fraction| is_open(*fraction).then(|| lp.add_binary_var(0.001 * (1.0 - 2.0 * fraction))))
        .collect();
    let fixed: f64 =
        fractions.iter().filter(|fraction| !is_open(**fraction)).map(|fraction| fraction.round()).sum();
    let all: Vec<(Variable, f64)> = open.iter().flatten().map(|variable| (*variable, 1.0)).collect();
    if all.is_empty() {
        return Ok(Some(fractions.iter().map(|fraction| *fraction > 0.5).collect()));
    }
    lp.add_constraint(all.as_slice(), ComparisonOp::Eq, (extra - fixed).round().clamp(0.0, all.len() as f64));
    let largest = lp.add_var(1000.0, (0.0, f64::INFINITY));
    for (partition, targets) in partitions.iter().zip(targets) {
        for (group, target) in targets.iter().enumerate() {
            let mut terms = Vec::new();
            let mut wanted = *target;
            for (stratum, _) in partition.groups.iter().enumerate().filter(|(_, other)| **other == group) {
                match open[stratum] {
                    Some(variable) => terms.push((variable, 1.0)),
                    None => wanted -= fractions[stratum].round(),
                }
            }
            if terms.is_empty() {
                continue;
            }
            let off = lp.add_var(1.0, (0.0, f64::INFINITY));
            let with = |sign: f64| [terms.as_slice(), &[(off, sign)]].concat();
            lp.add_constraint(with(1.0).as_slice(), ComparisonOp::Ge, wanted);
            lp.add_constraint(with(-1.0).as_slice(), ComparisonOp::Le, wanted);
            lp.add_constraint([(off, 1.0), (largest, -1.0)].as_slice(), ComparisonOp::Le, 0.0);
        }
    }
    let mut options = SolveOptions::default();
    options.node_limit = Some(MOST_NODES);
    let Some(solution) = lp.solve_with(options).ok().and_then(|outcome| outcome.into_solution().ok()) else {
        return Ok(None);
    };
    let up = fractions.iter().zip(&open).map(|(fraction, variable)| match variable {
        Some(variable) => solution.var_value(*variable) > 0.5,
        None => *fraction > 0.5,
    });
    Ok(Some(up.collect()))
}

/// The largest fractions, as many as are needed.
fn greedy(fractions: &[f64], extra: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..fractions.len()).collect();
    order.sort_by(|a, b| fractions[*b].total_cmp(&fractions[*a]).then(a.cmp(b)));
    let mut up = vec![false; fractions.len()];
    order.into_iter().take(extra.round().max(0.0) as usize).for_each(|stratum| up[stratum] = true);
    up
}
