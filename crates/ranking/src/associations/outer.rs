//! Titles beyond those solved together: each is solved by itself against them.
//!
//! Solving all titles together takes the third power of their number. But a column of the weights, what all titles
//! speak for one, needs no other column, and with the factor of the overlaps between the titles played most, their
//! part of it are two products with a triangle. So a column is solved in one round of block Gauss–Seidel: what the titles
//! played most speak; then what others do ([`leftover`]), of what that leaves, the strongest of them. Columns are
//! worked out some hundred at a time and cut to their strongest weights: time and memory grow with the number
//! of titles alone. (A second round made no difference on purchases: hit rate@10 0.1263 and 0.1265. Nor did
//! keeping all neighbours and weights.)
//!
//! Titles that have twice as many plays by now, and those that are new, are answered by what was played right after,
//! as it stands in the sums.

mod columns;
mod leftover;
mod weights;

pub(super) use columns::{Inner, solve};
pub(super) use weights::OuterWeights;

use super::Equations;
use super::played::PlayedTitles;
use crate::give_way::worked;
use nearline_model::aggregates::pair::Pair;
use nearline_model::symbols::Symbol;
use std::cmp::Ordering;

/// Neighbours of a title that are kept, on each side.
const KEPT: usize = 48;
/// Neighbours held on each side until they are cut down to those kept.
const HELD: usize = 2 * KEPT;
/// Titles beyond that are solved, as many times as those solved together.
const TIMES: usize = 16;
/// A title with this many times as many plays as when it was solved, and these beside, has outgrown that.
const GROWN: u64 = 2;
const NEW_PLAYS: u64 = 4;
/// What a neighbour takes, in operations.
const NEIGHBOUR: usize = 20;
/// Plays that the strength of a neighbour is doubted by.
const DOUBTED: f32 = 5.0;

const NOT_OUTER: u32 = u32::MAX;

/// What was played before or after a title: next and near.
#[derive(Debug, Clone, Copy)]
struct Neighbour {
    title: Symbol,
    next: f32,
    near: f32,
}

impl Neighbour {
    fn sums(&self) -> (f32, f32) {
        (self.next, self.near)
    }
}

/// The sums around the titles that are not solved together.
#[derive(Debug, Default)]
pub(super) struct OuterSums {
    /// By title number: place in `titles`.
    places: Vec<u32>,
    /// Those solved first, of most plays; then the others.
    titles: Vec<Symbol>,
    solved: usize,
    occurrences: Vec<u64>,
    after: Vec<Vec<Neighbour>>,
    before: Vec<Vec<Neighbour>>,
}

impl OuterSums {
    /// Of `titles`, which are all others than the `inner` solved together, in any order.
    pub fn new(mut titles: Vec<Symbol>, inner: usize, played: &PlayedTitles) -> Self {
        let is_solved = |title: &Symbol| inner > 0 && played.plays(*title) > 0;
        let most_played = |a: &Symbol, b: &Symbol| played.most_played_first(*a, *b);
        let most = inner.saturating_mul(TIMES);
        if most > 0 && titles.len() > most {
            titles.select_nth_unstable_by(most - 1, most_played);
        }
        let first = titles.len().min(most);
        titles[..first].sort_unstable_by(most_played);
        let solved = titles[..first].partition_point(is_solved);
        let mut places = vec![NOT_OUTER; played.numbers()];
        for (place, title) in titles.iter().enumerate() {
            places[title.index()] = place as u32;
        }
        Self {
            places,
            solved,
            occurrences: titles.iter().map(|title| played.occurrences(*title)).collect(),
            after: vec![Vec::new(); titles.len()],
            before: vec![Vec::new(); titles.len()],
            titles,
        }
    }

    pub fn titles(&self) -> &[Symbol] {
        &self.titles
    }

    /// Those that are solved.
    pub fn solved_titles(&self) -> &[Symbol] {
        &self.titles[..self.solved]
    }

