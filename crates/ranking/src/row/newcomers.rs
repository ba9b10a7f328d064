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
    affinity: GenreAffinity<'a>,
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
        let affinity = GenreAffinity::of(member, catalogue);
        Some(Self { aggregates, catalogue, newcomers, affinity, freshness, top, known })
    }

    /// Those that score `least` or more, and above 0.
    pub fn scoring(&self, least: f64) -> Vec<Liked> {
        // No affinity is above 1, and the newest come first: none of the rest reaches what these do not.
        let may_reach = |newness: f64| self.freshness * newness * self.top >= least;
        let titles = self.newcomers.iter().take_while(|(_, newness)| may_reach(*newness));
        titles
            .filter_map(|(id, newness)| self.score(id, newness).filter(|liked| liked.score >= least))
            .collect()
    }

    fn score(&self, id: &Arc<str>, newness: f64) -> Option<Liked> {
        let affinity = self.affinity.to(&self.catalogue.get(id)?.genres);
        let score = self.freshness * newness * affinity * self.top;
        let plays = || self.aggregates.title(id).map_or(0, |title| self.aggregates.plays(title));
        let is_new = score > 0.0 && !self.known.contains(&**id) && plays() < FEW_PLAYS;
        is_new.then(|| Liked { id: id.clone(), score, affinity })
    }
}
