//! Held against plain elimination in double precision, at sizes around those of the blocks.

use super::{BLOCK, InverseFactor, add_product_in_pieces, times, transposed_times};
use ndarray::Array2;
use proptest::prelude::*;

const SIZES: [usize; 8] = [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 3 * BLOCK + 7];

/// Numbers from −1 to 1, by a multiplicative congruential generator.
fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed | 1;
    move || {
        state = state.wrapping_mul(0xd134_2543_de82_ef95);
        ((state >> 40) as f32) / (1 << 23) as f32 - 1.0
    }
}

/// Products that are made in pieces are those that are made in one go, whichever side is longer and however views lie.
#[test]
fn a_product_in_pieces_is_the_product() {
    for (rows, inner, columns) in [(1, 3, 200), (200, 3, 1), (70, 90, 300), (300, 90, 70), (129, 64, 128)] {
        let mut number = numbers(rows as u64);
        let mut of = |rows, columns| Array2::from_shape_simple_fn((rows, columns), &mut number);
        let (a, b, before) = (of(rows, inner), of(columns, inner), of(columns, rows));
        let expected = 0.5 * &before + -2.0 * b.dot(&a.t());
        for most in [0, 10_000, usize::MAX] {
            let mut c = before.clone();
            add_product_in_pieces(most, (-2.0, a.view(), b.t()), (0.5, c.view_mut().reversed_axes()));
            let off = (&c - &expected).iter().fold(0.0_f32, |most, off| most.max(off.abs()));
            assert!(off < 1e-4, "{off} off: {rows}, {inner}, {columns}, at most {most} in one go");
        }
    }
}

fn any_matrix(size: usize, seed: u64) -> Array2<f32> {
    let mut number = numbers(seed);
    Array2::from_shape_simple_fn((size, size), &mut number)
}

/// `G Gᵀ / n + ridge`: symmetric to the bit, with eigenvalues from `ridge` to about `ridge` + 4/3.
fn definite(size: usize, seed: u64, ridge: f32) -> Array2<f32> {
    let g = any_matrix(size, seed);
    let mut matrix = g.dot(&g.t()) / size as f32;
    for row in 0..size {
        for column in 0..row {
            matrix[(column, row)] = matrix[(row, column)];
        }
        matrix[(row, row)] += ridge;
    }
    matrix
}

/// Symmetric, with eigenvalues on both sides of zero.
fn indefinite(size: usize, seed: u64) -> Array2<f32> {
    let mut matrix = definite(size, seed, 1.0);
    let mut number = numbers(!seed);
    for row in 0..size {
        for column in 0..row {
            let value = 3.0 * number().abs();
            (matrix[(row, column)], matrix[(column, row)]) = (value, value);
        }
    }
    matrix
}

fn inverse(factor: &InverseFactor) -> Array2<f32> {
    let mut inverse = Array2::eye(factor.lower.nrows());
    times(factor.lower.view(), inverse.view_mut());
    transposed_times(factor.lower.view(), inverse.view_mut());
    inverse
}

/// The inverse by Gauss and Jordan, with pivots.
fn plain_inverse(matrix: &Array2<f32>) -> Array2<f64> {
    let size = matrix.nrows();
    let (mut left, mut right) = (matrix.mapv(f64::from), Array2::<f64>::eye(size));
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|a, b| left[(*a, column)].abs().total_cmp(&left[(*b, column)].abs()))
            .expect("the column is one of them");
        for matrix in [&mut left, &mut right] {
            for at in 0..size {
                matrix.swap((pivot, at), (column, at));
            }
        }
        let scale = 1.0 / left[(column, column)];
        let (left_row, right_row) = (&left.row(column) * scale, &right.row(column) * scale);
        for row in 0..size {
            let share = left[(row, column)];
            if row != column {
                left.row_mut(row).scaled_add(-share, &left_row);
                right.row_mut(row).scaled_add(-share, &right_row);
            }
        }
        left.row_mut(column).assign(&left_row);
        right.row_mut(column).assign(&right_row);
    }
    right
}

fn plain_zero_diagonal(matrix: &Array2<f32>, x: &Array2<f32>) -> Array2<f64> {
    let inverse = plain_inverse(matrix);
    let free = inverse.dot(&x.mapv(f64::from));
    Array2::from_shape_fn(free.raw_dim(), |(row, column)| {
        free[(row, column)] - inverse[(row, column)] * free[(column, column)] / inverse[(column, column)]
    })
}

fn greatest_difference(a: &Array2<f32>, b: &Array2<f64>) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - b).abs())
        .fold(0.0, |most, next| if next.is_nan() { f64::INFINITY } else { f64::max(most, next) })
}

