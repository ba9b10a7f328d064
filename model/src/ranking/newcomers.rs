//! Newcomers: titles of the catalogue that hardly anybody has played yet, so that they are found at all.

use super::Query;
use crate::affinity::GenreAffinity;
use crate::aggregates::Aggregates;
use crate::catalogue::Catalogue;
use crate::member::MemberSnapshot;
use hashbrown::HashSet;
use std::sync::Arc;

/// Plays from which a title is no newcomer.
const FEW_PLAYS: u64 = 5;
/// Newcomers held at most: those of the newest years.
const MOST: usize = 1_000;

/// Titles hardly played yet, with how new they are by their year (the newest of the catalogue: 1; half as
/// new with each year before).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Newcomers {
    titles: Vec<(Arc<str>, f64)>,
}

impl Newcomers {
    /// Those of `catalogue`.
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue) -> Self {
        let plays = |id: &str| aggregates.title(id).map_or(0, |title| aggregates.plays(title));
        let newest_year = catalogue.iter().filter_map(|title| title.year).max().unwrap_or_default();
        let mut new: Vec<(u16, &str)> = catalogue
            .iter()
            .filter(|title| plays(&title.id) < FEW_PLAYS)
            .map(|title| (title.year.unwrap_or_default(), title.id.as_str()))
            .collect();
        new.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        new.truncate(MOST);
        let newness = |year: u16| (-f64::from(newest_year.saturating_sub(year))).exp2();
        Self { titles: new.into_iter().map(|(year, id)| (Arc::from(id), newness(year))).collect() }
    }

    /// Each with how new it is, above 0 to 1, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, f64)> {
        self.titles.iter().map(|(id, newness)| (id, *newness))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }
}

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
            known.extend(member.history.iter().map(|watched| &*watched.title));
            known.extend(member.seen.iter().map(|title| &**title));
            let disliked = member.opinions.iter().filter(|opinion| opinion.thumb == Some(-1));
            known.extend(disliked.map(|opinion| &*opinion.title));
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
