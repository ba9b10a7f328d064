//! What a member was offered.

use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const VERSION: u8 = 2;

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

/// How a title came to its place, where another could have stood there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlacedBy {
    /// Whether it was put there because it is new, so that it is found out who likes it.
    pub explored: bool,
    /// Probability that it stands there, given the titles before it, in (0, 1].
    pub propensity: f64,
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
    /// How it came to its place; `None`: no other title could have stood there, or (version 1) it is not told.
    pub placed: Option<PlacedBy>,
}

/// Without what version 1 did not tell.
#[derive(Deserialize)]
struct CandidateV1 {
    title: Arc<str>,
    row: Box<str>,
    place: u32,
    score: f64,
    artwork: Option<ChosenArtwork>,
}

impl From<CandidateV1> for Candidate {
    fn from(CandidateV1 { title, row, place, score, artwork }: CandidateV1) -> Self {
        Self { title, row, place, score, artwork, placed: None }
    }
}

#[derive(Deserialize)]
struct DecisionV1 {
    recommendation_id: Box<str>,
    source: Box<str>,
    variant: Option<(Box<str>, Box<str>)>,
    country: Option<Box<str>>,
    device: Option<Box<str>>,
    known: Option<u64>,
    candidates: Vec<CandidateV1>,
}

impl From<DecisionV1> for Decision {
    fn from(before: DecisionV1) -> Self {
        let DecisionV1 { recommendation_id, source, variant, country, device, known, candidates } = before;
        let candidates = candidates.into_iter().map(Candidate::from).collect();
        Self { recommendation_id, source, variant, country, device, known, candidates }
    }
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
        match versioned::split(WHAT, VERSION, payload)? {
            (1, bytes) => versioned::decode::<DecisionV1>(WHAT, bytes).map(Self::from),
            (_, bytes) => versioned::decode(WHAT, bytes),
        }
    }
}
