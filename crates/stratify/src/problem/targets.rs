//! Targets: shares of the levels of keys, checked against the levels that the data has.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, References, constraint, named};
use crate::rules::{Distribution, Rest, Rule, Target, Unknown};
use crate::{Census, StratifyError};

impl Problem {
    pub(super) fn add_target(
        &mut self,
        place: usize,
        rule: &Rule,
        target: &Target,
        census: &Census,
        references: &References,
    ) -> Result<(), StratifyError> {
        let keys: Vec<usize> = target.keys.iter().filter_map(|key| census.key(key)).collect();
        let groups = census.groups(&keys);
        let shares = self.shares(rule, target, census, &groups, references)?;
        let first = self.constraints.len();
        for (level, strata) in &groups {
            let share = shares[level];
            let label = format!("{} ({})", rule.name, named(census, &keys, level));
            let terms = strata.iter().map(|stratum| (*stratum, 1.0)).collect();
            self.constraints.push(constraint(place, rule, label, terms, -share, 0.0, 0.0));
        }
        let shares = groups.keys().map(|level| shares[level]).collect();
        self.add_partition(first, &keys, census, Some(shares));
        Ok(())
    }

    /// The share of every level that the data has; they add up to one.
    fn shares(
        &mut self,
        rule: &Rule,
        target: &Target,
        census: &Census,
        groups: &BTreeMap<String, Vec<usize>>,
        references: &References,
    ) -> Result<BTreeMap<String, f64>, StratifyError> {
        let rows = |level: &String| census.rows_of(&groups[level]) as f64;
        let natural = || groups.keys().map(|level| (level.clone(), rows(level))).collect::<BTreeMap<_, _>>();
        let key = || target.keys.join("|");
        match &target.of {
            Distribution::Natural => Ok(normalised(natural())),
            Distribution::Uniform => {
                Ok(normalised(groups.keys().map(|level| (level.clone(), 1.0)).collect()))
            }
            Distribution::Importance(factors) => {
                if let Some(level) = factors.keys().find(|level| !groups.contains_key(*level)) {
                    if target.unknown == Unknown::Error {
                        let (rule, key) = (rule.name.clone(), key());
                        return Err(StratifyError::UnknownLevel { rule, key, level: level.clone() });
                    }
                    self.notes.push(format!(
                        "rule `{}`: the data has no `{level}`, its factor is ignored",
                        rule.name
                    ));
                }
                let shares = natural().into_iter().map(|(level, rows)| {
                    let factor = factors.get(&level).copied().unwrap_or(1.0);
                    (level, rows * factor)
                });
                let shares: BTreeMap<String, f64> = shares.collect();
                if !shares.values().any(|share| *share > 0.0) {
                    let reason = "the importance of every level of the data is zero; give one of them more";
                    return Err(StratifyError::rule(&rule.name, reason));
                }
                Ok(normalised(shares))
            }
            Distribution::Like(name) => {
                let reference = references.get(name).ok_or_else(|| {
                    StratifyError::rule(&rule.name, format!("there is no data set `{name}` to be like"))
                })?;
                let keys: Option<Vec<usize>> = target.keys.iter().map(|key| reference.key(key)).collect();
                let keys = keys.ok_or_else(|| {
                    StratifyError::rule(&rule.name, format!("the data set `{name}` lacks a key of {}", key()))
                })?;
                let wanted = reference.groups(&keys).into_iter();
                let wanted =
                    wanted.map(|(level, strata)| (level, reference.rows_of(&strata) as f64)).collect();
                self.matched(rule, target, normalised(wanted), groups, census)
            }
            Distribution::Shares(shares) => self.matched(rule, target, shares.clone(), groups, census),
        }
    }

    /// Wanted shares matched with the levels that the data has.
    fn matched(
        &mut self,
        rule: &Rule,
        target: &Target,
        mut wanted: BTreeMap<String, f64>,
        groups: &BTreeMap<String, Vec<usize>>,
        census: &Census,
    ) -> Result<BTreeMap<String, f64>, StratifyError> {
        let key = target.keys.join("|");
        let unknown: Vec<String> =
            wanted.keys().filter(|level| !groups.contains_key(*level)).cloned().collect();
        for level in unknown {
            let share = wanted.remove(&level).unwrap_or_default();
            match (target.unknown, target.into.as_ref().filter(|into| groups.contains_key(*into))) {
                (Unknown::Error, _) => {
                    return Err(StratifyError::UnknownLevel { rule: rule.name.clone(), key, level });
                }
                (Unknown::Merge, None) => {
                    let into = target.into.clone().unwrap_or_default();
                    let reason = format!(
                        "`{level}` should be merged into `{into}`, which the data does not have either"
                    );
                    return Err(StratifyError::rule(&rule.name, reason));
                }
                (Unknown::Merge, Some(into)) => {
                    *wanted.entry(into.clone()).or_default() += share;
                    self.notes
                        .push(format!("rule `{}`: `{level}` ({share}) is merged into `{into}`", rule.name));
                }
                (Unknown::Renormalise, _) => {
                    self.notes.push(format!(
                        "rule `{}`: the data has no `{level}` ({share}), the other shares grow",
                        rule.name
                    ));
                }
            }
        }
        let unnamed: BTreeSet<&String> = groups.keys().filter(|level| !wanted.contains_key(*level)).collect();
        if let (Some(level), Rest::Error) = (unnamed.first(), target.rest) {
            return Err(StratifyError::UnnamedLevel {
                rule: rule.name.clone(),
                key,
                level: (*level).clone(),
            });
        }
        let rows = |level: &String| census.rows_of(&groups[level]) as f64;
        let left = (1.0 - wanted.values().sum::<f64>()).max(0.0);
        let natural: f64 = unnamed.iter().map(|level| rows(level)).sum();
        for level in unnamed {
            let share = if target.rest == Rest::Natural { left * rows(level) / natural } else { 0.0 };
            wanted.insert(level.clone(), share);
        }
        if wanted.values().sum::<f64>() <= 0.0 {
            return Err(StratifyError::rule(&rule.name, "the data has none of the wanted levels"));
        }
        Ok(normalised(wanted))
    }
}

fn normalised(mut shares: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let sum: f64 = shares.values().sum();
    shares.values_mut().for_each(|share| *share /= sum);
    shares
}
