//! What a join is to give: the order, delays, ages, and the features.

mod duration;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{FactsError, Result};

pub use duration::parse_duration;

/// Which of the facts that were known is the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The one of the newest `event_at`; then of the newest `known_at`; then of the highest position.
    #[default]
    EventTime,
    /// The one of the highest position: what an engine that read the log had; then as by [`Order::EventTime`].
    AsServed,
}

impl std::str::FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "event-time" => Ok(Self::EventTime),
            "as-served" => Ok(Self::AsServed),
            other => Err(format!("`{other}` is no order; there are event-time and as-served")),
        }
    }
}

/// What a join is to give.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Which fact is the one.
    pub order: Order,
    /// Whether a fact that became known at the label's very moment is left out.
    pub strict: bool,
    /// How long before the label's time a fact must have been known: what serving takes to see it.
    #[serde(with = "duration::text")]
    pub delay: Duration,
    /// How old a fact may be, from its `event_at` to the label's time.
    #[serde(with = "duration::optional_text", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// The features; all columns of the facts if there are none.
    #[serde(rename = "feature", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
}

/// One column of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Its name in the result.
    pub name: String,
    /// The column of the facts, if it has another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Its own delay, in place of the rules'.
    #[serde(default, with = "duration::optional_text", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// Its own limit of age, in place of the rules'.
    #[serde(default, with = "duration::optional_text", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
}

impl Feature {
    /// A column under its own name and the rules' delay and limit.
    pub fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), column: None, delay: None, ttl: None }
    }

    /// The column of the facts.
    pub fn source(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }

    /// Whether its answer can differ from the row's.
    pub fn has_own_rules(&self) -> bool {
        self.delay.is_some() || self.ttl.is_some()
    }
}

impl Rules {
    /// Reads rules from TOML.
    ///
    /// # Errors
    /// Text that is no TOML, unknown keys, durations that cannot be read.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| FactsError::Refused(error.to_string()))
    }

    /// The rules as TOML, as the result's metadata hold them.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("rules are text, numbers and lists of them")
    }
}
