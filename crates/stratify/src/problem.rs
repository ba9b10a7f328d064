//! Rules and strata as one linear problem: rows per stratum, bounds, and sums that must lie within limits.

mod targets;

use std::collections::BTreeMap;

use crate::rules::{Limits, Rule, RuleKind, Rules, Shortage, Size, Start};
use crate::{Census, StratifyError};

/// A sum of rows of some strata, less a share of the size, that must lie within limits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constraint {
    /// The rule's place among the rules.
    pub rule: usize,
    /// The rule's name, and the level it is about.
    pub label: String,
    /// Strata and factors.
    pub terms: Vec<(usize, f64)>,
    /// The factor of the sample's size.
    pub size: f64,
    /// The least value.
    pub lower: f64,
    /// The largest value.
    pub upper: f64,
    /// Lower is kept first.
    pub rank: u8,
    /// What a violation of one row weighs.
    pub weight: f64,
    /// Whether it makes the rules infeasible.
    pub hard: bool,
}

impl Constraint {
    /// Its value at an allocation.
    pub fn value(&self, rows: &[f64], size: f64) -> f64 {
        self.terms.iter().map(|(stratum, factor)| rows[*stratum] * factor).sum::<f64>() + self.size * size
    }

    /// How far an allocation is from its limits, in rows.
    pub fn violation(&self, rows: &[f64], size: f64) -> f64 {
        let value = self.value(rows, size);
        (self.lower - value).max(value - self.upper).max(0.0)
    }

    /// Whether it fixes its value.
    pub fn is_equality(&self) -> bool {
        self.lower == self.upper
    }
}

/// The wanted size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    Exactly(f64),
    AtMost(f64),
}

/// Strata whose sums rules are about: a partition by some keys, as each stratum's group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partition {
    pub keys: Vec<usize>,
    pub groups: Vec<usize>,
    pub count: usize,
    /// Shares of the size, where a target gives them for every group.
    pub shares: Option<Vec<f64>>,
    /// The first of the constraints that the shares became, one per group.
    pub first: usize,
}

/// The whole problem.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub available: Vec<f64>,
    /// The table that targets are raked from.
    pub start: Vec<f64>,
    pub constraints: Vec<Constraint>,
    pub wanted: Wanted,
    pub partitions: Vec<Partition>,
    /// What was changed on the way, in words.
    pub notes: Vec<String>,
    /// Conflicts that need no solver: rules and what would hold.
    pub early: Vec<(Vec<String>, String)>,
}

/// Other data sets' strata by the name that `like` uses.
pub type References = BTreeMap<String, Census>;

impl Problem {
    pub fn new(rules: &Rules, census: &Census, references: &References) -> Result<Self, StratifyError> {
        let available: Vec<f64> = census.rows().iter().map(|rows| *rows as f64).collect();
        let start = match rules.start {
            Start::Natural => available.clone(),
            Start::Uniform => vec![1.0; available.len()],
        };
        let total = census.total() as f64;
        let mut problem = Self {
            available,
            start,
            constraints: Vec::new(),
            wanted: Wanted::AtMost(total),
            partitions: Vec::new(),
            notes: Vec::new(),
            early: Vec::new(),
        };
        for (place, rule) in rules.rules.iter().enumerate() {
            match &rule.kind {
                RuleKind::Size(size) => problem.add_size(place, rule, *size, total),
                RuleKind::Target(target) => problem.add_target(place, rule, target, census, references)?,
                RuleKind::Bound(bound) => {
                    let strata = part(rule, &bound.part, census)?;
                    let label = rule.name.clone();
                    problem.add_limits(place, rule, label, &strata, &bound.limits, census);
                    let keys = bound.part.keys().filter_map(|key| census.key(key)).collect();
                    problem.add_part(keys, &strata);
                }
                RuleKind::Each(each) => problem.add_each(place, rule, &each.keys, &each.limits, census),
                RuleKind::Negatives(_) => problem.add_negatives(place, rules, census)?,
                RuleKind::Entity(_)
                | RuleKind::Rare(_)
                | RuleKind::Split(_)
                | RuleKind::Weights(_)
                | RuleKind::Balance(_) => {}
            }
        }
        Ok(problem)
    }

