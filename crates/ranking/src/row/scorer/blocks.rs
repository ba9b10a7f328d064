//! The scores of many titles at once, and bounds of them: term by term for 64 titles, instead of title by title for all terms.
//! Each score is, to the last digit, what [`Scorer::score`] gives, and no bound is below it; what many titles have of one term
//! lies side by side in memory.

use super::{Scorer, together};
use nearline_model::aggregates::block_maxima::BLOCK;
use nearline_model::aggregates::transitions::BEGINNING;
use nearline_model::symbols::Symbol;

impl<'a> Scorer<'a> {
    /// The titles solved, 64 at most at a time, with the most that each of them scores: what it scores, but for the plays
    /// since they were solved. It is made in the same order as a score is, and rounding keeps order: so it is never below.
    pub fn most_of_solved(&self) -> impl Iterator<Item = (&'a [Symbol], [f64; BLOCK])> {
        // What the sources speak beside what was solved is looked up where there may be any.
        let is_any_beside = self.sources.iter().any(|source| source.solved.is_none());
        let titles = self.solved_titles().chunks(BLOCK).zip(self.solved.chunks(BLOCK));
        let dampings = self.factors.most_solved_damping();
        debug_assert_eq!(dampings.len(), self.solved.len(), "factors are of the same titles");
        let dampings = dampings.chunks(BLOCK);
        let factors = dampings.zip(self.factors.solved_lifts().chunks(BLOCK));
        titles.zip(factors).map(move |((titles, solved), (dampings, lifts))| {
            let mut associated = [0.0; BLOCK];
            associated.iter_mut().zip(solved).for_each(|(sum, solved)| *sum = f64::from(*solved));
            if is_any_beside {
                for (sum, title) in associated.iter_mut().zip(titles) {
                    *sum += self.direct.get(title.index()) + self.unsolved_beginning(*title);
                }
            }
            let multipliers = self.multipliers(lifts, titles.iter().copied());
            let popularity = self.popularity.of_titles(titles);
            let mut most = [0.0; BLOCK];
            for (at, damping) in dampings.iter().enumerate() {
                most[at] = together(associated[at], || *damping, popularity[at], multipliers[at]);
            }
            (titles, most)
        })
    }

    /// What the titles of each of 64 blocks from `first` on score at most that are not solved, as
    /// [`Self::most_of_solved`] is made.
    pub fn most_of_blocks(&self, first: usize) -> [f64; BLOCK] {
        let (popularity, lifts) =
            (self.popularity.most_of_blocks(first), self.factors.most_lift_of_blocks(first));
        let dampings = self.factors.most_damping_of_blocks(first);
        let most_taste = self.taste.as_ref().map_or(1.0, |taste| taste.most);
        std::array::from_fn(|at| {
            let associated = self.direct.most_of_block(first + at) + self.most_of_beginning(first + at);
            together(associated, || dampings[at], popularity[at], lifts[at] * most_taste)
        })
    }

    /// What the beginning speaks at most for the titles of a block.
    fn most_of_beginning(&self, block: usize) -> f64 {
        self.beginning.map_or(0.0, |at| {
            let pair = self.aggregates.transitions().beginnings().most_of_block(block);
            self.sources[at].weight * self.sources[at].direct(pair)
        })
    }

    /// The scores of a block of titles, if none of them were solved.
    pub fn unsolved_scores(&self, block: usize) -> [f64; BLOCK] {
        let titles = block * BLOCK..(block + 1) * BLOCK;
        let popularity = self.popularity.of_block(block);
        let multipliers =
            self.multipliers(self.factors.lifts_of_block(block), titles.clone().map(Symbol::at));
        let associated = self.associated(block);
        let plays = self.aggregates.all_plays().get(titles.start..).unwrap_or_default();
        let mut scores = [0.0; BLOCK];
        for (at, score) in scores.iter_mut().enumerate() {
            let damping = || self.factors.damping(plays.get(at).copied().unwrap_or_default());
            *score = together(associated[at], damping, popularity[at], multipliers[at]);
        }
        if titles.contains(&BEGINNING.index()) {
            scores[BEGINNING.index() - titles.start] = 0.0;
        }
        scores
    }

    /// What the sources speak for the titles of a block that are not solved.
    fn associated(&self, block: usize) -> [f64; BLOCK] {
        let mut associated = self.direct.of_block(block).copied().unwrap_or([0.0; BLOCK]);
        if let Some(at) = self.beginning {
            let pairs = self.aggregates.transitions().beginnings().of_block(block);
            let source = &self.sources[at];
            let spoken = pairs.iter().map(|pair| source.weight * source.direct(*pair));
            associated.iter_mut().zip(spoken).for_each(|(sum, spoken)| *sum += spoken);
        }
        associated
    }

    /// What the scores of 64 titles at most are multiplied by, of which those without a lift have 1.
    fn multipliers(&self, lifts: &[f64], titles: impl Iterator<Item = Symbol>) -> [f64; BLOCK] {
        let mut multipliers = [1.0; BLOCK];
        multipliers.iter_mut().zip(lifts).for_each(|(multiplier, lift)| *multiplier = *lift);
        if let Some(taste) = &self.taste {
            for (multiplier, title) in multipliers.iter_mut().zip(titles) {
                *multiplier *= taste.of_title(title);
            }
        }
        multipliers
    }
}
