//! Ranking: which titles a member is offered next.
//!
//! A title's score adds up, over the titles of the member's history, what having watched each speaks
//! for it: the weights of [`associations`], 0.85 per step back, more or less by what the member thought
//! of the title. The beginning of the history counts as a title, too. The sum is damped by how often the title is played anyway (`(plays + 20)^-0.2`). Added is
//! a little of its decayed popularity, which orders what associations do not reach and is all there is
//! for a new member. Both count by the title's take-rate lift ([`crate::trending`]): how much more it is
//! taken where it is offered than others are. Titles of the catalogue that hardly anybody has played yet are mixed in by the
//! genres that the member likes. Titles seen, thumbed down, excluded or not available in the country are
//! left out. Equal scores are ordered by title id, so that the answer depends on state alone.

pub mod associations;
mod newcomers;
mod popularity;
mod selection;
pub mod settings;

use crate::affinity::GenreAffinity;
use crate::aggregates::Aggregates;
use crate::aggregates::transitions::{BEGINNING, Followers};
use crate::catalogue::Catalogue;
use crate::member::MemberSnapshot;
use crate::member::snapshot::{TitleOpinion, WatchedTitle};
use crate::symbols::Symbol;
use associations::{Associations, Equations};
pub use newcomers::Newcomers;
use popularity::Popularity;
use selection::{Scored, best, candidates, diverse};
use serde::Serialize;
use settings::RankingSettings;
use std::sync::Arc;

/// What a title of the history must still count for.
const LEAST_WEIGHT: f64 = 0.001;
/// Share of a title's length below which it counts as given up.
const ABANDONED_SHARE: f64 = 0.1;
/// Reasons given for a title at most.
const MAX_REASONS: usize = 3;

/// What is worked out from the sums and the catalogue now and then, off the path of queries.
#[derive(Debug, Default)]
pub struct Learned {
    /// Weights between titles.
    pub associations: Associations,
    /// Titles that hardly anybody has played yet.
    pub newcomers: Newcomers,
    /// Take-rate lift by title number; what is not in it has 1.
    lifts: Vec<f32>,
}

impl Learned {
    /// Of the sums and the catalogue as they are, with weights between the `most` titles played most.
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue, most: usize) -> Self {
        Self::solved(aggregates, catalogue, Associations::of(aggregates, most))
    }

    /// The same with weights that were solved already.
    pub fn solved(aggregates: &Aggregates, catalogue: &Catalogue, associations: Associations) -> Self {
        let mut lifts = vec![1.0; aggregates.title_count() + 1];
        for (title, lift) in crate::trending::lifts(aggregates) {
            lifts[title as usize] = lift as f32;
        }
        Self { associations, newcomers: Newcomers::of(aggregates, catalogue), lifts }
    }

    fn lift(&self, title: Symbol) -> f64 {
        self.lifts.get(title as usize).map_or(1.0, |lift| f64::from(*lift))
    }
}

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
    pub settings: Option<&'a RankingSettings>,
    /// What was worked out before; `None`: the sums alone answer.
    pub learned: Option<&'a Learned>,
}

impl Query<'_> {
    fn settings(&self) -> RankingSettings {
        self.settings.copied().unwrap_or_default()
    }
}

