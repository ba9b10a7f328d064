//! Titles that a row may show, best first.

use super::newness::NewTitles;
use super::page_row::{PageSources, Row, RowKind, RowReason, RowTitle};
use crate::affinity::GenreAffinity;
use crate::query::Query;
use crate::ranked::{Ranked, Reason};
use crate::row::{Explorer, explored, next, rank, score_titles};
use crate::trending::{TrendQuery, trending};
use hashbrown::{HashMap, HashSet};
use nearline_model::member::snapshot::WatchedTitle;
use nearline_model::symbols::Symbol;
use std::sync::Arc;

/// Rows that name a title.
const TELLING_TITLES: usize = 2;
/// Titles back in the history among which one to name is looked for.
const TELLING_WINDOW: usize = 10;

/// What the [top picks](RowKind::TopPicks) show: the first of `candidates` that are not `shown`, with new titles at some
/// places.
pub(super) fn explored_picks(
    sources: &PageSources<'_>,
    query: &Query<'_>,
    candidates: Vec<Ranked>,
    shown: &HashSet<Arc<str>>,
) -> Vec<RowTitle> {
    let free = candidates.into_iter().filter(|ranked| !shown.contains(&ranked.title));
    let picks: Vec<Ranked> = free.take(query.limit).collect();
    let explorer = Explorer::new(sources.aggregates, sources.catalogue, sources.member, query);
    let picks = match explorer {
        Some(explorer) => explored(picks, &explorer, query.explain, |id| shown.contains(id)),
        None => picks,
    };
    picks.into_iter().map(RowTitle::from).collect()
}

/// Candidates of a row: at least `spare` of them, if there are as many.
pub(super) fn of(sources: &PageSources<'_>, query: &Query<'_>, row: &mut Row, spare: usize) -> Vec<RowTitle> {
    match row.kind {
        RowKind::ContinueWatching => begun(sources, query),
        RowKind::TopPicks => ranked(sources, query, spare).into_iter().map(RowTitle::from).collect(),
        // Whether there are enough was looked at before there was a row.
        RowKind::BecauseYouWatched => std::mem::take(&mut row.titles),
        RowKind::BecauseYouLike => {
            row.genre.as_ref().map(|genre| of_genre(sources, query, genre, spare)).unwrap_or_default()
        }
        RowKind::TrendingNow => trending_now(sources, query, spare),
        RowKind::NewForYou => new_for_you(sources, query, spare),
        RowKind::MyList => my_list(sources, query),
    }
}

/// Whether the caller lets a title be shown at all.
pub(super) fn is_allowed(sources: &PageSources<'_>, query: &Query<'_>, id: &str) -> bool {
    sources.catalogue.is_available(id, query.country)
        && !query.exclude.contains(&id)
        && query.admit.is_none_or(|admit| admit(id))
}

/// Titles that are nothing new to the member, or not wanted.
pub(super) fn known<'a>(sources: &PageSources<'a>) -> HashSet<&'a str> {
    let Some(member) = sources.member else { return HashSet::new() };
    member.known().chain(member.disliked()).map(|title| &**title).collect()
}

/// The latest titles of the history that enough titles follow to fill a row, and that the member
/// did not dislike; each with what follows it, `spare` titles if there are as many.
pub(super) fn telling_titles(
    sources: &PageSources<'_>,
    query: &Query<'_>,
    spare: usize,
) -> Vec<(Arc<str>, Vec<RowTitle>)> {
    let Some(member) = sources.member else { return Vec::new() };
    let disliked = |title: &str| member.disliked().any(|disliked| **disliked == *title);
    let least = RowKind::BecauseYouWatched.least_titles().min(query.limit);
    let latest = member.history.iter().rev().take(TELLING_WINDOW).map(|watched| &watched.title);
    latest
        .filter(|title| sources.catalogue.is_available(title, query.country) && !disliked(title))
        .map(|title| (title.clone(), following(sources, query, title, spare)))
        .filter(|(_, followers)| followers.len() >= least)
        .take(TELLING_TITLES)
        .collect()
}