    fn add_size(&mut self, place: usize, rule: &Rule, size: Size, total: f64) {
        let (lower, upper) = match size {
            Size::Exactly(rows) => (rows as f64, rows as f64),
            Size::AtMost(rows) => (f64::NEG_INFINITY, (rows as f64).min(total)),
            Size::Rate(rate) => ((rate * total).round(), (rate * total).round()),
        };
        self.wanted = if lower == upper { Wanted::Exactly(upper) } else { Wanted::AtMost(upper) };
        self.constraints.push(constraint(place, rule, rule.name.clone(), Vec::new(), 1.0, lower, upper));
    }

    fn add_each(&mut self, place: usize, rule: &Rule, keys: &[String], limits: &Limits, census: &Census) {
        let keys: Vec<usize> = match keys {
            [] => (0..census.keys().len()).collect(),
            keys => keys.iter().filter_map(|key| census.key(key)).collect(),
        };
        for (level, strata) in census.groups(&keys) {
            let label = format!("{} ({})", rule.name, named(census, &keys, &level));
            self.add_limits(place, rule, label, &strata, limits, census);
        }
        self.add_partition(0, &keys, census, None);
    }

    fn add_limits(
        &mut self,
        place: usize,
        rule: &Rule,
        label: String,
        strata: &[usize],
        limits: &Limits,
        census: &Census,
    ) {
        let terms: Vec<(usize, f64)> = strata.iter().map(|stratum| (*stratum, 1.0)).collect();
        let mut most = limits.at_most.map(|rows| rows as f64);
        if let Some(rate) = limits.rate {
            let rows = (rate * census.rows_of(strata) as f64 + 1e-9).floor();
            most = Some(most.map_or(rows, |most| most.min(rows)));
        }
        let least = limits.at_least.map(|rows| rows as f64);
        if least.is_some() || most.is_some() {
            let (lower, upper) = (least.unwrap_or(f64::NEG_INFINITY), most.unwrap_or(f64::INFINITY));
            // A rate may end below the minimum: two limits that contradict each other stay two.
            if lower > upper {
                self.constraints.push(constraint(
                    place,
                    rule,
                    format!("{label}, minimum"),
                    terms.clone(),
                    0.0,
                    lower,
                    f64::INFINITY,
                ));
                self.constraints.push(constraint(
                    place,
                    rule,
                    format!("{label}, rate"),
                    terms.clone(),
                    0.0,
                    f64::NEG_INFINITY,
                    upper,
                ));
            } else {
                self.constraints.push(constraint(
                    place,
                    rule,
                    label.clone(),
                    terms.clone(),
                    0.0,
                    lower,
                    upper,
                ));
            }
        }
        if let Some(share) = limits.share_at_least {
            self.constraints.push(constraint(
                place,
                rule,
                label.clone(),
                terms.clone(),
                -share,
                0.0,
                f64::INFINITY,
            ));
        }
        if let Some(share) = limits.share_at_most {
            self.constraints.push(constraint(place, rule, label, terms, -share, f64::NEG_INFINITY, 0.0));
        }
    }

    /// Remembers a partition into one part and the rest.
    fn add_part(&mut self, keys: Vec<usize>, strata: &[usize]) {
        let mut groups = vec![0; self.available.len()];
        strata.iter().for_each(|stratum| groups[*stratum] = 1);
        self.partitions.push(Partition { keys, groups, count: 2, shares: None, first: 0 });
    }

    fn add_partition(&mut self, first: usize, keys: &[usize], census: &Census, shares: Option<Vec<f64>>) {
        let mut groups = vec![0; census.len()];
        let by_level = census.groups(keys);
        for (group, strata) in by_level.values().enumerate() {
            strata.iter().for_each(|stratum| groups[*stratum] = group);
        }
        self.partitions.push(Partition { keys: keys.to_vec(), groups, count: by_level.len(), shares, first });
    }

