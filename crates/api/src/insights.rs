//! `GET /v1/titles/{id}/insights`.

use nearline_model::delta::EPOCH_MS;
use nearline_model::timestamp::format_rfc3339;
use nearline_ranking::insights::{DimensionTakes, Takes};
use serde::{Deserialize, Serialize};

/// Sums of counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CountsDocument {
    /// How often it was shown.
    pub impressions: u64,
    /// How many of those impressions were played.
    pub attributed_plays: u64,
    /// How many of those plays were watched for long enough (`fold.quality_seconds`).
    pub quality_plays: u64,
    /// Plays and first ratings, attributed or not; of a row or a position, its attributed plays.
    pub plays: u64,
    /// Attributed plays per impression; absent without impressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_rate: Option<f64>,
}

impl From<Takes> for CountsDocument {
    fn from(takes: Takes) -> Self {
        let take_rate = takes.take_rate();
        let Takes { impressions, attributed_plays, quality_plays, plays } = takes;
        Self { impressions, attributed_plays, quality_plays, plays, take_rate }
    }
}

/// Counts of 30 minutes of event time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EpochDocument {
    /// Its start, RFC 3339.
    pub start: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: CountsDocument,
}

/// Counts of one dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DimensionDocument {
    /// `all`, `country:BR`, `device:tv`, `position:10-14`, `row:top10`.
    pub dimension: String,
    /// Sums over its epochs.
    pub totals: CountsDocument,
    /// Epochs in which anything was counted, oldest first.
    pub epochs: Vec<EpochDocument>,
}

/// How a title does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InsightsAnswer {
    /// The title.
    pub title: String,
    /// Its name, if the catalogue has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Plays and first ratings since the beginning of the log.
    pub plays_ever: u64,
    /// Sums over the epochs kept.
    pub totals: CountsDocument,
    /// The same by dimension: everything first, then countries, devices, positions and rows.
    pub dimensions: Vec<DimensionDocument>,
}

impl From<DimensionTakes> for DimensionDocument {
    fn from(takes: DimensionTakes) -> Self {
        let epoch = |(epoch, takes): (u32, Takes)| EpochDocument {
            start: format_rfc3339(i64::from(epoch) * EPOCH_MS),
            counts: takes.into(),
        };
        Self {
            dimension: takes.dimension,
            totals: takes.totals.into(),
            epochs: takes.epochs.into_iter().map(epoch).collect(),
        }
    }
}
