//! New and little played titles of the catalogue, by genre affinity.
//!
//! A title's score is `affinity · (0.7 · 2^-(newest year − year) + 0.3 · 50 / (plays + 50))`. The newest
//! year is the catalogue's own, so that no clock is read; the second term lets what nobody has found
//! yet stand beside what is new. The catalogue keeps no time at which a title came in.

use crate::affinity::GenreAffinity;
use crate::genre_sets::GenreSets;
use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::{Catalogue, Title};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Part of the score that the year decides.
const YEAR_WEIGHT: f64 = 0.7;
/// Plays at which the part that plays decide is half of what it is without any.
const FEW_PLAYS: f64 = 50.0;
/// Newness below which a title is not called new: older than a year and well known.
const LEAST_NEWNESS: f64 = 0.25;

/// A new title for a member.
pub(super) struct New {
    pub title: Arc<str>,
    pub score: f64,
    pub year: Option<u16>,
    pub plays: u64,
    pub affinity: f64,
}

/// What is new in the catalogue, the same for everybody: titles of the same genres together, the newest first. A
/// member's affinity is one for all of them, so that the best are found without looking at all.
#[derive(Debug, Default)]
pub struct NewTitles {
    genres: GenreSets,
    /// By number of their genres.
    groups: Vec<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    title: Arc<Title>,
    newness: f64,
    plays: u64,
}

/// The next title of a group, ordered by score, then by id turned round.
struct Next<'a> {
    score: f64,
    entry: &'a Entry,
    group: usize,
    at: usize,
}

impl NewTitles {
    /// What is new by the sums and the catalogue as they are.
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue) -> Self {
        let titles: Vec<Arc<Title>> = catalogue.iter().cloned().collect();
        let plays = |id: &str| aggregates.title(id).map_or(0, |symbol| aggregates.plays(symbol));
        let plays: Vec<u64> = titles.iter().map(|title| plays(&title.id)).collect();
        Self::by_plays(&titles, &plays)
    }

    /// What is new of `titles`, which were played `plays` times each.
    pub fn by_plays(titles: &[Arc<Title>], plays: &[u64]) -> Self {
        let newest_year = titles.iter().filter_map(|title| title.year).max().unwrap_or_default();
        let entry = |(title, plays): (&Arc<Title>, &u64)| {
            let newness = newness(title.year, newest_year, *plays);
            (newness >= LEAST_NEWNESS).then(|| Entry { title: title.clone(), newness, plays: *plays })
        };
        let new: Vec<Entry> = titles.iter().zip(plays).filter_map(entry).collect();
        let (genres, numbers) = GenreSets::of(new.iter().map(|entry| entry.title.genres.as_slice()));
        let mut groups: Vec<Vec<Entry>> = std::iter::repeat_with(Vec::new).take(genres.len()).collect();
        new.into_iter().zip(numbers).for_each(|(entry, number)| groups[number].push(entry));
        for group in &mut groups {
            group.sort_unstable_by(|a, b| {
                b.newness.total_cmp(&a.newness).then_with(|| a.title.id.cmp(&b.title.id))
            });
        }
        Self { genres, groups }
    }

    /// The `limit` allowed titles with the highest scores, equal ones by id.
    pub(super) fn best(
        &self,
        affinity: &GenreAffinity<'_>,
        allowed: impl Fn(&str) -> bool,
        limit: usize,
    ) -> Vec<New> {
        let liked = self.genres.affinities(affinity);
        let next = |group: usize, at: usize| {
            let entry = self.groups[group].get(at)?;
            let score = liked[group] * entry.newness;
            (score > 0.0).then_some(Next { score, entry, group, at })
        };
        let mut heap: BinaryHeap<Next<'_>> =
            (0..self.groups.len()).filter_map(|group| next(group, 0)).collect();
        let mut best = Vec::with_capacity(limit.min(256));
        while best.len() < limit
            && let Some(Next { score, entry, group, at }) = heap.pop()
        {
            heap.extend(next(group, at + 1));
            if allowed(&entry.title.id) {
                best.push(entry.of(score, liked[group]));
            }
        }
        best
    }

    /// The same where a boost may bring any of them to the front.
    pub(super) fn boosted(
        &self,
        affinity: &GenreAffinity<'_>,
        allowed: impl Fn(&str) -> bool,
        boost: impl Fn(&str) -> f64,
        limit: usize,
    ) -> Vec<New> {
        let mut new: Vec<New> = Vec::new();
        for (group, liked) in self.groups.iter().zip(self.genres.affinities(affinity)) {
            let allowed = group.iter().filter(|entry| allowed(&entry.title.id));
            let scored = allowed.map(|entry| entry.of(liked * entry.newness * boost(&entry.title.id), liked));
            new.extend(scored.filter(|new| new.score > 0.0));
        }
        let order = |a: &New, b: &New| b.score.total_cmp(&a.score).then_with(|| a.title.cmp(&b.title));
        if new.len() > limit && limit > 0 {
            new.select_nth_unstable_by(limit - 1, order);
            new.truncate(limit);
        }
        new.sort_by(order);
        new
    }
}

impl Entry {
    fn of(&self, score: f64, affinity: f64) -> New {
        let Title { id, year, .. } = &*self.title;
        New { title: Arc::from(id.as_str()), score, year: *year, plays: self.plays, affinity }
    }
}

impl Ord for Next<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.entry.title.id.cmp(&self.entry.title.id))
    }
}

impl PartialOrd for Next<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Next<'_> {}

fn newness(year: Option<u16>, newest_year: u16, plays: u64) -> f64 {
    let age = year.map(|year| f64::from(newest_year.saturating_sub(year)));
    let by_year = age.map_or(0.0, |age| (-age).exp2());
    YEAR_WEIGHT * by_year + (1.0 - YEAR_WEIGHT) * FEW_PLAYS / (plays as f64 + FEW_PLAYS)
}

#[cfg(test)]
mod tests {
    use super::newness;

    #[test]
    fn what_is_new_or_hardly_played_is_newer_than_what_is_old_and_known() {
        assert!(newness(Some(2026), 2026, 0) > newness(Some(2026), 2026, 1_000));
        assert!(newness(Some(2026), 2026, 1_000) > newness(Some(2024), 2026, 0));
        assert!(newness(Some(2024), 2026, 0) > newness(Some(1990), 2026, 1_000));
        assert!((newness(None, 2026, 0) - 0.3).abs() < 1e-9);
    }
}
