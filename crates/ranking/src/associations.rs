//! Associations: how much having watched one title speaks for each other one, solved from the sums.
//!
//! This is a linear item-item model in closed form for sequences, after Choi, Kim, Lee, Shin, Lee:
//! "Session-aware Linear Item-Item Models for Session-based Recommendation" (WWW 2021) and Steck:
//! "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019). With *T* the sums of what was
//! played next ([`nearline_model::aggregates::transitions`]), *S = N + Nᵀ* those of what was played near in either
//! order, and *D* the plays of each title on the diagonal, the weights *B* minimise
//! `α‖X − XB‖² + (1−α)‖Y − ZB‖² + ‖R^½ B‖²`: they rebuild a history from itself, and the next title from
//! the faded history before it, with a zero diagonal. Its normal equations need no history, only sums:
//!
//! - `XᵀX ≈ S + D`, `ZᵀY = T`,
//! - `ZᵀZ ≈ (0.85·(T + Tᵀ) + D) / (1 − 0.85²)`: two titles *k* steps apart both weigh in every later
//!   play, which adds up to a geometric series. Exact for endless histories.
//!
//! The beginning of a history counts as a title that everybody watched first, so that members who have
//! just begun may be offered what others began with. *R* grows with the root of plays.
//!
//! Solved weights tell apart what goes with a title from what goes with its company, which needs long
//! histories; where there are only short ones, what was played right before or after it
//! ([`Equations::direct`]) says more. Weights are a blend of both ([`Weighing`]): its share, and *R*, are
//! chosen from the stream ([`crate::tuning`]). Titles beyond those solved together are solved by themselves, against
//! them. Titles that are new since the solve, or have grown, are answered by what was played right after, as it
//! stands in the sums, so that a title counts from its first play on.
//!
//! Solving is pure: equal sums give equal weights. Sums change with every event; when to solve again
//! is the caller's decision.

mod outer;
mod pair_sums;
mod played;

use crate::give_way::worked;
use get_size2::GetSize;
use outer::{Inner, OuterSums, OuterWeights};
pub(crate) use pair_sums::PairSums;
use played::PlayedTitles;

use nearline_model::aggregates::pair::Pair;
use nearline_model::aggregates::transitions::{BEGINNING, NEXT_STEP};
use nearline_model::aggregates::{Aggregates, TITLES_AT_ONCE};
use nearline_model::identifier::Position;
use nearline_model::symbols::{NONE, Symbol};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Weight of rebuilding the history beside predicting the next title: α.
const HISTORY_SHARE: f64 = 0.9;
/// Plays of a title that count beside those known, so that what was played once says little.
const DOUBTED_PLAYS: f64 = 5.0;
/// What an endless history faded by 0.85 per step adds up to, squared.
const SERIES: f64 = 1.0 / (1.0 - NEXT_STEP * NEXT_STEP);

/// Pairs looked at in one go, about: a fraction of a millisecond.
const PAIRS_AT_ONCE: usize = 2_048;

/// In the place of a title's place: it is not solved, or by itself.
const UNSOLVED: u32 = u32::MAX;
const OUTER: u32 = u32::MAX - 1;

/// The coefficients of one pair of titles, from the sums.
pub struct Equations;

impl Equations {
    /// The right-hand side, of what is played after and (`back`) before; sums of next and near each.
    fn target((next, near): (f64, f64), (_, back_near): (f64, f64)) -> f64 {
        HISTORY_SHARE * (near + back_near) + (1.0 - HISTORY_SHARE) * next
    }

    /// The left-hand side beside the diagonal.
    fn overlap((next, near): (f64, f64), (back_next, back_near): (f64, f64)) -> f64 {
        HISTORY_SHARE * (near + back_near) + (1.0 - HISTORY_SHARE) * NEXT_STEP * SERIES * (next + back_next)
    }

