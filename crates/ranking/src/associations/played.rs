//! Titles as they were at the beginning of a solve: what they are called, and how often they were played.

use nearline_model::aggregates::Aggregates;
use nearline_model::aggregates::transitions::BEGINNING;
use nearline_model::symbols::{NONE, Symbol};
use std::cmp::Ordering;
use std::sync::Arc;

/// Ids looked at in one go: each is some bytes somewhere in memory.
const IDS_AT_ONCE: usize = 1_024;

/// The titles. Plays are taken at once, ids piece by piece.
#[derive(Debug)]
pub(super) struct PlayedTitles {
    /// By number; those of titles beyond its end are 0.
    plays: Vec<u64>,
    beginnings: u64,
    /// By number, as far as they were looked at.
    ids: Vec<Arc<str>>,
    count: usize,
}

impl PlayedTitles {
    pub fn begin(aggregates: &Aggregates) -> Self {
        Self {
            plays: aggregates.all_plays().to_vec(),
            beginnings: aggregates.beginnings(),
            ids: vec![aggregates.title_id(NONE).clone()],
            count: aggregates.title_count(),
        }
    }

    /// Looks at the next ids.
    pub fn look(&mut self, aggregates: &Aggregates) {
        let last = self.count.min(self.ids.len() + IDS_AT_ONCE - 1);
        self.ids
            .extend((self.ids.len()..=last).map(|number| aggregates.title_id(Symbol::at(number)).clone()));
    }

    /// Whether all ids were looked at.
    pub fn is_whole(&self) -> bool {
        self.ids.len() > self.count
    }

    /// Numbers given out, that of no title included.
    pub fn numbers(&self) -> usize {
        self.count + 1
    }

    pub fn titles(&self) -> impl Iterator<Item = Symbol> + use<> {
        (1..self.numbers()).map(Symbol::at)
    }

    pub fn plays(&self, title: Symbol) -> u64 {
        self.plays.get(title.index()).copied().unwrap_or_default()
    }

    /// How often a title, or the beginning, was there to be followed.
    pub fn occurrences(&self, title: Symbol) -> u64 {
        if title == BEGINNING { self.beginnings } else { self.plays(title) }
    }

    pub fn id(&self, title: Symbol) -> &Arc<str> {
        self.ids.get(title.index()).unwrap_or(&self.ids[0])
    }

    /// More plays first, then the lower id.
    pub fn most_played_first(&self, a: Symbol, b: Symbol) -> Ordering {
        self.plays(b).cmp(&self.plays(a)).then_with(|| self.id(a).cmp(self.id(b)))
    }
}
