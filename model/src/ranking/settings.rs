//! Settings of the ranking: what an experiment may vary.

use serde::{Deserialize, Serialize};

/// Settings of the ranking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RankingSettings {
    /// How much titles unlike those before them are preferred, 0 to 1.
    pub diversity: f64,
    /// How much new titles are preferred, 0 to 1.
    pub freshness: f64,
}

impl Default for RankingSettings {
    fn default() -> Self {
        Self { diversity: 0.0, freshness: 0.0 }
    }
}
