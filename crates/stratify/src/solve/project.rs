//! Bounded raking (Deville and Särndal 1992): the allocation within bounds that meets sums and has the least
//! Kullback-Leibler divergence from a start.
//!
//! Its dual is smooth and convex: with one multiplier per constraint, a stratum has `start * exp(sum of multipliers)`
//! rows, clamped to its bounds. Coordinate steps, which always converge, come first; Newton steps finish to 1e-10.

use crate::StratifyError;
use crate::problem::Constraint;
use crate::solve::dual::Dual;
use crate::solve::{Boxes, TOLERANCE, newton};

/// What the projection came to.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    pub rows: Vec<f64>,
    /// The largest violation, as a share of the size.
    pub residual: f64,
}

impl Projection {
    pub fn converged(&self) -> bool {
        self.residual <= TOLERANCE
    }
}

const ROUNDS: usize = 24;
const SWEEPS: usize = 40;

/// Projects a start onto constraints at a size. The size's own constraint is added.
pub(crate) fn project(
    start: &[f64],
    boxes: &Boxes,
    constraints: &[Constraint],
    size: f64,
) -> Result<Projection, StratifyError> {
    let mut all: Vec<Constraint> = constraints.iter().filter(|c| !c.terms.is_empty()).cloned().collect();
    all.push(size_constraint(start.len(), size));
    let mut dual = Dual::new(start, boxes, &all, size);
    let mut residual = f64::INFINITY;
    for _ in 0..ROUNDS {
        for _ in 0..SWEEPS {
            (0..all.len()).for_each(|place| dual.step(place));
            residual = dual.residual();
            if residual <= TOLERANCE {
                return Ok(Projection { rows: dual.rows(), residual });
            }
        }
        newton::refine(&mut dual);
        residual = dual.residual();
        if residual <= TOLERANCE {
            break;
        }
    }
    Ok(Projection { rows: dual.rows(), residual })
}

fn size_constraint(strata: usize, size: f64) -> Constraint {
    Constraint {
        rule: usize::MAX,
        label: "size".to_owned(),
        terms: (0..strata).map(|stratum| (stratum, 1.0)).collect(),
        size: 0.0,
        lower: size,
        upper: size,
        rank: 0,
        weight: 1.0,
        hard: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(strata: &[usize], lower: f64, upper: f64) -> Constraint {
        let mut sum = size_constraint(0, 0.0);
        sum.terms = strata.iter().map(|stratum| (*stratum, 1.0)).collect();
        (sum.lower, sum.upper) = (lower, upper);
        sum
    }

    #[test]
    fn caps_push_the_rest_up_in_proportion() {
        let boxes = Boxes::open(&[100.0, 5.0, 100.0], &[]);
        let projection = project(&[10.0; 3], &boxes, &[], 30.0).unwrap();
        assert!(projection.converged());
        for (rows, wanted) in projection.rows.iter().zip([12.5, 5.0, 12.5]) {
            assert!((rows - wanted).abs() < 1e-9, "{:?}", projection.rows);
        }
    }

    #[test]
    fn margins_with_caps_meet_the_conditions_of_kuhn_and_tucker() {
        let start = [40.0, 10.0, 5.0, 20.0, 30.0, 3.0, 8.0, 8.0, 9.0];
        let boxes = Boxes::open(&start, &[]);
        let margins: Vec<_> = [
            (vec![0, 1, 2], 20.0),
            (vec![3, 4, 5], 15.0),
            (vec![6, 7, 8], 15.0),
            (vec![0, 3, 6], 18.0),
            (vec![1, 4, 7], 18.0),
            (vec![2, 5, 8], 14.0),
        ]
        .iter()
        .map(|(strata, total)| sum(strata, *total, *total))
        .collect();
        let projection = project(&start, &boxes, &margins, 50.0).unwrap();
        assert!(projection.converged(), "{}", projection.residual);
        let rows = &projection.rows;
        // A free two-by-two block keeps its odds ratio; nothing is above its cap.
        assert!(rows.iter().zip(&start).all(|(rows, cap)| *rows <= cap + 1e-9 && *rows > 0.0));
        let odds = |x: &[f64]| x[0] * x[4] / (x[1] * x[3]);
        let capped = |stratum: usize| (rows[stratum] - start[stratum]).abs() < 1e-9;
        if ![0, 1, 3, 4].iter().any(|stratum| capped(*stratum)) {
            assert!((odds(rows) / odds(&start) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn an_inequality_that_does_not_bind_changes_nothing() {
        let boxes = Boxes::open(&[50.0, 50.0], &[]);
        let loose = project(&[1.0, 3.0], &boxes, &[sum(&[0], 0.0, 9.0)], 20.0).unwrap();
        assert!((loose.rows[0] - 5.0).abs() < 1e-8);
        let tight = project(&[1.0, 3.0], &boxes, &[sum(&[0], 7.0, 9.0)], 20.0).unwrap();
        assert!((tight.rows[0] - 7.0).abs() < 1e-8);
    }
}
