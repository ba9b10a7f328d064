//! Two replays of the same events, held side by side, query by query.

use hashbrown::HashMap;
use nearline_ranking::{Query, Ranked};
use std::sync::Arc;

use crate::evaluate::metrics::{mean, ndcg_of_one, reciprocal_rank};
use crate::evaluate::prequential::Prequential;
use crate::evaluate::replay::Replay;
use crate::evaluate::summary::{Outcome, clustered_error};

/// A mean under both settings, and the difference.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Difference {
    /// Under the settings that served.
    pub served: f64,
    /// Under the other ones.
    pub other: f64,
    /// Other less served, query by query.
    pub difference: f64,
    /// Standard error of the difference; queries of one member are taken as one draw.
    pub standard_error: f64,
}

/// Queries of members who had seen so many titles.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Class {
    /// How many, in words.
    pub seen: String,
    /// Queries.
    pub queries: usize,
    /// Share of queries with the title in the list.
    pub hit_rate: Difference,
}

/// What two replays have in common, and what not.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Compared {
    /// Queries that both were asked.
    pub queries: usize,
    /// Queries that only one was asked: its settings knew the title as seen, or not.
    pub unpaired: usize,
    /// Share of queries with the title in the list.
    pub hit_rate: Difference,
    /// Mean reciprocal rank.
    pub mrr: Difference,
    /// Mean nDCG.
    pub ndcg: Difference,
    /// Mean share of the titles of a list that are in the other one, too.
    pub titles_alike: f64,
    /// Share of queries whose lists are the same in every place.
    pub lists_alike: f64,
    /// By titles that the member had seen.
    pub by_seen: Vec<Class>,
}

/// Lower bounds of the classes by titles that the member had seen.
const SEEN: [(usize, &str); 6] = [(0, "0"), (1, "1"), (2, "2"), (3, "3–5"), (6, "6–20"), (21, "21 or more")];

/// The lists of both replays, as numbers of titles.
#[derive(Default)]
pub(super) struct Lists {
    numbers: HashMap<Arc<str>, u32>,
    lists: HashMap<usize, Box<[u32]>>,
    /// Titles of the second replay's lists that are in the first's, all of its titles, and whether they are the same.
    alike: HashMap<usize, (usize, usize, bool)>,
}

impl Lists {
    /// One more list of a replay; the first replay is done before the second.
    pub fn add(&mut self, replay: usize, event: usize, list: &[Ranked]) {
        let numbers: Box<[u32]> = list.iter().map(|ranked| self.number(&ranked.title)).collect();
        if replay == 0 {
            self.lists.insert(event, numbers);
            return;
        }
        if let Some(first) = self.lists.remove(&event) {
            let both = numbers.iter().filter(|title| first.contains(title)).count();
            self.alike.insert(event, (both, first.len().max(numbers.len()), first == numbers));
        }
    }

    fn number(&mut self, title: &Arc<str>) -> u32 {
        let next = u32::try_from(self.numbers.len()).expect("there are fewer than 2^32 titles");
        *self.numbers.entry(title.clone()).or_insert(next)
    }
}

