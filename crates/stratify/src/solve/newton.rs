//! Newton steps on the dual of bounded raking, with a line search.

use crate::solve::dual::Dual;

const STEPS: usize = 30;
/// Beyond this, coordinate steps are cheaper than a dense Hessian.
const MOST_CONSTRAINTS: usize = 600;

/// Improves the multipliers until no step helps.
pub(super) fn refine(dual: &mut Dual<'_>) {
    if dual.constraints.len() > MOST_CONSTRAINTS {
        return;
    }
    for _ in 0..STEPS {
        let Some((active, step)) = direction(dual) else { return };
        let before = dual.value();
        let residual = dual.residual();
        let mut factor = 1.0;
        loop {
            let mut tried = dual.clone();
            for (place, step) in active.iter().zip(&step) {
                tried.shift(*place, signed(&tried, *place, step * factor));
            }
            // Near the end values differ by less than they are exact; there the residual decides.
            if tried.value() < before - 1e-14 * before.abs() || tried.residual() < 0.9 * residual {
                *dual = tried;
                break;
            }
            factor *= 0.5;
            if factor < 1e-6 {
                return;
            }
        }
        if dual.residual() <= 1e-13 {
            return;
        }
    }
}

/// A step that does not change the sign of an inequality's multiplier.
fn signed(dual: &Dual<'_>, place: usize, step: f64) -> f64 {
    let (constraint, current) = (&dual.constraints[place], dual.multipliers[place]);
    if constraint.is_equality() || current == 0.0 || (current + step) * current >= 0.0 {
        step
    } else {
        -current
    }
}

/// The constraints that bind, and the Newton step of their multipliers.
fn direction(dual: &Dual<'_>) -> Option<(Vec<usize>, Vec<f64>)> {
    let rows = dual.rows();
    let mut active = Vec::new();
    let mut gradient = Vec::new();
    for (place, constraint) in dual.constraints.iter().enumerate() {
        let (lower, upper) = dual.limits(constraint);
        let sum: f64 = constraint.terms.iter().map(|(stratum, factor)| rows[*stratum] * factor).sum();
        let multiplier = dual.multipliers[place];
        let limit = if lower == upper || multiplier > 0.0 || (multiplier == 0.0 && sum < lower) {
            lower
        } else if multiplier < 0.0 || sum > upper {
            upper
        } else {
            continue;
        };
        active.push(place);
        gradient.push(limit - sum);
    }
    let hessian = hessian(dual, &active, &rows);
    solve(hessian, gradient).map(|step| (active, step))
}

fn hessian(dual: &Dual<'_>, active: &[usize], rows: &[f64]) -> Vec<Vec<f64>> {
    let mut of_stratum: Vec<Vec<(usize, f64)>> = vec![Vec::new(); rows.len()];
    for (row, place) in active.iter().enumerate() {
        for (stratum, factor) in &dual.constraints[*place].terms {
            if dual.is_free(*stratum) {
                of_stratum[*stratum].push((row, *factor));
            }
        }
    }
    let mut hessian = vec![vec![0.0; active.len()]; active.len()];
    for (terms, rows) in of_stratum.iter().zip(rows) {
        for (one, a) in terms {
            for (other, b) in terms {
                hessian[*one][*other] += a * b * rows;
            }
        }
    }
    hessian
}

/// Solves a positive semi-definite system; directions without curvature get no step.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let count = right.len();
    let trace: f64 = (0..count).map(|row| matrix[row][row]).sum();
    if count == 0 || trace <= 0.0 {
        return None;
    }
    let least = 1e-11 * trace / count as f64;
    let mut skipped = vec![false; count];
    for pivot in 0..count {
        if matrix[pivot][pivot] <= least {
            skipped[pivot] = true;
            continue;
        }
        for row in pivot + 1..count {
            let factor = matrix[row][pivot] / matrix[pivot][pivot];
            if factor != 0.0 {
                let (above, below) = matrix.split_at_mut(row);
                for (entry, source) in below[0][pivot..].iter_mut().zip(&above[pivot][pivot..]) {
                    *entry -= factor * source;
                }
                right[row] -= factor * right[pivot];
            }
        }
    }
    let mut step = vec![0.0; count];
    for row in (0..count).rev().filter(|row| !skipped[*row]) {
        let later: f64 = (row + 1..count).map(|column| matrix[row][column] * step[column]).sum();
        step[row] = (right[row] - later) / matrix[row][row];
    }
    Some(step)
}
