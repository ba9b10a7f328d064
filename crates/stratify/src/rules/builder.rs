//! Rules by method calls, for those who have no TOML.

use std::collections::BTreeMap;

use super::{
    BalanceRule, Bound, Distribution, Each, EntityRule, KeySource, Levels, Limits, NegativesRule, OnConflict,
    Rare, RareAction, Rest, Rounding, Rule, RuleKind, Rules, Size, SplitRule, Start, Target, Unknown,
    WeightsRule,
};

impl Rules {
    /// Rules for rows whose id stands in `id`, with the strata of `keys`.
    pub fn new(id: &str, keys: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            seed: 0,
            strata: keys.iter().map(ToString::to_string).collect(),
            keys: BTreeMap::new(),
            on_conflict: OnConflict::Refuse,
            rounding: Rounding::SainteLague,
            start: Start::Natural,
            rules: Vec::new(),
        }
    }

    /// With this seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With the closest sample where hard rules conflict.
    pub fn closest(mut self) -> Self {
        self.on_conflict = OnConflict::Closest;
        self
    }

    /// With this way of rounding.
    pub fn rounding(mut self, rounding: Rounding) -> Self {
        self.rounding = rounding;
        self
    }

    /// With a key that is not a column as it is.
    pub fn key(mut self, name: &str, source: KeySource) -> Self {
        self.keys.insert(name.to_owned(), source);
        self
    }

    /// With one more rule, hard, of default priority and weight.
    pub fn rule(mut self, name: &str, kind: RuleKind) -> Self {
        self.rules.push(Rule { name: name.to_owned(), priority: None, hard: true, weight: 1.0, kind });
        self
    }

    /// With the last rule soft.
    pub fn soft(mut self) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.hard = false;
        }
        self
    }

    /// With the last rule at this priority.
    pub fn priority(mut self, priority: u8) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.priority = Some(priority);
        }
        self
    }

    /// With exactly so many rows.
    pub fn exactly(self, rows: u64) -> Self {
        self.rule("size", RuleKind::Size(Size::Exactly(rows)))
    }

    /// With at most so many rows, as many as the other rules allow.
    pub fn at_most(self, rows: u64) -> Self {
        self.rule("size", RuleKind::Size(Size::AtMost(rows)))
    }

    /// With a share of the rows there are.
    pub fn rate(self, rate: f64) -> Self {
        self.rule("rate", RuleKind::Size(Size::Rate(rate)))
    }

    /// With a target over keys.
    pub fn target(self, name: &str, keys: &[&str], of: Distribution) -> Self {
        let target = Target {
            keys: keys.iter().map(ToString::to_string).collect(),
            of,
            unknown: Unknown::Error,
            rest: Rest::Error,
            into: None,
        };
        self.rule(name, RuleKind::Target(target))
    }

    /// With shares of the levels of one key.
    pub fn shares(self, key: &str, shares: &[(&str, f64)]) -> Self {
        let map = shares.iter().map(|(level, share)| (level.to_string(), *share)).collect();
        self.target(&format!("shares of {key}"), &[key], Distribution::Shares(map))
    }

    /// With bounds of one level of one key.
    pub fn bound(self, key: &str, level: &str, limits: Limits) -> Self {
        let part = BTreeMap::from([(key.to_owned(), Levels::One(level.to_owned()))]);
        self.rule(&format!("bounds of {key}={level}"), RuleKind::Bound(Bound { part, limits }))
    }

    /// With bounds of each level of keys, or of each stratum if there are none.
    pub fn each(self, keys: &[&str], limits: Limits) -> Self {
        let keys = keys.iter().map(ToString::to_string).collect();
        self.rule("bounds of each", RuleKind::Each(Each { keys, limits }))
    }

    /// With a rule about rows per entity.
    pub fn with_entity(self, rule: EntityRule) -> Self {
        self.rule("entities", RuleKind::Entity(rule))
    }

    /// With a rule about rare strata.
    pub fn rare(self, below: u64, action: RareAction) -> Self {
        self.rule("rare strata", RuleKind::Rare(Rare { below, action, key: None, into: "other".to_owned() }))
    }

    /// With parts.
    pub fn with_split(self, rule: SplitRule) -> Self {
        self.rule("split", RuleKind::Split(rule))
    }

    /// With negatives per positive.
    pub fn negatives(self, rule: NegativesRule) -> Self {
        self.rule("negatives", RuleKind::Negatives(rule))
    }

    /// With the totals of these columns kept.
    pub fn with_balance(self, columns: &[&str]) -> Self {
        let columns = columns.iter().map(ToString::to_string).collect();
        self.rule("balance", RuleKind::Balance(BalanceRule { columns }))
    }

    /// With weights.
    pub fn with_weights(self, rule: WeightsRule) -> Self {
        self.rule("weights", RuleKind::Weights(rule))
    }
}