/// Why a title was ranked where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// A title of the member's history speaks for it.
    BecauseYouWatched {
        /// That title.
        title: Arc<str>,
        /// Its part of the score.
        weight: f64,
    },
    /// Members who have just begun often watch it.
    OftenFirst {
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
    /// Hardly anybody has played it yet, and it is of genres that the member likes.
    Newcomer {
        /// How much the member likes its genres, 0 to 1.
        affinity: f64,
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
    let settings = query.settings();
    let scorer = Scorer::new(aggregates, member, query);
    let mut scores = scorer.scores();
    let top = scores.iter().copied().fold(0.0, f64::max);
    for title in excluded(aggregates, member, query) {
        scores[title as usize] = 0.0;
    }
    let newcomers = newcomers(aggregates, catalogue, member, query, top);
    // One that was played a little already has the better of both scores.
    let mut unknown = Vec::new();
    for (id, score, _) in &newcomers {
        match aggregates.title(id) {
            Some(title) => scores[title as usize] = scores[title as usize].max(*score),
            None => unknown.push((id, *score)),
        }
    }
    let boost = |id: &str| query.boost.map_or(1.0, |boost| boost(id));
    let known = scores.iter().enumerate().filter(|(_, score)| **score > 0.0).map(|(title, score)| {
        let id = aggregates.title_id(title as Symbol);
        Scored { id, score: score * boost(id) }
    });
    let unknown = unknown.iter().map(|(id, score)| Scored { id, score: score * boost(id) });
    let admitted =
        |id: &str| catalogue.is_available(id, query.country) && query.admit.is_none_or(|admit| admit(id));
    let wanted = candidates(query.limit, settings.diversity);
    let ranked = best(known.chain(unknown), wanted, admitted);
    let mut ranked = diverse(ranked, catalogue, query.limit, settings.diversity);
    if query.explain {
        for ranked in &mut ranked {
            let newcomer = newcomers.iter().find(|(id, ..)| *id == ranked.title);
            ranked.reasons =
                scorer.reasons(&ranked.title, newcomer.map(|(_, score, affinity)| (*score, *affinity)));
        }
    }
    ranked
}

/// The score that each of `titles` has in [`rank`], in their order, boost and newcomers aside; 0 for what
/// it leaves out.
pub fn score_titles(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    member: Option<&MemberSnapshot>,
    query: &Query<'_>,
    titles: &[&str],
) -> Vec<f64> {
    let mut scores = Scorer::new(aggregates, member, query).scores();
    for title in excluded(aggregates, member, query) {
        scores[title as usize] = 0.0;
    }
    let score = |id: &&str| match aggregates.title(id) {
        Some(title) if catalogue.is_available(id, query.country) => scores[title as usize],
        _ => 0.0,
    };
    titles.iter().map(score).collect()
}

/// Titles that having watched `title` speaks for, best first.
pub fn similar(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    title: &str,
    query: &Query<'_>,
) -> Vec<Ranked> {
    let Some(from) = aggregates.title(title) else { return Vec::new() };
    let sources = vec![Source::new(aggregates, query.learned, Arc::from(title), from, 1.0)];
    let settings = query.settings();
    let scorer =
        Scorer { aggregates, query, settings, sources, popularity: Popularity::of(aggregates, query, 0.0) };
    let scores = scorer.scores();
    let scored = scores
        .iter()
        .enumerate()
        .map(|(title, score)| Scored { id: aggregates.title_id(title as Symbol), score: *score });
    best(scored, query.limit, |id| id != title && catalogue.is_available(id, query.country))
}

/// A title of the history, and what it counts for.
struct Source<'a> {
    title: Arc<str>,
    symbol: Symbol,
    weight: f64,
    solved: Option<&'a [f32]>,
    followers: Option<&'a Followers>,
    diagonal: f64,
}

impl<'a> Source<'a> {
    fn new(
        aggregates: &'a Aggregates,
        learned: Option<&'a Learned>,
        title: Arc<str>,
        symbol: Symbol,
        weight: f64,
    ) -> Self {
        Self {
            title,
            symbol,
            weight,
            solved: learned.and_then(|learned| learned.associations.after(symbol)),
            followers: aggregates.transitions.after(symbol),
            diagonal: Equations::diagonal(aggregates.occurrences(symbol)),
        }
    }

    /// What it speaks for `to`, before damping.
    fn weight_of(&self, to: Symbol, associations: Option<&Associations>) -> f64 {
        let solved = associations.and_then(|associations| associations.weight(self.symbol, to));
        let direct = || self.followers.map_or(0.0, |after| Equations::direct(after.get(to), self.diagonal));
        self.weight * solved.unwrap_or_else(direct)
    }
}

