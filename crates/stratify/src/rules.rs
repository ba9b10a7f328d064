//! The rules of a sample: typed, named, each with a priority, hard or soft.

mod builder;
mod entity;
mod raw;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use entity::{EntityMethod, EntityRule};
pub use raw::RawRule;

use crate::StratifyError;

/// Everything that decides a sample, beside the rows themselves.
///
/// ```
/// let rules = nearline_stratify::Rules::from_toml(r#"
///     id = "row_id"
///     strata = ["country", "device"]
///     [[rules]]
///     name = "a thousand rows"
///     size = { exactly = 1000 }
///     [[rules]]
///     name = "devices even"
///     target = { keys = ["device"], uniform = true }
/// "#).unwrap();
/// assert_eq!(rules.rules.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The column whose value names a row for good.
    pub id: String,
    /// The seed of the hash.
    #[serde(default)]
    pub seed: u64,
    /// The names of the keys whose combinations are the strata: columns, or names of `keys`.
    pub strata: Vec<String>,
    /// Keys that are not a column as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, KeySource>,
    /// What to do when hard rules conflict.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// How fractions become whole rows.
    #[serde(default)]
    pub rounding: Rounding,
    /// What counts as closest when nothing else decides: the table that targets are raked from.
    #[serde(default)]
    pub start: Start,
    /// The rules.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// Where a key's value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySource {
    /// The column; the key's own name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Ascending bounds: `[18, 35]` makes `<18`, `[18,35)` and `>=35`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bins: Vec<f64>,
    /// The part of a date or a timestamp (UTC) to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<DatePart>,
    /// A SQL expression. Only the command line evaluates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatePart {
    /// `2026`
    Year,
    /// `2026-11`
    Month,
    /// `2026-11-25`
    Day,
    /// `1` (Monday) to `7`
    Weekday,
    /// `0` to `23`
    Hour,
}

/// What to do when hard rules conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Select nothing; the plan still says what would come closest.
    #[default]
    Refuse,
    /// Take what comes closest, and say so.
    Closest,
}

/// How fractions become whole rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Webster's divisor method: a larger sample contains the smaller one.
    #[default]
    SainteLague,
    /// Hamilton's method: within one of the exact share, but not nested.
    LargestRemainder,
}

/// The table that targets are raked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The rows there are: within a level, the natural mix is kept.
    #[default]
    Natural,
    /// Every stratum that has rows counts the same.
    Uniform,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawRule", into = "RawRule")]
pub struct Rule {
    /// Its name, which reports and conflicts use.
    pub name: String,
    /// Lower is kept first. Without one: bounds 0, sizes 1, targets 2; soft rules 10 later.
    pub priority: Option<u8>,
    /// Whether a violation makes the rules infeasible.
    pub hard: bool,
    /// What a violation of one row weighs beside others of the same priority.
    pub weight: f64,
    /// What it asks for.
    pub kind: RuleKind,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// The number of rows.
    Size(Size),
    /// A wanted distribution.
    Target(Target),
    /// Bounds of one part of the data.
    Bound(Bound),
    /// Bounds of each level of keys.
    Each(Each),
    /// Rows per entity.
    Entity(EntityRule),
    /// What happens to strata with few rows.
    Rare(Rare),
    /// Parts such as train and test.
    Split(SplitRule),
    /// Negatives per positive.
    Negatives(NegativesRule),
    /// Weights of the selected rows.
    Weights(WeightsRule),
    /// Numbers whose totals the sample keeps.
    Balance(BalanceRule),
}

/// The number of rows: one of three.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// So many rows.
    Exactly(u64),
    /// As many as all other rules allow, at most so many.
    AtMost(u64),
    /// A share of the rows there are.
    Rate(f64),
}

/// A wanted distribution over the levels of keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The keys, some of the strata's.
    pub keys: Vec<String>,
    /// The distribution.
    pub of: Distribution,
    /// What to do about a level that the data does not have.
    pub unknown: Unknown,
    /// What to do about a level of the data that has no share.
    pub rest: Rest,
    /// The level that unknown ones are merged into.
    pub into: Option<String>,
}

/// A distribution over levels; levels of several keys are joined with `|`.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Shares that add up to one.
    Shares(BTreeMap<String, f64>),
    /// Every level that has rows the same.
    Uniform,
    /// As in the data.
    Natural,
    /// As in another data set, given to the plan under this name.
    Like(String),
    /// As in the data times a factor per level (1 where none is given).
    Importance(BTreeMap<String, f64>),
}

/// What to do about a target's level that the data does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// An error that names it.
    #[default]
    Error,
    /// Its share goes to the level `into`.
    Merge,
    /// The other shares grow in proportion.
    Renormalise,
}

/// What to do about a level of the data that a target gives no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// An error that names it.
    #[default]
    Error,
    /// Take none of it.
    None,
    /// What the given shares leave, in proportion to the rows.
    Natural,
}

/// Bounds of one part of the data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bound {
    /// The part: a level (or several) of keys. Empty is everything.
    pub part: BTreeMap<String, Levels>,
    /// The bounds.
    pub limits: Limits,
}

/// One level or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Levels {
    /// One level.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

/// Bounds of each level of keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Each {
    /// The keys; empty is every stratum by itself.
    pub keys: Vec<String>,
    /// The bounds.
    pub limits: Limits,
}

