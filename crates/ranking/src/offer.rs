//! What is offered: titles and rows with what the catalogue knows of them, and the artwork to show.

use crate::exploration::Placement;
use crate::page::{RowKind, RowReason};
use crate::trending::Trend;
use nearline_model::catalogue::Title;
use std::sync::Arc;

/// The artwork to show. All three go back with the impression.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedArtwork {
    /// Its id.
    pub id: String,
    /// Probability with which it was chosen among the title's artworks, in (0, 1].
    pub propensity: f64,
    /// Segment of the member that it was chosen for; `None`: the member is in none.
    pub segment: Option<Arc<str>>,
}

/// A title that is offered.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTitle {
    /// Its id.
    pub title: Arc<str>,
    /// Its score; comparable within one answer or row only.
    pub score: f64,
    /// Why it is here, weightiest first, if asked for.
    pub reasons: Vec<RowReason>,
    /// Its entry of the catalogue, if there is one.
    pub known: Option<Arc<Title>>,
    /// The artwork to show, if the catalogue has artworks of the title.
    pub artwork: Option<OfferedArtwork>,
    /// How it came to its place, where another title could have stood there.
    pub placement: Option<Placement>,
}

/// A row that is offered.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedRow {
    /// What it is made of.
    pub kind: RowKind,
    /// The title that it follows, with its entry of the catalogue.
    pub because: Option<(Arc<str>, Option<Arc<Title>>)>,
    /// The genre that it is of.
    pub genre: Option<Arc<str>>,
    /// The take rate that placed it.
    pub expected_take: f64,
    /// Whether that rate was measured, or is the prior one.
    pub measured: bool,
    /// Its titles, best first.
    pub titles: Vec<OfferedTitle>,
}

/// A title that trends.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTrend {
    /// What its score is made of.
    pub trend: Trend,
    /// Its entry of the catalogue, if there is one.
    pub known: Option<Arc<Title>>,
}

/// What trends.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTrends {
    /// Where: `all`, `country:BR`, `device:tv`, or two of them, averaged.
    pub dimension: String,
    /// Titles, best first.
    pub trends: Vec<OfferedTrend>,
}
