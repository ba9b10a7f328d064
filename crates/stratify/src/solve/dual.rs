//! The dual of bounded raking: multipliers, and the rows that they make.

use crate::problem::Constraint;
use crate::solve::Boxes;

/// The state of the dual.
#[derive(Debug, Clone)]
pub(super) struct Dual<'a> {
    pub constraints: &'a [Constraint],
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    log_start: Vec<f64>,
    pub size: f64,
    pub multipliers: Vec<f64>,
    /// Per stratum, the sum of its multipliers.
    pub tilt: Vec<f64>,
}

/// No multiplier needs to go further in one step: `exp(40)` is 10^17.
const STEP: f64 = 40.0;

impl<'a> Dual<'a> {
    pub fn new(start: &[f64], boxes: &Boxes, constraints: &'a [Constraint], size: f64) -> Self {
        let mut dual = Self {
            constraints,
            lower: boxes.lower.clone(),
            upper: boxes.upper.clone(),
            log_start: start.iter().map(|rows| rows.max(f64::MIN_POSITIVE).ln()).collect(),
            size,
            multipliers: vec![0.0; constraints.len()],
            tilt: vec![0.0; start.len()],
        };
        dual.pin();
        // Start at the right order of magnitude: the last constraint is the size's.
        dual.step(constraints.len() - 1);
        dual
    }

    /// Strata that a constraint leaves only one value are given it: their multipliers would grow for ever.
    fn pin(&mut self) {
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for constraint in self.constraints {
                let (lower, upper) = self.limits(constraint);
                let slack = 1e-12 * self.size.max(1.0);
                let least = self.extreme(constraint, false);
                let most = self.extreme(constraint, true);
                let end = match (upper <= least + slack, lower >= most - slack) {
                    (true, false) => false,
                    (false, true) => true,
                    _ => continue,
                };
                for (stratum, factor) in &constraint.terms {
                    if self.lower[*stratum] < self.upper[*stratum] {
                        let at_upper = end == (*factor > 0.0);
                        let value = if at_upper { self.upper[*stratum] } else { self.lower[*stratum] };
                        (self.lower[*stratum], self.upper[*stratum]) = (value, value);
                        changed = true;
                    }
                }
            }
        }
    }

    fn extreme(&self, constraint: &Constraint, most: bool) -> f64 {
        let ends = constraint.terms.iter().map(|(stratum, factor)| {
            factor * if most == (*factor > 0.0) { self.upper[*stratum] } else { self.lower[*stratum] }
        });
        ends.sum()
    }

    /// The limits of a constraint's sum of rows at this size.
    pub fn limits(&self, constraint: &Constraint) -> (f64, f64) {
        let shift = constraint.size * self.size;
        (constraint.lower - shift, constraint.upper - shift)
    }

    /// A stratum's rows under a tilt.
    pub fn at(&self, stratum: usize, tilt: f64) -> f64 {
        // Not `clamp`: it panics on bounds that crossed by a rounding error.
        (self.log_start[stratum] + tilt).min(700.0).exp().min(self.upper[stratum]).max(self.lower[stratum])
    }

    /// Whether a stratum's rows move with its multipliers.
    pub fn is_free(&self, stratum: usize) -> bool {
        let rows = (self.log_start[stratum] + self.tilt[stratum]).min(700.0).exp();
        rows > self.lower[stratum] && rows < self.upper[stratum]
    }

    pub fn rows(&self) -> Vec<f64> {
        (0..self.tilt.len()).map(|stratum| self.at(stratum, self.tilt[stratum])).collect()
    }

    fn sum(&self, constraint: &Constraint, step: f64) -> f64 {
        let rows = constraint.terms.iter();
        rows.map(|(stratum, factor)| factor * self.at(*stratum, self.tilt[*stratum] + factor * step)).sum()
    }

    /// Moves one multiplier to where its constraint holds.
    pub fn step(&mut self, place: usize) {
        let constraint = &self.constraints[place];
        let (lower, upper) = self.limits(constraint);
        let current = self.multipliers[place];
        let step = if lower == upper {
            self.root(constraint, lower)
        } else {
            let free = self.sum(constraint, -current);
            if free < lower {
                self.root(constraint, lower).max(-current)
            } else if free > upper {
                self.root(constraint, upper).min(-current)
            } else {
                -current
            }
        };
        self.shift(place, step);
    }

    /// Changes one multiplier.
    pub fn shift(&mut self, place: usize, step: f64) {
        if step == 0.0 {
            return;
        }
        self.multipliers[place] += step;
        for (stratum, factor) in &self.constraints[place].terms {
            self.tilt[*stratum] += factor * step;
        }
    }

    /// The step of one multiplier that makes its sum a value: the sum grows with the step.
    fn root(&self, constraint: &Constraint, wanted: f64) -> f64 {
        let now = self.sum(constraint, 0.0);
        if (now - wanted).abs() <= 1e-14 * self.size.max(1.0) {
            return 0.0;
        }
        let up = now < wanted;
        let mut near = 0.0;
        let mut far = if up { 0.5 } else { -0.5 };
        while (self.sum(constraint, far) < wanted) == up {
            near = far;
            if f64::abs(far) >= STEP {
                return far;
            }
            far *= 2.0;
        }
        let (mut low, mut high) = if up { (near, far) } else { (far, near) };
        let (mut at_low, mut at_high) =
            (self.sum(constraint, low) - wanted, self.sum(constraint, high) - wanted);
        for round in 0..200 {
            // The secant, with a bisection now and then so that it never crawls.
            let secant = low - at_low * (high - low) / (at_high - at_low);
            let middle = if round % 3 == 2 || !secant.is_finite() || secant <= low || secant >= high {
                0.5 * (low + high)
            } else {
                secant
            };
            let at = self.sum(constraint, middle) - wanted;
            if at.abs() <= 1e-15 * self.size.max(1.0) || high - low <= 1e-15 * (1.0 + high.abs()) {
                return middle;
            }
            if at < 0.0 { (low, at_low) = (middle, at) } else { (high, at_high) = (middle, at) }
        }
        0.5 * (low + high)
    }

    /// The largest violation, as a share of the size; a multiplier without a binding limit violates, too.
    pub fn residual(&self) -> f64 {
        let off = self.constraints.iter().zip(&self.multipliers).map(|(constraint, multiplier)| {
            let (lower, upper) = self.limits(constraint);
            let sum = self.sum(constraint, 0.0);
            let slack = match multiplier.partial_cmp(&0.0) {
                _ if lower == upper => 0.0,
                Some(std::cmp::Ordering::Greater) => sum - lower,
                Some(std::cmp::Ordering::Less) => upper - sum,
                _ => 0.0,
            };
            (lower - sum).max(sum - upper).max(slack).max(0.0)
        });
        off.fold(0.0, f64::max) / self.size.max(1.0)
    }

    /// The dual's value: convex, least where all constraints hold.
    pub fn value(&self) -> f64 {
        let strata = (0..self.tilt.len()).map(|stratum| {
            let log = self.log_start[stratum] + self.tilt[stratum];
            let rows = self.at(stratum, self.tilt[stratum]);
            if rows <= 0.0 { 0.0 } else { rows + rows * (log - rows.ln()) }
        });
        let limits = self.constraints.iter().zip(&self.multipliers).map(|(constraint, multiplier)| {
            let (lower, upper) = self.limits(constraint);
            if *multiplier == 0.0 { 0.0 } else { multiplier * if *multiplier > 0.0 { lower } else { upper } }
        });
        strata.sum::<f64>() - limits.sum::<f64>()
    }
}