fn begun(sources: &PageSources<'_>, query: &Query<'_>) -> Vec<RowTitle> {
    let Some(member) = sources.member else { return Vec::new() };
    let titles = member.history.iter().rev().filter(|watched| watched.is_begun());
    let titles = titles.filter(|watched| is_allowed(sources, query, &watched.title));
    let reason = |watched: &WatchedTitle| RowReason::Begun {
        watched_s: watched.watched_s,
        duration_s: watched.duration_s,
    };
    counted_down(titles.map(|watched| (watched.title.clone(), reason(watched))).collect(), query)
}

fn my_list(sources: &PageSources<'_>, query: &Query<'_>) -> Vec<RowTitle> {
    let Some(member) = sources.member else { return Vec::new() };
    let titles = member.list.iter().rev().filter(|title| is_allowed(sources, query, title));
    counted_down(titles.map(|title| (title.clone(), RowReason::Listed)).collect(), query)
}

/// Titles in an order that stands: scores count down from 1.
fn counted_down(titles: Vec<(Arc<str>, RowReason)>, query: &Query<'_>) -> Vec<RowTitle> {
    let count = titles.len().max(1) as f64;
    let scored = titles.into_iter().enumerate();
    scored
        .map(|(at, (title, reason))| RowTitle {
            title,
            score: 1.0 - at as f64 / count,
            reasons: if query.explain { vec![reason] } else { Vec::new() },
            placement: None,
        })
        .collect()
}

/// At least `spare` titles, if there are as many, each at its own place.
pub(super) fn ranked(sources: &PageSources<'_>, query: &Query<'_>, spare: usize) -> Vec<Ranked> {
    let query = Query { limit: spare, seed: None, ..query.clone() };
    rank(sources.aggregates, sources.catalogue, sources.member, &query)
}

/// How many of the best titles must be looked at to find `spare` that may be shown: only `known` and
/// excluded ones can be in between, unless the caller filters or boosts.
fn looked_at(query: &Query<'_>, known: &HashSet<&str>, spare: usize) -> usize {
    if query.admit.is_some() || query.boost.is_some() {
        return usize::MAX;
    }
    spare.saturating_add(known.len()).saturating_add(query.exclude.len())
}

fn following(sources: &PageSources<'_>, query: &Query<'_>, title: &Arc<str>, spare: usize) -> Vec<RowTitle> {
    let known = known(sources);
    let wanted = Query { limit: looked_at(query, &known, spare), ..query.clone() };
    let followers = next(sources.aggregates, sources.catalogue, title, &wanted);
    let reason = |weight: f64| RowReason::Ranked(Reason::BecauseYouWatched { title: title.clone(), weight });
    scored(sources, query, followers, |id| !known.contains(id), reason)
}

/// The genre that the member plays more than others do, the most telling of which enough titles may be shown.
pub(super) fn liked_genre(sources: &PageSources<'_>, query: &Query<'_>) -> Option<Arc<str>> {
    let (learned, member) = (query.learned_of(sources.aggregates)?, sources.member?);
    let known = known(sources);
    let least = RowKind::BecauseYouLike.least_titles().min(query.limit);
    let is_enough = |shelf: &[Symbol]| {
        let ids = shelf.iter().map(|title| &**sources.aggregates.title_id(*title));
        ids.filter(|id| !known.contains(id) && is_allowed(sources, query, id)).take(least).count() == least
    };
    let mut liked = learned.genres.liked(sources.aggregates, member).into_iter();
    liked.find(|(_, _, shelf)| is_enough(shelf)).map(|(genre, ..)| genre.clone())
}

/// The titles of a genre's shelf, as they score for the member.
fn of_genre(sources: &PageSources<'_>, query: &Query<'_>, genre: &Arc<str>, spare: usize) -> Vec<RowTitle> {
    let known = known(sources);
    let Some((learned, member)) = query.learned_of(sources.aggregates).zip(sources.member) else {
        return Vec::new();
    };
    let liked = learned.genres.liked(sources.aggregates, member);
    let Some((_, share, shelf)) = liked.into_iter().find(|(name, ..)| *name == genre) else {
        return Vec::new();
    };
    let ids: Vec<&Arc<str>> = shelf.iter().map(|title| sources.aggregates.title_id(*title)).collect();
    let names: Vec<&str> = ids.iter().map(|id| &***id).collect();
    let scores = score_titles(sources.aggregates, sources.catalogue, Some(member), query, &names);
    let mut ranked: Vec<Ranked> =
        ids.into_iter().zip(scores).map(|(id, score)| Ranked::new(id.clone(), score)).collect();
    ranked.retain(|ranked| ranked.score > 0.0);
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.title.cmp(&b.title)));
    let reason = |_| RowReason::Liked { genre: genre.clone(), share };
    let mut titles = scored(sources, query, ranked, |id| !known.contains(id), reason);
    titles.truncate(spare);
    titles
}

