//! The rule about rows per entity.

use serde::{Deserialize, Serialize};

/// Rows per entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityRule {
    /// The column that names the entity.
    pub column: String,
    /// At most so many rows of an entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
    /// Entities with fewer rows are left out before anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
    /// Keep all rows of an entity or none.
    #[serde(default)]
    pub whole: bool,
    /// How `at_most` is met.
    #[serde(default)]
    pub method: EntityMethod,
}

impl EntityRule {
    /// Whether it chooses the rows itself, so that hashes alone do not.
    pub fn decides_rows(&self) -> bool {
        self.whole || (self.method == EntityMethod::Flow && self.at_most.is_some())
    }
}

/// How a cap per entity is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityMethod {
    /// Leave only an entity's smallest hashes, then sample what is left; the loss is reported.
    #[default]
    Thin,
    /// A maximal flow: meets the plan whenever that is possible, limited in size.
    Flow,
}
