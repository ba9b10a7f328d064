//! The plan: rules and strata in, rows per stratum out, with what was found on the way.

mod check;
mod rare;

use serde::Serialize;

use crate::problem::{Constraint, Problem, trim};
use crate::report::Distances;
use crate::rules::{EntityRule, OnConflict, Rules};
use crate::solve::{Conflict, Solved, solve};
use crate::{Census, References, RoundingMethod, StratifyError, round};

/// How far the sample is from the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every rule holds to the row.
    Exact,
    /// Every rule holds but for rounding: no sum is off by one row or more.
    RoundedWithinOne,
    /// Some rule does not hold; nothing that fits the data comes closer.
    Closest,
    /// Hard rules conflict, and nothing is selected.
    Refused,
}

/// One stratum of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedStratum {
    /// Its levels, one per key.
    pub levels: Vec<String>,
    /// The rows there are.
    pub available: u64,
    /// The rows wanted, before rounding.
    pub target: f64,
    /// The rows to take.
    pub take: u64,
    /// Inverse inclusion probability of a row that is taken (0 if none is).
    pub weight: f64,
}

/// A rule's sum at the plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sum {
    /// The rule's name, and the level.
    pub part: String,
    /// What it wants at least, in rows; none if it does not say.
    pub at_least: Option<f64>,
    /// What it wants at most, in rows; none if it does not say.
    pub at_most: Option<f64>,
    /// What it gets.
    pub gets: f64,
    /// The rows there are.
    pub available: u64,
    /// By how many rows it is missed.
    pub missed: f64,
}

/// A rule about rare strata, applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RareStratum {
    /// Its levels in words.
    pub stratum: String,
    /// The rows it has.
    pub rows: u64,
    /// What was done: `kept`, `merged into …`, `dropped`.
    pub action: String,
}

/// What to take of each stratum, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// How far from the rules.
    pub outcome: Outcome,
    /// The keys of the strata.
    pub keys: Vec<String>,
    /// The rows to take in all (0 if refused).
    pub size: u64,
    /// Strata, in the order of their levels.
    pub strata: Vec<PlannedStratum>,
    /// Rules that cannot hold together.
    pub conflicts: Vec<Conflict>,
    /// The sizes at which all other rules hold.
    pub sizes: Option<(u64, u64)>,
    /// The sums that rules are about.
    pub sums: Vec<Sum>,
    /// The largest miss of a sum, in rows.
    pub largest_deviation: f64,
    /// Whether a larger sample under the same rules contains this one.
    pub nested: bool,
    /// How fractions became whole.
    pub rounding: RoundingMethod,
    /// Strata that a rule calls rare.
    pub rare: Vec<RareStratum>,
    /// What else was decided on the way.
    pub notes: Vec<String>,
    /// Distances between the data, the target and the sample.
    pub distances: Distances,
    /// Each stratum of the data: its place in `strata`, none if it is left out.
    #[serde(skip)]
    pub stratum_of: Vec<Option<usize>>,
}

impl Plan {
    /// The plan of rules for the strata of a data set.
    ///
    /// ```
    /// use nearline_stratify::{Census, Outcome, Plan, Rules};
    /// let census = Census::count(&["level"], [(vec!["a"], 100), (vec!["b"], 5), (vec!["c"], 100)]);
    /// let thirds = [("a", 1.0 / 3.0), ("b", 1.0 / 3.0), ("c", 1.0 / 3.0)];
    /// let plan = Plan::new(&Rules::new("id", &["level"]).exactly(30).shares("level", &thirds), &census).unwrap();
    /// assert_eq!(plan.outcome, Outcome::Refused);
    /// assert_eq!(plan.sizes, Some((0, 15)));
    /// assert!((plan.strata[0].target - 12.5).abs() < 1e-9);
    /// ```
    ///
    /// # Errors
    /// Rules that are wrong in themselves or name what the data does not have. Rules that contradict each other are
    /// no error: see [`Plan::outcome`].
    pub fn new(rules: &Rules, census: &Census) -> Result<Self, StratifyError> {
        Self::with_references(rules, census, &References::new())
    }

