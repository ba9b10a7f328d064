//! What comes closest when rules contradict each other: the least weighted violation, priority by priority, and among
//! all that reach it the one of least Kullback-Leibler divergence from the start.

use microlp::OptimizationDirection::{Maximize, Minimize};

use crate::StratifyError;
use crate::problem::{Constraint, Problem, Wanted};
use crate::solve::linear::{Answer, Boxes, Programme};
use crate::solve::{is_size, leaves_rows, linear, project, whole};

/// Above so many constraints of one priority, the programme's own choice of who gives way is kept.
const MOST_PROBED: usize = 400;

/// The allocation that comes closest, and its size.
pub(super) fn closest(problem: &Problem) -> Result<(Vec<f64>, f64), StratifyError> {
    let total: f64 = problem.available.iter().sum();
    let settled = settle(problem, (0.0, total))?;
    let most = match problem.wanted {
        Wanted::Exactly(size) | Wanted::AtMost(size) => size,
    };
    let mut size = whole(largest(&settled, (0.0, total))?.unwrap_or(most));
    if !leaves_rows(problem, Some((0.0, size))) {
        // No rows at all are as close to any shares as can be, and nothing that anybody wants.
        size = whole(largest_that_leaves_rows(problem, total)?.min(most));
    }
    let settled = settle(problem, (size, size))?;
    let projection = project(&problem.start, &settled, &settled.constraints, size)?;
    if projection.converged() {
        return Ok((projection.rows, size));
    }
    let pinned = linear::pin_forced(&settled, size, &projection.rows)?;
    let again = project(&problem.start, &pinned, &pinned.constraints, size)?;
    if again.residual <= 1e-7 {
        return Ok((again.rows, size));
    }
    Ok((from_programme(problem, &settled, &settled.constraints, size)?, size))
}

/// The largest size at which what leaves a row at all holds, priority by priority; the others give way at that size.
fn largest_that_leaves_rows(problem: &Problem, total: f64) -> Result<f64, StratifyError> {
    let mut kept: Vec<Constraint> = Vec::new();
    for rank in ranks(problem) {
        let mine = problem.constraints.iter().filter(|c| c.rank == rank);
        let together: Vec<Constraint> = kept.iter().chain(mine).cloned().collect();
        if holds(&problem.available, &together, (1.0, total))? {
            kept = together;
        }
    }
    let boxes =
        Boxes::fold(&problem.available, &kept).unwrap_or_else(|| Boxes::open(&problem.available, &kept));
    Ok(largest(&boxes, (1.0, total))?.unwrap_or(total))
}