/// Bounds, all optional, all to be met.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// At least so many rows.
    pub at_least: Option<u64>,
    /// At most so many rows.
    pub at_most: Option<u64>,
    /// At most this share of the part's rows.
    pub rate: Option<f64>,
    /// At least this share of the sample.
    pub share_at_least: Option<f64>,
    /// At most this share of the sample.
    pub share_at_most: Option<f64>,
}

/// What happens to strata with few rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rare {
    /// A stratum with fewer rows is rare.
    pub below: u64,
    /// What happens.
    pub action: RareAction,
    /// For `merge`: the key whose level is replaced; the last one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For `merge`: the level that replaces it.
    #[serde(default = "other")]
    pub into: String,
}

fn other() -> String {
    "other".to_owned()
}

/// What happens to a rare stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RareAction {
    /// It stays, and the report names it.
    Keep,
    /// Its key's level becomes `into`.
    Merge,
    /// Its rows are left out, and the report counts them.
    Drop,
    /// The plan is an error.
    Refuse,
}

/// Parts such as train and test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRule {
    /// Names and shares (which add up to one), in the order of time where that counts.
    pub parts: Vec<Part>,
    /// Rows of one entity stay in one part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Parts follow each other in this column's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Rows closer than this before a later part's start are left out: microseconds, whatever the unit of a column of
    /// times (up to its next whole one); of a column of whole numbers, in the column's own unit.
    #[serde(default)]
    pub embargo: i64,
}

/// One part of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its share.
    pub share: f64,
}

/// Negatives per positive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NegativesRule {
    /// The key that holds the label, one of the strata's.
    pub key: String,
    /// The positives' level; every other one is negative.
    pub positive: String,
    /// So many negatives per positive.
    pub ratio: f64,
    /// What gives way when there are too few negatives.
    #[serde(default)]
    pub shortage: Shortage,
}

/// What gives way when there are too few negatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortage {
    /// Neither: a conflict.
    #[default]
    Conflict,
    /// The ratio: all positives stay.
    Ratio,
    /// The positives: the ratio stays.
    Positives,
}

/// Weights of the selected rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsRule {
    /// The name of the column to write.
    #[serde(default = "weight_column")]
    pub column: String,
    /// Keys whose population totals the weights shall add up to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibrate: Vec<String>,
    /// The least factor that calibration may apply.
    #[serde(default = "lower_factor")]
    pub lower: f64,
    /// The largest.
    #[serde(default = "upper_factor")]
    pub upper: f64,
}

/// Numbers whose totals, weighted by the inverse of each row's chance, the sample keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceRule {
    /// The columns, the most important first.
    pub columns: Vec<String>,
}

fn weight_column() -> String {
    "weight".to_owned()
}

fn lower_factor() -> f64 {
    0.1
}

fn upper_factor() -> f64 {
    10.0
}

impl Rules {
    /// Reads rules from TOML.
    ///
    /// # Errors
    /// Text that is no TOML of this shape, unknown fields, a rule that asks for nothing or for two things.
    pub fn from_toml(text: &str) -> Result<Self, StratifyError> {
        let rules: Self = toml::from_str(text).map_err(|error| StratifyError::Parse(error.to_string()))?;
        rules.validate()?;
        Ok(rules)
    }

    /// The rules as TOML.
    ///
    /// # Errors
    /// What TOML cannot hold, such as a seed beyond 2^63 - 1.
    pub fn to_toml(&self) -> Result<String, StratifyError> {
        toml::to_string(self).map_err(|error| StratifyError::Parse(error.to_string()))
    }

    /// The first rule of a kind.
    pub(crate) fn first<'a, T>(
        &'a self,
        pick: impl Fn(&'a RuleKind) -> Option<&'a T>,
    ) -> Option<(&'a Rule, &'a T)> {
        self.rules.iter().find_map(|rule| pick(&rule.kind).map(|found| (rule, found)))
    }

    /// The rule about rows per entity.
    pub fn entity(&self) -> Option<&EntityRule> {
        self.first(|kind| if let RuleKind::Entity(rule) = kind { Some(rule) } else { None })
            .map(|(_, rule)| rule)
    }

    /// The rule about parts.
    pub fn split(&self) -> Option<&SplitRule> {
        self.first(|kind| if let RuleKind::Split(rule) = kind { Some(rule) } else { None })
            .map(|(_, rule)| rule)
    }

    /// The rule about totals.
    pub fn balance(&self) -> Option<&BalanceRule> {
        self.first(|kind| if let RuleKind::Balance(rule) = kind { Some(rule) } else { None })
            .map(|(_, rule)| rule)
    }

    /// The rule about weights.
    pub fn weights(&self) -> Option<&WeightsRule> {
        self.first(|kind| if let RuleKind::Weights(rule) = kind { Some(rule) } else { None })
            .map(|(_, rule)| rule)
    }
}

impl Rule {
    /// The order in which rules are kept: lower first.
    pub fn rank(&self) -> u8 {
        let base = self.priority.unwrap_or(match self.kind {
            RuleKind::Size(_) => 1,
            RuleKind::Target(_) => 2,
            _ => 0,
        });
        if self.hard { base } else { base.saturating_add(10) }
    }
}

impl Levels {
    pub(crate) fn contains(&self, level: &str) -> bool {
        self.iter().any(|one| one == level)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
        .map(String::as_str)
    }
}
