//! Symmetric positive definite equations, by the inverse of their Cholesky factor, in place.
//!
//! Of *A = L Lᵀ* only *M = L⁻¹* is wanted: *A⁻¹ = Mᵀ M*, so that a solution takes two products with a
//! triangle, and the diagonal of *A⁻¹* is the squared columns of *M*. Factor and inverse are worked out
//! together, half by half: *M₁₁* of *A₁₁*, then *L₂₁ = A₂₁ M₁₁ᵀ*, then *M₂₂* of *A₂₂ − L₂₁ L₂₁ᵀ*, then
//! *M₂₁ = −M₂₂ L₂₁ M₁₁*.
//!
//! Halving goes down to [`BLOCK`] rows. All cubic work is products of matrices: ⅔ n³ operations for *M*, and
//! n³ for a product with it. These are `matrixmultiply`'s, behind the views of `ndarray`, since it has no safe
//! functions of its own. One thread; equal matrices give equal bytes on equal processors.

use crate::give_way::{PRODUCTS, worked};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};

/// Rows that are worked out one by one. With fewer, products of matrices are too small to be fast; with more,
/// too much of them is the empty half of a triangle.
const BLOCK: usize = 64;

/// Multiplications of a product of matrices that is made in one go: a fraction of a millisecond.
const PRODUCT_AT_ONCE: usize = 1 << 25;

/// The share that the diagonal of an indefinite matrix is raised by first.
const FIRST_RAISE: f32 = 1.0 / 1_024.0;
/// How often it is raised by four times as much: to more than any row of finite sums weighs beside it.
const RAISES: i32 = 32;

/// A pivot was not positive.
#[derive(Debug)]
struct Indefinite;

/// The inverse *M* of the lower triangular Cholesky factor of *A*: *A⁻¹ = Mᵀ M*.
#[derive(Debug)]
pub(crate) struct InverseFactor {
    /// *n × n*: *M* up to the diagonal, and beyond it still *A*.
    lower: Array2<f32>,
    raise: f32,
}

impl InverseFactor {
    /// Of the symmetric `matrix`, *n × n*, in its memory.
    ///
    /// If that is not positive definite, all of its diagonal is raised by the same share, the least tried
    /// that makes it so. `None`: none does, since its diagonal is not positive or something is not finite.
    pub(super) fn of(mut matrix: Array2<f32>) -> Option<Self> {
        let diagonal = matrix.diag().to_owned();
        if invert(matrix.view_mut()).is_ok() {
            return Some(Self { lower: matrix, raise: 0.0 });
        }
        for step in 0..RAISES {
            let raise = FIRST_RAISE * 4.0_f32.powi(step);
            for row in 0..matrix.nrows() {
                for column in 0..row {
                    matrix[(row, column)] = matrix[(column, row)];
                }
                matrix[(row, row)] = diagonal[row] * (1.0 + raise);
            }
            if invert(matrix.view_mut()).is_ok() {
                return Some(Self { lower: matrix, raise });
            }
        }
        None
    }

    /// The share that the diagonal was raised by to make the matrix positive definite; 0: it was.
    pub(super) fn raise(&self) -> f32 {
        self.raise
    }

    /// *A⁻¹ X*, in the memory of *X*.
    pub(super) fn solve(&self, mut x: Array2<f32>) -> Array2<f32> {
        times(self.lower.view(), x.view_mut());
        transposed_times(self.lower.view(), x.view_mut());
        x
    }

