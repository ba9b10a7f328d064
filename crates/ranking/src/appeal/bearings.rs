//! Bearings: in which direction a member's history lies, in few dimensions.
//!
//! The dimensions are the strongest of the histories of all contests, each a row of its titles, rare ones more than common
//! ones (truncated singular value decomposition by subspace iteration: Halko, Martinsson, Tropp, SIAM Review 2011).
//! Titles are numbered in the order of the contests, so that equal contests give equal bearings to the last digit.

use hashbrown::HashMap;
use nearline_model::symbols::Symbol;

/// Dimensions of a bearing.
pub(super) const DIMENSIONS: usize = 16;
/// Turns of the iteration.
const TURNS: usize = 8;
/// Histories that each title is taken to be in beside those known.
const DOUBTED_HISTORIES: f64 = 10.0;

/// A direction, of length 1.
pub(super) type Bearing = [f32; DIMENSIONS];
type Wide = [f64; DIMENSIONS];

/// What bearings are worked out with.
#[derive(Debug, Clone, Default)]
pub(super) struct Bearings {
    places: HashMap<Symbol, u32>,
    /// By place: what the title weighs in a history, and its part of each dimension.
    titles: Vec<(f32, Bearing)>,
    /// The mean of all histories.
    mean: Wide,
}

impl Bearings {
    /// Of the histories of contests, in their order.
    pub fn of<'a>(histories: impl Iterator<Item = &'a [Symbol]>) -> Self {
        let mut places: HashMap<Symbol, u32> = HashMap::new();
        let mut counts: Vec<f64> = Vec::new();
        let mut rows: Vec<Vec<(u32, f64)>> = Vec::new();
        for history in histories {
            let mut row = Vec::with_capacity(history.len());
            for title in history {
                let next = counts.len() as u32;
                let place = *places.entry(*title).or_insert(next);
                if place == next {
                    counts.push(0.0);
                }
                counts[place as usize] += 1.0;
                row.push((place, 0.0));
            }
            rows.push(row);
        }
        let weights: Vec<f64> =
            counts.iter().map(|count| (count + DOUBTED_HISTORIES).sqrt().recip()).collect();
        for row in &mut rows {
            row.iter_mut().for_each(|(place, weight)| *weight = weights[*place as usize]);
            let length = row.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            row.iter_mut().for_each(|(_, weight)| *weight /= length);
        }
        let dimensions = strongest(&rows, weights.len());
        let mut mean = [0.0; DIMENSIONS];
        for row in &rows {
            add(&mut mean, 1.0 / rows.len() as f64, &projected(row, &dimensions));
        }
        let narrow = |(weight, wide): (&f64, &Wide)| (*weight as f32, wide.map(|value| value as f32));
        let titles = weights.iter().zip(&dimensions).map(narrow).collect();
        Self { places, titles, mean }
    }

    /// The bearing of a history, beside the mean one.
    pub fn of_history(&self, history: &[Symbol]) -> Bearing {
        let (mut sum, mut squares) = ([0.0; DIMENSIONS], 0.0);
        for place in history.iter().filter_map(|title| self.places.get(title)) {
            let (weight, title) = self.titles[*place as usize];
            add(&mut sum, f64::from(weight), &title.map(f64::from));
            squares += f64::from(weight).powi(2);
        }
        let length = f64::sqrt(squares).max(f64::MIN_POSITIVE);
        let mut bearing = sum.map(|value| value / length);
        add(&mut bearing, -1.0, &self.mean);
        let length = bearing.iter().map(|value| value * value).sum::<f64>().sqrt();
        bearing.map(|value| if length > 1e-9 { (value / length) as f32 } else { 0.0 })
    }
}

/// By title: its part of each of the strongest dimensions of `rows`, which are at right angles and of length 1.
fn strongest(rows: &[Vec<(u32, f64)>], titles: usize) -> Vec<Wide> {
    let first: Vec<Wide> = (0..rows.len()).map(drawn).collect();
    let mut dimensions = gathered(rows, &first, titles);
    orthogonalise(&mut dimensions);
    for _ in 0..TURNS {
        let of_rows: Vec<Wide> = rows.iter().map(|row| projected(row, &dimensions)).collect();
        dimensions = gathered(rows, &of_rows, titles);
        orthogonalise(&mut dimensions);
    }
    dimensions
}

/// Values between −1 and 1 that look random (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
fn drawn(row: usize) -> Wide {
    std::array::from_fn(|dimension| {
        let mut z = ((row * DIMENSIONS + dimension) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    })
}

fn projected(row: &[(u32, f64)], dimensions: &[Wide]) -> Wide {
    let mut sum = [0.0; DIMENSIONS];
    row.iter().for_each(|(place, weight)| add(&mut sum, *weight, &dimensions[*place as usize]));
    sum
}

fn gathered(rows: &[Vec<(u32, f64)>], of_rows: &[Wide], titles: usize) -> Vec<Wide> {
    let mut dimensions = vec![[0.0; DIMENSIONS]; titles];
    for (row, of_row) in rows.iter().zip(of_rows) {
        row.iter().for_each(|(place, weight)| add(&mut dimensions[*place as usize], *weight, of_row));
    }
    dimensions
}

fn add(sum: &mut Wide, weight: f64, term: &Wide) {
    sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += weight * term);
}

/// Gram–Schmidt, over the columns; one that depends on those before it becomes 0.
fn orthogonalise(columns: &mut [Wide]) {
    for column in 0..DIMENSIONS {
        let before = columns.iter().map(|row| row[column].powi(2)).sum::<f64>().sqrt();
        for other in 0..column {
            let along: f64 = columns.iter().map(|row| row[column] * row[other]).sum();
            columns.iter_mut().for_each(|row| row[column] -= along * row[other]);
        }
        let length = columns.iter().map(|row| row[column].powi(2)).sum::<f64>().sqrt();
        let scale = if length > 1e-9 * before { 1.0 / length } else { 0.0 };
        columns.iter_mut().for_each(|row| row[column] *= scale);
    }
}