    fn add_negatives(&mut self, place: usize, rules: &Rules, census: &Census) -> Result<(), StratifyError> {
        let rule = &rules.rules[place];
        let RuleKind::Negatives(negatives) = &rule.kind else { return Ok(()) };
        let key = census.key(&negatives.key).unwrap_or_default();
        let level = census.level(key, &negatives.positive).ok_or_else(|| StratifyError::UnknownLevel {
            rule: rule.name.clone(),
            key: negatives.key.clone(),
            level: negatives.positive.clone(),
        })?;
        let (positive, negative): (Vec<_>, Vec<_>) =
            (0..census.len()).partition(|stratum| census.stratum(*stratum)[key] == level);
        let (p, n) = (census.rows_of(&positive) as f64, census.rows_of(&negative) as f64);
        self.add_part(vec![key], &positive);
        let sized = rules
            .rules
            .iter()
            .any(|rule| matches!(rule.kind, RuleKind::Size(Size::Exactly(_) | Size::Rate(_))));
        let short = !sized && n < negatives.ratio * p;
        let ratio = if short && negatives.shortage == Shortage::Ratio { n / p } else { negatives.ratio };
        let mut terms: Vec<(usize, f64)> = negative.iter().map(|stratum| (*stratum, 1.0)).collect();
        terms.extend(positive.iter().map(|stratum| (*stratum, -ratio)));
        self.constraints.push(constraint(
            place,
            rule,
            format!("{} (ratio)", rule.name),
            terms,
            0.0,
            0.0,
            0.0,
        ));
        let remedy = format!(
            "{}:1 with all {p} positives, or {} positives at {}:1",
            trim(n / p),
            (n / negatives.ratio).floor(),
            trim(negatives.ratio)
        );
        match negatives.shortage {
            Shortage::Positives | Shortage::Ratio if short => {
                self.notes.push(format!(
                    "rule `{}`: {n} negatives are too few for {p} positives: {remedy}",
                    rule.name
                ));
            }
            Shortage::Conflict if short => {
                self.early.push((vec![rule.name.clone()], format!("{n} negatives are too few: {remedy}")));
            }
            _ => {}
        }
        if !sized && (!short || negatives.shortage != Shortage::Positives) {
            let terms = positive.iter().map(|stratum| (*stratum, 1.0)).collect();
            let label = format!("{} (all positives)", rule.name);
            self.constraints.push(constraint(place, rule, label, terms, 0.0, p, f64::INFINITY));
        }
        if short && negatives.shortage == Shortage::Positives {
            // Whole positives: of a fraction of one, as many negatives could not be had.
            let terms = positive.iter().map(|stratum| (*stratum, 1.0)).collect();
            let label = format!("{} (positives)", rule.name);
            let most = (n / negatives.ratio).floor();
            self.constraints.push(constraint(place, rule, label, terms, 0.0, 0.0, most));
        }
        Ok(())
    }
}

/// A number without superfluous digits.
pub(crate) fn trim(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn constraint(
    place: usize,
    rule: &Rule,
    label: String,
    terms: Vec<(usize, f64)>,
    size: f64,
    lower: f64,
    upper: f64,
) -> Constraint {
    Constraint {
        rule: place,
        label,
        terms,
        size,
        lower,
        upper,
        rank: rule.rank(),
        weight: rule.weight,
        hard: rule.hard,
    }
}

/// `country=DE, device=tv` from keys and joined levels.
fn named(census: &Census, keys: &[usize], level: &str) -> String {
    let names = keys.iter().map(|key| census.keys()[*key].as_str());
    names
        .zip(level.split(crate::strata::JOINT))
        .map(|(key, level)| format!("{key}={level}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The strata of a part.
fn part(
    rule: &Rule,
    part: &BTreeMap<String, crate::rules::Levels>,
    census: &Census,
) -> Result<Vec<usize>, StratifyError> {
    for (key, levels) in part {
        let place = census.key(key).unwrap_or_default();
        if let Some(level) = levels.iter().find(|level| census.level(place, level).is_none()) {
            return Err(StratifyError::UnknownLevel {
                rule: rule.name.clone(),
                key: key.clone(),
                level: level.to_owned(),
            });
        }
    }
    let matches = |stratum: usize| {
        let names = census.names(stratum);
        part.iter().all(|(key, levels)| levels.contains(names[census.key(key).unwrap_or_default()]))
    };
    Ok((0..census.len()).filter(|stratum| matches(*stratum)).collect())
}
