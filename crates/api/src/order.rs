//! `POST /v1/members/{id}/order`.

use crate::recommendations::{RankedTitle, VariantDocument};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Titles to put in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderRequest {
    /// Ids of the titles, in any order; of one that stands twice, the first counts.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub titles: Vec<String>,
}

/// Titles in the order in which a member is likely to want them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderAnswer {
    /// Id of this answer, fresh each time: send it back as `request` of impressions and plays, so that it is learned from.
    pub recommendation_id: String,
    /// The member.
    pub member: String,
    /// `live`, `store` or `popular`, as of recommendations.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub source: Cow<'static, str>,
    /// Position of the log that the member's state reflects; 0 for `popular`.
    pub position: u64,
    /// The experiment that it was made under, if the member is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantDocument>,
    /// Whether what was shown together before decided; otherwise the order is that of the ranking of all titles.
    pub learned: bool,
    /// The titles that may be offered, best first.
    pub titles: Vec<RankedTitle>,
    /// Ids of those that may not: not available in the country, not admitted by the filter, or thumbed down.
    pub left_out: Vec<String>,
}