    /// `to` was played after `from`, and both are not solved together.
    pub fn put(&mut self, from: Symbol, to: Symbol, pair: Pair, played: &PlayedTitles) {
        // What was never played itself has nothing that its score could be damped by.
        if played.plays(from) == 0 || played.plays(to) == 0 {
            return;
        }
        let (next, near) = (pair.next() as f32, pair.near() as f32);
        if let Some(place) = self.place(from) {
            hold(&mut self.after[place], Neighbour { title: to, next, near }, played);
        }
        if let Some(place) = self.place(to) {
            hold(&mut self.before[place], Neighbour { title: from, next, near }, played);
        }
    }

    /// Nothing more is put.
    pub fn finish(&mut self, played: &PlayedTitles) {
        for known in self.after.iter_mut().chain(&mut self.before) {
            keep(known, played);
            worked(known.len() * NEIGHBOUR);
            known.sort_unstable_by_key(|neighbour| neighbour.title);
            known.shrink_to_fit();
        }
    }

    /// By title number, from which plays on what was solved is too old.
    fn outgrown(&self) -> Vec<u32> {
        let mut outgrown = vec![0; self.places.len()];
        for (title, plays) in self.titles.iter().zip(&self.occurrences).take(self.solved) {
            let most = plays.saturating_mul(GROWN).saturating_add(NEW_PLAYS);
            outgrown[title.index()] = u32::try_from(most).unwrap_or(u32::MAX);
        }
        outgrown
    }

    fn place(&self, title: Symbol) -> Option<usize> {
        self.places.get(title.index()).filter(|place| **place != NOT_OUTER).map(|place| *place as usize)
    }

    /// All neighbours of the title at `place`, with the sums of what was played after it, and before.
    fn neighbours(&self, place: usize) -> Vec<Around> {
        let (mut after, mut before) =
            (self.after[place].iter().peekable(), self.before[place].iter().peekable());
        let mut around = Vec::with_capacity(after.len() + before.len());
        loop {
            let next = match (after.peek(), before.peek()) {
                (Some(a), Some(b)) => a.title.cmp(&b.title),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return around,
            };
            let forth = if next.is_le() { after.next() } else { None };
            let back = if next.is_ge() { before.next() } else { None };
            let Some(title) = forth.or(back).map(|neighbour| neighbour.title) else { return around };
            let sums = |side: Option<&Neighbour>| side.map_or((0.0, 0.0), Neighbour::sums);
            around.push(Around { title, forth: sums(forth), back: sums(back) });
            worked(NEIGHBOUR);
        }
    }
}

/// A neighbour of a title: sums of what was played after the title, and before it, next and near.
struct Around {
    title: Symbol,
    forth: (f32, f32),
    back: (f32, f32),
}

impl Around {
    fn sums(&self) -> [(f64, f64); 2] {
        [self.forth, self.back].map(|(next, near)| (f64::from(next), f64::from(near)))
    }

    /// The target of what is around, for the neighbour as the title watched.
    fn target_of_it(&self) -> f64 {
        let [forth, back] = self.sums();
        Equations::target(back, forth)
    }

    /// The same, for the title itself as the one watched.
    fn target_for_it(&self) -> f64 {
        let [forth, back] = self.sums();
        Equations::target(forth, back)
    }

    fn overlap(&self) -> f64 {
        let [forth, back] = self.sums();
        Equations::overlap(forth, back)
    }
}

fn hold(known: &mut Vec<Neighbour>, neighbour: Neighbour, played: &PlayedTitles) {
    known.push(neighbour);
    if known.len() >= HELD {
        keep(known, played);
    }
}

/// Keeps the strongest: by what each would explain by itself.
fn keep(known: &mut Vec<Neighbour>, played: &PlayedTitles) {
    if known.len() <= KEPT {
        return;
    }
    let strength = |of: &Neighbour| of.near * of.near / (played.occurrences(of.title) as f32 + DOUBTED);
    known.select_nth_unstable_by(KEPT - 1, |a, b| {
        let by_id = || played.id(a.title).cmp(played.id(b.title));
        strength(b).total_cmp(&strength(a)).then_with(by_id)
    });
    known.truncate(KEPT);
}
