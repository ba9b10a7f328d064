//! Newcomers as they score for one query.

use crate::affinity::GenreAffinity;
use crate::newcomers::{FEW_PLAYS, Newcomer, Newcomers};
use crate::query::Query;
use hashbrown::HashSet;
use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::Catalogue;
use nearline_model::member::MemberSnapshot;
use nearline_model::symbols::Symbol;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

/// A newcomer that a member may like.
pub(super) struct Liked {
    pub id: Arc<str>,
    /// In the sums, if anything is counted of it.
    pub number: Option<Symbol>,
    pub score: f64,
    /// How much the member likes its genres, 0 to 1.
    pub affinity: f64,
}

/// Newcomers as they score for one query: `freshness · newness · affinity · top`.
pub(super) struct NewcomerScorer<'a> {
    aggregates: &'a Aggregates,
    catalogue: &'a Catalogue,
    newcomers: &'a Newcomers,
    /// To the genres of newcomers, by number.
    affinities: Vec<f64>,
    freshness: f64,
    top: f64,
    known: HashSet<&'a str>,
    /// Whether their numbers are those of the sums.
    is_numbered: bool,
    /// Whether all of them are in the catalogue.
    is_current: bool,
}

/// A newcomer's score, in the order of rows: higher ones first, then the lower id.
#[derive(PartialEq)]
struct Scored {
    score: f64,
    id_order: Reverse<u32>,
    at: usize,
}

impl Eq for Scored {}
impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| self.id_order.cmp(&other.id_order))
    }
}

impl<'a> NewcomerScorer<'a> {
    /// For `member`, where the ranking's best title scores `top`; `None` where there are none to score.
    pub fn new(
        aggregates: &'a Aggregates,
        catalogue: &'a Catalogue,
        member: Option<&'a MemberSnapshot>,
        query: &Query<'a>,
        top: f64,
    ) -> Option<Self> {
        let freshness = query.settings().freshness;
        let newcomers = &query.learned?.newcomers;
        if freshness <= 0.0 || newcomers.is_empty() {
            return None;
        }
        let mut known: HashSet<&str> = query.exclude.iter().copied().collect();
        if let Some(member) = member {
            known.extend(member.known().chain(member.disliked()).map(|title| &**title));
        }
        // With nothing played yet, newcomers are all there is.
        let top = if top > 0.0 { top } else { 1.0 };
        let affinities = newcomers.genres.affinities(&GenreAffinity::of(member, catalogue));
        let is_numbered = query.learned_of(aggregates).is_some();
        let is_current = catalogue.is_still(&newcomers.version);
        Some(Self {
            aggregates,
            catalogue,
            newcomers,
            affinities,
            freshness,
            top,
            known,
            is_numbered,
            is_current,
        })
    }

    /// The `most` best of those that score `least` or more, and above 0, best first; and whether these are all.
    pub fn scoring(&self, least: f64, most: usize) -> (Vec<Liked>, bool) {
        // No affinity is above 1, and the newest come first: none of the rest reaches what these do not.
        let may_reach = |newness: f64| self.freshness * newness * self.top >= least;
        let titles = self.newcomers.titles.iter().enumerate();
        let titles = titles.take_while(|(_, title)| may_reach(title.newness));
        let scored = titles.map(|(at, title)| Scored {
            score: self.score(title),
            id_order: Reverse(title.id_order),
            at,
        });
        let mut scored: BinaryHeap<Scored> =
            scored.filter(|scored| scored.score > 0.0 && scored.score >= least).collect();
        let mut liked = Vec::with_capacity(most.min(scored.len()));
        while let Some(next) = scored.pop() {
            if liked.len() == most {
                return (liked, false);
            }
            liked.extend(self.liked(&self.newcomers.titles[next.at]));
        }
        (liked, true)
    }

    /// The newcomer with that id, if it is one that scores above 0.
    pub fn find(&self, id: &str) -> Option<Liked> {
        let at = self.newcomers.by_id.get(id)?;
        self.liked(&self.newcomers.titles[*at]).filter(|liked| liked.score > 0.0)
    }

    fn score(&self, newcomer: &Newcomer) -> f64 {
        self.freshness * newcomer.newness * self.affinities[newcomer.genres] * self.top
    }

    /// What is liked of it, if it is still in the catalogue, hardly played, and new to the member.
    fn liked(&self, newcomer: &Newcomer) -> Option<Liked> {
        let id = &newcomer.id;
        let number = newcomer.number.filter(|_| self.is_numbered).or_else(|| self.aggregates.title(id));
        let plays = number.map_or(0, |title| self.aggregates.plays(title));
        let is_there = self.is_current || self.catalogue.get(id).is_some();
        let is_new = is_there && plays < FEW_PLAYS && !self.known.contains(&**id);
        let affinity = self.affinities[newcomer.genres];
        is_new.then(|| Liked { id: id.clone(), number, score: self.score(newcomer), affinity })
    }
}
