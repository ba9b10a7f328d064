//! Why a title is where it is.

use nearline_ranking::Reason;
use nearline_ranking::page::RowReason;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why a title is where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReasonDocument {
    /// It often follows a title that the member watched.
    BecauseYouWatched {
        /// That title.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        title: Arc<str>,
        /// Its part of the score.
        weight: f64,
    },
    /// It is popular.
    Popular {
        /// Where: `all`, `country:BR`, `device:tv`.
        dimension: String,
        /// Its part of the score.
        weight: f64,
    },
    /// Members who have just begun often watch it.
    OftenFirst {
        /// Its part of the score.
        weight: f64,
    },
    /// Hardly anybody has played it yet, and it is of genres that the member likes.
    Newcomer {
        /// The member's affinity to its genres, 0 to 1.
        affinity: f64,
        /// Its part of the score.
        weight: f64,
    },
    /// It is new, and got this place so that it is found out who likes it.
    Explored {
        /// The member's affinity to its genres, 0 to 1.
        affinity: f64,
    },
    /// It was begun and not finished.
    ContinueWatching {
        /// Seconds watched.
        watched_s: u32,
        /// Length in seconds.
        duration_s: u32,
    },
    /// It is played much right now.
    Trending {
        /// Where: `all`, `country:BR`, `device:tv`.
        dimension: String,
        /// Its decayed plays, relative to the most played title.
        weight: f64,
    },
    /// It is new or little played, and of genres that the member likes.
    New {
        /// Year of release.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        year: Option<u16>,
        /// How often it was played.
        plays: u64,
        /// The member's affinity to its genres, 0 to 1.
        affinity: f64,
    },
    /// It is of a genre that the member plays more than others do.
    BecauseYouLike {
        /// The genre.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        genre: Arc<str>,
        /// Share of the member's titles that is of it, 0 to 1.
        share: f64,
    },
    /// It is on the member's own list.
    OnMyList {},
}

impl From<RowReason> for ReasonDocument {
    fn from(reason: RowReason) -> Self {
        match reason {
            RowReason::Ranked(reason) => reason.into(),
            RowReason::Begun { watched_s, duration_s } => Self::ContinueWatching { watched_s, duration_s },
            RowReason::Trending { dimension, weight } => Self::Trending { dimension, weight },
            RowReason::New { year, plays, affinity } => Self::New { year, plays, affinity },
            RowReason::Liked { genre, share } => Self::BecauseYouLike { genre, share },
            RowReason::Listed => Self::OnMyList {},
        }
    }
}

impl From<Reason> for ReasonDocument {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::BecauseYouWatched { title, weight } => Self::BecauseYouWatched { title, weight },
            Reason::Popular { dimension, weight } => Self::Popular { dimension, weight },
            Reason::OftenFirst { weight } => Self::OftenFirst { weight },
            Reason::Newcomer { affinity, weight } => Self::Newcomer { affinity, weight },
            Reason::Explored { affinity } => Self::Explored { affinity },
        }
    }
}
