//! What members begin with: what follows [`BEGINNING`](super::transitions::BEGINNING), by title number.
//!
//! Almost every title is in it, and almost every ranking for a member who has just begun asks for all of
//! it; read in order it costs a fraction of a walk through a map.

use super::block_maxima::BLOCK;
use super::pair::Pair;
use crate::symbols::Symbol;
use get_size2::GetSize;

/// Sums of each title after the beginning.
#[derive(Debug, Clone, Default, GetSize)]
pub struct Beginnings {
    pairs: Vec<Pair>,
    /// By block of titles: the greatest of both sums.
    maxima: Vec<Pair>,
}

impl Beginnings {
    /// The sums of `title` are now `pair`, and no less than before.
    pub fn raise(&mut self, title: Symbol, pair: Pair) {
        let (at, block) = (title.index(), title.index() / BLOCK);
        if self.pairs.len() <= at {
            self.pairs.resize(at + 1, Pair::default());
            self.maxima.resize(block + 1, Pair::default());
        }
        self.pairs[at] = pair;
        self.maxima[block] = self.maxima[block].max_of_each(pair);
    }

    /// The sums of `title`.
    pub fn get(&self, title: Symbol) -> Pair {
        self.pairs.get(title.index()).copied().unwrap_or_default()
    }

    /// The sums of the titles of a block, in their order; those that are missing are 0.
    pub fn of_block(&self, block: usize) -> &[Pair] {
        let (first, last) = (block * BLOCK, self.pairs.len().min((block + 1) * BLOCK));
        self.pairs.get(first..last).unwrap_or_default()
    }

    /// The greatest sums of a block of titles, each by itself.
    pub fn most_of_block(&self, block: usize) -> Pair {
        self.maxima.get(block).copied().unwrap_or_default()
    }
}
