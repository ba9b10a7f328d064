//! The cube method (Deville and Tillé 2004): a random choice with given probabilities that keeps given sums.

use crate::select::{mix, unit};

/// Chooses units with the probabilities `chances` so that, for each row of `balance`, the sum over the chosen of
/// `value / chance` stays as close as possible to the sum over all. The same seed gives the same choice.
///
/// The first row should be the chances themselves: then the number of units is kept exactly (if it is whole).
pub fn balanced(chances: &[f64], balance: &[Vec<f64>], seed: u64) -> Vec<bool> {
    let scaled: Vec<Vec<f64>> = balance
        .iter()
        .map(|row| {
            row.iter()
                .zip(chances)
                .map(|(value, chance)| if *chance > 0.0 { value / chance } else { 0.0 })
                .collect()
        })
        .collect();
    let mut point = chances.to_vec();
    let mut dice = mix(seed);
    // Landing: the last sums are given up first, the first one last.
    for kept in (0..=scaled.len()).rev() {
        flight(&mut point, &scaled[..kept], &mut dice, 0);
    }
    point.iter().map(|chance| *chance > 0.5).collect()
}

const NEAR: f64 = 1e-9;

fn is_open(chance: f64) -> bool {
    chance > NEAR && chance < 1.0 - NEAR
}

/// Walks within the cube along directions that keep all sums, until no such direction is left.
///
/// `sums` holds one row of factors per sum. It ends when at most `enough` units are fractional; without that, at most
/// as many stay so as there are sums.
pub(crate) fn flight(point: &mut [f64], sums: &[Vec<f64>], dice: &mut u64, enough: usize) {
    let mut window: Vec<usize> = Vec::new();
    let mut next = 0;
    let mut open = point.iter().filter(|chance| is_open(**chance)).count();
    while open > enough {
        let before = window.len();
        window.retain(|unit| is_open(point[*unit]));
        open -= before - window.len();
        if open <= enough {
            return;
        }
        while window.len() <= sums.len() && next < point.len() {
            if is_open(point[next]) {
                window.push(next);
            }
            next += 1;
        }
        if window.is_empty() {
            return;
        }
        let matrix: Vec<Vec<f64>> =
            sums.iter().map(|row| window.iter().map(|unit| row[*unit]).collect()).collect();
        let Some(direction) = null_vector(matrix, window.len()) else { return };
        walk(point, &window, &direction, dice);
    }
}

/// Goes one way or the other, so that every chance keeps its mean.
fn walk(point: &mut [f64], window: &[usize], direction: &[f64], dice: &mut u64) {
    let room = |sign: f64| {
        let rooms =
            window.iter().zip(direction).filter(|(_, step)| step.abs() > 1e-12).map(|(unit, step)| {
                let step = step * sign;
                if step > 0.0 { (1.0 - point[*unit]) / step } else { point[*unit] / -step }
            });
        rooms.fold(f64::INFINITY, f64::min)
    };
    let (up, down) = (room(1.0), room(-1.0));
    *dice = mix(*dice);
    let step = if unit(*dice) * (up + down) < down { up } else { -down };
    for (unit, direction) in window.iter().zip(direction) {
        point[*unit] = (point[*unit] + step * direction).clamp(0.0, 1.0);
        if !is_open(point[*unit]) {
            point[*unit] = point[*unit].round();
        }
    }
}

/// A vector that a matrix sends to zero, if there is one.
fn null_vector(mut matrix: Vec<Vec<f64>>, columns: usize) -> Option<Vec<f64>> {
    let largest = matrix.iter().flatten().fold(0.0_f64, |most, entry| most.max(entry.abs()));
    let mut pivots: Vec<usize> = Vec::new();
    let mut row = 0;
    for column in 0..columns {
        if row == matrix.len() {
            break;
        }
        let best = (row..matrix.len())
            .max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        if matrix[best][column].abs() <= 1e-10 * largest {
            continue;
        }
        matrix.swap(row, best);
        let pivot = matrix[row].clone();
        for (other, entries) in matrix.iter_mut().enumerate() {
            let factor = entries[column] / pivot[column];
            if other != row && factor != 0.0 {
                entries.iter_mut().zip(&pivot).for_each(|(entry, pivot)| *entry -= factor * pivot);
            }
        }
        pivots.push(column);
        row += 1;
    }
    let free = (0..columns).find(|column| !pivots.contains(column))?;
    let mut vector = vec![0.0; columns];
    vector[free] = 1.0;
    for (row, pivot) in pivots.iter().enumerate() {
        vector[*pivot] = -matrix[row][free] / matrix[row][*pivot];
    }
    Some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_exact_and_the_sum_close() {
        let count = 400;
        let chances = vec![0.1; count];
        let values: Vec<f64> = (0..count).map(|unit| 1.0 + (unit % 17) as f64).collect();
        for seed in 0..20 {
            let chosen = balanced(&chances, &[chances.clone(), values.clone()], seed);
            assert_eq!(chosen.iter().filter(|chosen| **chosen).count(), 40);
            let sum: f64 =
                values.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(value, _)| value / 0.1).sum();
            let all: f64 = values.iter().sum();
            assert!((sum / all - 1.0).abs() < 0.05, "{sum} for {all}");
        }
    }

    #[test]
    fn every_unit_keeps_its_chance() {
        let chances = [0.2, 0.5, 0.3, 0.6, 0.4];
        let mut times = [0.0; 5];
        for seed in 0..20_000 {
            let chosen = balanced(&chances, &[chances.to_vec()], seed);
            times.iter_mut().zip(chosen).for_each(|(times, chosen)| *times += f64::from(u8::from(chosen)));
        }
        for (times, chance) in times.iter().zip(chances) {
            assert!((times / 20_000.0 - chance).abs() < 0.015, "{times} for {chance}");
        }
    }
}
