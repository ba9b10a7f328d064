//! The page: rows of titles for a member, no title twice.
//!
//! Rows are ordered by the rate at which members take what is in them, where that is known, and by
//! [`RowKind::prior_take`] where it is not. What the member began and the member's own list are looked
//! for by name, so those rows take their titles first, as far as the page reaches. The others are
//! filled from the top, so that a title that several would show stands in the one that is seen first.
//! A row that finds fewer than [`RowKind::least_titles`] is dropped, and what it would have shown is
//! free for the rows below.
//!
//! In the top picks a few places go to titles that are new ([`crate::exploration`]), where it is known who asks.
//!
//! Country, `exclude`, `admit` and everything the caller filters by hold for every row. `boost` moves
//! titles within rows that are ranked by a score; what the member left off and the member's own list
//! stand in the member's own order.

mod candidates;
mod newness;
mod page_row;
pub mod take_rates;

pub use crate::affinity::GenreAffinity;
pub use newness::NewTitles;
pub use page_row::{PageSources, Row, RowKind, RowReason, RowTitle};

use crate::query::Query;
use hashbrown::HashSet;
use std::sync::Arc;

/// Most rows of a page.
pub const MAX_ROWS: usize = 8;

/// Assembles at most `rows` rows of at most `query.limit` titles each.
pub fn assemble(sources: &PageSources<'_>, query: &Query<'_>, rows: usize) -> Vec<Row> {
    let ordered = in_order(sources, query);
    let mut page = Vec::with_capacity(rows.min(MAX_ROWS));
    let mut shown: HashSet<Arc<str>> = HashSet::new();
    let fill = |row: &mut Row, shown: &HashSet<Arc<str>>| {
        let spare = query.limit.saturating_add(shown.len());
        if row.kind == RowKind::TopPicks {
            let ranked = candidates::ranked(sources, query, spare);
            row.titles = candidates::explored_picks(sources, query, ranked, shown);
            return;
        }
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
            genre: None,
            expected_take: measured.unwrap_or_else(|| kind.prior_take()),
            measured: measured.is_some(),
            titles: Vec::new(),
        }
    };
    let mut rows = vec![row(RowKind::ContinueWatching, None), row(RowKind::TopPicks, None)];
    // As many as there are if all rows before show some of them.
    let spare = query.limit.saturating_mul(MAX_ROWS);
    let watched = candidates::telling_titles(sources, query, spare);
    for (number, (title, followers)) in watched.into_iter().enumerate() {
        // The latest title is the most telling: its row stands before the other one's.
        let mut row = Row { titles: followers, ..row(RowKind::BecauseYouWatched, Some(title)) };
        row.expected_take *= 0.9_f64.powi(number as i32);
        rows.push(row);
    }
    if let Some(genre) = candidates::liked_genre(sources, query) {
        rows.push(Row { genre: Some(genre), ..row(RowKind::BecauseYouLike, None) });
    }
    for kind in [RowKind::TrendingNow, RowKind::MyList, RowKind::NewForYou] {
        rows.push(row(kind, None));
    }
    // The sort is stable.
    rows.sort_by(|a, b| b.expected_take.total_cmp(&a.expected_take));
    rows
}
