//! What is like a title: watched by the same members, more often than by chance, before it or after it; and of the
//! same genres, as far as little is known of who watches it.
//!
//! With *n* the plays of both titles and *c* the sum of what was played near in either order, likeness is the
//! cosine *c / √(n₁ n₂) · c / (c + e)*, where *e* is what chance makes of the popularity of both, and a few plays are added to
//! *n* so that titles played twice are like nothing. Genres in common over all genres of both count up to three times
//! that; for a title with few plays, the more the fewer, as if it had been watched beside others of its kind.

use super::selection::{Scored, best_of};
use crate::affinity::common_genres;
use crate::query::Query;
use crate::ranked::Ranked;
use hashbrown::{HashMap, HashSet};
use nearline_model::aggregates::Aggregates;
use nearline_model::aggregates::transitions::BEGINNING;
use nearline_model::catalogue::Catalogue;
use nearline_model::symbols::Symbol;
use std::sync::Arc;

/// Plays added to those of a title.
const DOUBTED_PLAYS: f64 = 20.0;
/// What the same genres add, in cosines.
const SAME_GENRES: f64 = 3.0;
/// What the same genres are worth to a title that nobody played, of what the title most alike has.
const COLD_SHARE: f64 = 0.5;

/// Titles like `title`, most alike first.
pub fn similar(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    title: &str,
    query: &Query<'_>,
) -> Vec<Ranked> {
    let number = aggregates.title(title);
    let cosines = number.map(|number| cosines(aggregates, number, query)).unwrap_or_default();
    let genres = catalogue.get(title).map(|title| title.genres.as_slice()).unwrap_or_default();
    let top = cosines.values().copied().fold(0.0, f64::max);
    let own_plays = number.map_or(0.0, |number| aggregates.plays(number) as f64);
    let mut scored: Vec<Scored> = Vec::with_capacity(cosines.len());
    let mut seen: HashSet<&str> = HashSet::from_iter([title]);
    let mut put = |id: &Arc<str>, cosine: f64, plays: f64| {
        let common = catalogue.get(id).map_or(0.0, |other| common_genres(genres, &other.genres));
        let cold = DOUBTED_PLAYS / (DOUBTED_PLAYS + plays.min(own_plays));
        let kind = if top > 0.0 { COLD_SHARE * top } else { 1.0 };
        let score = cosine * (1.0 + SAME_GENRES * common) + cold * kind * common;
        scored.push(Scored { id: id.clone(), score });
    };
    // In the order of their numbers: what is taken of a table must not decide anything.
    let mut known: Vec<(Symbol, f64)> = cosines.into_iter().collect();
    known.sort_unstable_by_key(|(other, _)| *other);
    for (other, cosine) in &known {
        let id = aggregates.title_id(*other);
        seen.insert(id);
        put(id, *cosine, aggregates.plays(*other) as f64);
    }
    if !genres.is_empty() {
        let learned = query.learned_of(aggregates);
        let newcomers = learned.into_iter().flat_map(|learned| learned.newcomers.iter());
        for (id, _) in newcomers {
            if seen.insert(id) {
                put(id, 0.0, 0.0);
            }
        }
        // What nothing is known of is like what is played much of its kind.
        let solved = learned.map(|learned| learned.associations.titles()).unwrap_or_default();
        for other in solved.iter().filter(|other| **other != BEGINNING && number.is_none()) {
            let id = aggregates.title_id(*other);
            if seen.insert(id) {
                put(id, 0.0, aggregates.plays(*other) as f64);
            }
        }
    }
    best_of(scored.into_iter(), query.limit, |id| catalogue.is_available(id, query.country))
}

/// The cosine of each title that was played near `title`, above 0.
fn cosines(aggregates: &Aggregates, title: Symbol, query: &Query<'_>) -> HashMap<Symbol, f64> {
    let mut near: HashMap<Symbol, f64> = HashMap::new();
    let after = |from: Symbol| aggregates.transitions().after(from);
    let mut sum = 0.0;
    for (other, pair) in after(title).into_iter().flat_map(|after| after.iter()) {
        near.insert(other, pair.near());
        sum += pair.near();
    }
    // What was played before alone has no list: it is looked for among the titles played most.
    let solved =
        query.learned_of(aggregates).map(|learned| learned.associations.titles()).unwrap_or_default();
    solved.iter().for_each(|other| {
        near.entry(*other).or_default();
    });
    near.remove(&title);
    near.remove(&BEGINNING);
    let plays: u64 = aggregates.all_plays().iter().sum();
    let own = aggregates.plays(title) as f64;
    let by_chance = 2.0 * sum / plays.max(1) as f64;
    let cosine = |(other, forth): (Symbol, f64)| {
        let back = after(other).map_or(0.0, |after| after.get(title).near());
        let played = aggregates.plays(other) as f64;
        let together = forth + back;
        let beyond_chance = together / (together + by_chance * played);
        let size = ((own + DOUBTED_PLAYS) * (played + DOUBTED_PLAYS)).sqrt();
        // What was never played was taken back.
        (together > 0.0 && played > 0.0).then_some((other, together * beyond_chance / size))
    };
    near.into_iter().filter_map(cosine).collect()
}
