//! Linear programmes over rows per stratum, with `microlp`.
//!
//! Strata that every constraint treats alike are one variable, and numbers are scaled so that the solver's absolute
//! tolerance means the same for a hundred rows and for a thousand million.

use std::collections::HashMap;

use microlp::{ComparisonOp, Error, OptimizationDirection, Problem as Lp, Variable};

use crate::StratifyError;
use crate::problem::Constraint;

/// Bounds per stratum, and the constraints that are no such bounds.
#[derive(Debug, Clone)]
pub(crate) struct Boxes {
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub constraints: Vec<Constraint>,
}

impl Boxes {
    /// The rows there are as the only bounds.
    pub fn open(available: &[f64], constraints: &[Constraint]) -> Self {
        Self {
            lower: vec![0.0; available.len()],
            upper: available.to_vec(),
            constraints: constraints.to_vec(),
        }
    }

    /// Constraints of one stratum folded into its bounds; `None` if bounds cross.
    pub fn fold(available: &[f64], constraints: &[Constraint]) -> Option<Self> {
        let mut boxes = Self::open(available, &[]);
        for constraint in constraints {
            match constraint.terms.as_slice() {
                [(stratum, factor)] if constraint.size == 0.0 && *factor == 1.0 => {
                    boxes.lower[*stratum] = boxes.lower[*stratum].max(constraint.lower);
                    boxes.upper[*stratum] = boxes.upper[*stratum].min(constraint.upper);
                }
                _ => boxes.constraints.push(constraint.clone()),
            }
        }
        let crossed = boxes.lower.iter().zip(&boxes.upper).any(|(low, high)| low > high);
        (!crossed).then_some(boxes)
    }

    pub fn total(&self) -> f64 {
        self.upper.iter().sum()
    }
}

/// A programme over blocks of strata and the size.
pub(super) struct Programme {
    lp: Lp,
    blocks: Vec<Variable>,
    size: Variable,
    block_of: Vec<usize>,
    scale: f64,
}

/// A solution of a programme.
pub(super) struct Answer {
    /// Rows per block, and the size.
    pub blocks: Vec<f64>,
    pub size: f64,
    pub objective: f64,
    solution: microlp::Solution,
    scale: f64,
}

impl Answer {
    pub fn value(&self, variable: Variable) -> f64 {
        self.solution.var_value(variable) * self.scale
    }
}

impl Programme {
    /// A programme with sizes within `size`, that minimises (or maximises) `size_cost` times the size.
    pub fn new(boxes: &Boxes, size: (f64, f64), direction: OptimizationDirection, size_cost: f64) -> Self {
        let (block_of, count) = blocks(boxes);
        let scale = (boxes.total() / 8192.0).max(1.0).log2().ceil().exp2();
        let mut bounds = vec![(0.0, 0.0); count];
        for (stratum, block) in block_of.iter().enumerate() {
            bounds[*block].0 += boxes.lower[stratum] / scale;
            bounds[*block].1 += boxes.upper[stratum] / scale;
        }
        let mut lp = Lp::new(direction);
        let blocks: Vec<Variable> = bounds.iter().map(|bounds| lp.add_var(0.0, *bounds)).collect();
        let size = lp.add_var(size_cost, (size.0 / scale, size.1 / scale));
        let mut sum: Vec<(Variable, f64)> = blocks.iter().map(|block| (*block, 1.0)).collect();
        sum.push((size, -1.0));
        lp.add_constraint(sum.as_slice(), ComparisonOp::Eq, 0.0);
        Self { lp, blocks, size, block_of, scale }
    }

    fn terms(&self, constraint: &Constraint) -> Vec<(Variable, f64)> {
        let mut seen = vec![false; self.blocks.len()];
        let mut terms = Vec::new();
        for (stratum, factor) in &constraint.terms {
            let block = self.block_of[*stratum];
            if !std::mem::replace(&mut seen[block], true) {
                terms.push((self.blocks[block], *factor));
            }
        }
        if constraint.size != 0.0 {
            terms.push((self.size, constraint.size));
        }
        terms
    }

    fn add(&mut self, terms: &[(Variable, f64)], lower: f64, upper: f64) {
        let (low, high) = (lower / self.scale, upper / self.scale);
        if lower == upper {
            self.lp.add_constraint(terms, ComparisonOp::Eq, low);
            return;
        }
        if lower.is_finite() {
            self.lp.add_constraint(terms, ComparisonOp::Ge, low);
        }
        if upper.is_finite() {
            self.lp.add_constraint(terms, ComparisonOp::Le, high);
        }
    }

    /// Requires a constraint.
    pub fn require(&mut self, constraint: &Constraint) {
        let terms = self.terms(constraint);
        self.add(&terms, constraint.lower, constraint.upper);
    }