fn bits(matrix: &Array2<f32>) -> Vec<u32> {
    matrix.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_definite_matrix_times_its_inverse_is_one(seed in any::<u64>(), ridge in 0.05_f32..2.0) {
        for size in SIZES {
            let matrix = definite(size, seed, ridge);
            let factor = InverseFactor::of(matrix.clone()).expect("it is positive definite");
            prop_assert_eq!(factor.raise(), 0.0);
            let product = matrix.dot(&inverse(&factor));
            let difference = greatest_difference(&product, &Array2::eye(size));
            prop_assert!(difference < 1e-4, "{size}: {difference}");
        }
    }

    #[test]
    fn solutions_are_those_of_elimination_in_double_precision(seed in any::<u64>(), ridge in 0.05_f32..2.0) {
        for size in SIZES {
            let (matrix, x) = (definite(size, seed, ridge), any_matrix(size, seed ^ 0x5555));
            let solved = InverseFactor::of(matrix.clone()).expect("it is positive definite").solve_with_zero_diagonal(x.clone());
            prop_assert!(solved.diag().iter().all(|value| *value == 0.0));
            let plain = plain_zero_diagonal(&matrix, &x);
            let most = plain.iter().copied().map(f64::abs).fold(1.0, f64::max);
            let difference = greatest_difference(&solved, &plain);
            prop_assert!(difference < 1e-4 * most, "{size}: {difference} beside {most}");
        }
    }

    #[test]
    fn equal_matrices_give_equal_bytes(seed in any::<u64>(), is_definite in any::<bool>()) {
        let size = 3 * BLOCK + 7;
        let matrix = if is_definite { definite(size, seed, 0.5) } else { indefinite(size, seed) };
        let solve = || InverseFactor::of(matrix.clone()).expect("it can be raised").solve_with_zero_diagonal(any_matrix(size, seed));
        prop_assert_eq!(bits(&solve()), bits(&solve()));
    }

    #[test]
    fn what_stands_above_the_diagonal_is_left_alone(seed in any::<u64>()) {
        for size in SIZES {
            let mut matrix = definite(size, seed, 0.5);
            let lower = InverseFactor::of(matrix.clone()).expect("it is positive definite").lower;
            for (at, value) in lower.indexed_iter().filter(|((row, column), _)| row < column) {
                prop_assert_eq!(*value, matrix[at]);
            }
            matrix.indexed_iter_mut().filter(|((row, column), _)| row < column).for_each(|(_, value)| *value = f32::NAN);
            let without = InverseFactor::of(matrix).expect("it is positive definite").lower;
            for ((row, column), value) in lower.indexed_iter() {
                prop_assert!(row < column || *value == without[(row, column)]);
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_is_solved_with_a_raised_diagonal(seed in any::<u64>()) {
        for size in SIZES.into_iter().filter(|size| *size > 2) {
            let (matrix, x) = (indefinite(size, seed), any_matrix(size, seed));
            let factor = InverseFactor::of(matrix.clone()).expect("it can be raised");
            prop_assert!(factor.raise() > 0.0);
            let mut raised = matrix.clone();
            raised.diag_mut().iter_mut().for_each(|value| *value *= 1.0 + factor.raise());
            let mut less = matrix;
            less.diag_mut().iter_mut().for_each(|value| *value *= 1.0 + factor.raise() / 4.0);
            prop_assert!(super::invert(less.view_mut()).is_err(), "a lesser share would not do");
            let plain = plain_zero_diagonal(&raised, &x);
            let solved = factor.solve_with_zero_diagonal(x);
            let most = plain.iter().copied().map(f64::abs).fold(1.0, f64::max);
            let difference = greatest_difference(&solved, &plain);
            prop_assert!(difference < 1e-2 * most, "{size}: {difference} beside {most}");
        }
    }
}

#[test]
fn a_singular_matrix_is_raised_by_the_least_share() {
    let factor = InverseFactor::of(Array2::ones((3, 3))).expect("it can be raised");
    assert_eq!(factor.raise(), super::FIRST_RAISE);
}

#[test]
fn rows_far_heavier_than_the_diagonal_are_raised_beyond_them() {
    let mut matrix = Array2::from_elem((2 * BLOCK + 1, 2 * BLOCK + 1), 4e9);
    matrix.diag_mut().fill(300.0);
    let factor = InverseFactor::of(matrix).expect("it can be raised");
    assert!(
        factor.solve_with_zero_diagonal(any_matrix(2 * BLOCK + 1, 7)).iter().all(|value| value.is_finite())
    );
}

#[test]
fn what_no_raise_makes_definite_is_refused() {
    for diagonal in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mut matrix = definite(BLOCK + 1, 1, 0.5);
        matrix[(BLOCK, BLOCK)] = diagonal;
        assert!(InverseFactor::of(matrix).is_none(), "{diagonal}");
    }
    let mut matrix = definite(BLOCK + 1, 1, 0.5);
    (matrix[(0, BLOCK)], matrix[(BLOCK, 0)]) = (f32::NAN, f32::NAN);
    assert!(InverseFactor::of(matrix).is_none());
}
