//! The columns of the weights: what titles speak for each one, as far as the two are not solved together.

use super::leftover::Leftover;
use super::weights::{Entry, OuterWeights};
use super::{Around, OuterSums};
use crate::associations::pair_sums::Solved;
use crate::associations::{BEGINNING, Equations, Weighing};
use crate::give_way::worked;
use ndarray::Array2;
use nearline_model::symbols::Symbol;
use std::ops::Range;

/// Columns worked out together.
const COLUMNS: usize = 256;
/// What a column takes beside its products, in operations.
const COLUMN: usize = 50_000;
/// Weights of titles solved together for a title beyond them that are kept.
const STRONGEST: usize = 64;
/// Titles beyond that are solved for one title at most, and weights of them that are kept.
const SOURCES: usize = 128;

/// What was solved together.
pub(in crate::associations) struct Inner<'a> {
    /// By place.
    pub titles: &'a [Symbol],
    /// By title number: its place, or more than there are.
    pub places: &'a [u32],
    /// By place.
    pub occurrences: &'a [u64],
    pub solved: &'a Solved,
}

impl Inner<'_> {
    fn place(&self, title: Symbol) -> Option<usize> {
        let place = *self.places.get(title.index())? as usize;
        (place < self.titles.len()).then_some(place)
    }
}

/// Weights of all pairs that are not solved together.
pub(in crate::associations) fn solve(
    outer: &OuterSums,
    inner: Inner<'_>,
    weighing: Weighing,
) -> OuterWeights {
    let around: Vec<Vec<Around>> = (0..outer.titles.len()).map(|place| outer.neighbours(place)).collect();
    let leftover = Leftover::of(outer, &around, weighing.regularisation);
    let mut columns = Columns { outer, around, inner, leftover, weighing, weights: Vec::new() };
    columns.of_inner();
    for first in (0..outer.titles.len()).step_by(COLUMNS) {
        columns.of_outer(first..outer.titles.len().min(first + COLUMNS));
    }
    OuterWeights::of(columns.weights, outer.outgrown())
}

/// A title beyond as a source for another: its place, the target, and what was played right before it.
struct Source {
    place: usize,
    target: f64,
    before: f64,
}

struct Columns<'a> {
    outer: &'a OuterSums,
    around: Vec<Vec<Around>>,
    inner: Inner<'a>,
    leftover: Leftover,
    weighing: Weighing,
    weights: Vec<Entry>,
}

