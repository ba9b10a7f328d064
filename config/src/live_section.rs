//! `[live]`: rows that are sent again when they change.

use serde::{Deserialize, Serialize};

/// `[live]`: rows that are sent again when they change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveSection {
    /// Live rows open at a time, all members together.
    pub max_subscribers: usize,
    /// Milliseconds between two looks at a row at least: changes in between are sent as one.
    pub min_interval_ms: u64,
    /// Milliseconds between looks at the trend and the catalogue, which every row depends on.
    pub trend_interval_ms: u64,
    /// Seconds between comments that keep the connection open.
    pub keep_alive_seconds: u64,
    /// Seconds after which a live row ends; clients open it again.
    pub max_seconds: u64,
}

impl Default for LiveSection {
    fn default() -> Self {
        Self {
            max_subscribers: 1_000,
            min_interval_ms: 100,
            trend_interval_ms: 2_000,
            keep_alive_seconds: 15,
            max_seconds: 3_600,
        }
    }
}