/// The priorities that there are, the first one first.
fn ranks(problem: &Problem) -> Vec<u8> {
    let mut ranks: Vec<u8> = problem.constraints.iter().map(|constraint| constraint.rank).collect();
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

fn largest(settled: &Boxes, size: (f64, f64)) -> Result<Option<f64>, StratifyError> {
    let mut programme = Programme::new(settled, size, Maximize, 1.0);
    settled.constraints.iter().for_each(|constraint| programme.require(constraint));
    Ok(programme.solve()?.map(|answer| answer.size))
}

/// Constraints that describe what is closest: those that can hold as they are, the others as far as they must give way.
fn settle(problem: &Problem, size: (f64, f64)) -> Result<Boxes, StratifyError> {
    let mut kept: Vec<Constraint> = Vec::new();
    for rank in ranks(problem) {
        let mine: Vec<Constraint> = problem.constraints.iter().filter(|c| c.rank == rank).cloned().collect();
        let together: Vec<Constraint> = kept.iter().chain(&mine).cloned().collect();
        kept = if holds(&problem.available, &together, size)? {
            together
        } else {
            give_way(&problem.available, kept, &mine, size)?
        };
    }
    Ok(Boxes::fold(&problem.available, &kept).unwrap_or_else(|| Boxes::open(&problem.available, &kept)))
}

fn holds(available: &[f64], constraints: &[Constraint], size: (f64, f64)) -> Result<bool, StratifyError> {
    let Some(boxes) = Boxes::fold(available, constraints) else { return Ok(false) };
    let mut programme = Programme::new(&boxes, size, Minimize, 0.0);
    boxes.constraints.iter().for_each(|constraint| programme.require(constraint));
    Ok(programme.solve()?.is_some())
}

/// The programme in which one priority's constraints may be missed.
fn elastic(
    boxes: &Boxes,
    mine: &[Constraint],
    size: (f64, f64),
    costs: impl Fn(usize) -> (f64, f64),
    limit: Option<f64>,
) -> Result<(Vec<(f64, f64)>, Answer), StratifyError> {
    let mut all = boxes.clone();
    all.constraints.extend(mine.iter().cloned());
    let mut programme = Programme::new(&all, size, Minimize, 0.0);
    boxes.constraints.iter().for_each(|constraint| programme.require(constraint));
    let misses: Vec<_> = mine.iter().enumerate().map(|(place, c)| programme.relax(c, costs(place))).collect();
    if let Some(limit) = limit {
        let weighted =
            mine.iter().zip(&misses).flat_map(|(c, (over, under))| [(*over, c.weight), (*under, c.weight)]);
        programme.limit(&weighted.collect::<Vec<_>>(), limit);
    }
    let answer = programme
        .solve()?
        .ok_or_else(|| StratifyError::Solver("the elastic programme has no solution".into()))?;
    let values = misses.iter().map(|(over, under)| (answer.value(*over), answer.value(*under))).collect();
    Ok((values, answer))
}

/// How far one priority's constraints must be missed at least, as constraints that say so.
fn give_way(
    available: &[f64],
    kept: Vec<Constraint>,
    mine: &[Constraint],
    size: (f64, f64),
) -> Result<Vec<Constraint>, StratifyError> {
    let boxes = Boxes::fold(available, &kept).unwrap_or_else(|| Boxes::open(available, &kept));
    let weights = |place: usize| (mine[place].weight, mine[place].weight);
    let (chosen, answer) = elastic(&boxes, mine, size, weights, None)?;
    let slack = 1e-6 * available.iter().sum::<f64>().max(1.0).log10().max(1.0);
    let limit = answer.objective + slack;
    let probe = mine.len() <= MOST_PROBED;
    let mut kept = kept;
    let mut total = Constraint { label: "violations".into(), terms: Vec::new(), ..mine[0].clone() };
    (total.size, total.lower, total.upper) = (0.0, f64::NEG_INFINITY, answer.objective);
    for (place, constraint) in mine.iter().enumerate() {
        let (mut over, mut under) = chosen[place];
        if probe {
            let only = |up: bool| {
                move |at: usize| {
                    if at == place { if up { (-1.0, 0.0) } else { (0.0, -1.0) } } else { (0.0, 0.0) }
                }
            };
            over = over.max(elastic(&boxes, mine, size, only(true), Some(limit))?.0[place].0);
            under = under.max(elastic(&boxes, mine, size, only(false), Some(limit))?.0[place].1);
        }
        let tiny = 100.0 * slack;
        let mut settled = constraint.clone();
        match (over > tiny, under > tiny) {
            (false, false) => {}
            (true, true) if chosen[place].0 >= chosen[place].1 => {
                (settled.lower, settled.upper) = (constraint.upper, f64::INFINITY)
            }
            (true, false) => (settled.lower, settled.upper) = (constraint.upper, f64::INFINITY),
            _ => (settled.lower, settled.upper) = (f64::NEG_INFINITY, constraint.lower),
        }
        count(&mut total, constraint, &settled);
        kept.push(settled);
    }
    kept.push(merged(total));
    Ok(kept)
}

/// Adds what a constraint may be missed by to the total.
fn count(total: &mut Constraint, constraint: &Constraint, settled: &Constraint) {
    let (sign, limit) = match (settled.lower == constraint.lower, settled.upper == constraint.upper) {
        (true, true) => return,
        _ if settled.lower == constraint.upper => (constraint.weight, constraint.upper),
        _ => (-constraint.weight, constraint.lower),
    };
    total.terms.extend(constraint.terms.iter().map(|(stratum, factor)| (*stratum, sign * factor)));
    total.size += sign * constraint.size;
    total.upper += sign * limit;
}

/// Terms of the same stratum added up.
fn merged(mut total: Constraint) -> Constraint {
    let mut factors = std::collections::BTreeMap::new();
    for (stratum, factor) in &total.terms {
        *factors.entry(*stratum).or_insert(0.0) += factor;
    }
    total.terms = factors.into_iter().filter(|(_, factor)| *factor != 0.0).collect();
    if is_size(&total) && total.size == 0.0 {
        total.upper = f64::INFINITY;
    }
    total
}

/// The programme's own solution, spread within blocks in proportion to the start: the last resort.
pub(super) fn from_programme(
    problem: &Problem,
    boxes: &Boxes,
    constraints: &[Constraint],
    size: f64,
) -> Result<Vec<f64>, StratifyError> {
    let mut programme = Programme::new(boxes, (size, size), Minimize, 0.0);
    constraints.iter().for_each(|constraint| programme.require(constraint));
    let block_of = programme.block_of().to_vec();
    let Some(answer) = programme.solve()? else {
        return Err(StratifyError::Solver("what was found feasible no longer is".to_owned()));
    };
    let mut rows = vec![0.0; block_of.len()];
    for (block, total) in answer.blocks.iter().enumerate() {
        let members: Vec<usize> = (0..block_of.len()).filter(|stratum| block_of[*stratum] == block).collect();
        let pick = |values: &[f64]| members.iter().map(|member| values[*member]).collect::<Vec<_>>();
        let inner = Boxes { lower: pick(&boxes.lower), upper: pick(&boxes.upper), constraints: Vec::new() };
        let spread = project(&pick(&problem.start), &inner, &[], *total)?;
        members.iter().zip(spread.rows).for_each(|(member, value)| rows[*member] = value);
    }
    Ok(rows)
}
