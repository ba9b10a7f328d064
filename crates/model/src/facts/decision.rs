//! What a member was offered.

use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const VERSION: u8 = 1;

/// The artwork that was chosen for a title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChosenArtwork {
    /// Its id.
    pub id: Box<str>,
    /// Probability with which it was chosen among the title's artworks, in (0, 1].
    pub propensity: f64,
    /// Segment of the member that it was chosen for.
    pub segment: Option<Arc<str>>,
}

/// A title that was offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The title.
    pub title: Arc<str>,
    /// Row of the page; empty where a row alone was asked for.
    pub row: Box<str>,
    /// Place in the row, from 0.
    pub place: u32,
    /// Its score; comparable within its row.
    pub score: f64,
    /// The artwork, if the catalogue has any of the title.
    pub artwork: Option<ChosenArtwork>,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id: publishers send it back as `request`.
    pub recommendation_id: Box<str>,
    /// Where the member's state came from: `live`, `store` or `popular`.
    pub source: Box<str>,
    /// Experiment and variant that it was made under.
    pub variant: Option<(Box<str>, Box<str>)>,
    /// Country that was asked about.
    pub country: Option<Box<str>>,
    /// Device that was asked about.
    pub device: Option<Box<str>>,
    /// Digest of what was known of the member ([`Known::digest`](super::Known::digest)); `None`: nothing was.
    pub known: Option<u64>,
    /// What was offered, in order.
    pub candidates: Vec<Candidate>,
}

impl Decision {
    /// Version of the payload's form.
    pub const VERSION: u16 = VERSION as u16;

    /// The payload of a fact.
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(VERSION, self)
    }

    /// Reads the payload of a fact.
    ///
    /// # Errors
    /// [`DecodeError`] where it is of a newer version, or damaged.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "a decision";
        let (_, bytes) = versioned::split(WHAT, VERSION, payload)?;
        versioned::decode(WHAT, bytes)
    }
}