/// Scores titles for one query.
struct Scorer<'a> {
    aggregates: &'a Aggregates,
    query: &'a Query<'a>,
    settings: RankingSettings,
    sources: Vec<Source<'a>>,
    popularity: Popularity<'a>,
}

impl<'a> Scorer<'a> {
    fn new(aggregates: &'a Aggregates, member: Option<&MemberSnapshot>, query: &'a Query<'a>) -> Self {
        let settings = query.settings();
        let history = member.map(|member| member.history.as_slice()).unwrap_or_default();
        let opinions = member.map(|member| member.opinions.as_slice()).unwrap_or_default();
        let mut sources = Vec::new();
        let mut step = 1.0;
        for watched in history.iter().rev() {
            if step < LEAST_WEIGHT {
                break;
            }
            if let Some(symbol) = aggregates.title(&watched.title) {
                let opinion = opinions.iter().find(|opinion| opinion.title == watched.title);
                let weight = step * regard(watched, opinion, &settings);
                sources.push(Source::new(aggregates, query.learned, watched.title.clone(), symbol, weight));
            }
            step *= settings.step_weight;
        }
        if let Some(member) = member
            && member.seen.is_empty()
            && step >= LEAST_WEIGHT
        {
            sources.push(Source::new(aggregates, query.learned, Arc::from(""), BEGINNING, step));
        }
        let popularity = Popularity::of(aggregates, query, settings.popularity_weight);
        Self { aggregates, query, settings, sources, popularity }
    }

    fn associations(&self) -> Option<&'a Associations> {
        self.query.learned.map(|learned| &learned.associations)
    }

    /// Scores of all titles by their number.
    fn scores(&self) -> Vec<f64> {
        let mut scores = vec![0.0_f64; self.aggregates.title_count() + 1];
        let covered = self.associations().map_or(&[][..], Associations::titles);
        let mut solved = vec![0.0_f32; covered.len()];
        for source in &self.sources {
            if let Some(weights) = source.solved {
                let weight = source.weight as f32;
                solved.iter_mut().zip(weights).for_each(|(sum, solved)| *sum += weight * solved);
            }
            let is_covered =
                |to: Symbol| source.solved.is_some() && self.associations().is_some_and(|a| a.covers(to));
            for (to, pair) in source.followers.into_iter().flat_map(|followers| followers.iter()) {
                if !is_covered(to) {
                    scores[to as usize] += source.weight * Equations::direct(pair, source.diagonal);
                }
            }
        }
        for (title, solved) in covered.iter().zip(&solved) {
            scores[*title as usize] += f64::from(*solved);
        }
        for (title, score) in scores.iter_mut().enumerate() {
            if *score > 0.0 {
                *score *= self.damping(title as Symbol);
            }
            *score = (score.max(0.0) + self.popularity.score(title)) * self.lift(title as Symbol);
        }
        scores[BEGINNING as usize] = 0.0;
        scores
    }

    /// How much more a title is taken where it is offered than others are.
    fn lift(&self, title: Symbol) -> f64 {
        let lift = self.query.learned.map_or(1.0, |learned| learned.lift(title));
        if self.settings.lift_power == 1.0 { lift } else { lift.powf(self.settings.lift_power) }
    }

    fn damping(&self, title: Symbol) -> f64 {
        (self.aggregates.plays(title) as f64 + self.settings.damping_plays).powf(-self.settings.damping_power)
    }

    fn reasons(&self, title: &str, newcomer: Option<(f64, f64)>) -> Vec<Reason> {
        let mut reasons: Vec<(f64, Reason)> = Vec::new();
        if let Some((weight, affinity)) = newcomer {
            reasons.push((weight, Reason::Newcomer { affinity, weight }));
        }
        if let Some(title) = self.aggregates.title(title) {
            let lift = self.lift(title);
            let damping = self.damping(title) * lift;
            for source in &self.sources {
                let weight = source.weight_of(title, self.associations()) * damping;
                if weight > 0.0 {
                    let because = || Reason::BecauseYouWatched { title: source.title.clone(), weight };
                    let is_beginning = source.symbol == BEGINNING;
                    reasons
                        .push((weight, if is_beginning { Reason::OftenFirst { weight } } else { because() }));
                }
            }
            let weight = self.popularity.score(title as usize) * lift;
            if weight > 0.0 {
                let dimension = self.popularity.dimension(title as usize);
                reasons.push((weight, Reason::Popular { dimension, weight }));
            }
        }
        reasons.sort_by(|a, b| b.0.total_cmp(&a.0));
        reasons.into_iter().take(MAX_REASONS).map(|(_, reason)| reason).collect()
    }
}

