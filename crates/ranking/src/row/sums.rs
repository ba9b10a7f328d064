//! Sums over few of many titles: only blocks that anything was added to are held.

use nearline_model::aggregates::block_maxima::{BLOCK, greatest};
use std::cell::Cell;

const NOT_HELD: u32 = u32::MAX;

thread_local! {
    /// Room for the blocks of the next query of this thread: made anew for each, it is moved again and again as it grows.
    static ROOM: Cell<Vec<[f64; BLOCK]>> = const { Cell::new(Vec::new()) };
}

/// A sum for each title number.
pub(super) struct BlockSums {
    /// By block: its place in `held`.
    places: Vec<u32>,
    held: Vec<[f64; BLOCK]>,
}

impl BlockSums {
    /// Sums of `titles` titles, all 0.
    pub fn new(titles: usize) -> Self {
        let blocks = titles.div_ceil(BLOCK);
        let mut held = ROOM.take();
        held.clear();
        Self { places: vec![NOT_HELD; blocks], held }
    }

    /// Adds to a title's sum.
    pub fn add(&mut self, title: usize, term: f64) {
        let place = &mut self.places[title / BLOCK];
        if *place == NOT_HELD {
            *place = self.held.len() as u32;
            self.held.push([0.0; BLOCK]);
        }
        self.held[*place as usize][title % BLOCK] += term;
    }

    /// A title's sum.
    pub fn get(&self, title: usize) -> f64 {
        self.of_block(title / BLOCK).map_or(0.0, |sums| sums[title % BLOCK])
    }

    /// The greatest sum of a block, at least 0.
    pub fn most_of_block(&self, block: usize) -> f64 {
        self.of_block(block).map_or(0.0, |sums| greatest(sums))
    }

    /// The sums of a block; `None`: all are 0.
    pub fn of_block(&self, block: usize) -> Option<&[f64; BLOCK]> {
        self.held.get(*self.places.get(block)? as usize)
    }
}

impl Drop for BlockSums {
    fn drop(&mut self) {
        ROOM.set(std::mem::take(&mut self.held));
    }
}
