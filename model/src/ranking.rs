//! Ranking: which titles a member is offered next.
//!
//! A title's score is the sum, over the last titles of the member's history, of its share among the
//! titles that followed them, 0.85 per step back, damped by how often it is played anyway
//! (`(plays + 50)^-0.2`); plus a little of its decayed popularity, which orders what transitions do
//! not reach and is all there is for a new member. Titles seen, thumbed down, excluded or not
//! available in the country are left out. Equal scores are ordered by title id, so that the answer
//! depends on state alone.

pub mod settings;

use crate::aggregates::transitions::STEP_WEIGHT;
use crate::aggregates::{ALL, Aggregates};
use crate::catalogue::Catalogue;
use crate::member::MemberSnapshot;
use crate::symbols::Symbol;
use serde::Serialize;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Titles back in the history that candidates are drawn from.
pub const HISTORY_WINDOW: usize = 20;
/// Plays added before damping, so that new titles are not thrown to the top.
const DAMPING_PLAYS: f64 = 50.0;
/// Power of the damping by plays.
const DAMPING_POWER: f64 = -0.2;
/// Weight of popularity (its share of the most popular title) beside transitions.
const POPULARITY_WEIGHT: f64 = 0.002;
/// Reasons given for a title at most.
const MAX_REASONS: usize = 3;

/// What is asked for.
#[derive(Clone, Default)]
pub struct Query<'a> {
    /// Titles wanted at most.
    pub limit: usize,
    /// Country: decides availability, and popularity is that of the country.
    pub country: Option<&'a str>,
    /// Device: popularity is that of the device, too.
    pub device: Option<&'a str>,
    /// Titles not wanted.
    pub exclude: Vec<&'a str>,
    /// Whether reasons are wanted.
    pub explain: bool,
    /// Which titles may be offered, beside availability; `None`: all.
    pub admit: Option<&'a dyn Fn(&str) -> bool>,
    /// What a title's score is multiplied by; `None`: 1 for all.
    pub boost: Option<&'a dyn Fn(&str) -> f64>,
    /// Settings of the ranking; `None`: the defaults.
    pub settings: Option<&'a settings::RankingSettings>,
}

/// Why a title was ranked where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// It often follows a title of the member's history.
    BecauseYouWatched {
        /// That title.
        title: Arc<str>,
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
}

/// Ranks titles for a member; `None` ranks for somebody nothing is known of.
pub fn rank(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    member: Option<&MemberSnapshot>,
    query: &Query<'_>,
) -> Vec<Ranked> {
    let popularity = Popularity::of(aggregates, query);
    let sources = sources(aggregates, member);
    let mut scores = vec![0.0_f64; aggregates.title_count() + 1];
    for (_, weight, followers) in &sources {
        for (title, share) in followers.shares() {
            scores[title as usize] += weight * share;
        }
    }
    for (title, score) in scores.iter_mut().enumerate() {
        if *score > 0.0 {
            *score *= damping(aggregates, title as Symbol);
        }
        *score += popularity.weight(title);
    }
    boost_scores(aggregates, &mut scores, query);
    for title in excluded(aggregates, member, query) {
        scores[title as usize] = 0.0;
    }
    let available =
        |id: &str| catalogue.is_available(id, query.country) && query.admit.is_none_or(|admit| admit(id));
    let mut ranked = best(aggregates, &scores, query.limit, available);
    if query.explain {
        for ranked in &mut ranked {
            ranked.reasons = reasons(aggregates, &sources, &popularity, &ranked.title);
        }
    }
    ranked
}

/// Multiplies each score by its boost, if one is asked for.
fn boost_scores(aggregates: &Aggregates, scores: &mut [f64], query: &Query<'_>) {
    let Some(boost) = query.boost else { return };
    for (title, score) in scores.iter_mut().enumerate().filter(|(_, score)| **score > 0.0) {
        *score *= boost(aggregates.title_id(title as Symbol));
    }
}

/// Titles ranked by their plays, decayed by the short half-life, in a dimension such as `all` or
/// `country:BR`.
pub fn trending(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    dimension: &str,
    country: Option<&str>,
    limit: usize,
) -> Vec<Ranked> {
    let scores = aggregates.counters(dimension).map(|table| table.trend()).unwrap_or_default();
    let top = scores.iter().copied().fold(0.0, f64::max);
    let scores: Vec<f64> = scores.iter().map(|score| if top > 0.0 { score / top } else { 0.0 }).collect();
    best(aggregates, &scores, limit, |id| catalogue.is_available(id, country))
}

/// Titles that follow `title` most, damped by how often they are played anyway.
pub fn similar(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    title: &str,
    country: Option<&str>,
    limit: usize,
) -> Vec<Ranked> {
    let mut scores = vec![0.0_f64; aggregates.title_count() + 1];
    if let Some(followers) = aggregates.title(title).and_then(|title| aggregates.transitions.after(title)) {
        for (to, share) in followers.shares() {
            scores[to as usize] = share * damping(aggregates, to);
        }
    }
    best(aggregates, &scores, limit, |id| id != title && catalogue.is_available(id, country))
}

