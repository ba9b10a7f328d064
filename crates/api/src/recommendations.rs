//! `GET /v1/members/{id}/recommendations`.

use crate::artwork::ArtworkDocument;
use crate::reason::ReasonDocument;
use nearline_ranking::exploration::Placement;
use nearline_ranking::offer::OfferedTitle;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// How a title came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlacementDocument {
    /// Whether it stands there because it is new, so that it is found out who likes it.
    pub explored: bool,
    /// Probability that it stands there, given the titles before it, above 0 to 1.
    pub propensity: f64,
}

impl From<Placement> for PlacementDocument {
    fn from(Placement { explored, propensity }: Placement) -> Self {
        Self { explored, propensity }
    }
}

/// A title of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RankedTitle {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub title: Arc<str>,
    /// Its name, if the catalogue has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its genres, if the catalogue has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub genres: Vec<String>,
    /// Its score; comparable within one answer only.
    pub score: f64,
    /// The artwork to show this member, if the catalogue has artworks of the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artwork: Option<ArtworkDocument>,
    /// How it came to its place; absent where no other title could have stood there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementDocument>,
    /// Why it is here, weightiest first, if `explain` was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub reasons: Vec<ReasonDocument>,
}

impl From<OfferedTitle> for RankedTitle {
    fn from(offered: OfferedTitle) -> Self {
        let OfferedTitle { title, score, reasons, known, artwork, placement } = offered;
        Self {
            name: known.as_ref().and_then(|title| title.name.clone()),
            genres: known.map(|title| title.genres.clone()).unwrap_or_default(),
            artwork: artwork.map(ArtworkDocument::from),
            placement: placement.map(PlacementDocument::from),
            reasons: reasons.into_iter().map(ReasonDocument::from).collect(),
            title,
            score,
        }
    }
}

/// The experiment that an answer was made under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VariantDocument {
    /// The experiment.
    pub experiment: String,
    /// The variant that the member is dealt to.
    pub variant: String,
}

impl From<(String, String)> for VariantDocument {
    fn from((experiment, variant): (String, String)) -> Self {
        Self { experiment, variant }
    }
}

/// A member's recommendations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecommendationsAnswer {
    /// Id of this answer, fresh each time: send it back as `request` of impressions and plays. Under an
    /// experiment it ends in `-x-EXPERIMENT-VARIANT-DEFINITION`.
    pub recommendation_id: String,
    /// The member.
    pub member: String,
    /// `live`: every event folded counts; `store`: every event committed; `popular`: the member's
    /// own history was out of reach.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub source: Cow<'static, str>,
    /// Position of the log that the member's state reflects; 0 for `popular`.
    pub position: u64,
    /// The experiment that it was made under, if the member is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantDocument>,
    /// Titles, best first.
    pub titles: Vec<RankedTitle>,
    /// Cursor of the page after this one; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
