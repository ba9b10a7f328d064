//! The artwork of a title.

use nearline_ranking::offer::OfferedArtwork;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The artwork to show. Send all three back with the impression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArtworkDocument {
    /// Its id.
    pub id: String,
    /// Probability with which it was chosen among the title's artworks.
    pub propensity: f64,
    /// Segment of the member that it was chosen for; absent: the member is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub segment: Option<Arc<str>>,
}

impl From<OfferedArtwork> for ArtworkDocument {
    fn from(artwork: OfferedArtwork) -> Self {
        let OfferedArtwork { id, propensity, segment } = artwork;
        Self { id, propensity, segment }
    }
}