fn trending_now(sources: &PageSources<'_>, query: &Query<'_>, spare: usize) -> Vec<RowTitle> {
    let known = known(sources);
    let asked = [
        query.country.map(|country| format!("country:{country}")),
        query.device.map(|device| format!("device:{device}")),
    ];
    let asked: Vec<&str> = asked.iter().flatten().map(String::as_str).collect();
    let admit = |id: &str| !known.contains(id) && is_allowed(sources, query, id);
    let wanted = TrendQuery {
        dimensions: &asked,
        country: query.country,
        // A boost may bring any title to the front.
        limit: if query.boost.is_some() { usize::MAX } else { spare },
        learned: query.learned,
        admit: Some(&admit),
        boards: sources.boards,
    };
    let trends = trending(sources.aggregates, sources.catalogue, &wanted);
    let where_of: HashMap<Arc<str>, String> =
        trends.iter().map(|trend| (trend.title.clone(), trend.dimension.clone())).collect();
    let ranked = trends.into_iter().map(|trend| Ranked::new(trend.title, trend.score));
    let mut titles = scored(
        sources,
        query,
        ranked.collect(),
        |_| true,
        |weight| RowReason::Trending { dimension: String::new(), weight },
    );
    for title in &mut titles {
        for reason in &mut title.reasons {
            if let (RowReason::Trending { dimension, .. }, Some(known)) = (reason, where_of.get(&title.title))
            {
                dimension.clone_from(known);
            }
        }
    }
    titles
}

fn new_for_you(sources: &PageSources<'_>, query: &Query<'_>, spare: usize) -> Vec<RowTitle> {
    let known = known(sources);
    let affinity = GenreAffinity::of(sources.member, sources.catalogue);
    let allowed = |id: &str| !known.contains(id) && is_allowed(sources, query, id);
    let boost = |id: &str| query.boost.map_or(1.0, |boost| boost(id));
    let made;
    let new_titles = match sources.new_titles {
        Some(new_titles) => new_titles,
        None => {
            made = NewTitles::of(sources.aggregates, sources.catalogue);
            &made
        }
    };
    let new = match query.boost {
        None => new_titles.best(&affinity, allowed, spare),
        Some(_) => new_titles.boosted(&affinity, allowed, boost, spare),
    };
    let titles = new.into_iter().map(|new| RowTitle {
        reasons: if query.explain {
            vec![RowReason::New { year: new.year, plays: new.plays, affinity: new.affinity }]
        } else {
            Vec::new()
        },
        title: new.title,
        score: new.score,
        placement: None,
    });
    titles.collect()
}

/// Scored titles that may be shown, with their boosts.
fn scored(
    sources: &PageSources<'_>,
    query: &Query<'_>,
    ranked: Vec<Ranked>,
    wanted: impl Fn(&str) -> bool,
    reason: impl Fn(f64) -> RowReason,
) -> Vec<RowTitle> {
    let allowed = ranked
        .into_iter()
        .filter(|ranked| wanted(&ranked.title) && is_allowed(sources, query, &ranked.title));
    let mut titles: Vec<RowTitle> = allowed
        .map(|ranked| RowTitle {
            reasons: if query.explain { vec![reason(ranked.score)] } else { Vec::new() },
            score: ranked.score * query.boost.map_or(1.0, |boost| boost(&ranked.title)),
            title: ranked.title,
            placement: None,
        })
        .collect();
    if query.boost.is_some() {
        titles.retain(|title| title.score > 0.0);
        // The sort is stable: equal scores stay ordered by id.
        titles.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    titles
}