    /// Lets a constraint be missed at a cost; gives what is above and what is below.
    pub fn relax(&mut self, constraint: &Constraint, costs: (f64, f64)) -> (Variable, Variable) {
        let over = self.lp.add_var(costs.0, (0.0, f64::INFINITY));
        let under = self.lp.add_var(costs.1, (0.0, f64::INFINITY));
        let mut terms = self.terms(constraint);
        terms.extend([(over, -1.0), (under, 1.0)]);
        self.add(&terms, constraint.lower, constraint.upper);
        (over, under)
    }

    /// Limits a weighted sum of variables.
    pub fn limit(&mut self, terms: &[(Variable, f64)], upper: f64) {
        self.add(terms, f64::NEG_INFINITY, upper);
    }

    /// Gives strata a price.
    pub fn limit_strata(&mut self, strata: &[usize]) -> Variable {
        let sum = self.lp.add_var(1.0, (0.0, f64::INFINITY));
        let mut blocks: Vec<usize> = strata.iter().map(|stratum| self.block_of[*stratum]).collect();
        blocks.sort_unstable();
        blocks.dedup();
        let mut terms: Vec<(Variable, f64)> = blocks.iter().map(|block| (self.blocks[*block], 1.0)).collect();
        terms.push((sum, -1.0));
        self.lp.add_constraint(terms.as_slice(), ComparisonOp::Eq, 0.0);
        sum
    }

    /// The best solution; `None` if there is none.
    pub fn solve(self) -> Result<Option<Answer>, StratifyError> {
        let scale = self.scale;
        let outcome = match self.lp.solve() {
            Ok(outcome) => outcome,
            Err(Error::Infeasible) => return Ok(None),
            Err(error) => return Err(StratifyError::Solver(error.to_string())),
        };
        let solution =
            outcome.into_solution().map_err(|_| StratifyError::Solver("it was interrupted".to_owned()))?;
        let blocks = self.blocks.iter().map(|block| solution.var_value(*block) * scale).collect();
        let (size, objective) = (solution.var_value(self.size) * scale, solution.objective() * scale);
        Ok(Some(Answer { blocks, size, objective, solution, scale }))
    }

    /// Each stratum's block.
    pub fn block_of(&self) -> &[usize] {
        &self.block_of
    }
}

/// Strata that all constraints treat alike, as each stratum's block and the number of blocks.
fn blocks(boxes: &Boxes) -> (Vec<usize>, usize) {
    let mut signatures: Vec<Vec<(usize, u64)>> = vec![Vec::new(); boxes.upper.len()];
    for (place, constraint) in boxes.constraints.iter().enumerate() {
        for (stratum, factor) in &constraint.terms {
            signatures[*stratum].push((place, factor.to_bits()));
        }
    }
    let mut known: HashMap<Vec<(usize, u64)>, usize> = HashMap::new();
    let block_of = signatures.into_iter().map(|signature| {
        let next = known.len();
        *known.entry(signature).or_insert(next)
    });
    let block_of: Vec<usize> = block_of.collect();
    (block_of, known.len())
}

/// The least and the largest size at which constraints hold; `None` if they never do.
pub(crate) fn sizes(
    available: &[f64],
    constraints: &[Constraint],
) -> Result<Option<(f64, f64)>, StratifyError> {
    let Some(boxes) = Boxes::fold(available, constraints) else { return Ok(None) };
    let (least, most) = (boxes.lower.iter().sum(), boxes.total());
    if boxes.constraints.is_empty() {
        return Ok(Some((least, most)));
    }
    let extreme = |direction| {
        let mut programme = Programme::new(&boxes, (0.0, most), direction, 1.0);
        boxes.constraints.iter().for_each(|constraint| programme.require(constraint));
        programme.solve()
    };
    let Some(high) = extreme(OptimizationDirection::Maximize)? else { return Ok(None) };
    let low = extreme(OptimizationDirection::Minimize)?.map_or(high.size, |low| low.size);
    Ok(Some((low, high.size)))
}

/// Strata that constraints force to their lower bound, pinned there: a fit would approach them for ever.
pub(super) fn pin_forced(boxes: &Boxes, size: f64, rows: &[f64]) -> Result<Boxes, StratifyError> {
    let small = |stratum: &usize| {
        rows[*stratum] - boxes.lower[*stratum] < 1e-3 * (1.0 + boxes.upper[*stratum]).min(100.0)
    };
    let candidates: Vec<usize> = (0..rows.len()).filter(small).collect();
    let mut pinned = boxes.clone();
    for group in
        std::iter::once(candidates.as_slice()).chain(candidates.chunks(candidates.len().div_ceil(64).max(1)))
    {
        let mut programme = Programme::new(boxes, (size, size), OptimizationDirection::Maximize, 0.0);
        boxes.constraints.iter().for_each(|constraint| programme.require(constraint));
        let sum = programme.limit_strata(group);
        // A block's other strata could hold what these do not; then they are not forced.
        let lower: f64 = group.iter().map(|stratum| boxes.lower[*stratum]).sum();
        if let Some(answer) = programme.solve()?
            && answer.value(sum) <= lower + 1e-6
        {
            group.iter().for_each(|stratum| pinned.upper[*stratum] = boxes.lower[*stratum]);
        }
    }
    Ok(pinned)
}
