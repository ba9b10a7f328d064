//! A row of a page: what it is made of, and why its titles are in it.

use super::newness::NewTitles;
use crate::exploration::Placement;
use crate::ranked::{Ranked, Reason};
use crate::trending::Boards;
use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::Catalogue;
use nearline_model::member::MemberSnapshot;
use serde::Serialize;
use std::sync::Arc;

/// What a row is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// Titles begun and not finished, the latest first.
    ContinueWatching,
    /// The ranking's best.
    TopPicks,
    /// Titles that follow one title of the member's history.
    BecauseYouWatched,
    /// Titles of the genre that the member plays more than others do, over the whole history.
    BecauseYouLike,
    /// What is played most right now.
    TrendingNow,
    /// New or little played titles of the genres that the member likes.
    NewForYou,
    /// The member's own list, the latest addition first.
    MyList,
}

impl RowKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::ContinueWatching,
        Self::TopPicks,
        Self::BecauseYouWatched,
        Self::BecauseYouLike,
        Self::TrendingNow,
        Self::MyList,
        Self::NewForYou,
    ];

    /// Name in answers, and in the `row` of impressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::ContinueWatching => "continue_watching",
            Self::TopPicks => "top_picks",
            Self::BecauseYouWatched => "because_you_watched",
            Self::BecauseYouLike => "because_you_like",
            Self::TrendingNow => "trending_now",
            Self::NewForYou => "new_for_you",
            Self::MyList => "my_list",
        }
    }

    /// The take rate a row is given before one is measured: not an estimate, but an order. What the
    /// member began comes first, what the member's own history leads to next, then what is the same
    /// for everybody.
    pub fn prior_take(self) -> f64 {
        match self {
            Self::ContinueWatching => 0.30,
            Self::TopPicks => 0.12,
            Self::BecauseYouWatched => 0.10,
            Self::BecauseYouLike => 0.09,
            Self::TrendingNow => 0.08,
            Self::MyList => 0.07,
            Self::NewForYou => 0.05,
        }
    }

    /// Whether the member filled it, title by title.
    pub fn is_own(self) -> bool {
        matches!(self, Self::ContinueWatching | Self::MyList)
    }

    /// Titles below which the row is not shown.
    pub fn least_titles(self) -> usize {
        if self.is_own() { 1 } else { 3 }
    }
}

/// Why a title is in its row.
#[derive(Debug, Clone, PartialEq)]
pub enum RowReason {
    /// The ranking's own reason.
    Ranked(Reason),
    /// The member began it.
    Begun {
        /// Seconds watched.
        watched_s: u32,
        /// Length in seconds.
        duration_s: u32,
    },
    /// It is played much right now.
    Trending {
        /// Where: `all`, a country or a device.
        dimension: String,
        /// Its decayed plays, relative to the most played title.
        weight: f64,
    },
    /// It is new or little played, and of genres that the member likes.
    New {
        /// Year of release.
        year: Option<u16>,
        /// How often it was played.
        plays: u64,
        /// The member's affinity to its genres, 0 to 1.
        affinity: f64,
    },
    /// It is of a genre that the member plays more than others do.
    Liked {
        /// The genre.
        genre: Arc<str>,
        /// Share of the member's titles that is of it, 0 to 1.
        share: f64,
    },
    /// It is on the member's own list.
    Listed,
}

/// A title of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowTitle {
    /// The title.
    pub title: Arc<str>,
    /// Its score, comparable within the row only; rows in the member's own order count down.
    pub score: f64,
    /// Why, if asked for.
    pub reasons: Vec<RowReason>,
    /// How it came to its place, where another title could have stood there.
    pub placement: Option<Placement>,
}

impl From<Ranked> for RowTitle {
    fn from(Ranked { title, score, reasons, placement }: Ranked) -> Self {
        let reasons = reasons.into_iter().map(RowReason::Ranked).collect();
        Self { title, score, reasons, placement }
    }
}

/// A row of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is made of.
    pub kind: RowKind,
    /// The title that it follows, of [`RowKind::BecauseYouWatched`].
    pub because: Option<Arc<str>>,
    /// The genre that it is of, of [`RowKind::BecauseYouLike`].
    pub genre: Option<Arc<str>>,
    /// The take rate that placed it.
    pub expected_take: f64,
    /// Whether that rate was measured, or is the prior one.
    pub measured: bool,
    /// Its titles, best first.
    pub titles: Vec<RowTitle>,
}

/// What a page is assembled from.
#[derive(Clone, Copy)]
pub struct PageSources<'a> {
    /// Sums over all members.
    pub aggregates: &'a Aggregates,
    /// Known titles.
    pub catalogue: &'a Catalogue,
    /// The member; `None` for somebody nothing is known of.
    pub member: Option<&'a MemberSnapshot>,
    /// The measured take rate of a row by its name; `None` where too little is known of it.
    pub expected_take: &'a dyn Fn(&str) -> Option<f64>,
    /// What trends, made before; `None`: it is made from the sums.
    pub boards: Option<Boards<'a>>,
    /// What is new, made before; `None`: it is made from the sums and the catalogue.
    pub new_titles: Option<&'a NewTitles>,
}