impl Columns<'_> {
    fn blend(&self, solved: f64, direct: f64) -> f32 {
        let share = self.weighing.direct_share;
        ((1.0 - share) * solved + share * direct) as f32
    }

    /// For the titles solved together.
    fn of_inner(&mut self) {
        let count = self.inner.titles.len();
        let mut sources: Vec<Vec<Source>> = (0..count).map(|_| Vec::new()).collect();
        for (place, around) in self.around.iter().enumerate() {
            for around in around {
                if let Some(inner) = self.inner.place(around.title) {
                    let [_, back] = around.sums();
                    sources[inner].push(Source { place, target: around.target_for_it(), before: back.0 });
                }
            }
        }
        for (at, sources) in sources.into_iter().enumerate() {
            let column: Vec<f32> = self.inner.solved.weights.column(at).to_vec();
            self.leave(self.inner.titles[at], sources, &column);
            worked(COLUMN);
        }
    }

    /// For titles beyond, at `places`.
    fn of_outer(&mut self, places: Range<usize>) {
        let first = places.start;
        let solved = places.end.min(self.outer.solved).saturating_sub(first);
        let mut target = Array2::<f32>::zeros((self.inner.titles.len(), solved));
        for (place, mut column) in (first..).zip(target.columns_mut()) {
            for around in &self.around[place] {
                if let Some(inner) = self.inner.place(around.title) {
                    column[inner] = around.target_of_it() as f32;
                }
            }
        }
        let columns = self.solved(target);
        for (at, place) in places.enumerate() {
            let column = if at < solved { columns.column(at).to_vec() } else { Vec::new() };
            let sources = self.around[place].iter().filter_map(|around| {
                let [forth, _] = around.sums();
                let place = self.outer.place(around.title)?;
                Some(Source { place, target: around.target_of_it(), before: forth.0 })
            });
            self.leave(self.outer.titles[place], sources.collect(), &column);
            self.keep(place, &column);
            worked(COLUMN);
        }
    }

    fn solved(&self, target: Array2<f32>) -> Array2<f32> {
        if target.is_empty() {
            return target;
        }
        let Some(factor) = &self.inner.solved.factor else { return Array2::zeros(target.raw_dim()) };
        let mut columns = factor.solve(target);
        columns.mapv_inplace(|weight| if weight.is_finite() { weight } else { 0.0 });
        columns
    }

    /// What `sources` beyond speak for `title`, of what those solved together leave, which speak `column`.
    fn leave(&mut self, title: Symbol, sources: Vec<Source>, column: &[f32]) {
        let is_solved = |place: usize| place < self.outer.solved && !column.is_empty();
        let is_title_solved = self.outer.place(title).is_none_or(|place| place < self.outer.solved);
        let (mut solvable, others): (Vec<Source>, Vec<Source>) =
            sources.into_iter().partition(|source| is_title_solved && is_solved(source.place));
        if solvable.len() > SOURCES {
            let strength = |source: &Source| source.target.powi(2) / self.leftover.diagonal(source.place);
            solvable.select_nth_unstable_by(SOURCES - 1, |a, b| {
                strength(b).total_cmp(&strength(a)).then(a.place.cmp(&b.place))
            });
            solvable.truncate(SOURCES);
        }
        let left: Vec<f64> = solvable.iter().map(|source| self.residual(source, column)).collect();
        let places: Vec<usize> = solvable.iter().map(|source| source.place).collect();
        let solved = self.leftover.solve(&places, &left);
        let all =
            solvable.iter().zip(solved.iter().copied()).chain(others.iter().zip(std::iter::repeat(0.0)));
        for (source, solved) in all {
            let direct = Equations::direct(source.before, self.outer.occurrences[source.place]);
            let weight = self.blend(solved, direct);
            self.weights.push((self.outer.titles[source.place], title, weight));
        }
    }

    /// What is left of the target of a source.
    fn residual(&self, source: &Source, column: &[f32]) -> f64 {
        let mut left = source.target;
        for around in &self.around[source.place] {
            if let Some(inner) = self.inner.place(around.title) {
                left -= around.overlap() * f64::from(column[inner]);
            }
        }
        left
    }

    /// Keeps the strongest of what those solved together speak for the title at `place`.
    fn keep(&mut self, place: usize, column: &[f32]) {
        let of = |inner: usize| column.get(inner).copied().map_or(0.0, f64::from);
        let mut blended: Vec<f32> =
            (0..self.inner.titles.len()).map(|inner| self.blend(of(inner), 0.0)).collect();
        for around in &self.around[place] {
            if let Some(inner) = self.inner.place(around.title) {
                // What was played right after comes from the sums as they are when it is asked for.
                let [forth, _] = around.sums();
                let direct = Equations::direct(forth.0, self.inner.occurrences[inner]);
                blended[inner] = self.blend(of(inner), direct);
            }
        }
        let titles = self.inner.titles;
        let mut strongest: Vec<usize> = (0..blended.len())
            .filter(|inner| blended[*inner] != 0.0 && titles[*inner] != BEGINNING)
            .collect();
        if strongest.len() > STRONGEST {
            let by_weight =
                |a: &usize, b: &usize| blended[*b].abs().total_cmp(&blended[*a].abs()).then(a.cmp(b));
            strongest.select_nth_unstable_by(STRONGEST - 1, by_weight);
            strongest.truncate(STRONGEST);
        }
        let title = self.outer.titles[place];
        self.weights.extend(strongest.into_iter().map(|inner| (titles[inner], title, blended[inner])));
    }
}
