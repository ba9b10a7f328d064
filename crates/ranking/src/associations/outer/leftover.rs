//! What titles beyond those solved together speak for one title, of what these leave: equations between some
//! hundred titles with few overlaps, by conjugate gradients (Hestenes, Stiefel, 1952) with the diagonal as
//! preconditioner.

use super::{Around, OuterSums};
use crate::associations::Equations;

/// Steps taken at most. The diagonal outweighs the rest, so that few are enough.
const STEPS: usize = 8;
/// Share of the right-hand side below which nothing is left.
const ENOUGH: f64 = 1e-4;

const NOT_AMONG: u32 = u32::MAX;

/// The overlaps between titles beyond those solved together.
pub(super) struct Leftover {
    diagonal: Vec<f64>,
    /// By place of a title: where its overlaps begin; those of the next are their end.
    begins: Vec<usize>,
    overlaps: Vec<(u32, f32)>,
    /// By place of a title: its place among those that are solved for just now.
    among: Vec<u32>,
}

impl Leftover {
    pub fn of(outer: &OuterSums, around: &[Vec<Around>], regularisation: f64) -> Self {
        let mut pairs: Vec<(u32, u32, f32)> = Vec::new();
        for (place, around) in around.iter().enumerate().take(outer.solved) {
            for around in around {
                if let Some(other) =
                    outer.place(around.title).filter(|other| *other < outer.solved && *other != place)
                {
                    let overlap = around.overlap() as f32;
                    pairs.extend([
                        (place as u32, other as u32, overlap),
                        (other as u32, place as u32, overlap),
                    ]);
                }
            }
        }
        pairs.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)));
        // Of a pair that both know of, what was not cut off on one side is more.
        pairs.dedup_by_key(|pair| (pair.0, pair.1));
        let mut begins = vec![0; outer.solved + 1];
        pairs.iter().for_each(|(place, ..)| begins[*place as usize + 1] += 1);
        (0..outer.solved).for_each(|place| begins[place + 1] += begins[place]);
        let diagonal = |occurrences: &u64| Equations::diagonal(*occurrences, regularisation);
        Self {
            diagonal: outer.occurrences[..outer.solved].iter().map(diagonal).collect(),
            begins,
            overlaps: pairs.into_iter().map(|(_, other, overlap)| (other, overlap)).collect(),
            among: vec![NOT_AMONG; outer.solved],
        }
    }

    pub fn diagonal(&self, place: usize) -> f64 {
        self.diagonal[place]
    }

    /// Weights of the titles at `places`, no two the same, that come to `target` together.
    pub fn solve(&mut self, places: &[usize], target: &[f64]) -> Vec<f64> {
        for (at, place) in places.iter().enumerate() {
            self.among[*place] = at as u32;
        }
        let mut rows: Vec<(usize, usize, f64)> = Vec::new();
        for (at, place) in places.iter().enumerate() {
            for (other, overlap) in &self.overlaps[self.begins[*place]..self.begins[place + 1]] {
                let other = self.among[*other as usize];
                if other != NOT_AMONG {
                    rows.push((at, other as usize, f64::from(*overlap)));
                }
            }
        }
        places.iter().for_each(|place| self.among[*place] = NOT_AMONG);
        let diagonal: Vec<f64> = places.iter().map(|place| self.diagonal[*place]).collect();
        conjugate_gradients(&diagonal, &rows, target)
    }
}

fn conjugate_gradients(diagonal: &[f64], rows: &[(usize, usize, f64)], target: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scaled = |of: &[f64]| -> Vec<f64> { of.iter().zip(diagonal).map(|(value, by)| value / by).collect() };
    let mut weights = vec![0.0; target.len()];
    let mut left = target.to_vec();
    let mut step = scaled(&left);
    let mut size = dot(&left, &step);
    let enough = size * ENOUGH;
    for _ in 0..STEPS {
        if size <= enough {
            break;
        }
        let mut moved: Vec<f64> = step.iter().zip(diagonal).map(|(value, by)| value * by).collect();
        rows.iter().for_each(|(row, column, overlap)| moved[*row] += overlap * step[*column]);
        let curve = dot(&step, &moved);
        // Sums fall short of histories where pairs were cut off: what was found so far is kept.
        if curve <= 0.0 || !curve.is_finite() {
            break;
        }
        let length = size / curve;
        weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight += length * step);
        left.iter_mut().zip(&moved).for_each(|(left, moved)| *left -= length * moved);
        let next = scaled(&left);
        let before = std::mem::replace(&mut size, dot(&left, &next));
        step = next.iter().zip(&step).map(|(next, step)| next + size / before * step).collect();
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_equations_are_solved() {
        // 4 2 · a = 10, 2 3 · b = 8: a 1.75, b 1.5.
        let weights = conjugate_gradients(&[4.0, 3.0], &[(0, 1, 2.0), (1, 0, 2.0)], &[10.0, 8.0]);
        assert!((weights[0] - 1.75).abs() < 1e-9 && (weights[1] - 1.5).abs() < 1e-9, "{weights:?}");
    }

    #[test]
    fn equations_that_have_no_least_end_where_they_bend() {
        let weights = conjugate_gradients(&[1.0, 1.0], &[(0, 1, 4.0), (1, 0, 4.0)], &[1.0, -1.0]);
        assert!(weights.iter().all(|weight| weight.is_finite() && weight.abs() <= 1.0), "{weights:?}");
    }
}
