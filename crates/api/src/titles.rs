//! `/v1/titles`: the catalogue, and what is similar to a title.

use crate::recommendations::RankedTitle;
use nearline_model::{Reject, Title};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A title of the catalogue. The list of similar and trending titles shows what is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TitleDocument {
    /// Id, `[A-Za-z0-9_-]{1,64}`.
    pub id: String,
    /// Name for people.
    pub name: Option<String>,
    /// Genres, most telling first.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub genres: Vec<String>,
    /// Year of release.
    pub year: Option<u16>,
    /// Youngest age it is meant for, in years.
    pub maturity: Option<u8>,
    /// Countries (ISO 3166-1 alpha-2) where it may be shown; empty: everywhere.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub countries: Vec<String>,
    /// Ids of its artworks.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub artworks: Vec<String>,
    /// Whether it may be offered at all; left out where it may.
    #[serde(default = "available")]
    #[cfg_attr(feature = "openapi", schema(required = false, default = true))]
    pub available: bool,
}

fn available() -> bool {
    true
}

/// Fields to change of a title, as a JSON merge patch (RFC 7396): those left out stay, `null` takes one out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TitlePatch {
    /// Name for people.
    pub name: Option<String>,
    /// Genres, most telling first.
    pub genres: Option<Vec<String>>,
    /// Year of release.
    pub year: Option<u16>,
    /// Youngest age it is meant for, in years.
    pub maturity: Option<u8>,
    /// Countries (ISO 3166-1 alpha-2) where it may be shown; empty: everywhere.
    pub countries: Option<Vec<String>>,
    /// Ids of its artworks.
    pub artworks: Option<Vec<String>>,
    /// Whether it may be offered at all.
    pub available: Option<bool>,
}

/// What became of one title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TitleResult {
    /// Its index, from 0, in a JSON array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its line, from 1, in NDJSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// `stored` or `rejected`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub status: Cow<'static, str>,
    /// Its id, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Stable code of why it was not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub reason: Option<Cow<'static, str>>,
    /// What exactly was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of all titles of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TitlesAnswer {
    /// Titles stored.
    pub stored: usize,
    /// Titles refused.
    pub rejected: usize,
    /// Each title, in the order sent.
    pub results: Vec<TitleResult>,
}

/// Titles that follow a title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SimilarAnswer {
    /// The title asked about.
    pub title: String,
    /// Titles, most similar first.
    pub titles: Vec<RankedTitle>,
}

impl TitleResult {
    /// Of a title that is read and valid, or is not.
    pub fn of(index: Option<usize>, line: Option<usize>, read: Result<&Title, &Reject>) -> Self {
        match read {
            Ok(title) => Self {
                index,
                line,
                status: "stored".into(),
                id: Some(title.id.clone()),
                reason: None,
                detail: None,
            },
            Err(reject) => Self {
                index,
                line,
                status: "rejected".into(),
                id: None,
                reason: Some(reject.reason.code().into()),
                detail: Some(reject.detail.clone()),
            },
        }
    }
}