/// What a title of the history counts for by what the member thought of it; 1 where nothing is known.
fn regard(watched: &WatchedTitle, opinion: Option<&TitleOpinion>, settings: &RankingSettings) -> f64 {
    if let Some(opinion) = opinion {
        match (opinion.thumb, opinion.rating) {
            (Some(-1), _) => return settings.thumb_down,
            (Some(1), _) => return settings.thumb_up,
            (Some(_), _) => return settings.two_thumbs_up,
            (None, Some(rating)) => return 1.0 + settings.star * (f64::from(rating) - 3.0),
            (None, None) => {}
        }
    }
    let (seconds, length) = (f64::from(watched.watched_s), f64::from(watched.duration_s));
    if seconds > 0.0 && seconds < ABANDONED_SHARE * length { settings.abandoned } else { 1.0 }
}

/// Titles hardly played yet that the member may like: id, score, affinity.
fn newcomers(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    member: Option<&MemberSnapshot>,
    query: &Query<'_>,
    top: f64,
) -> Vec<(Arc<str>, f64, f64)> {
    let freshness = query.settings().freshness;
    let Some(learned) = query.learned.filter(|learned| freshness > 0.0 && !learned.newcomers.is_empty())
    else {
        return Vec::new();
    };
    let affinity = GenreAffinity::of(member, catalogue);
    // With nothing played yet, newcomers are all there is.
    let top = if top > 0.0 { top } else { 1.0 };
    let seen = |id: &str| {
        query.exclude.contains(&id)
            || member.is_some_and(|member| {
                let mut watched = member.history.iter().map(|watched| &*watched.title);
                watched.any(|title| title == id)
                    || member.seen.iter().any(|title| **title == *id)
                    || member
                        .opinions
                        .iter()
                        .any(|opinion| opinion.thumb == Some(-1) && *opinion.title == *id)
            })
    };
    let few =
        |id: &str| aggregates.title(id).is_none_or(|title| aggregates.plays(title) < newcomers::FEW_PLAYS);
    learned
        .newcomers
        .iter()
        .filter(|(id, _)| few(id) && !seen(id))
        .filter_map(|(id, newness)| {
            let title = catalogue.get(id)?;
            let affinity = affinity.to(&title.genres);
            let score = freshness * newness * affinity * top;
            (score > 0.0).then(|| (id.clone(), score, affinity))
        })
        .collect()
}

fn excluded(aggregates: &Aggregates, member: Option<&MemberSnapshot>, query: &Query<'_>) -> Vec<Symbol> {
    let mut excluded: Vec<Symbol> = query.exclude.iter().filter_map(|id| aggregates.title(id)).collect();
    if let Some(member) = member {
        let disliked = member.opinions.iter().filter(|o| o.thumb == Some(-1)).map(|opinion| &opinion.title);
        excluded.extend(disliked.filter_map(|id| aggregates.title(id)));
        if !query.settings().repeats {
            let watched = member.history.iter().map(|watched| &watched.title);
            excluded.extend(watched.chain(&member.seen).filter_map(|id| aggregates.title(id)));
        }
    }
    excluded
}
