//! Newcomers as they score for one query.

use crate::affinity::GenreAffinity;
use crate::newcomers::{FEW_PLAYS, Newcomers};
use crate::query::Query;
use hashbrown::HashSet;
use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::Catalogue;
use nearline_model::member::MemberSnapshot;
use std::sync::Arc;

/// A newcomer that a member may like.
pub(super) struct Liked {
    pub id: Arc<str>,
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
        Some(Self { aggregates, catalogue, newcomers, affinities, freshness, top, known })
    }

    /// Those that score `least` or more, and above 0.
    pub fn scoring(&self, least: f64) -> Vec<Liked> {
        // No affinity is above 1, and the newest come first: none of the rest reaches what these do not.
        let may_reach = |newness: f64| self.freshness * newness * self.top >= least;
        let titles = self.newcomers.titles.iter().take_while(|title| may_reach(title.newness));
        let scored = titles.map(|title| {
            let affinity = self.affinities[title.genres];
            (&title.id, affinity, self.freshness * title.newness * affinity * self.top)
        });
        let reach = scored.filter(|(id, _, score)| *score > 0.0 && *score >= least && self.is_new(id));
        reach.map(|(id, affinity, score)| Liked { id: id.clone(), score, affinity }).collect()
    }

    /// Whether it is still in the catalogue, hardly played, and new to the member.
    fn is_new(&self, id: &str) -> bool {
        let plays = || self.aggregates.title(id).map_or(0, |title| self.aggregates.plays(title));
        !self.known.contains(id) && self.catalogue.get(id).is_some() && plays() < FEW_PLAYS
    }
}
