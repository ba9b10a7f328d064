//! The search for the titles with the highest scores, without scoring all of them.
//!
//! Titles that are solved are looked through first, one by one: they are those played most, so that what the best score is
//! soon known. The others are looked through by blocks, those with the highest [bounds](Scorer::most_of_blocks) first, until
//! these are below the scores found already. This is the block-max form (Ding, Suel, SIGIR 2011) of
//! the threshold algorithm (Fagin, Lotem, Naor: "Optimal Aggregation Algorithms for Middleware", PODS
//! 2001): what is found is exactly what scoring all titles would find.

use super::scorer::Scorer;
use hashbrown::HashSet;
use nearline_model::aggregates::Aggregates;
use nearline_model::aggregates::block_maxima::{BLOCK, greatest};
use nearline_model::symbols::Symbol;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Titles held beside the best at least before those that are not among them are dropped.
const LEAST_BESIDE: usize = 16;

/// What a search found.
pub(super) struct Found {
    /// Scores above 0, the best first, equal ones by title id.
    pub titles: Vec<(f64, Symbol)>,
    /// The highest score of any title, also of those left out; 0 if there is none.
    pub top: f64,
}

/// The `most` titles with the highest scores, but those `left_out`.
pub(super) fn search(
    aggregates: &Aggregates,
    scorer: &Scorer<'_>,
    most: usize,
    left_out: &HashSet<Symbol>,
) -> Found {
    let mut best = Best::new(aggregates, most, left_out);
    for (titles, bounds) in scorer.most_of_solved() {
        for (title, bound) in titles.iter().zip(bounds) {
            if best.is_touched_by(bound) {
                best.offer(scorer.score(*title), *title);
            }
        }
    }
    best.drop_the_rest();
    let titles = aggregates.title_count() + 1;
    let mut blocks = blocks(titles, scorer, best.threshold);
    while let Some(Block { bound, block }) = blocks.pop()
        && bound >= best.threshold
    {
        let scores = scorer.unsolved_scores(block);
        if !best.is_touched_by(greatest(&scores)) {
            continue;
        }
        let numbers = block * BLOCK..titles.min((block + 1) * BLOCK);
        for (title, score) in numbers.map(Symbol::at).zip(scores) {
            // Only then it matters whether the title was solved, and its score is another.
            if best.is_touched_by(score) && !scorer.is_solved(title) {
                best.offer(score, title);
            }
        }
    }
    best.found()
}

/// A block of titles, and the most that those score of it that are not solved.
struct Block {
    bound: f64,
    block: usize,
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Block {}
impl PartialOrd for Block {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
/// By bound.
impl Ord for Block {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound)
    }
}

/// The blocks of so many titles that may hold scores above 0 and of `threshold` or more.
fn blocks(titles: usize, scorer: &Scorer<'_>, threshold: f64) -> BinaryHeap<Block> {
    let blocks = titles.div_ceil(BLOCK);
    let mut reaching = Vec::new();
    for first in (0..blocks).step_by(BLOCK) {
        let bounds = (first..blocks).zip(scorer.most_of_blocks(first));
        let reach = bounds.filter(|(_, bound)| *bound > 0.0 && *bound >= threshold);
        reaching.extend(reach.map(|(block, bound)| Block { bound, block }));
    }
    BinaryHeap::from(reaching)
}

/// The best of the titles offered so far.
struct Best<'a> {
    aggregates: &'a Aggregates,
    left_out: &'a HashSet<Symbol>,
    most: usize,
    held: Vec<(f64, Symbol)>,
    /// What a score must reach to be among the best.
    threshold: f64,
    top: f64,
}

impl<'a> Best<'a> {
    fn new(aggregates: &'a Aggregates, most: usize, left_out: &'a HashSet<Symbol>) -> Self {
        Self { aggregates, left_out, most, held: Vec::new(), threshold: 0.0, top: 0.0 }
    }

    /// Whether a title with that score would be held, or be the first.
    fn is_touched_by(&self, score: f64) -> bool {
        score > 0.0 && (score >= self.threshold || score > self.top)
    }

    fn offer(&mut self, score: f64, title: Symbol) {
        self.top = self.top.max(score);
        if score > 0.0 && score >= self.threshold && !self.left_out.contains(&title) {
            self.held.push((score, title));
            if self.held.len() >= self.most.saturating_add((self.most / 2).max(LEAST_BESIDE)) {
                self.drop_the_rest();
            }
        }
    }

    fn drop_the_rest(&mut self) {
        let Some(last) = self.most.checked_sub(1) else { return self.held.clear() };
        if self.held.len() > self.most {
            let aggregates = self.aggregates;
            self.held.select_nth_unstable_by(last, |a, b| best_first(aggregates, a, b));
            self.held.truncate(self.most);
            self.threshold = self.held[last].0;
        }
    }

    fn found(mut self) -> Found {
        self.drop_the_rest();
        let aggregates = self.aggregates;
        self.held.sort_unstable_by(|a, b| best_first(aggregates, a, b));
        Found { titles: self.held, top: self.top }
    }
}

/// Higher scores first, then the lower id.
fn best_first(aggregates: &Aggregates, a: &(f64, Symbol), b: &(f64, Symbol)) -> Ordering {
    b.0.total_cmp(&a.0).then_with(|| aggregates.title_id(a.1).cmp(aggregates.title_id(b.1)))
}
