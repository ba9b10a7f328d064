//! What was played right before titles, of pairs that are not solved.

use super::Equations;
use nearline_model::aggregates::Aggregates;
use nearline_model::symbols::Symbol;
use std::cmp::Ordering;

/// Titles kept for each title.
const KEPT: usize = 32;
/// Titles held for each until they are cut down to those kept.
const HELD: usize = 2 * KEPT;

/// By title number, what was played most right before it, with weights.
#[derive(Debug, Default)]
pub(super) struct Beside {
    before: Vec<Vec<(Symbol, f32)>>,
}

impl Beside {
    pub fn new(titles: usize) -> Self {
        Self { before: vec![Vec::new(); titles + 1] }
    }

    /// `title` was played after `before`, with such a sum.
    pub fn put(&mut self, title: Symbol, before: Symbol, next: f64, aggregates: &Aggregates) {
        // Titles that came later have no place.
        let Some(known) = self.before.get_mut(title as usize) else { return };
        // What was never played itself has nothing that its score could be damped by.
        if aggregates.plays(before) == 0 {
            return;
        }
        known.push((before, Equations::direct(next, aggregates.plays(title)) as f32));
        if known.len() >= HELD {
            keep(known, aggregates);
        }
    }

    /// Nothing more is put.
    pub fn finish(&mut self, aggregates: &Aggregates) {
        for known in self.before.iter_mut().filter(|known| known.len() > KEPT) {
            keep(known, aggregates);
        }
    }

    /// Multiplies all weights.
    pub fn weigh(&mut self, share: f32) {
        self.before.iter_mut().flatten().for_each(|(_, weight)| *weight *= share);
    }

    pub fn of(&self, title: Symbol) -> impl Iterator<Item = (Symbol, f64)> {
        let known = self.before.get(title as usize).into_iter().flatten();
        known.map(|(before, weight)| (*before, f64::from(*weight)))
    }
}

fn keep(known: &mut Vec<(Symbol, f32)>, aggregates: &Aggregates) {
    let strongest = |a: &(Symbol, f32), b: &(Symbol, f32)| -> Ordering {
        let by_id = || aggregates.title_id(a.0).cmp(aggregates.title_id(b.0));
        b.1.total_cmp(&a.1).then_with(by_id)
    };
    known.select_nth_unstable_by(KEPT - 1, strongest);
    known.truncate(KEPT);
}
