//! `GET /v1/members/{id}/home`.

use crate::recommendations::{RankedTitle, VariantDocument};
use nearline_ranking::offer::OfferedRow;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// The title that a row follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BecauseDocument {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub title: Arc<str>,
    /// Its name, if the catalogue has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A row of a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RowDocument {
    /// `continue_watching`, `top_picks`, `because_you_watched`, `because_you_like`, `trending_now`, `new_for_you` or
    /// `my_list`: send it back as `row` of impressions.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub row: Cow<'static, str>,
    /// The title that it follows, of `because_you_watched`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<BecauseDocument>,
    /// The genre that it is of, of `because_you_like`: the member plays more of it than others do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub genre: Option<Arc<str>>,
    /// Share of impressions in such rows that is expected to be played: what rows are ordered by.
    pub expected_take: f64,
    /// Whether that share was measured; false: it is the one that such rows start with.
    pub measured: bool,
    /// Titles, best first.
    pub titles: Vec<RankedTitle>,
}

impl From<OfferedRow> for RowDocument {
    fn from(row: OfferedRow) -> Self {
        let because = row.because.map(|(title, known)| BecauseDocument {
            name: known.and_then(|known| known.name.clone()),
            title,
        });
        Self {
            row: row.kind.name().into(),
            because,
            genre: row.genre,
            expected_take: row.expected_take,
            measured: row.measured,
            titles: row.titles.into_iter().map(RankedTitle::from).collect(),
        }
    }
}

/// A member's home page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HomeAnswer {
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
    /// Rows, the one most likely taken from first.
    pub rows: Vec<RowDocument>,
    /// Cursor of the page after this one; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
