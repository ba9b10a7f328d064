//! Iterative proportional fitting (Deming and Stephan 1940): the table with given margins closest to a start.

use crate::StratifyError;
use crate::problem::Problem;
use crate::solve::{Boxes, TOLERANCE};

/// A margin: the group of every cell, and the total of every group.
#[derive(Debug, Clone, PartialEq)]
pub struct Margin {
    /// What it is called in errors.
    pub name: String,
    /// Each cell's group.
    pub groups: Vec<usize>,
    /// Each group's total.
    pub totals: Vec<f64>,
}

/// A raked table.
#[derive(Debug, Clone, PartialEq)]
pub struct Raked {
    /// The cells.
    pub rows: Vec<f64>,
    /// How many times all margins were fitted.
    pub sweeps: usize,
    /// The largest distance of a sum from its total, as a share of the whole.
    pub residual: f64,
    /// Whether the residual is within 1e-10.
    pub converged: bool,
}

const SWEEPS: usize = 2_000;

/// Rakes a start until all margins are met to 1e-10, and says whether they are.
///
/// ```
/// use nearline_stratify::raking::{Margin, rake};
/// let rows = Margin { name: "rows".into(), groups: vec![0, 0, 1, 1], totals: vec![5.0, 5.0] };
/// let columns = Margin { name: "columns".into(), groups: vec![0, 1, 0, 1], totals: vec![4.0, 6.0] };
/// let raked = rake(&[1.0, 2.0, 3.0, 4.0], &[rows, columns]).unwrap();
/// assert!((raked.rows[0] - 1.757651).abs() < 1e-6);
/// ```
///
/// # Errors
/// Margins with different sums, before anything is iterated.
pub fn rake(start: &[f64], margins: &[Margin]) -> Result<Raked, StratifyError> {
    let sums: Vec<f64> = margins.iter().map(|margin| margin.totals.iter().sum()).collect();
    for (margin, sum) in margins.iter().zip(&sums).skip(1) {
        if (sum - sums[0]).abs() > 1e-9 * sums[0].abs().max(1.0) {
            return Err(StratifyError::MarginsDisagree {
                first: margins[0].name.clone(),
                first_sum: sums[0],
                second: margin.name.clone(),
                second_sum: *sum,
            });
        }
    }
    let whole = sums.first().copied().unwrap_or_default().abs().max(1.0);
    let mut raked = Raked { rows: start.to_vec(), sweeps: 0, residual: f64::INFINITY, converged: false };
    while raked.sweeps < SWEEPS && !raked.converged {
        raked.residual = 0.0;
        for margin in margins {
            fit(&mut raked, margin, whole);
        }
        raked.sweeps += 1;
        raked.converged = raked.residual <= TOLERANCE;
    }
    Ok(raked)
}

/// Fits one margin; the residual is what it was off before.
fn fit(raked: &mut Raked, margin: &Margin, whole: f64) {
    let mut sums = vec![0.0; margin.totals.len()];
    for (cell, group) in raked.rows.iter().zip(&margin.groups) {
        sums[*group] += cell;
    }
    for (sum, total) in sums.iter_mut().zip(&margin.totals) {
        raked.residual = raked.residual.max((*sum - total).abs() / whole);
        *sum = if *sum > 0.0 { total / *sum } else { 0.0 };
    }
    for (cell, group) in raked.rows.iter_mut().zip(&margin.groups) {
        *cell *= sums[*group];
    }
}

/// The margins that say all there is to say of a problem, if there are only such.
pub(super) fn margins_of(problem: &Problem, boxes: &Boxes, size: f64) -> Option<Vec<Margin>> {
    let shared: Vec<_> =
        problem.partitions.iter().filter_map(|p| p.shares.as_ref().map(|shares| (p, shares))).collect();
    let said: usize = shared.iter().map(|(_, shares)| shares.len()).sum();
    let folded = problem.constraints.iter().filter(|c| c.terms.len() == 1 && c.size == 0.0).count();
    let sizes = problem.constraints.iter().filter(|c| super::is_size(c)).count();
    if said + folded + sizes != problem.constraints.len() || boxes.lower.iter().any(|low| *low > 0.0) {
        return None;
    }
    if shared.is_empty() {
        let groups = vec![0; problem.available.len()];
        return Some(vec![Margin { name: "size".to_owned(), groups, totals: vec![size] }]);
    }
    let margins = shared.into_iter().map(|(partition, shares)| Margin {
        name: format!("{:?}", partition.keys),
        groups: partition.groups.clone(),
        totals: shares.iter().map(|share| share * size).collect(),
    });
    Some(margins.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin(name: &str, groups: &[usize], totals: &[f64]) -> Margin {
        Margin { name: name.to_owned(), groups: groups.to_vec(), totals: totals.to_vec() }
    }

    #[test]
    fn two_by_two_reaches_the_fixed_point_of_ipf() {
        let margins =
            [margin("rows", &[0, 0, 1, 1], &[5.0, 5.0]), margin("columns", &[0, 1, 0, 1], &[4.0, 6.0])];
        let raked = rake(&[1.0, 2.0, 3.0, 4.0], &margins).unwrap();
        assert!(raked.converged && raked.residual <= 1e-10);
        for (cell, wanted) in raked.rows.iter().zip([1.757_651, 3.242_349, 2.242_349, 2.757_651]) {
            assert!((cell - wanted).abs() < 1e-6, "{:?}", raked.rows);
        }
        let odds = raked.rows[0] * raked.rows[3] / (raked.rows[1] * raked.rows[2]);
        assert!((odds - 2.0 / 3.0).abs() < 1e-9, "raking keeps the odds ratio, not {odds}");
    }

    #[test]
    fn margins_of_different_sums_are_an_error_before_iterating() {
        let margins = [margin("rows", &[0, 1], &[50.0, 50.0]), margin("columns", &[0, 1], &[50.0, 51.0])];
        let error = rake(&[1.0, 1.0], &margins).unwrap_err();
        assert!(matches!(error, StratifyError::MarginsDisagree { first_sum: 100.0, second_sum: 101.0, .. }));
    }

    #[test]
    fn what_does_not_converge_says_so() {
        let margins = [margin("rows", &[0, 1, 1], &[5.0, 5.0]), margin("columns", &[0, 0, 1], &[3.0, 7.0])];
        let raked = rake(&[1.0, 1.0, 1.0], &margins).unwrap();
        assert!(!raked.converged && raked.residual > 0.1);
    }
}
