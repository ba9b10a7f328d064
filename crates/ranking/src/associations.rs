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
//! just begun are offered what others began with. *R* grows slowly with plays. What the solve has not seen (new titles, those beyond its size) is
//! answered by the diagonal of the same equations ([`Equations::direct`]), so that a title counts from
//! its first play on.
//!
//! Solving is pure: equal sums give equal weights. Sums change with every event; when to solve again
//! is the caller's decision.

use crate::cholesky::InverseFactor;
use ndarray::Array2;
use nearline_model::aggregates::Aggregates;
use nearline_model::aggregates::pair::Pair;
use nearline_model::aggregates::transitions::{BEGINNING, NEXT_STEP};
use nearline_model::identifier::Position;
use nearline_model::symbols::{NONE, Symbol};
use std::sync::Arc;

/// Weight of rebuilding the history beside predicting the next title: α.
const HISTORY_SHARE: f64 = 0.5;
/// Regularisation: `REGULARISATION · (plays + 1)^REGULARISATION_POWER`.
const REGULARISATION: f64 = 300.0;
const REGULARISATION_POWER: f64 = 0.25;
/// What an endless history faded by 0.85 per step adds up to, squared.
const SERIES: f64 = 1.0 / (1.0 - NEXT_STEP * NEXT_STEP);

/// Pairs looked at in one go, about: a fraction of a millisecond.
const PAIRS_AT_ONCE: usize = 16_384;

const UNSOLVED: u32 = u32::MAX;

/// The coefficients of one pair of titles, from the sums.
pub struct Equations;

impl Equations {
    /// The right-hand side, of what is played after and (`back`) before.
    fn target(forth: Pair, back: Pair) -> f64 {
        HISTORY_SHARE * (forth.near() + back.near()) + (1.0 - HISTORY_SHARE) * forth.next()
    }

    /// The left-hand side beside the diagonal.
    fn overlap(forth: Pair, back: Pair) -> f64 {
        HISTORY_SHARE * (forth.near() + back.near())
            + (1.0 - HISTORY_SHARE) * NEXT_STEP * SERIES * (forth.next() + back.next())
    }

    /// The left-hand side's diagonal, of a title with so many plays.
    pub fn diagonal(plays: u64) -> f64 {
        let plays = plays as f64;
        plays * (HISTORY_SHARE + (1.0 - HISTORY_SHARE) * SERIES)
            + REGULARISATION * (plays + 1.0).powf(REGULARISATION_POWER)
    }

