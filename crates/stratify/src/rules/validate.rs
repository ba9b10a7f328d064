//! What can be said of rules before any row is seen.

use std::collections::BTreeSet;

use super::{
    BalanceRule, Distribution, EntityRule, KeySource, Limits, Rest, Rule, RuleKind, Rules, Size, SplitRule,
    Unknown,
};
use crate::StratifyError;

/// How far shares may be from adding up to one.
pub(crate) const SHARE_TOLERANCE: f64 = 1e-6;

/// Parts that a split has at most: the column `part` names them by numbers of one byte.
const MOST_PARTS: usize = 128;

impl Rules {
    /// Checks the rules by themselves.
    ///
    /// # Errors
    /// The first rule that is wrong: doubled names, unknown keys, shares that do not add up, rates outside 0 to 1.
    pub fn validate(&self) -> Result<(), StratifyError> {
        let mut names = BTreeSet::new();
        if self.strata.iter().collect::<BTreeSet<_>>().len() != self.strata.len() {
            return Err(StratifyError::rule("strata", "a key is named twice"));
        }
        for (name, source) in &self.keys {
            source.validate(name)?;
        }
        for rule in &self.rules {
            if !names.insert(rule.name.as_str()) {
                return Err(StratifyError::rule(&rule.name, "another rule has the same name"));
            }
            if !(rule.weight.is_finite() && rule.weight > 0.0) {
                return Err(StratifyError::rule(&rule.name, "`weight` must be positive"));
            }
            self.validate_rule(rule)?;
        }
        self.validate_singles()
    }

    fn validate_rule(&self, rule: &Rule) -> Result<(), StratifyError> {
        let wrong = |reason: &str| Err(StratifyError::rule(&rule.name, reason));
        match &rule.kind {
            RuleKind::Size(Size::Rate(rate)) if !(0.0..=1.0).contains(rate) => {
                wrong("`rate` must be within 0 and 1")
            }
            RuleKind::Size(_) => Ok(()),
            RuleKind::Target(target) => {
                self.known(rule, &target.keys)?;
                if target.keys.is_empty() {
                    return wrong("a target needs `keys`");
                }
                if target.unknown == Unknown::Merge && target.into.is_none() {
                    return wrong("`unknown = \"merge\"` needs `into`");
                }
                validate_distribution(rule, &target.of, target.rest)
            }
            RuleKind::Bound(bound) => {
                self.known(rule, bound.part.keys())?;
                bound.limits.validate(&rule.name)
            }
            RuleKind::Each(each) => {
                self.known(rule, &each.keys)?;
                each.limits.validate(&rule.name)
            }
            RuleKind::Entity(entity) => entity.validate(&rule.name),
            RuleKind::Rare(rare) => self.known(rule, rare.key.as_slice()),
            RuleKind::Split(split) => split.validate(&rule.name),
            RuleKind::Negatives(negatives) => {
                self.known(rule, [&negatives.key])?;
                if !(negatives.ratio.is_finite() && negatives.ratio >= 0.0) {
                    return wrong("`ratio` must be zero or more");
                }
                Ok(())
            }
            RuleKind::Balance(balance) => {
                if let Err(reason) = self.validate_balance(balance) {
                    return wrong(&reason);
                }
                Ok(())
            }
            RuleKind::Weights(weights) => {
                self.known(rule, &weights.calibrate)?;
                if !(weights.lower > 0.0 && weights.lower <= 1.0 && weights.upper >= 1.0) {
                    return wrong("`lower` must be within 0 and 1, `upper` at least 1");
                }
                Ok(())
            }
        }
    }