    /// The left-hand side's diagonal, of a title with so many plays.
    pub fn diagonal(plays: u64, regularisation: f64) -> f64 {
        let plays = plays as f64;
        plays * (HISTORY_SHARE + (1.0 - HISTORY_SHARE) * SERIES) + regularisation * (plays + 1.0).sqrt()
    }

    /// What one play adds to a weight, solved, of a title with so many plays, if the two were alone.
    pub(crate) fn own_part(next: f64, near: f64, plays: u64, regularisation: f64) -> f64 {
        Self::target((next, near), (0.0, 0.0)) / Self::diagonal(plays, regularisation)
    }

    /// What a title with so many plays speaks for one of which `next` is the sum of what was played right
    /// after it, or before: about the share of its plays beside which the other stood.
    pub fn direct(next: f64, plays: u64) -> f64 {
        next / (plays as f64 * (1.0 + SERIES) / 2.0 + DOUBTED_PLAYS)
    }
}

/// How weights are made of the sums.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, GetSize)]
pub struct Weighing {
    /// Regularisation *R*: this, times the root of a title's plays.
    pub regularisation: f64,
    /// Share of what was played right before and after; the rest is what was solved.
    pub direct_share: f64,
}

impl Default for Weighing {
    fn default() -> Self {
        Self { regularisation: 20.0, direct_share: 0.2 }
    }
}

/// What one solve takes from the sums; solving needs the sums no more.
///
/// Taking all at once would keep whoever adds to the sums waiting, so they may be taken piece by piece:
/// [`Problem::begin`], then [`Problem::look`] until nothing is left, with a [`Problem::take_in`] after each
/// that does not need the sums. What was added in between is in some pieces and not in others; positions
/// are those of the beginning.
#[derive(Debug)]
pub struct Problem {
    /// Titles solved together at most.
    most: usize,
    played: PlayedTitles,
    /// Whether titles have their places.
    is_arranged: bool,
    titles: Vec<Symbol>,
    places: Vec<u32>,
    sums: PairSums,
    positions: Vec<Position>,
    /// Shared by all numbers of the sums it was taken from, and by no others.
    identity: Arc<str>,
    /// Place of the next title to look at; beyond all of them, of the next other.
    looked: usize,
    outer: OuterSums,
    /// What was looked at and not taken in yet: occurrences by place, and pairs.
    occurrences: Vec<(usize, u64)>,
    pairs: Vec<(Symbol, Symbol, Pair)>,
}

impl Problem {
    /// Over the `most` titles played most.
    pub fn of(aggregates: &Aggregates, most: usize) -> Self {
        let mut problem = Self::begin(aggregates, most);
        while problem.look(aggregates) {
            problem.take_in();
        }
        problem
    }

