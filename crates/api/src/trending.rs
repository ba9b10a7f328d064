//! `GET /v1/trending`.

use crate::recommendations::RankedTitle;
use nearline_ranking::offer::{OfferedTitle, OfferedTrend, OfferedTrends};
use nearline_ranking::trending::Trend;
use serde::{Deserialize, Serialize};

/// A title that trends, and what its score is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrendingTitle {
    /// The title. Its score is `lift · (plays / plays of the title played most)^¼`.
    #[serde(flatten)]
    pub title: RankedTitle,
    /// Where it trends: a dimension that was asked for, or `all` where those hold too few titles.
    pub dimension: String,
    /// Plays, fading with the half-life of the trend.
    pub plays: f64,
    /// Impressions, fading alike.
    pub impressions: f64,
    /// Attributed plays per impression, both fading; absent without impressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_rate: Option<f64>,
    /// How much the places where it was shown are looked at, relative to the mean of all impressions.
    pub examination: f64,
    /// Its take rate over the overall one, corrected for its places, and drawn toward 1 where little is
    /// known; 1 for a title that was never shown.
    pub lift: f64,
}

impl From<OfferedTrend> for TrendingTitle {
    fn from(offered: OfferedTrend) -> Self {
        let OfferedTrend { trend, known } = offered;
        let Trend { title, score, dimension, plays, impressions, take_rate, examination, lift } = trend;
        let title = OfferedTitle { title, score, reasons: Vec::new(), known, artwork: None, placement: None };
        Self { title: title.into(), dimension, plays, impressions, take_rate, examination, lift }
    }
}

/// What is taken and played most right now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrendingAnswer {
    /// Where: `all`, `country:BR`, `device:tv`, or two of them, averaged. `all` if nothing is
    /// played where it was asked for.
    pub dimension: String,
    /// Titles, best first.
    pub titles: Vec<TrendingTitle>,
}

impl From<OfferedTrends> for TrendingAnswer {
    fn from(offered: OfferedTrends) -> Self {
        let titles = offered.trends.into_iter().map(TrendingTitle::from).collect();
        Self { dimension: offered.dimension, titles }
    }
}