    /// *A⁻¹ (X − E)*, in the memory of *X*, where *E* is the diagonal matrix that makes its diagonal zero.
    pub(super) fn solve_with_zero_diagonal(&self, mut x: Array2<f32>) -> Array2<f32> {
        times(self.lower.view(), x.view_mut());
        // Of each column, (A⁻¹X)ⱼⱼ and (A⁻¹)ⱼⱼ: their quotient is the Lagrange multiplier Eⱼⱼ.
        let mut diagonals = vec![(0.0_f64, 0.0_f64); x.nrows()];
        for (row, (factor, product)) in self.lower.rows().into_iter().zip(x.rows()).enumerate() {
            for ((sums, factor), product) in diagonals.iter_mut().zip(factor).zip(product).take(row + 1) {
                let factor = f64::from(*factor);
                sums.0 += factor * f64::from(*product);
                sums.1 += factor * factor;
            }
            worked(row);
        }
        let excess: Vec<f32> = diagonals.into_iter().map(|(of_x, of_one)| (of_x / of_one) as f32).collect();
        for (row, (factor, product)) in self.lower.rows().into_iter().zip(x.rows_mut()).enumerate() {
            for ((excess, factor), product) in excess.iter().zip(factor).zip(product).take(row + 1) {
                *product -= factor * excess;
            }
            worked(row);
        }
        transposed_times(self.lower.view(), x.view_mut());
        x.diag_mut().fill(0.0);
        x
    }
}

/// Where to halve more than a block of rows: whole blocks first.
fn half(size: usize) -> usize {
    (size / 2).next_multiple_of(BLOCK)
}

/// The four quarters of a square: above left, above right, below left, below right.
fn quarters(matrix: ArrayView2<'_, f32>) -> [ArrayView2<'_, f32>; 4] {
    let half = half(matrix.nrows());
    let (above, below) = matrix.split_at(Axis(0), half);
    let ((a, b), (c, d)) = (above.split_at(Axis(1), half), below.split_at(Axis(1), half));
    [a, b, c, d]
}

fn quarters_mut(matrix: ArrayViewMut2<'_, f32>) -> [ArrayViewMut2<'_, f32>; 4] {
    let half = half(matrix.nrows());
    let (above, below) = matrix.split_at(Axis(0), half);
    let ((a, b), (c, d)) = (above.split_at(Axis(1), half), below.split_at(Axis(1), half));
    [a, b, c, d]
}

/// A copy of at most a block's lower triangle, with zeros above.
fn triangle(matrix: ArrayView2<'_, f32>) -> Array2<f32> {
    Array2::from_shape_fn(
        matrix.raw_dim(),
        |(row, column)| if column <= row { matrix[(row, column)] } else { 0.0 },
    )
}

/// Puts *M* of the symmetric *A* in the place of its lower triangle; the upper one is not looked at.
fn invert(matrix: ArrayViewMut2<'_, f32>) -> Result<(), Indefinite> {
    if matrix.nrows() <= BLOCK {
        worked(BLOCK * BLOCK * BLOCK / 2);
        return invert_block(matrix);
    }
    let [mut first, _, mut below, mut second] = quarters_mut(matrix);
    invert(first.view_mut())?;
    times(first.view(), below.view_mut().reversed_axes());
    subtract_square(below.view(), second.view_mut());
    invert(second.view_mut())?;
    times(second.view(), below.view_mut());
    transposed_times(first.view(), below.view_mut().reversed_axes());
    below.mapv_inplace(|value| -value);
    Ok(())
}

/// The same row by row, in double precision: what decides whether a pivot is positive costs little here.
fn invert_block(mut matrix: ArrayViewMut2<'_, f32>) -> Result<(), Indefinite> {
    let size = matrix.nrows();
    let (mut factor, mut inverse) = ([[0.0_f64; BLOCK]; BLOCK], [[0.0_f64; BLOCK]; BLOCK]);
    for row in 0..size {
        let (before, rest) = factor.split_at_mut(row);
        let this = &mut rest[0];
        for column in 0..row {
            let other = &before[column];
            let dot: f64 = this[..column].iter().zip(other).map(|(a, b)| a * b).sum();
            this[column] = (f64::from(matrix[(row, column)]) - dot) / other[column];
        }
        let square: f64 = this[..row].iter().map(|value| value * value).sum();
        let pivot = f64::from(matrix[(row, row)]) - square;
        // Not a number is not positive either.
        if !(pivot > 0.0 && pivot.is_finite()) {
            return Err(Indefinite);
        }
        this[row] = pivot.sqrt();
        let (before, rest) = inverse.split_at_mut(row);
        let solved = &mut rest[0];
        for (factor, before) in this.iter().zip(&*before) {
            solved.iter_mut().zip(before).for_each(|(sum, value)| *sum -= factor * value);
        }
        solved[row] = 1.0;
        solved[..=row].iter_mut().for_each(|value| *value /= this[row]);
    }
    for (row, inverse) in inverse.iter().enumerate().take(size) {
        for (column, value) in inverse.iter().enumerate().take(row + 1) {
            matrix[(row, column)] = *value as f32;
        }
    }
    Ok(())
}

