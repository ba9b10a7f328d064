//! The weights between titles: what is taken from the sums, and the solve, which grows by the third power of
//! the titles.

use divan::{Bencher, black_box};
use ndarray::Array2;
use nearline_benches::World;
use nearline_model::Aggregates;
use nearline_model::symbols::NONE;
use nearline_ranking::associations::{Problem, Weighing};
use std::sync::OnceLock;

const SOLVED: [usize; 2] = [512, 1_024];

fn main() {
    divan::main();
}

fn aggregates() -> &'static Aggregates {
    static MADE: OnceLock<Aggregates> = OnceLock::new();
    MADE.get_or_init(|| {
        let aggregates = World::new(10_000, 2_000, 200_000).aggregates;
        let played = aggregates.titles_after(NONE).filter(|title| aggregates.plays(*title) > 0).count();
        assert!(SOLVED.iter().all(|titles| *titles <= played), "{played} titles were played");
        aggregates
    })
}

#[divan::bench(args = SOLVED)]
fn take_a_problem_from_the_sums(bencher: Bencher<'_, '_>, titles: usize) {
    let aggregates = aggregates();
    bencher.bench_local(|| Problem::of(black_box(aggregates), titles));
}

#[divan::bench(args = SOLVED, sample_count = 20, sample_size = 1, skip_ext_time)]
fn solve(bencher: Bencher<'_, '_>, titles: usize) {
    let aggregates = aggregates();
    let problem = || Problem::of(aggregates, titles);
    bencher.with_inputs(problem).bench_local_values(|problem| problem.solve(Weighing::default()));
}

/// The machine's limit beside it: one product of two matrices of that size, *2n³* operations. A solve needs a
/// third more: *n³/3* each for the factor and its inverse, *n³* each for two products with a triangle.
#[divan::bench(args = SOLVED, sample_count = 20, sample_size = 1)]
fn multiply_two_matrices(bencher: Bencher<'_, '_>, titles: usize) {
    let entry = |(row, column): (usize, usize)| ((row * 31 + column * 17) % 101) as f32 / 101.0;
    let (a, b) =
        (Array2::from_shape_fn((titles, titles), entry), Array2::from_shape_fn((titles, titles), entry));
    bencher.bench_local(|| black_box(&a).dot(black_box(&b)));
}
