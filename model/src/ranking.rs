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

//!
//! Not every title is scored: `search` passes over those that cannot be among the best.

pub mod associations;
mod factors;
mod newcomers;
mod popularity;
mod scorer;
mod search;
mod selection;
pub mod settings;
mod sums;

use crate::aggregates::Aggregates;
use crate::catalogue::Catalogue;
use crate::member::MemberSnapshot;
use crate::symbols::Symbol;
use crate::trending::lifts;
use associations::Associations;
use factors::{FactorTable, Factors};
use hashbrown::{HashMap, HashSet};
use newcomers::NewcomerScorer;
pub use newcomers::Newcomers;
use scorer::Scorer;
use search::{Found, search};
use selection::{Listing, Scored, best, best_of, candidates, diverse};
use serde::Serialize;
use settings::RankingSettings;
use std::sync::Arc;

/// What is worked out from the sums and the catalogue now and then, off the path of queries.
#[derive(Debug, Default)]
pub struct Learned {
    /// Weights between titles.
    pub associations: Associations,
    /// Titles that hardly anybody has played yet.
    pub newcomers: Newcomers,
    /// Damping and take-rate lifts, raised to their powers.
    factors: FactorTable,
}

impl Learned {
    /// Of the sums and the catalogue as they are, with weights between the `most` titles played most.
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue, most: usize) -> Self {
        Self::solved(aggregates, catalogue, Associations::of(aggregates, most), &lifts(aggregates))
    }

    /// The same with weights that were solved already, and lifts.
    pub fn solved(
        aggregates: &Aggregates,
        catalogue: &Catalogue,
        associations: Associations,
        lifts: &[(Symbol, f64)],
    ) -> Self {
        let mut by_title = vec![1.0; aggregates.title_count() + 1];
        for (title, lift) in lifts {
            by_title[*title as usize] = *lift as f32;
        }
        let factors = FactorTable::new(by_title, aggregates.all_plays().to_vec());
        Self { associations, newcomers: Newcomers::of(aggregates, catalogue), factors }
    }

    /// Works out at once what queries with the same settings as those of `before` will ask for; otherwise
    /// the first of them does.
    pub fn prepare_as(&self, before: &Self) {
        for settings in before.factors.settings() {
            self.factors(&settings);
        }
    }

    fn factors(&self, settings: &RankingSettings) -> Arc<Factors> {
        self.factors.under(settings, |title| !self.associations.covers(title as Symbol))
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

impl<'a> Query<'a> {
    fn settings(&self) -> RankingSettings {
        self.settings.copied().unwrap_or_default()
    }

    /// What was worked out of these sums. Others in their place number titles otherwise: until they are
    /// solved, the sums alone answer.
    fn learned_of(&self, aggregates: &Aggregates) -> Option<&'a Learned> {
        self.learned.filter(|learned| learned.associations.are_of(aggregates))
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
    let excluded = excluded(aggregates, member, query);
    let admitted =
        |id: &str| catalogue.is_available(id, query.country) && query.admit.is_none_or(|admit| admit(id));
    let wanted = candidates(query.limit, settings.diversity);
    let found =
        search(aggregates, &scorer, if query.boost.is_some() { usize::MAX } else { wanted }, &excluded);
    let top = found.top;
    let newcomers = NewcomerScorer::new(aggregates, catalogue, member, query, top);
    let mut found = Some(found);
    let mut list = |length: usize| {
        let found = found.take().unwrap_or_else(|| search(aggregates, &scorer, length, &excluded));
        with_newcomers(aggregates, found, newcomers.as_ref(), length)
    };
    let ranked = match query.boost {
        None => best(wanted, list, admitted),
        // No bound is known of boosts: every title is boosted.
        Some(boost) => {
            let all = list(usize::MAX).titles.into_iter();
            best_of(
                all.map(|Scored { id, score }| Scored { score: score * boost(&id), id }),
                wanted,
                admitted,
            )
        }
    };
    let mut ranked = diverse(ranked, catalogue, query.limit, settings.diversity);
    if query.explain {
        let newcomers = newcomers.map(|newcomers| newcomers.scoring(0.0)).unwrap_or_default();
        for ranked in &mut ranked {
            let newcomer = newcomers.iter().find(|newcomer| newcomer.id == ranked.title);
            let newcomer = newcomer.map(|newcomer| (newcomer.score, newcomer.affinity));
            ranked.reasons = scorer.reasons(&ranked.title, newcomer);
        }
    }
    ranked
}

/// The titles found by a search for `length` of them, with the newcomers that belong among them.
fn with_newcomers(
    aggregates: &Aggregates,
    found: Found,
    newcomers: Option<&NewcomerScorer<'_>>,
    length: usize,
) -> Listing {
    let is_whole = found.titles.len() < length;
    let scored =
        |(score, title): &(f64, Symbol)| Scored { id: aggregates.title_id(*title).clone(), score: *score };
    let mut titles: Vec<Scored> = found.titles.iter().map(scored).collect();
    let Some(newcomers) = newcomers else { return Listing { titles, is_whole } };
    let last = if is_whole { None } else { titles.last().cloned() };
    let liked = newcomers.scoring(last.as_ref().map_or(0.0, |last| last.score));
    if liked.is_empty() {
        return Listing { titles, is_whole };
    }
    let places: HashMap<Symbol, usize> =
        found.titles.iter().enumerate().map(|(place, (_, title))| (*title, place)).collect();
    for newcomer in liked {
        let place = aggregates.title(&newcomer.id).and_then(|title| places.get(&title));
        match place {
            // One that was played a little already has the better of both scores.
            Some(place) => titles[*place].score = titles[*place].score.max(newcomer.score),
            None => titles.push(Scored { id: newcomer.id, score: newcomer.score }),
        }
    }
    titles.sort_unstable_by(|a, b| b.cmp(a));
    // What comes after the last title found may have others before it.
    if let Some(last) = last {
        titles.retain(|scored| *scored >= last);
    }
    Listing { titles, is_whole }
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
    let scorer = Scorer::new(aggregates, member, query);
    let excluded = excluded(aggregates, member, query);
    let score = |id: &&str| match aggregates.title(id) {
        Some(title) if catalogue.is_available(id, query.country) && !excluded.contains(&title) => {
            scorer.score(title)
        }
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
    let scorer = Scorer::after(aggregates, title, from, query);
    let itself = HashSet::from_iter([from]);
    let list =
        |length| with_newcomers(aggregates, search(aggregates, &scorer, length, &itself), None, length);
    best(query.limit, list, |id| catalogue.is_available(id, query.country))
}

/// Titles that are not offered whatever they score.
fn excluded(aggregates: &Aggregates, member: Option<&MemberSnapshot>, query: &Query<'_>) -> HashSet<Symbol> {
    let mut excluded: HashSet<Symbol> = query.exclude.iter().filter_map(|id| aggregates.title(id)).collect();
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