    /// Over the `most` titles played most, with nothing looked at yet.
    pub fn begin(aggregates: &Aggregates, most: usize) -> Self {
        Self {
            most,
            played: PlayedTitles::begin(aggregates),
            is_arranged: false,
            titles: Vec::new(),
            outer: OuterSums::default(),
            places: Vec::new(),
            sums: PairSums::default(),
            positions: aggregates.positions().to_vec(),
            identity: aggregates.title_id(NONE).clone(),
            looked: 0,
            occurrences: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// Gives titles their places.
    fn arrange(&mut self) {
        let (most, played) = (self.most, &self.played);
        let mut titles: Vec<Symbol> = played.titles().filter(|title| played.plays(*title) > 0).collect();
        let by_plays = |a: &Symbol, b: &Symbol| played.most_played_first(*a, *b);
        if titles.len() > most && most > 0 {
            titles.select_nth_unstable_by(most - 1, by_plays);
        }
        titles.truncate(most);
        titles.sort_unstable_by(by_plays);
        if most > 0 && played.occurrences(BEGINNING) > 0 {
            titles.push(BEGINNING);
        }
        let mut places = vec![UNSOLVED; played.numbers()];
        for (place, title) in titles.iter().enumerate() {
            places[title.index()] = place as u32;
        }
        let others = played.titles().filter(|title| places[title.index()] == UNSOLVED).collect();
        let outer = OuterSums::new(others, titles.len(), played);
        for title in outer.solved_titles() {
            places[title.index()] = OUTER;
        }
        self.sums.grow(titles.len());
        (self.titles, self.places, self.outer) = (titles, places, outer);
        self.is_arranged = true;
    }

    /// Whether these are the sums that it was begun with, and not others in their place.
    pub fn is_of(&self, aggregates: &Aggregates) -> bool {
        Arc::ptr_eq(&self.identity, aggregates.title_id(NONE))
    }

    /// Looks at the sums of the next titles; false if there are none.
    pub fn look(&mut self, aggregates: &Aggregates) -> bool {
        if !self.is_arranged {
            self.played.look(aggregates);
            return true;
        }
        let first = self.looked;
        while let Some(from) = self.titles.iter().chain(self.outer.titles()).nth(self.looked).copied()
            && self.pairs.len() < PAIRS_AT_ONCE
            && self.looked - first < TITLES_AT_ONCE
        {
            if self.looked < self.titles.len() {
                self.occurrences.push((self.looked, aggregates.occurrences(from)));
            }
            let followers = aggregates.transitions().after(from).into_iter().flat_map(|after| after.iter());
            // Titles that came later have no place; what follows the beginning counts among those solved together alone.
            let count = self.titles.len() as u32;
            let is_wanted = |to: Symbol| {
                self.places.get(to.index()).is_some_and(|place| from != BEGINNING || *place < count)
            };
            self.pairs.extend(followers.filter(|(to, _)| is_wanted(*to)).map(|(to, pair)| (from, to, pair)));
            self.looked += 1;
        }
        self.looked > first
    }

    /// Takes in what was looked at.
    pub fn take_in(&mut self) {
        if !self.is_arranged && self.played.is_whole() {
            self.arrange();
        }
        let count = self.titles.len();
        for (from, to, pair) in self.pairs.drain(..) {
            let [row, column] = [from, to].map(|title| self.places[title.index()] as usize);
            if row < count && column < count {
                self.sums.next[(row, column)] += pair.next() as f32;
                self.sums.near[(row, column)] += pair.near() as f32;
            } else {
                self.outer.put(from, to, pair, &self.played);
            }
        }
        for (place, occurrences) in self.occurrences.drain(..) {
            self.sums.occurrences[place] = occurrences;
        }
    }

    /// The titles, by place: those played most first, the beginning last.
    pub fn titles(&self) -> &[Symbol] {
        &self.titles
    }

    /// The place of a title.
    pub(crate) fn place(&self, title: Symbol) -> Option<usize> {
        let place = *self.places.get(title.index())? as usize;
        (place < self.titles.len()).then_some(place)
    }

    pub(crate) fn sums(&self) -> &PairSums {
        &self.sums
    }

    /// Solves the equations: cubic in the number of titles, on one thread.
    pub fn solve(self, weighing: Weighing) -> Associations {
        let Self { titles, places, mut sums, mut outer, played, positions, identity, .. } = self;
        outer.finish(&played);
        let solved = sums.solve(weighing.regularisation);
        let inner =
            Inner { titles: &titles, places: &places, occurrences: &sums.occurrences, solved: &solved };
        let outer = outer::solve(&outer, inner, weighing);
        let raise = solved.raise();
        let mut weights = solved.weights;
        let share = weighing.direct_share as f32;
        for (from, mut row) in weights.rows_mut().into_iter().enumerate() {
            for (to, solved) in row.iter_mut().enumerate() {
                *solved += share * (sums.direct_weight(from, to) - *solved);
            }
            worked(2 * row.len());
        }
        let (weights, _) = weights.into_raw_vec_and_offset();
        Associations { titles, places, weights, outer, raise, weighing, positions, identity }
    }
}

/// Solved weights between titles.
#[derive(Debug, Default, GetSize)]
pub struct Associations {
    titles: Vec<Symbol>,
    /// By title number: its place in `titles`.
    places: Vec<u32>,
    /// By place of the title watched, then of the title scored.
    weights: Vec<f32>,
    outer: OuterWeights,
    raise: f32,
    weighing: Weighing,
    positions: Vec<Position>,
    identity: Arc<str>,
}

impl Associations {
    /// Of the sums as they are, over the `most` titles played most.
    pub fn of(aggregates: &Aggregates, most: usize) -> Self {
        Problem::of(aggregates, most).solve(Weighing::default())
    }

    /// Bytes that they hold in memory.
    pub fn memory_bytes(&self) -> usize {
        self.get_heap_size()
    }

    /// The titles solved, by place.
    pub fn titles(&self) -> &[Symbol] {
        &self.titles
    }

    /// The share of their diagonal that the regularisation of all titles grew by, for the sums to be those of
    /// histories; 0, mostly: they were.
    pub fn raise(&self) -> f32 {
        self.raise
    }

    /// How the weights were made of the sums.
    pub fn weighing(&self) -> Weighing {
        self.weighing
    }

    /// Position of each partition that the sums reflected.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Whether these are the sums that the weights were solved from, and not others in their place, in
    /// which titles may have other numbers.
    pub fn are_of(&self, aggregates: &Aggregates) -> bool {
        Arc::ptr_eq(&self.identity, aggregates.title_id(NONE))
    }

    /// Whether `title` was solved.
    pub fn covers(&self, title: Symbol) -> bool {
        self.place(title).is_some()
    }

    /// The place of `title` among those solved.
    pub(super) fn place(&self, title: Symbol) -> Option<usize> {
        let place = *self.places.get(title.index())? as usize;
        (place < self.titles.len()).then_some(place)
    }

    /// Whether `title`, with so many plays by now, is solved by itself, and not outgrown what it was then.
    fn is_solved(&self, title: Symbol, plays: u64) -> bool {
        match self.places.get(title.index()) {
            None | Some(&UNSOLVED) => false,
            Some(&OUTER) => !self.outer.is_outgrown(title, plays),
            Some(_) => true,
        }
    }

    /// What pairs of titles that are not solved together count for by what was played right after `from`: all of it,
    /// unless both are solved.
    pub fn direct_shares<'a>(
        &'a self,
        from: Symbol,
        aggregates: &'a Aggregates,
    ) -> impl Fn(Symbol) -> f64 + 'a {
        let is_solved = move |title: Symbol| self.is_solved(title, aggregates.plays(title));
        let is_source_solved = is_solved(from);
        move |to| if is_source_solved && is_solved(to) { self.weighing.direct_share } else { 1.0 }
    }

    /// What `from` speaks for `to` where the two are not solved together: its share of `direct`, what was played right
    /// after, and what is known beside.
    pub fn unsolved_weight(&self, from: Symbol, to: Symbol, direct: f64, aggregates: &Aggregates) -> f64 {
        let outer = self.outer(from);
        let outer = outer.binary_search_by_key(&to, |(title, _)| *title).map(|at| f64::from(outer[at].1));
        self.direct_shares(from, aggregates)(to) * direct + outer.unwrap_or_default()
    }

    /// Weights of all titles solved, by place, for a member who watched `title`; `None`: not solved.
    pub fn after(&self, title: Symbol) -> Option<&[f32]> {
        let size = self.titles.len();
        self.place(title).map(|place| &self.weights[place * size..(place + 1) * size])
    }

    /// What `title` speaks for others, where the two are not solved together, beside what was played right after.
    pub fn outer(&self, title: Symbol) -> &[(Symbol, f32)] {
        self.outer.of_title(title)
    }

    /// The weight of `to` for a member who watched `from`; `None`: not solved.
    pub fn weight(&self, from: Symbol, to: Symbol) -> Option<f64> {
        Some(f64::from(self.after(from)?[self.place(to)?]))
    }
}
