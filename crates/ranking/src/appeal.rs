//! Appeal: what decides between titles that are shown together, learned from contests.
//!
//! A [contest](nearline_model::aggregates::contests) is what one request showed, of which one title was played. They are
//! gone through in the order of their time, each judged before it is learned from:
//!
//! - A title's *strength* is that of a Bradley–Terry model (Bradley, Terry, Biometrika 1952; of lists: Luce 1959,
//!   Plackett 1975): who wins against strong others is stronger than who wins against weak ones, whatever the length of
//!   the list, which a click rate does not know. Each contest moves it by the gradient of its likelihood over the
//!   information so far, and it fades with a half-life of two days.
//! - Its *contrast* is how the members who took it differ from those who were shown it, in few dimensions that are found in the
//!   histories of all contests (`bearings`).
//! - What the sums say of title and member is evidence: co-watching, genres, click rate.
//!
//! What each of these counts for is learned in the same passage (a conditional logit over each list, steps by AdaGrad: Duchi,
//! Hazan, Singer, JMLR 2011). Where a title stood counts there, too, and not in answers, so that no title is strong for having
//! stood on top.
//!
//! All is a function of the contests kept, the sums and what was solved. Few new contests are learned from on top of what was
//! known, which makes a difference as when weights were solved does; then all are gone through anew.

mod bearings;
mod blend;
mod evidence;
mod given;
mod standings;

pub use blend::FEATURES;
pub use given::{Given, rank_given, score_given};

use crate::associations::Associations;
use crate::taste::Genres;
use bearings::Bearings;
use blend::{Blend, Row};
use evidence::Evidence;
use hashbrown::{HashMap, HashSet};
use nearline_model::aggregates::Aggregates;
use nearline_model::aggregates::contests::KeptContest;
use nearline_model::identifier::Position;
use nearline_model::symbols::{NONE, Symbol};
use standings::{SECONDS_OF_HOUR, Standing};
use std::sync::Arc;

/// Contests from which on they decide.
const LEAST_CONTESTS: usize = 100;
/// Part of the contests that may be learned from on top of what was known.
const FRESH_PART: usize = 16;
/// Contests looked at in one go: about a millisecond.
const CONTESTS_AT_ONCE: usize = 32;

/// What was learned from contests.
#[derive(Debug, Default, Clone)]
pub struct Appeal(Option<Arc<Known>>);

/// As it was learned.
#[derive(Debug, Clone)]
struct Known {
    bearings: Bearings,
    blend: Blend,
    places: HashMap<Symbol, u32>,
    standings: Vec<Standing>,
    /// Contests learned from, and those of them on top.
    contests: usize,
    fresh: usize,
    /// Titles of all contests together.
    shown: usize,
    /// Plays of all titles then.
    plays: f64,
    /// Positions up to which contests were learned from, by partition.
    positions: Vec<Position>,
    /// Shared by all numbers of the sums that titles are those of.
    identity: Arc<str>,
}

/// Contests that are being learned from, piece by piece: whoever adds to the sums is not kept waiting for all.
/// [`begin`](Self::begin), then [`look`](Self::look) until nothing is left, with a [`take_in`](Self::take_in) after each,
/// which does not need the sums.
#[derive(Debug)]
pub struct Study {
    /// What they are learned on top of; `None`: all are gone through anew.
    base: Option<Arc<Known>>,
    /// In the order of their time.
    contests: Vec<KeptContest>,
    /// How many of them were learned from, in what, and what the sums say of the next.
    done: usize,
    known: Option<Known>,
    looked: Vec<Vec<Row>>,
    /// Who took what, of all contests kept.
    taken: HashSet<(u64, Symbol)>,
    positions: Vec<Position>,
    identity: Arc<str>,
    shown_mean: f64,
    /// Plays of all titles.
    plays: f64,
}

impl Study {
    /// Takes the contests of the sums that `before` does not know.
    pub fn begin(before: &Appeal, aggregates: &Aggregates) -> Self {
        let base = before.0.clone().filter(|known| Arc::ptr_eq(&known.identity, aggregates.title_id(NONE)));
        let all: usize = aggregates.contests().by_partition().map(|contests| contests.len()).sum();
        let new = base.as_ref().map_or(all, |known| newer(aggregates, &known.positions).count());
        let base = base.filter(|known| (known.fresh + new) * FRESH_PART <= known.contests);
        let positions = base.as_ref().map(|known| known.positions.clone()).unwrap_or_default();
        let mut contests: Vec<(usize, &KeptContest)> = newer(aggregates, &positions).collect();
        contests.sort_unstable_by_key(|(partition, contest)| (contest.at_s, *partition, contest.position));
        let shown: usize = contests.iter().map(|(_, contest)| contest.candidates.len()).sum();
        let (of_base, titles) = base.as_ref().map_or((0, 0), |known| (known.contests, known.shown));
        Self {
            base,
            plays: aggregates.all_plays().iter().sum::<u64>() as f64,
            shown_mean: (shown + titles) as f64 / (contests.len() + of_base).max(1) as f64,
            contests: contests.into_iter().map(|(_, contest)| contest.clone()).collect(),
            done: 0,
            known: None,
            looked: Vec::new(),
            taken: newer(aggregates, &[]).filter_map(|(_, contest)| taken(contest)).collect(),
            positions: aggregates.positions().to_vec(),
            identity: aggregates.title_id(NONE).clone(),
        }
    }