    /// The weight of a pair where nothing is solved: its right-hand side over the diagonal.
    pub fn direct(forth: Pair, diagonal: f64) -> f64 {
        Self::target(forth, Pair::default()) / diagonal
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
    titles: Vec<Symbol>,
    places: Vec<u32>,
    overlap: Array2<f32>,
    target: Array2<f32>,
    positions: Vec<Position>,
    /// Shared by all numbers of the sums it was taken from, and by no others.
    identity: Arc<str>,
    /// Place of the next title to look at.
    next: usize,
    /// What was looked at and not taken in yet: occurrences by place, and pairs.
    occurrences: Vec<(usize, u64)>,
    pairs: Vec<(usize, usize, Pair)>,
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
        let mut titles: Vec<Symbol> = (1..=aggregates.title_count() as Symbol).collect();
        titles.retain(|title| aggregates.plays(*title) > 0);
        let by_plays = |a: &Symbol, b: &Symbol| {
            let plays = |title: &Symbol| aggregates.plays(*title);
            plays(b).cmp(&plays(a)).then_with(|| aggregates.title_id(*a).cmp(aggregates.title_id(*b)))
        };
        if titles.len() > most && most > 0 {
            titles.select_nth_unstable_by(most - 1, by_plays);
        }
        titles.truncate(most);
        titles.sort_unstable_by(by_plays);
        if most > 0 && aggregates.beginnings() > 0 {
            titles.push(BEGINNING);
        }
        let mut places = vec![UNSOLVED; aggregates.title_count() + 1];
        for (place, title) in titles.iter().enumerate() {
            places[*title as usize] = place as u32;
        }
        Self {
            titles,
            places,
            overlap: Array2::default((0, 0)),
            target: Array2::default((0, 0)),
            positions: aggregates.positions().to_vec(),
            identity: aggregates.title_id(NONE).clone(),
            next: 0,
            occurrences: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// Whether these are the sums that it was begun with, and not others in their place.
    pub fn is_of(&self, aggregates: &Aggregates) -> bool {
        Arc::ptr_eq(&self.identity, aggregates.title_id(NONE))
    }

    /// Looks at the sums of the next titles; false if there are none.
    pub fn look(&mut self, aggregates: &Aggregates) -> bool {
        let mut looked = 0;
        while let Some(from) = self.titles.get(self.next)
            && looked < PAIRS_AT_ONCE
        {
            self.occurrences.push((self.next, aggregates.occurrences(*from)));
            for (to, pair) in aggregates.transitions().after(*from).into_iter().flat_map(|after| after.iter())
            {
                looked += 1;
                // Titles that came later have no place.
                match self.places.get(to as usize) {
                    None | Some(&UNSOLVED) => {}
                    Some(place) => self.pairs.push((self.next, *place as usize, pair)),
                }
            }
            self.next += 1;
        }
        !self.occurrences.is_empty()
    }

    /// Takes in what was looked at.
    pub fn take_in(&mut self) {
        let size = self.titles.len();
        if self.overlap.nrows() < size {
            (self.overlap, self.target) = (Array2::zeros((size, size)), Array2::zeros((size, size)));
        }
        let (overlap, target, none) = (&mut self.overlap, &mut self.target, Pair::default());
        for (row, column, forth) in self.pairs.drain(..) {
            target[(row, column)] += Equations::target(forth, none) as f32;
            target[(column, row)] += Equations::target(none, forth) as f32;
            overlap[(row, column)] += Equations::overlap(forth, none) as f32;
            overlap[(column, row)] += Equations::overlap(none, forth) as f32;
        }
        for (place, occurrences) in self.occurrences.drain(..) {
            overlap[(place, place)] = Equations::diagonal(occurrences) as f32;
            target[(place, place)] = 0.0;
        }
    }

    /// Solves the equations: cubic in the number of titles, on one thread, in the memory of the problem.
    ///
    /// With *P* the inverse of the left-hand side and *T* the right-hand side, the weights are *P (T − E)*,
    /// where the diagonal matrix *E* of Lagrange multipliers makes their diagonal zero.
    ///
    /// The left-hand side is positive definite but where the sums fall short of the histories: of titles
    /// played again and again, or where pairs were dropped at the limit. Then the regularisation of all titles
    /// grows by the same share of their diagonal until it is ([`Associations::raise`]): weights stay those of
    /// a least-squares problem, smaller ones, and do not depend on an order of titles. Without, they would be
    /// those of a saddle point. The share is the least tried, so that titles whose sums are sound change least;
    /// weights among the others may be of either sign.
    pub fn solve(self) -> Associations {
        let Self { titles, places, overlap, target, positions, identity, .. } = self;
        let (weights, raise) = match InverseFactor::of(overlap) {
            Some(inverse) => (inverse.solve_with_zero_diagonal(target), inverse.raise()),
            None => (Array2::zeros(target.raw_dim()), 0.0),
        };
        let (mut weights, _) = weights.into_raw_vec_and_offset();
        weights.iter_mut().filter(|weight| !weight.is_finite()).for_each(|weight| *weight = 0.0);
        Associations { titles, places, weights, raise, positions, identity }
    }
}

/// Solved weights between titles.
#[derive(Debug, Default)]
pub struct Associations {
    titles: Vec<Symbol>,
    /// By title number: its place in `titles`.
    places: Vec<u32>,
    /// By place of the title watched, then of the title scored.
    weights: Vec<f32>,
    raise: f32,
    positions: Vec<Position>,
    identity: Arc<str>,
}

impl Associations {
    /// Of the sums as they are, over the `most` titles played most.
    pub fn of(aggregates: &Aggregates, most: usize) -> Self {
        Problem::of(aggregates, most).solve()
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
        self.places.get(title as usize).filter(|place| **place != UNSOLVED).map(|place| *place as usize)
    }

    /// Weights of all titles solved, by place, for a member who watched `title`; `None`: not solved.
    pub fn after(&self, title: Symbol) -> Option<&[f32]> {
        let size = self.titles.len();
        self.place(title).map(|place| &self.weights[place * size..(place + 1) * size])
    }

    /// The weight of `to` for a member who watched `from`; `None`: not solved.
    pub fn weight(&self, from: Symbol, to: Symbol) -> Option<f64> {
        Some(f64::from(self.after(from)?[self.place(to)?]))
    }
}
