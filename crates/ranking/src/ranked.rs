//! A ranked title, and why it is where it is.

use crate::exploration::Placement;
use serde::Serialize;
use std::sync::Arc;

/// Why a title was ranked where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// A title of the member's history speaks for it.
    BecauseYouWatched {
        /// That title.
        title: Arc<str>,
        /// Its part of the score.
        weight: f64,
    },
    /// Members who have just begun often watch it.
    OftenFirst {
        /// Its part of the score.
        weight: f64,
    },
    /// It is popular.
    Popular {
        /// Where: `all`, a country or a device.
        dimension: String,
        /// Its part of the score.
        weight: f64,
    },
    /// Hardly anybody has played it yet, and it is of genres that the member likes.
    Newcomer {
        /// How much the member likes its genres, 0 to 1.
        affinity: f64,
        /// Its part of the score.
        weight: f64,
    },
    /// It is new, and got this place so that it is found out who likes it.
    Explored {
        /// How much the member likes its genres, 0 to 1.
        affinity: f64,
    },
}

/// A title and its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// The title.
    pub title: Arc<str>,
    /// Its score; comparable within one answer only.
    pub score: f64,
    /// Why, the weightiest first, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// How it came to its place, where another title could have stood there.
    #[serde(skip)]
    pub placement: Option<Placement>,
}

impl Ranked {
    /// A title at its own place.
    pub fn new(title: Arc<str>, score: f64) -> Self {
        Self { title, score, reasons: Vec::new(), placement: None }
    }
}