    /// Looks at what the sums say of the next contests; false if there are none, or the sums are others by now.
    pub fn look(&mut self, aggregates: &Aggregates, associations: &Associations, genres: &Genres) -> bool {
        if !Arc::ptr_eq(&self.identity, aggregates.title_id(NONE)) {
            return false;
        }
        let evidence =
            Evidence { aggregates, associations, genres, take_rate: self.take_rate(), plays: self.plays };
        let next = self.contests.iter().skip(self.done).take(CONTESTS_AT_ONCE);
        self.looked = next.map(|contest| evidence.of_contest(contest, &self.taken)).collect();
        !self.looked.is_empty()
    }

    /// Learns from those that were looked at last.
    pub fn take_in(&mut self) {
        let known = self.known.get_or_insert_with(|| match &self.base {
            Some(base) => (**base).clone(),
            None => Known::nothing(&self.contests, self.identity.clone()),
        });
        let looked = std::mem::take(&mut self.looked);
        let next = self.done + looked.len();
        for (contest, rows) in self.contests[self.done..].iter().zip(looked) {
            known.learn(contest, rows);
        }
        self.done = next;
    }

    fn take_rate(&self) -> f64 {
        1.0 / self.shown_mean.max(2.0)
    }

    /// What was learned; nothing, if the sums became others on the way.
    pub fn learned(self) -> Appeal {
        if self.done < self.contests.len() {
            return Appeal::default();
        }
        let Some(mut known) = self.known else { return Appeal(self.base) };
        known.fresh += if self.base.is_some() { self.contests.len() } else { 0 };
        (known.positions, known.plays) = (self.positions, self.plays);
        Appeal(Some(Arc::new(known)))
    }
}

/// Who took which title.
fn taken(contest: &KeptContest) -> Option<(u64, Symbol)> {
    contest.candidates.first().map(|played| (contest.member, played.title))
}

/// Contests beyond `positions`, with the numbers of their partitions.
fn newer<'a>(
    aggregates: &'a Aggregates,
    positions: &'a [Position],
) -> impl Iterator<Item = (usize, &'a KeptContest)> {
    let of_partition = move |(partition, contests)| {
        let contests: &'a std::collections::VecDeque<KeptContest> = contests;
        let after = positions.get(partition).copied().unwrap_or_default();
        let known = contests.partition_point(|contest| contest.position <= after);
        contests.range(known..).map(move |contest| (partition, contest))
    };
    aggregates.contests().by_partition().enumerate().flat_map(of_partition)
}

impl Appeal {
    /// All at once: what is new on top of `before`.
    pub fn after(
        before: &Self,
        aggregates: &Aggregates,
        associations: &Associations,
        genres: &Genres,
    ) -> Self {
        let mut study = Study::begin(before, aggregates);
        while study.look(aggregates, associations, genres) {
            study.take_in();
        }
        study.learned()
    }

    /// What decides, if there were enough contests of these sums.
    fn known(&self, aggregates: &Aggregates) -> Option<&Known> {
        let is_enough = |known: &&Arc<Known>| {
            known.contests >= LEAST_CONTESTS && Arc::ptr_eq(&known.identity, aggregates.title_id(NONE))
        };
        self.0.as_ref().filter(is_enough).map(|known| &**known)
    }

    /// Contests learned from.
    pub fn contests(&self) -> usize {
        self.0.as_ref().map_or(0, |known| known.contests)
    }

    /// What each feature counts for, of one standard deviation, with its name; none before there is anything to learn
    /// from.
    pub fn weights(&self) -> Vec<(&'static str, f64)> {
        let weights = |known: &Arc<Known>| FEATURES.into_iter().zip(known.blend.weights()).collect();
        self.0.as_ref().map(weights).unwrap_or_default()
    }
}

impl Known {
    /// What nothing was learned in, but where histories lie.
    fn nothing(contests: &[KeptContest], identity: Arc<str>) -> Self {
        Self {
            bearings: Bearings::of(contests.iter().map(|contest| &*contest.sources)),
            blend: Blend::default(),
            places: HashMap::new(),
            standings: Vec::new(),
            contests: 0,
            fresh: 0,
            shown: 0,
            plays: 0.0,
            positions: Vec::new(),
            identity,
        }
    }

    fn learn(&mut self, contest: &KeptContest, mut rows: Vec<Row>) {
        let bearing = self.bearings.of_history(&contest.sources);
        let hours = f64::from(contest.at_s) / SECONDS_OF_HOUR;
        let places: Vec<usize> =
            contest.candidates.iter().map(|candidate| self.place(candidate.title)).collect();
        for (row, place) in rows.iter_mut().zip(&places) {
            self.standings[*place].describe(hours, &bearing, row);
        }
        let chances = self.blend.learn(rows);
        for (at, (place, chance)) in places.into_iter().zip(chances).enumerate() {
            let outcome = if at == 0 { 1.0 } else { 0.0 };
            self.standings[place].learn(hours, &bearing, outcome, chance);
        }
        self.contests += 1;
        self.shown += contest.candidates.len();
    }

    fn place(&mut self, title: Symbol) -> usize {
        let next = self.standings.len() as u32;
        let place = *self.places.entry(title).or_insert(next);
        if place == next {
            self.standings.push(Standing::default());
        }
        place as usize
    }

    /// How much each of `titles` appeals to whoever played `sources`, most recent first.
    fn scores(&self, titles: &[Symbol], mut rows: Vec<Row>, sources: &[Symbol], at_s: f64) -> Vec<f64> {
        let bearing = self.bearings.of_history(sources);
        let unknown = Standing::default();
        for (row, title) in rows.iter_mut().zip(titles) {
            let place = self.places.get(title);
            let standing = place.map_or(&unknown, |place| &self.standings[*place as usize]);
            standing.describe(at_s / SECONDS_OF_HOUR, &bearing, row);
        }
        self.blend.scores(rows)
    }
}

#[cfg(test)]
mod tests;
