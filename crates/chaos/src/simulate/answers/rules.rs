//! Which titles may be in an answer, whatever they score.

use super::ask::{Offer, OfferedRow};
use super::wanted::{Route, Wanted};
use nearline_model::MemberSnapshot;
use nearline_model::catalogue::Catalogue;
use nearline_ranking::page::RowKind;
use nearline_ranking::settings::Repeats;
use std::collections::HashSet;

/// What breaks a rule that holds for everybody: limits, country, age, filter, exclusions, titles given before, no
/// title twice, and the artworks.
pub fn for_everybody(wanted: &Wanted, catalogue: &Catalogue, offer: &Offer) -> Option<String> {
    let mut shown = HashSet::new();
    let most_rows = if let Route::Page(rows) = wanted.route { rows } else { 1 };
    if offer.rows.len() > most_rows {
        return Some(format!("{} rows are offered, {most_rows} were asked for", offer.rows.len()));
    }
    for row in &offer.rows {
        if row.titles.len() > wanted.limit {
            return Some(format!("{} titles are offered, {} were asked for", row.titles.len(), wanted.limit));
        }
        for offered in &row.titles {
            let id = &offered.title;
            let title = catalogue.get(id).map(|title| &**title);
            if !shown.insert(id) {
                return Some(format!("{id} is offered twice"));
            }
            if !wanted.admits(id, title) {
                return Some(format!("{id} is offered, which was not to be"));
            }
            if wanted.route == Route::Similar && **id == *wanted.title {
                return Some(format!("{id} is offered as similar to itself"));
            }
            let artworks = title.map(|title| title.artworks.clone()).unwrap_or_default();
            let is_one_of_them = match &offered.artwork {
                None => artworks.is_empty() || !matches!(wanted.route, Route::Row | Route::Page(_)),
                Some((artwork, chance)) => artworks.contains(artwork) && *chance > 0.0 && *chance <= 1.0,
            };
            if !is_one_of_them {
                return Some(format!("{id} is offered with the artwork {:?}", offered.artwork));
            }
        }
    }
    None
}

/// What breaks a rule that holds for a member in this state: nothing disliked, and nothing seen, unless
/// `repeats` are allowed or the row is of titles that the member chose.
pub fn for_member(member: &MemberSnapshot, repeats: Repeats, offer: &Offer) -> Option<String> {
    let was_seen = |id: &str| {
        member.history.iter().any(|watched| *watched.title == *id)
            || member.seen.iter().any(|seen| **seen == *id)
    };
    let is_disliked =
        |id: &str| member.opinions.iter().any(|opinion| opinion.thumb == Some(-1) && *opinion.title == *id);
    let broken = |row: &OfferedRow, id: &str| match row.kind {
        Some(RowKind::ContinueWatching) => {
            let was_begun = member.history.iter().any(|watched| *watched.title == *id);
            (!was_begun).then(|| format!("{id} is offered to be watched on, which was not begun"))
        }
        Some(RowKind::MyList) => {
            let is_listed = member.list.iter().any(|listed| **listed == *id);
            (!is_listed).then(|| format!("{id} is offered as listed, which is not on the list"))
        }
        _ if is_disliked(id) => Some(format!("{id} is offered, which the member dislikes")),
        None | Some(RowKind::TopPicks) if repeats != Repeats::Never => None,
        _ => was_seen(id).then(|| format!("{id} is offered, which the member has seen")),
    };
    offer.rows.iter().find_map(|row| row.titles.iter().find_map(|offered| broken(row, &offered.title)))
}