impl Compared {
    /// Two replays of the same events.
    pub(super) fn of(served: &Prequential, other: &Prequential, lists: &Lists) -> Self {
        let others: HashMap<usize, &Outcome> =
            other.outcomes.iter().map(|outcome| (outcome.event, outcome)).collect();
        let pairs: Vec<(&Outcome, &Outcome)> = served
            .outcomes
            .iter()
            .filter_map(|outcome| Some((outcome, *others.get(&outcome.event)?)))
            .collect();
        let hit = |outcome: &Outcome| f64::from(u8::from(outcome.rank.is_some()));
        let classes = SEEN.iter().enumerate().map(|(at, (from, name))| {
            let below = SEEN.get(at + 1).map_or(usize::MAX, |(below, _)| *below);
            let within: Vec<_> =
                pairs.iter().filter(|(one, _)| (*from..below).contains(&one.seen)).copied().collect();
            Class { seen: (*name).to_owned(), queries: within.len(), hit_rate: difference(&within, hit) }
        });
        let alike = pairs.iter().filter_map(|(one, _)| lists.alike.get(&one.event));
        let alike: Vec<&(usize, usize, bool)> = alike.collect();
        Self {
            queries: pairs.len(),
            unpaired: served.outcomes.len() + other.outcomes.len() - 2 * pairs.len(),
            hit_rate: difference(&pairs, hit),
            mrr: difference(&pairs, |outcome| reciprocal_rank(outcome.rank)),
            ndcg: difference(&pairs, |outcome| ndcg_of_one(outcome.rank)),
            titles_alike: mean(alike.iter().map(|(both, all, _)| *both as f64 / (*all).max(1) as f64)),
            lists_alike: mean(alike.iter().map(|(_, _, same)| f64::from(u8::from(*same)))),
            by_seen: classes.filter(|class| class.queries > 0).collect(),
        }
    }
}

/// The mean of a figure under both settings, and the error of the difference.
fn difference(pairs: &[(&Outcome, &Outcome)], figure: impl Fn(&Outcome) -> f64) -> Difference {
    let served = mean(pairs.iter().map(|(served, _)| figure(served)));
    let other = mean(pairs.iter().map(|(_, other)| figure(other)));
    let difference = other - served;
    let differences = pairs.iter().map(|(served, other)| (served.member, figure(other) - figure(served)));
    Difference { served, other, difference, standard_error: clustered_error(differences, difference) }
}

/// What members would be offered when all is learned.
pub(super) fn ends(replay: &mut Replay, members: &[String], k: usize) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    for member in members {
        let state = replay.member(member).ok();
        let ranked = replay.recommender.recommend(state.as_ref(), &Query { limit: k, ..Query::default() });
        lists.push(ranked.into_iter().map(|ranked| ranked.title.to_string()).collect());
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(event: usize, member: u32, rank: Option<usize>) -> Outcome {
        Outcome { event, at_ms: 0, member, seen: 3, plays: 0, gap_s: None, rank, popular: None }
    }

    #[test]
    fn a_difference_is_that_of_pairs_with_members_as_clusters() {
        let served = [outcome(0, 1, Some(1)), outcome(1, 1, None), outcome(2, 2, None), outcome(3, 3, None)];
        let other =
            [outcome(0, 1, Some(2)), outcome(1, 1, Some(1)), outcome(2, 2, Some(4)), outcome(3, 3, None)];
        let pairs: Vec<_> = served.iter().zip(&other).collect();
        let hits = difference(&pairs, |outcome| f64::from(u8::from(outcome.rank.is_some())));
        assert!((hits.served - 0.25).abs() < 1e-12 && (hits.other - 0.75).abs() < 1e-12);
        // Sums of the members less their share of the mean: 1 − 1, 1 − 0.5, 0 − 0.5.
        assert!((hits.difference - 0.5).abs() < 1e-12);
        assert!((hits.standard_error - (0.25_f64 + 0.25).sqrt() / 4.0).abs() < 1e-12);
    }

    #[test]
    fn lists_are_held_against_each_other_title_by_title() {
        let ranked = |titles: &[&str]| -> Vec<Ranked> {
            titles.iter().map(|title| Ranked::new(Arc::from(*title), 0.0)).collect()
        };
        let mut lists = Lists::default();
        lists.add(0, 7, &ranked(&["a", "b", "c", "d"]));
        lists.add(0, 8, &ranked(&["a"]));
        lists.add(1, 7, &ranked(&["d", "a", "x", "y"]));
        lists.add(1, 8, &ranked(&["a"]));
        assert_eq!((lists.alike[&7], lists.alike[&8]), ((2, 4, false), (1, 1, true)));
    }
}