/// *C − X Xᵀ* in the place of the lower triangle of *C*.
fn subtract_square(x: ArrayView2<'_, f32>, mut c: ArrayViewMut2<'_, f32>) {
    if c.nrows() <= BLOCK {
        let square = x.dot(&x.t());
        for row in 0..c.nrows() {
            for column in 0..=row {
                c[(row, column)] -= square[(row, column)];
            }
        }
        return;
    }
    let (above, below) = x.split_at(Axis(0), half(c.nrows()));
    let [first, _, between, second] = quarters_mut(c);
    subtract_square(above, first);
    add_product(-1.0, below, above.t(), 1.0, between);
    subtract_square(below, second);
}

/// *s A B + t C* in the place of *C*, in pieces.
fn add_product(s: f32, a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, t: f32, c: ArrayViewMut2<'_, f32>) {
    add_product_in_pieces(PRODUCT_AT_ONCE, (s, a, b), (t, c));
}

/// The same with at most so many multiplications in a piece, or of a block.
fn add_product_in_pieces(
    most: usize,
    (s, a, b): (f32, ArrayView2<'_, f32>, ArrayView2<'_, f32>),
    (t, mut c): (f32, ArrayViewMut2<'_, f32>),
) {
    let (rows, columns) = c.dim();
    let products = rows * columns * a.ncols();
    if rows.max(columns) <= BLOCK || products <= most {
        general_mat_mul(s, &a, &b, t, &mut c);
        return worked(products / PRODUCTS);
    }
    if rows >= columns {
        let ((above, below), (first, second)) =
            (a.split_at(Axis(0), half(rows)), c.split_at(Axis(0), half(rows)));
        add_product_in_pieces(most, (s, above, b), (t, first));
        add_product_in_pieces(most, (s, below, b), (t, second));
    } else {
        let ((left, right), (first, second)) =
            (b.split_at(Axis(1), half(columns)), c.split_at(Axis(1), half(columns)));
        add_product_in_pieces(most, (s, a, left), (t, first));
        add_product_in_pieces(most, (s, a, right), (t, second));
    }
}

/// *M X* in the place of *X*, of the lower triangle of `lower`.
fn times(lower: ArrayView2<'_, f32>, x: ArrayViewMut2<'_, f32>) {
    if lower.nrows() <= BLOCK {
        let before = x.to_owned();
        return add_product(1.0, triangle(lower).view(), before.view(), 0.0, x);
    }
    let [first, _, between, second] = quarters(lower);
    let (above, mut below) = x.split_at(Axis(0), first.nrows());
    times(second, below.view_mut());
    add_product(1.0, between, above.view(), 1.0, below);
    times(first, above);
}

/// *Mᵀ X* in the place of *X*, of the lower triangle of `lower`.
fn transposed_times(lower: ArrayView2<'_, f32>, x: ArrayViewMut2<'_, f32>) {
    if lower.nrows() <= BLOCK {
        let before = x.to_owned();
        return add_product(1.0, triangle(lower).t(), before.view(), 0.0, x);
    }
    let [first, _, between, second] = quarters(lower);
    let (mut above, below) = x.split_at(Axis(0), first.nrows());
    transposed_times(first, above.view_mut());
    add_product(1.0, between.t(), below.view(), 1.0, above.view_mut());
    transposed_times(second, below);
}

#[cfg(test)]
mod tests;