type Source<'a> = (Arc<str>, f64, &'a crate::aggregates::transitions::Followers);

/// The last titles of the history that anything followed, with the weight of their step.
fn sources<'a>(aggregates: &'a Aggregates, member: Option<&MemberSnapshot>) -> Vec<Source<'a>> {
    let history = member.map(|member| member.history.as_slice()).unwrap_or_default();
    let mut weight = 1.0;
    let mut sources = Vec::with_capacity(HISTORY_WINDOW);
    for watched in history.iter().rev().take(HISTORY_WINDOW) {
        let followers =
            aggregates.title(&watched.title).and_then(|title| aggregates.transitions.after(title));
        if let Some(followers) = followers {
            sources.push((watched.title.clone(), weight, followers));
        }
        weight *= STEP_WEIGHT;
    }
    sources
}

fn damping(aggregates: &Aggregates, title: Symbol) -> f64 {
    (aggregates.plays(title) as f64 + DAMPING_PLAYS).powf(DAMPING_POWER)
}

/// Popularity in the dimensions of a query, each relative to its most popular title.
struct Popularity<'a> {
    tables: Vec<(String, &'a [f64], f64)>,
}

impl<'a> Popularity<'a> {
    fn of(aggregates: &'a Aggregates, query: &Query<'_>) -> Self {
        let country = query.country.map(|country| format!("country:{country}"));
        let device = query.device.map(|device| format!("device:{device}"));
        let mut tables: Vec<(String, &[f64], f64)> = [country, device]
            .into_iter()
            .flatten()
            .filter_map(|name| Self::table(aggregates, name))
            .collect();
        if tables.is_empty() {
            tables.extend(Self::table(aggregates, ALL.to_owned()));
        }
        Self { tables }
    }

    fn table(aggregates: &'a Aggregates, name: String) -> Option<(String, &'a [f64], f64)> {
        let scores = aggregates.counters(&name)?.popularity();
        let top = scores.iter().copied().fold(0.0, f64::max);
        (top > 0.0).then_some((name, scores, top))
    }

    fn weight(&self, title: usize) -> f64 {
        let share =
            |(_, scores, top): &(String, &[f64], f64)| scores.get(title).map_or(0.0, |score| score / top);
        let sum: f64 = self.tables.iter().map(share).sum();
        POPULARITY_WEIGHT * sum / self.tables.len().max(1) as f64
    }
}

fn excluded(aggregates: &Aggregates, member: Option<&MemberSnapshot>, query: &Query<'_>) -> Vec<Symbol> {
    let mut excluded: Vec<Symbol> = query.exclude.iter().filter_map(|id| aggregates.title(id)).collect();
    if let Some(member) = member {
        let watched = member.history.iter().map(|watched| &watched.title);
        let disliked = member.opinions.iter().filter(|o| o.thumb == Some(-1)).map(|opinion| &opinion.title);
        let titles = watched.chain(&member.seen).chain(disliked);
        excluded.extend(titles.filter_map(|id| aggregates.title(id)));
    }
    excluded
}

fn reasons(
    aggregates: &Aggregates,
    sources: &[Source<'_>],
    popularity: &Popularity<'_>,
    title: &str,
) -> Vec<Reason> {
    let Some(title) = aggregates.title(title) else { return Vec::new() };
    let damping = damping(aggregates, title);
    let mut reasons: Vec<(f64, Reason)> = sources
        .iter()
        .filter_map(|(source, step, followers)| {
            let share = *followers.weights.get(&title)? as f64 / followers.total.max(1) as f64;
            let weight = step * share * damping;
            Some((weight, Reason::BecauseYouWatched { title: source.clone(), weight }))
        })
        .collect();
    let weight = popularity.weight(title as usize);
    if weight > 0.0 {
        let dimension =
            popularity.tables.iter().map(|(name, _, _)| name.as_str()).collect::<Vec<_>>().join(" and ");
        reasons.push((weight, Reason::Popular { dimension, weight }));
    }
    reasons.sort_by(|a, b| b.0.total_cmp(&a.0));
    reasons.into_iter().take(MAX_REASONS).map(|(_, reason)| reason).collect()
}

/// A candidate: higher scores first, then the lower id.
struct Candidate<'a> {
    score: f64,
    id: &'a Arc<str>,
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Candidate<'_> {}
impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.id.cmp(self.id))
    }
}

fn best(
    aggregates: &Aggregates,
    scores: &[f64],
    limit: usize,
    available: impl Fn(&str) -> bool,
) -> Vec<Ranked> {
    let mut heap: BinaryHeap<Candidate<'_>> = scores
        .iter()
        .enumerate()
        .filter(|(_, score)| **score > 0.0)
        .map(|(title, score)| Candidate { score: *score, id: aggregates.title_id(title as Symbol) })
        .collect();
    let mut ranked = Vec::with_capacity(limit.min(heap.len()));
    while ranked.len() < limit
        && let Some(Candidate { score, id }) = heap.pop()
    {
        if available(id) {
            ranked.push(Ranked { title: id.clone(), score, reasons: Vec::new() });
        }
    }
    ranked
}
