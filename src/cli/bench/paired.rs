//! What pairs of measurements tell: a median, and how sure of it one may be.

use rand::Rng;

/// Draws that an interval is taken from.
const DRAWN: usize = 2_000;

/// The median of `values`, of which there is one at least; they are in order afterwards.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[(values.len() - 1) / 2].midpoint(values[values.len() / 2])
}

/// The interval of a median that holds 95 %, drawn from the values themselves (bootstrap: Efron 1979).
pub fn interval(values: &[f64], dice: &mut impl Rng) -> (f64, f64) {
    let mut medians: Vec<f64> = (0..DRAWN)
        .map(|_| {
            let mut drawn: Vec<f64> =
                values.iter().map(|_| values[dice.random_range(0..values.len())]).collect();
            median(&mut drawn)
        })
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    (medians[DRAWN / 40], medians[DRAWN - 1 - DRAWN / 40])
}