    fn validate_balance(&self, balance: &BalanceRule) -> Result<(), String> {
        let columns: BTreeSet<&String> = balance.columns.iter().collect();
        if columns.is_empty() || columns.len() < balance.columns.len() || columns.len() > 16 {
            return Err("`columns` needs one to sixteen columns, each once".to_owned());
        }
        if self.entity().is_some_and(EntityRule::decides_rows) {
            return Err(
                "totals cannot be balanced where entities are kept whole or capped by flow; use `method = \"thin\"`"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Kinds of which there is at most one.
    fn validate_singles(&self) -> Result<(), StratifyError> {
        let mut seen = BTreeSet::new();
        for rule in &self.rules {
            let kind = match rule.kind {
                RuleKind::Size(_) => "size",
                RuleKind::Entity(_) => "entity",
                RuleKind::Rare(_) => "rare",
                RuleKind::Split(_) => "split",
                RuleKind::Negatives(_) => "negatives",
                RuleKind::Weights(_) => "weights",
                RuleKind::Balance(_) => "balance",
                RuleKind::Target(_) | RuleKind::Bound(_) | RuleKind::Each(_) => continue,
            };
            if !seen.insert(kind) {
                return Err(StratifyError::rule(
                    &rule.name,
                    format!("there may be one rule of the kind `{kind}`"),
                ));
            }
        }
        Ok(())
    }

    fn known<'a>(
        &self,
        rule: &Rule,
        keys: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), StratifyError> {
        match keys.into_iter().find(|key| !self.strata.contains(key)) {
            None => Ok(()),
            Some(key) => Err(StratifyError::UnknownKey {
                rule: rule.name.clone(),
                key: key.clone(),
                known: self.strata.join(", "),
            }),
        }
    }
}

fn validate_distribution(rule: &Rule, of: &Distribution, rest: Rest) -> Result<(), StratifyError> {
    match of {
        Distribution::Shares(shares) => {
            if let Some((level, share)) =
                shares.iter().find(|(_, share)| !(share.is_finite() && **share >= 0.0))
            {
                return Err(StratifyError::rule(
                    &rule.name,
                    format!("the share {share} of `{level}` is no share"),
                ));
            }
            let sum: f64 = shares.values().sum();
            let fits = if rest == Rest::Natural {
                sum <= 1.0 + SHARE_TOLERANCE
            } else {
                (sum - 1.0).abs() <= SHARE_TOLERANCE
            };
            if fits { Ok(()) } else { Err(StratifyError::Sum { rule: rule.name.clone(), sum }) }
        }
        Distribution::Importance(factors) => {
            match factors.iter().find(|(_, factor)| !(factor.is_finite() && **factor >= 0.0)) {
                Some((level, factor)) => Err(StratifyError::rule(
                    &rule.name,
                    format!("the importance {factor} of `{level}` must be zero or more"),
                )),
                None => Ok(()),
            }
        }
        Distribution::Uniform | Distribution::Natural | Distribution::Like(_) => Ok(()),
    }
}

impl KeySource {
    fn validate(&self, name: &str) -> Result<(), StratifyError> {
        let ways = usize::from(!self.bins.is_empty())
            + usize::from(self.date.is_some())
            + usize::from(self.sql.is_some());
        if ways > 1 {
            return Err(StratifyError::rule(name, "a key has one of `bins`, `date`, `sql`"));
        }
        if self.bins.iter().any(|bound| !bound.is_finite())
            || self.bins.windows(2).any(|pair| pair[0] >= pair[1])
        {
            return Err(StratifyError::rule(name, "`bins` must be finite and ascending"));
        }
        Ok(())
    }
}

impl Limits {
    fn validate(&self, rule: &str) -> Result<(), StratifyError> {
        let shares = [self.rate, self.share_at_least, self.share_at_most];
        if shares.iter().flatten().any(|share| !(0.0..=1.0).contains(share)) {
            return Err(StratifyError::rule(rule, "`rate` and shares must be within 0 and 1"));
        }
        let crossed = matches!((self.at_least, self.at_most), (Some(least), Some(most)) if least > most)
            || matches!((self.share_at_least, self.share_at_most), (Some(least), Some(most)) if least > most);
        if crossed {
            return Err(StratifyError::rule(rule, "the minimum is above the maximum"));
        }
        if *self == Self::default() {
            return Err(StratifyError::rule(rule, "it bounds nothing"));
        }
        Ok(())
    }
}

impl EntityRule {
    fn validate(&self, rule: &str) -> Result<(), StratifyError> {
        if self.whole && self.at_most.is_some() {
            return Err(StratifyError::rule(rule, "`whole` and `at_most` exclude each other"));
        }
        if !self.whole && self.at_most.is_none() && self.at_least.is_none() {
            return Err(StratifyError::rule(rule, "it needs `at_most`, `at_least` or `whole`"));
        }
        if self.at_most == Some(0) {
            return Err(StratifyError::rule(rule, "`at_most` must be 1 or more"));
        }
        Ok(())
    }
}

impl SplitRule {
    fn validate(&self, rule: &str) -> Result<(), StratifyError> {
        let sum: f64 = self.parts.iter().map(|part| part.share).sum();
        if self.parts.iter().any(|part| !(part.share.is_finite() && part.share >= 0.0))
            || self.parts.is_empty()
        {
            return Err(StratifyError::rule(rule, "`parts` need shares of zero or more"));
        }
        if self.parts.len() > MOST_PARTS {
            let parts = self.parts.len();
            return Err(StratifyError::rule(rule, format!("{parts} `parts`; there may be {MOST_PARTS}")));
        }
        let names: BTreeSet<&String> = self.parts.iter().map(|part| &part.name).collect();
        if names.len() < self.parts.len() {
            return Err(StratifyError::rule(rule, "two `parts` have one name; name each otherwise"));
        }
        if (sum - 1.0).abs() > SHARE_TOLERANCE {
            return Err(StratifyError::Sum { rule: rule.to_owned(), sum });
        }
        if self.embargo < 0 || (self.embargo > 0 && self.time.is_none()) {
            return Err(StratifyError::rule(rule, "`embargo` needs `time` and must not be negative"));
        }
        Ok(())
    }
}
