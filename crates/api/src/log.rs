//! `GET /v1/log`.

use serde::{Deserialize, Serialize};

/// Which log events are published to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogDocument {
    /// Given at random when the log was made: positions mean nothing in another one.
    pub log: String,
    /// Its partitions.
    pub partitions: u16,
}