    /// The plan of rules of which some want the distribution of another data set.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_references(
        rules: &Rules,
        census: &Census,
        references: &References,
    ) -> Result<Self, StratifyError> {
        rules.validate()?;
        if census.is_empty() {
            return Err(StratifyError::Empty);
        }
        check::keys(rules, census)?;
        let thinned = rare::apply(rules, census)?;
        if thinned.census.is_empty() {
            return Err(StratifyError::Empty);
        }
        let problem = Problem::new(rules, &thinned.census, references)?;
        let names: Vec<String> = rules.rules.iter().map(|rule| rule.name.clone()).collect();
        let solved = solve(&problem, &names)?;
        let size = solved.size.max(0.0).min(problem.available.iter().sum());
        let rounded = round::round(&problem, &solved.rows, size, rules.rounding, rules.seed)?;
        let whole: Vec<f64> = rounded.rows.iter().map(|rows| *rows as f64).collect();
        let sums = sums(&problem, &whole);
        let largest_deviation = sums.iter().map(|sum| sum.missed).fold(0.0, f64::max);
        let outcome = outcome(rules, &solved, &problem, largest_deviation);
        let take = |stratum: usize| if outcome == Outcome::Refused { 0 } else { rounded.rows[stratum] };
        let strata: Vec<PlannedStratum> = (0..thinned.census.len())
            .map(|stratum| planned(&thinned.census, stratum, solved.rows[stratum], take(stratum)))
            .collect();
        Ok(Self {
            outcome,
            keys: census.keys().to_vec(),
            size: strata.iter().map(|stratum| stratum.take).sum(),
            distances: Distances::new(&problem.available, &solved.rows, &whole),
            strata,
            conflicts: solved.conflicts,
            sizes: solved
                .sizes
                .map(|(low, high)| ((low - 1e-6).ceil().max(0.0) as u64, high.floor_near() as u64)),
            sums,
            largest_deviation,
            nested: rounded.nested
                && rules.balance().is_none()
                && !rules.entity().is_some_and(EntityRule::decides_rows),
            rounding: rounded.method,
            rare: thinned.rare,
            notes: problem.notes,
            stratum_of: thinned.stratum_of,
        })
    }

    /// The rows to take per stratum.
    pub fn take(&self) -> Vec<u64> {
        self.strata.iter().map(|stratum| stratum.take).collect()
    }

    /// The rows there are per stratum.
    pub fn available(&self) -> Vec<u64> {
        self.strata.iter().map(|stratum| stratum.available).collect()
    }

    /// The stratum that a row of these levels falls into, none if it is left out.
    pub fn find(&self, census: &Census, levels: &[&str]) -> Option<usize> {
        self.stratum_of[census.find_named(levels)?]
    }
}

trait FloorNear {
    fn floor_near(self) -> f64;
}

impl FloorNear for f64 {
    fn floor_near(self) -> f64 {
        crate::solve::whole(self).max(0.0)
    }
}

fn planned(census: &Census, stratum: usize, target: f64, take: u64) -> PlannedStratum {
    let available = census.rows()[stratum];
    PlannedStratum {
        levels: census.names(stratum).into_iter().map(ToOwned::to_owned).collect(),
        available,
        target,
        take,
        weight: if take == 0 { 0.0 } else { available as f64 / take as f64 },
    }
}

fn outcome(rules: &Rules, solved: &Solved, problem: &Problem, deviation: f64) -> Outcome {
    let hard_conflict = !solved.feasible && !solved.hard_feasible || !problem.early.is_empty();
    match (hard_conflict, rules.on_conflict) {
        (true, OnConflict::Refuse) => Outcome::Refused,
        (true, OnConflict::Closest) => Outcome::Closest,
        (false, _) if !solved.feasible => Outcome::Closest,
        (false, _) if deviation <= 1e-6 => Outcome::Exact,
        (false, _) if deviation < 1.0 - 1e-6 => Outcome::RoundedWithinOne,
        (false, _) => Outcome::Closest,
    }
}

fn sums(problem: &Problem, rows: &[f64]) -> Vec<Sum> {
    let size: f64 = rows.iter().sum();
    let of = |constraint: &Constraint| {
        let shift = constraint.size * size;
        let is_size = constraint.terms.is_empty();
        let (lower, upper) = if is_size {
            (constraint.lower, constraint.upper)
        } else {
            (constraint.lower - shift, constraint.upper - shift)
        };
        let strata = constraint.terms.iter().map(|(stratum, _)| problem.available[*stratum]);
        Sum {
            part: constraint.label.clone(),
            at_least: lower.is_finite().then_some(lower),
            at_most: upper.is_finite().then_some(upper),
            gets: if is_size { size } else { constraint.value(rows, size) - shift },
            available: if is_size { problem.available.iter().sum::<f64>() } else { strata.sum() } as u64,
            missed: constraint.violation(rows, size),
        }
    };
    problem.constraints.iter().map(of).collect()
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wanted = match (self.at_least, self.at_most) {
            (Some(low), Some(high)) if low == high => trim(low),
            (Some(low), Some(high)) => format!("{} to {}", trim(low), trim(high)),
            (Some(low), None) => format!("at least {}", trim(low)),
            (None, Some(high)) => format!("at most {}", trim(high)),
            (None, None) => "anything".to_owned(),
        };
        write!(f, "{}: wants {wanted}, gets {} of {} rows", self.part, trim(self.gets), self.available)
    }
}
