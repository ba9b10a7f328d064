//! A rule as it stands in TOML: the common fields, and exactly one of the kinds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    BalanceRule, Bound, Distribution, Each, EntityRule, Levels, Limits, NegativesRule, Rare, Rest, Rule,
    RuleKind, Size, SplitRule, Target, Unknown, WeightsRule,
};

/// A rule as it stands in TOML.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(default = "yes")]
    hard: bool,
    #[serde(default = "one")]
    weight: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<Size>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<RawTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bound: Option<RawBound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    each: Option<RawBound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entity: Option<EntityRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rare: Option<Rare>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    split: Option<SplitRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    negatives: Option<NegativesRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weights: Option<WeightsRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    balance: Option<BalanceRule>,
}

/// A target as it stands in TOML: exactly one distribution.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTarget {
    keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shares: Option<BTreeMap<String, f64>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    uniform: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    natural: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    like: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    importance: Option<BTreeMap<String, f64>>,
    #[serde(default)]
    unknown: Unknown,
    #[serde(default)]
    rest: Rest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    into: Option<String>,
}

/// Bounds as they stand in TOML, of a part (`where`) or of each level of `keys`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBound {
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    part: Option<BTreeMap<String, Levels>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_least: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share_at_least: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share_at_most: Option<f64>,
}

impl RawBound {
    fn new(part: Option<BTreeMap<String, Levels>>, keys: Option<Vec<String>>, limits: Limits) -> Self {
        let Limits { at_least, at_most, rate, share_at_least, share_at_most } = limits;
        Self { part, keys, at_least, at_most, rate, share_at_least, share_at_most }
    }

    fn limits(&self) -> Limits {
        Limits {
            at_least: self.at_least,
            at_most: self.at_most,
            rate: self.rate,
            share_at_least: self.share_at_least,
            share_at_most: self.share_at_most,
        }
    }

    fn into_bound(self) -> Result<RuleKind, String> {
        let limits = self.limits();
        match self.keys {
            Some(_) => Err("`keys` belongs to `each`; a `bound` has `where`".to_owned()),
            None => Ok(RuleKind::Bound(Bound { part: self.part.unwrap_or_default(), limits })),
        }
    }

    fn into_each(self) -> Result<RuleKind, String> {
        let limits = self.limits();
        match self.part {
            Some(_) => Err("`where` belongs to `bound`; `each` has `keys`".to_owned()),
            None => Ok(RuleKind::Each(Each { keys: self.keys.unwrap_or_default(), limits })),
        }
    }
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

/// The only one of several optional things, or what is wrong.
fn only<T>(found: Vec<T>, what: &str, choices: &str) -> Result<T, String> {
    let count = found.len();
    match <[T; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(_) => Err(format!("{what} needs exactly one of {choices}, not {count}")),
    }
}

impl TryFrom<RawTarget> for Target {
    type Error = String;

    fn try_from(raw: RawTarget) -> Result<Self, String> {
        let found = [
            raw.shares.map(Distribution::Shares),
            raw.uniform.then_some(Distribution::Uniform),
            raw.natural.then_some(Distribution::Natural),
            raw.like.map(Distribution::Like),
            raw.importance.map(Distribution::Importance),
        ];
        let of = only(
            found.into_iter().flatten().collect(),
            "a target",
            "`shares`, `uniform`, `natural`, `like`, `importance`",
        )?;
        Ok(Self { keys: raw.keys, of, unknown: raw.unknown, rest: raw.rest, into: raw.into })
    }
}

impl From<Target> for RawTarget {
    fn from(target: Target) -> Self {
        let mut raw = Self {
            keys: target.keys,
            unknown: target.unknown,
            rest: target.rest,
            into: target.into,
            ..Self::default()
        };
        match target.of {
            Distribution::Shares(shares) => raw.shares = Some(shares),
            Distribution::Uniform => raw.uniform = true,
            Distribution::Natural => raw.natural = true,
            Distribution::Like(name) => raw.like = Some(name),
            Distribution::Importance(factors) => raw.importance = Some(factors),
        }
        raw
    }
}

impl TryFrom<RawRule> for Rule {
    type Error = String;

    fn try_from(raw: RawRule) -> Result<Self, String> {
        let name = raw.name;
        let named = |error: String| format!("rule `{name}`: {error}");
        let target = raw.target.map(Target::try_from).transpose().map_err(named)?;
        let found = [
            raw.size.map(RuleKind::Size),
            target.map(RuleKind::Target),
            raw.bound.map(RawBound::into_bound).transpose().map_err(named)?,
            raw.each.map(RawBound::into_each).transpose().map_err(named)?,
            raw.entity.map(RuleKind::Entity),
            raw.rare.map(RuleKind::Rare),
            raw.split.map(RuleKind::Split),
            raw.negatives.map(RuleKind::Negatives),
            raw.weights.map(RuleKind::Weights),
            raw.balance.map(RuleKind::Balance),
        ];
        let kind = only(
            found.into_iter().flatten().collect(),
            "it",
            "`size`, `target`, `bound`, `each`, `entity`, `rare`, `split`, `negatives`, `weights`, `balance`",
        )
        .map_err(named)?;
        Ok(Self { name, priority: raw.priority, hard: raw.hard, weight: raw.weight, kind })
    }
}

impl From<Rule> for RawRule {
    fn from(rule: Rule) -> Self {
        let mut raw = Self {
            name: rule.name,
            priority: rule.priority,
            hard: rule.hard,
            weight: rule.weight,
            ..Self::default()
        };
        match rule.kind {
            RuleKind::Size(size) => raw.size = Some(size),
            RuleKind::Target(target) => raw.target = Some(target.into()),
            RuleKind::Bound(bound) => raw.bound = Some(RawBound::new(Some(bound.part), None, bound.limits)),
            RuleKind::Each(each) => raw.each = Some(RawBound::new(None, Some(each.keys), each.limits)),
            RuleKind::Entity(entity) => raw.entity = Some(entity),
            RuleKind::Rare(rare) => raw.rare = Some(rare),
            RuleKind::Split(split) => raw.split = Some(split),
            RuleKind::Negatives(negatives) => raw.negatives = Some(negatives),
            RuleKind::Weights(weights) => raw.weights = Some(weights),
            RuleKind::Balance(balance) => raw.balance = Some(balance),
        }
        raw
    }
}
