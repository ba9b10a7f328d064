//! The page: rows of titles for a member, no title twice.
//!
//! Rows are ordered by the rate at which members take what is in them, where that is known, and by
//! [`RowKind::prior_take`] where it is not. What the member began and the member's own list are looked
//! for by name, so those rows take their titles first, as far as the page reaches. The others are
//! filled from the top, so that a title that several would show stands in the one that is seen first.
//! A row that finds fewer than [`RowKind::least_titles`] is dropped, and what it would have shown is
//! free for the rows below.
//!
//! Country, `exclude`, `admit` and everything the caller filters by hold for every row. `boost` moves
//! titles within rows that are ranked by a score; what the member left off and the member's own list
//! stand in the member's own order.

mod candidates;
mod newness;

pub use crate::affinity::GenreAffinity;

use crate::aggregates::Aggregates;
use crate::catalogue::Catalogue;
use crate::member::MemberSnapshot;
use crate::ranking::{Query, Reason};
use hashbrown::HashSet;
use serde::Serialize;
use std::sync::Arc;

/// Most rows of a page.
pub const MAX_ROWS: usize = 7;

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
    /// What is played most right now.
    TrendingNow,
    /// New or little played titles of the genres that the member likes.
    NewForYou,
    /// The member's own list, the latest addition first.
    MyList,
}

impl RowKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::ContinueWatching,
        Self::TopPicks,
        Self::BecauseYouWatched,
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
}

/// A row of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is made of.
    pub kind: RowKind,
    /// The title that it follows, of [`RowKind::BecauseYouWatched`].
    pub because: Option<Arc<str>>,
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
}

/// Assembles at most `rows` rows of at most `query.limit` titles each.
pub fn assemble(sources: &PageSources<'_>, query: &Query<'_>, rows: usize) -> Vec<Row> {
    let ordered = in_order(sources, query);
    let mut page = Vec::with_capacity(rows.min(MAX_ROWS));
    let mut shown: HashSet<Arc<str>> = HashSet::new();
    let fill = |row: &mut Row, shown: &HashSet<Arc<str>>| {
        let spare = query.limit.saturating_add(shown.len());
        let candidates = candidates::of(sources, query, row, spare).into_iter();
        row.titles = candidates.filter(|title| !shown.contains(&title.title)).take(query.limit).collect();
    };
    // The member's own rows take their titles first, wherever they stand.
    let mut own: Vec<Row> = ordered.iter().take(rows).filter(|row| row.kind.is_own()).cloned().collect();
    own.sort_by_key(|row| row.kind != RowKind::ContinueWatching);
    for row in &mut own {
        fill(row, &shown);
        shown.extend(row.titles.iter().map(|title| title.title.clone()));
    }
    for mut row in ordered {
        if page.len() >= rows || query.limit == 0 {
            break;
        }
        match own.iter().position(|own| own.kind == row.kind) {
            Some(at) => row = own.swap_remove(at),
            None => fill(&mut row, &shown),
        }
        if row.titles.len() >= row.kind.least_titles().min(query.limit) {
            shown.extend(row.titles.iter().map(|title| title.title.clone()));
            page.push(row);
        }
    }
    page
}

/// The rows there may be, the one most likely taken from first; equal ones in the order of their
/// prior rates.
fn in_order(sources: &PageSources<'_>, query: &Query<'_>) -> Vec<Row> {
    let row = |kind: RowKind, because: Option<Arc<str>>| {
        let measured = (sources.expected_take)(kind.name()).filter(|rate| rate.is_finite());
        Row {
            kind,
            because,
            expected_take: measured.unwrap_or_else(|| kind.prior_take()),
            measured: measured.is_some(),
            titles: Vec::new(),
        }
    };
    let mut rows = vec![row(RowKind::ContinueWatching, None), row(RowKind::TopPicks, None)];
    let watched = candidates::telling_titles(sources, query);
    for (number, title) in watched.into_iter().enumerate() {
        // The latest title is the most telling: its row stands before the other one's.
        let mut row = row(RowKind::BecauseYouWatched, Some(title));
        row.expected_take *= 0.9_f64.powi(number as i32);
        rows.push(row);
    }
    for kind in [RowKind::TrendingNow, RowKind::MyList, RowKind::NewForYou] {
        rows.push(row(kind, None));
    }
    // The sort is stable.
    rows.sort_by(|a, b| b.expected_take.total_cmp(&a.expected_take));
    rows
}
