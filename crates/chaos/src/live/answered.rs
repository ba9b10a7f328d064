//! What a question to the engines came to.

use serde::{Deserialize, Serialize};

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// The partition's actor.
    Live,
    /// The store.
    Store,
    /// The aggregates.
    Popular,
    /// Nowhere: an error, or nothing in time.
    Failed,
}

impl Answered {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Live, Self::Store, Self::Popular, Self::Failed];
}
