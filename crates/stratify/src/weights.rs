//! Weights of selected rows: inverse inclusion probabilities, bounded calibration, and what they cost in precision.

use crate::rules::WeightsRule;
use crate::{Plan, PlannedStratum, StratifyError};

/// Kish's effective size: as many equally weighted rows tell as much.
///
/// ```
/// let weights: Vec<f64> = [9.0, 1.0].iter().flat_map(|weight| [*weight; 10]).collect();
/// assert!((nearline_stratify::weights::effective_size(&weights) - 12.195).abs() < 1e-3);
/// ```
pub fn effective_size(weights: &[f64]) -> f64 {
    let sum: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// Weights of `rows / taken`; a stratum of which nothing is taken has none.
pub fn inverse_inclusion(rows: &[u64], taken: &[u64]) -> Vec<Option<f64>> {
    rows.iter().zip(taken).map(|(rows, taken)| (*taken > 0).then(|| *rows as f64 / *taken as f64)).collect()
}

/// Calibrated weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// The weights.
    pub weights: Vec<f64>,
    /// The largest miss of a total, as a share of the whole.
    pub residual: f64,
    /// Whether all totals are met to 1e-9.
    pub converged: bool,
}

/// Weights near `design` whose sums over groups are `totals`, each within `lower` to `upper` times its own.
///
/// `units` says how many rows each entry stands for: strata can be calibrated instead of rows. `margins` holds, per
/// margin, each entry's group and each group's total. Bounded raking, Deville and Särndal 1992.
///
/// # Errors
/// Margins of different sums.
pub fn calibrate(
    design: &[f64],
    units: &[f64],
    margins: &[(Vec<usize>, Vec<f64>)],
    lower: f64,
    upper: f64,
) -> Result<Calibrated, StratifyError> {
    use crate::problem::Constraint;
    use crate::solve::{Boxes, project};
    let start: Vec<f64> = design.iter().zip(units).map(|(weight, units)| weight * units).collect();
    let sums: Vec<f64> = margins.iter().map(|(_, totals)| totals.iter().sum()).collect();
    if let Some(place) = sums.iter().position(|sum| (sum - sums[0]).abs() > 1e-6 * sums[0].abs().max(1.0)) {
        return Err(StratifyError::MarginsDisagree {
            first: "margin 0".to_owned(),
            first_sum: sums[0],
            second: format!("margin {place}"),
            second_sum: sums[place],
        });
    }
    let mut constraints = Vec::new();
    for (groups, totals) in margins {
        for (group, total) in totals.iter().enumerate() {
            let members = groups.iter().enumerate().filter(|(_, other)| **other == group);
            constraints.push(Constraint {
                rule: 0,
                label: String::new(),
                terms: members.map(|(entry, _)| (entry, 1.0)).collect(),
                size: 0.0,
                lower: *total,
                upper: *total,
                rank: 0,
                weight: 1.0,
                hard: true,
            });
        }
    }
    let boxes = Boxes {
        lower: start.iter().map(|sum| sum * lower).collect(),
        upper: start.iter().map(|sum| sum * upper).collect(),
        constraints: Vec::new(),
    };
    let whole = sums.first().copied().unwrap_or_else(|| start.iter().sum());
    let projection = project(&start, &boxes, &constraints, whole)?;
    let weights =
        projection.rows.iter().zip(units).map(|(sum, units)| if *units > 0.0 { sum / units } else { 0.0 });
    Ok(Calibrated {
        weights: weights.collect(),
        residual: projection.residual,
        converged: projection.residual <= 1e-9,
    })
}

/// The weight of a row of each stratum of a plan of which `taken` rows were taken: the inverse of its chance, calibrated
/// to the data's totals if the rule wants it. Strata of which nothing was taken weigh nothing.
///
/// # Errors
/// Margins of different sums.
pub fn of_plan(rule: &WeightsRule, plan: &Plan, taken: &[f64]) -> Result<Calibrated, StratifyError> {
    let design = plan.strata.iter().zip(taken);
    let design: Vec<f64> = design
        .map(|(stratum, taken)| if *taken > 0.0 { stratum.available as f64 / taken } else { 0.0 })
        .collect();
    let mut margins = Vec::new();
    for key in &rule.calibrate {
        let Some(place) = plan.keys.iter().position(|known| known == key) else { continue };
        let mut levels: Vec<&str> = plan.strata.iter().map(|s| s.levels[place].as_str()).collect();
        levels.sort_unstable();
        levels.dedup();
        let group = |s: &PlannedStratum| levels.binary_search(&s.levels[place].as_str()).unwrap_or(0);
        let groups: Vec<usize> = plan.strata.iter().map(group).collect();
        let mut totals = vec![0.0; levels.len()];
        groups.iter().zip(&plan.strata).for_each(|(group, s)| totals[*group] += s.available as f64);
        margins.push((groups, totals));
    }
    if margins.is_empty() {
        return Ok(Calibrated { weights: design, residual: 0.0, converged: true });
    }
    calibrate(&design, taken, &margins, rule.lower, rule.upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_of_ninety_and_ten_of_ten_weigh_nine_and_one() {
        assert_eq!(inverse_inclusion(&[90, 10, 5], &[10, 10, 0]), [Some(9.0), Some(1.0), None]);
        let weights: Vec<f64> = [9.0, 1.0].iter().flat_map(|weight| [*weight; 10]).collect();
        assert!((effective_size(&weights) - 12.195).abs() < 1e-3);
    }

    #[test]
    fn calibration_meets_the_totals_within_its_bounds() {
        let margins = [(vec![0, 0, 1, 1], vec![60.0, 40.0]), (vec![0, 1, 0, 1], vec![55.0, 45.0])];
        let calibrated = calibrate(&[2.0; 4], &[10.0, 15.0, 12.0, 13.0], &margins, 0.5, 2.0).unwrap();
        assert!(calibrated.converged);
        let sums: Vec<f64> =
            calibrated.weights.iter().zip([10.0, 15.0, 12.0, 13.0]).map(|(w, n)| w * n).collect();
        assert!((sums[0] + sums[1] - 60.0).abs() < 1e-6 && (sums[0] + sums[2] - 55.0).abs() < 1e-6);
        let impossible = calibrate(&[2.0; 4], &[10.0; 4], &margins, 0.99, 1.01).unwrap();
        assert!(!impossible.converged && impossible.weights.iter().all(|w| (1.97..=2.03).contains(w)));
    }
}
