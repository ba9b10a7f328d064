//! Sums over few of many titles: only blocks that anything was added to are held.

use nearline_model::aggregates::block_maxima::BLOCK;

const NOT_HELD: u32 = u32::MAX;
/// Blocks that there is room for at first: most are held in the end, and making room again and again moves them all.
const MOST_AT_FIRST: usize = 512;

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
        Self { places: vec![NOT_HELD; blocks], held: Vec::with_capacity(blocks.min(MOST_AT_FIRST)) }
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
        self.of_block(block).map_or(0.0, greatest)
    }

    /// The sums of a block; `None`: all are 0.
    pub fn of_block(&self, block: usize) -> Option<&[f64; BLOCK]> {
        self.held.get(*self.places.get(block)? as usize)
    }
}

/// The greatest of `sums`, at least 0: several at a time, which do not wait for each other.
pub(super) fn greatest(sums: &[f64; BLOCK]) -> f64 {
    let mut most = [0.0; 8];
    for sums in sums.chunks_exact(most.len()) {
        most.iter_mut().zip(sums).for_each(|(most, sum)| *most = if *sum > *most { *sum } else { *most });
    }
    most.into_iter().fold(0.0, f64::max)
}
