//! The sums of pairs of titles as matrices, and what follows from them.

use super::Equations;
use crate::cholesky::InverseFactor;
use crate::give_way::worked;
use ndarray::Array2;

/// The sums between some titles, by their places.
#[derive(Debug, Clone, Default)]
pub(crate) struct PairSums {
    /// By place of the title played before, then of the one played after.
    pub next: Array2<f32>,
    /// The same.
    pub near: Array2<f32>,
    pub occurrences: Vec<u64>,
}

/// What solving the equations came to.
pub(crate) struct Solved {
    /// By place of the title watched, then of the title scored.
    pub weights: Array2<f32>,
    /// Of the left-hand side; `None`: it could not be solved, and all weights are 0.
    pub factor: Option<InverseFactor>,
}

impl Solved {
    /// What the diagonal of the left-hand side was raised by.
    pub fn raise(&self) -> f32 {
        self.factor.as_ref().map_or(0.0, InverseFactor::raise)
    }
}

/// A square matrix of so many rows.
fn row_by_row(rows: usize, element: impl Fn((usize, usize)) -> f32) -> Array2<f32> {
    let mut matrix = Array2::zeros((rows, rows));
    for (row, mut elements) in matrix.rows_mut().into_iter().enumerate() {
        elements.iter_mut().enumerate().for_each(|(column, value)| *value = element((row, column)));
        worked(2 * rows);
    }
    matrix
}

impl PairSums {
    pub(super) fn grow(&mut self, size: usize) {
        if self.occurrences.len() < size {
            (self.next, self.near) = (Array2::zeros((size, size)), Array2::zeros((size, size)));
            self.occurrences = vec![0; size];
        }
    }

    /// Those between the titles at `places` alone.
    pub fn among(&self, places: &[usize]) -> Self {
        let of = |sums: &Array2<f32>| {
            row_by_row(places.len(), |(row, column)| sums[(places[row], places[column])])
        };
        let occurrences = places.iter().map(|place| self.occurrences[*place]).collect();
        Self { next: of(&self.next), near: of(&self.near), occurrences }
    }

    /// Weights that solve the equations, with a zero diagonal.
    ///
    /// With *P* the inverse of the left-hand side and *T* the right-hand side, the weights are *P (T − E)*,
    /// where the diagonal matrix *E* of Lagrange multipliers makes their diagonal zero.
    ///
    /// The left-hand side is positive definite but where the sums fall short of the histories: of titles
    /// played again and again, or where pairs were dropped at the limit. Then the regularisation of all titles
    /// grows by the same share of their diagonal until it is ([`super::Associations::raise`]): weights stay those of
    /// a least-squares problem, smaller ones, and do not depend on an order of titles. Without, they would be
    /// those of a saddle point. The share is the least tried, so that titles whose sums are sound change least;
    /// weights among the others may be of either sign.
    ///
    /// The factor takes the memory of what was played near, which is gone.
    pub fn solve(&mut self, regularisation: f64) -> Solved {
        let size = self.occurrences.len();
        let target = self.target();
        let mut overlap = std::mem::take(&mut self.near);
        for row in 0..size {
            for column in 0..row {
                let (forth, back) = ((row, column), (column, row));
                let sums = |at| (f64::from(self.next[at]), f64::from(overlap[at]));
                let both = Equations::overlap(sums(forth), sums(back)) as f32;
                (overlap[forth], overlap[back]) = (both, both);
            }
            worked(4 * row);
            overlap[(row, row)] = Equations::diagonal(self.occurrences[row], regularisation) as f32;
        }
        let factor = InverseFactor::of(overlap);
        let mut weights = match &factor {
            Some(factor) => factor.solve_with_zero_diagonal(target),
            None => Array2::zeros((size, size)),
        };
        weights.mapv_inplace(|weight| if weight.is_finite() { weight } else { 0.0 });
        Solved { weights, factor }
    }

    /// The same, and the sums stay as they are.
    pub fn solved(&self, regularisation: f64) -> Solved {
        self.clone().solve(regularisation)
    }

    /// The right-hand side.
    fn target(&self) -> Array2<f32> {
        row_by_row(self.occurrences.len(), |(from, to)| {
            let sums = |at| (f64::from(self.next[at]), f64::from(self.near[at]));
            if from == to { 0.0 } else { Equations::target(sums((from, to)), sums((to, from))) as f32 }
        })
    }

    /// What titles speak for those that were played right before or after them.
    pub fn direct(&self) -> Array2<f32> {
        row_by_row(self.occurrences.len(), |(from, to)| self.direct_weight(from, to))
    }

    /// The same of the titles at two places.
    pub fn direct_weight(&self, from: usize, to: usize) -> f32 {
        let next = f64::from(self.next[(from, to)]) + f64::from(self.next[(to, from)]);
        if from == to { 0.0 } else { Equations::direct(next, self.occurrences[from]) as f32 }
    }
}
