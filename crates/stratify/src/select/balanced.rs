//! Rows chosen so that the sample's totals of numbers, weighted, are those of the data: the cube method (Deville and
//! Tillé 2004), stratum by stratum, with what is left over handed on (Hasler and Tillé 2014).

use serde::Serialize;

use super::mix;
use crate::StratifyError;
use crate::cube::flight;

/// Rows that may be taken at most; an exact choice keeps all their numbers in memory.
pub const MOST_BALANCED_ROWS: u64 = 8_000_000;

/// Rows that a balanced choice is made from.
///
/// Each stratum gets exactly its rows, every row of a stratum has the same chance, and the choice depends on the rows and
/// the seed alone: they are taken in the order of their strata and hashes, wherever they came from.
#[derive(Debug, Clone)]
pub struct BalancedRows {
    columns: usize,
    rows: Vec<(u32, u64, u64)>,
    values: Vec<f64>,
}

/// A balanced choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Balanced {
    /// The rows taken, ascending.
    pub rows: Vec<u64>,
    /// What became of each column's total.
    pub totals: Vec<BalancedTotal>,
}

/// A column's total in the data, and as samples estimate it: each row weighs the inverse of its chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BalancedTotal {
    /// Of the rows of all strata of which something is taken.
    pub data: f64,
    /// As the balanced sample estimates it.
    pub estimate: f64,
    /// As the rows of smallest hashes would have.
    pub unbalanced: f64,
}

/// Units that are neither taken nor left out yet.
#[derive(Default)]
struct Open {
    places: Vec<usize>,
    strata: Vec<u32>,
    /// What is left of each one's chance, and the chance that it began with.
    chances: Vec<(f64, f64)>,
}

impl BalancedRows {
    /// No rows yet, of so many numbers each.
    pub fn new(columns: usize) -> Self {
        Self { columns, rows: Vec::new(), values: Vec::new() }
    }

    /// One more row: its stratum, the hash of its id, its number, its values.
    ///
    /// # Panics
    /// Another number of values than was announced.
    pub fn push(&mut self, stratum: u32, hash: u64, row: u64, values: &[f64]) {
        assert_eq!(values.len(), self.columns, "every row has a value for each column");
        self.rows.push((stratum, hash, row));
        self.values.extend_from_slice(values);
    }

    /// The rows of another part of the data.
    ///
    /// # Panics
    /// Rows of another number of values.
    pub fn append(&mut self, other: Self) {
        assert_eq!(other.columns, self.columns, "every row has a value for each column");
        self.rows.extend(other.rows);
        self.values.extend(other.values);
    }

    /// Refuses rows without a number: no total of them is known.
    ///
    /// # Errors
    /// The first of the columns, by name, that lacks some, and how many.
    pub fn refuse_unknown(&self, names: &[String]) -> Result<(), StratifyError> {
        for (column, name) in names.iter().enumerate().take(self.columns) {
            let of_column = self.values.iter().skip(column).step_by(self.columns);
            let rows = of_column.filter(|value| !value.is_finite()).count() as u64;
            if rows > 0 {
                return Err(StratifyError::NoNumber { column: name.clone(), rows });
            }
        }
        Ok(())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes `take[s]` rows of each stratum `s`.
    ///
    /// # Errors
    /// Two rows of a stratum with the same hash: their order would be arbitrary.
    pub fn choose(self, take: &[u64], seed: u64) -> Result<Balanced, StratifyError> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_unstable_by_key(|place| self.rows[*place]);
        if let Some(pair) = order.windows(2).find(|pair| {
            let (one, two) = (self.rows[pair[0]], self.rows[pair[1]]);
            (one.0, one.1) == (two.0, two.1)
        }) {
            return Err(StratifyError::Tie { stratum: self.rows[pair[0]].0 as usize });
        }
        let mut choice = Choice {
            scales: self.scales(&order),
            of: &self,
            taken: Vec::new(),
            totals: vec![BalancedTotal { data: 0.0, estimate: 0.0, unbalanced: 0.0 }; self.columns],
            dice: mix(seed ^ 0x6c62_616c),
        };
        let mut open = Open::default();
        for places in order.chunk_by(|one, two| self.rows[*one].0 == self.rows[*two].0) {
            let stratum = self.rows[places[0]].0;
            let wanted = take.get(stratum as usize).copied().unwrap_or_default();
            choice.stratum(places, usize::try_from(wanted).unwrap_or(usize::MAX), &mut open);
            choice.settle(&mut open, self.columns);
        }
        // Landing: the last columns are given up first, the strata's sizes never.
        for kept in (0..=self.columns).rev() {
            choice.settle(&mut open, kept);
        }
        debug_assert!(open.places.is_empty(), "sizes are whole, so nothing is left between");
        let mut rows: Vec<u64> = choice.taken.iter().map(|place| self.rows[*place].2).collect();
        rows.sort_unstable();
        Ok(Balanced { rows, totals: choice.totals })
    }

    /// Each column's mean, and one over its spread, so that all count alike; constant columns count nothing.
    fn scales(&self, order: &[usize]) -> Vec<(f64, f64)> {
        let rows = order.len().max(1) as f64;
        let scale = |column: usize| {
            let of = |place: &usize| self.values[place * self.columns + column];
            let mean = order.iter().map(of).sum::<f64>() / rows;
            let spread = (order.iter().map(|place| (of(place) - mean).powi(2)).sum::<f64>() / rows).sqrt();
            (mean, if spread > 1e-12 * mean.abs() { 1.0 / spread } else { 0.0 })
        };
        (0..self.columns).map(scale).collect()
    }
}

struct Choice<'a> {
    of: &'a BalancedRows,
    scales: Vec<(f64, f64)>,
    taken: Vec<usize>,
    totals: Vec<BalancedTotal>,
    dice: u64,
}

impl Choice<'_> {
    fn value(&self, place: usize, column: usize) -> f64 {
        self.of.values[place * self.of.columns + column]
    }

    /// Decides about all rows of a stratum but a few, which are left open.
    fn stratum(&mut self, places: &[usize], wanted: usize, open: &mut Open) {
        let wanted = wanted.min(places.len());
        if wanted == 0 {
            return;
        }
        let chance = wanted as f64 / places.len() as f64;
        for column in 0..self.of.columns {
            let sum = |places: &[usize]| places.iter().map(|place| self.value(*place, column)).sum::<f64>();
            let (data, unbalanced) = (sum(places), sum(&places[..wanted]) / chance);
            self.totals[column].data += data;
            self.totals[column].unbalanced += unbalanced;
        }
        if wanted == places.len() {
            places.iter().for_each(|place| self.take(*place, 1.0));
            return;
        }
        let mut sums = vec![vec![1.0; places.len()]];
        for (column, (_, scale)) in self.scales.iter().enumerate() {
            let mean =
                places.iter().map(|place| self.value(*place, column)).sum::<f64>() / places.len() as f64;
            // The mean does not matter where the number of rows is kept; without it sums are better conditioned.
            sums.push(places.iter().map(|place| (self.value(*place, column) - mean) * scale).collect());
        }
        let mut chances = vec![chance; places.len()];
        flight(&mut chances, &sums, &mut self.dice, 0);
        for (place, left) in places.iter().zip(chances) {
            self.decide(*place, left, chance, open);
        }
    }

    /// Decides about open rows as far as the sizes of their strata and the first `kept` columns can be held.
    fn settle(&mut self, open: &mut Open, kept: usize) {
        let before = std::mem::take(open);
        if before.places.is_empty() {
            return;
        }
        let mut strata = before.strata.clone();
        strata.dedup();
        let of_stratum = |stratum: &u32| {
            before.strata.iter().map(|other| f64::from(u8::from(other == stratum))).collect::<Vec<_>>()
        };
        let mut sums: Vec<Vec<f64>> = strata.iter().map(of_stratum).collect();
        for (column, (mean, scale)) in self.scales.iter().enumerate().take(kept) {
            let weighted = before.places.iter().zip(&before.chances);
            sums.push(
                weighted
                    .map(|(place, chance)| (self.value(*place, column) - mean) * scale / chance.1)
                    .collect(),
            );
        }
        let mut left: Vec<f64> = before.chances.iter().map(|chance| chance.0).collect();
        flight(&mut left, &sums, &mut self.dice, 0);
        for (unit, left) in left.into_iter().enumerate() {
            self.decide(before.places[unit], left, before.chances[unit].1, open);
        }
    }

    fn decide(&mut self, place: usize, left: f64, chance: f64, open: &mut Open) {
        if left >= 1.0 {
            self.take(place, chance);
        } else if left > 0.0 {
            open.places.push(place);
            open.strata.push(self.of.rows[place].0);
            open.chances.push((left, chance));
        }
    }

    fn take(&mut self, place: usize, chance: f64) {
        self.taken.push(place);
        for column in 0..self.of.columns {
            let value = self.value(place, column);
            self.totals[column].estimate += value / chance;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64) -> Vec<(u32, u64, u64, [f64; 2])> {
        let row = |row: u64| {
            let hash = mix(row);
            let values = [1.0 + (hash % 97) as f64, f64::from(u8::from(hash.is_multiple_of(3)))];
            ((row % 7 % 4) as u32, mix(hash), row, values)
        };
        (0..count).map(row).collect()
    }

    fn choose(rows: &[(u32, u64, u64, [f64; 2])], take: &[u64], seed: u64) -> Balanced {
        let mut all = BalancedRows::new(2);
        rows.iter().for_each(|(stratum, hash, row, values)| all.push(*stratum, *hash, *row, values));
        all.choose(take, seed).unwrap()
    }

    #[test]
    fn sizes_are_exact_and_totals_close_where_hashes_alone_are_not() {
        let rows = rows(2_000);
        let take = [150, 90, 60, 110];
        let (mut balanced, mut unbalanced) = ([0.0; 2], [0.0; 2]);
        for seed in 0..50 {
            // Other seeds are other hashes.
            let seeded: Vec<_> = rows.iter().map(|r| (r.0, mix(r.1 ^ seed), r.2, r.3)).collect();
            let chosen = choose(&seeded, &take, seed);
            let mut sizes = [0; 4];
            chosen.rows.iter().for_each(|row| sizes[rows[*row as usize].0 as usize] += 1);
            assert_eq!(sizes, take);
            for (column, total) in chosen.totals.iter().enumerate() {
                balanced[column] += ((total.estimate - total.data) / total.data).abs() / 50.0;
                unbalanced[column] += ((total.unbalanced - total.data) / total.data).abs() / 50.0;
            }
        }
        for column in 0..2 {
            assert!(balanced[column] < 0.25 * unbalanced[column], "{balanced:?} {unbalanced:?}");
        }
    }

    #[test]
    fn the_choice_does_not_depend_on_the_order_of_the_rows() {
        let mut rows = rows(500);
        let forwards = choose(&rows, &[9, 8, 7, 6], 3);
        rows.reverse();
        assert_eq!(choose(&rows, &[9, 8, 7, 6], 3), forwards);
        assert_ne!(choose(&rows, &[9, 8, 7, 6], 4).rows, forwards.rows);
    }

    #[test]
    fn every_row_of_a_stratum_has_the_same_chance() {
        let rows = rows(20);
        let take = [3, 2, 1, 0];
        let mut times = [0_u32; 20];
        for seed in 0..20_000 {
            let seeded: Vec<_> = rows.iter().map(|r| (r.0, mix(r.1 ^ mix(seed)), r.2, r.3)).collect();
            choose(&seeded, &take, seed).rows.iter().for_each(|row| times[*row as usize] += 1);
        }
        for (row, times) in times.iter().enumerate() {
            let stratum = rows[row].0;
            let size = rows.iter().filter(|other| other.0 == stratum).count();
            let chance = take[stratum as usize] as f64 / size as f64;
            let seen = f64::from(*times) / 20_000.0;
            assert!((seen - chance).abs() < 0.015, "row {row}: {seen} for {chance}");
        }
    }

    #[test]
    fn whole_strata_constant_columns_and_no_rows_are_no_trouble() {
        let mut all = BalancedRows::new(1);
        (0..10).for_each(|row| all.push(u32::from(row >= 4), mix(row), row, &[5.0]));
        let chosen = all.choose(&[4, 3], 1).unwrap();
        assert_eq!(chosen.rows.len(), 7);
        assert!((chosen.totals[0].estimate - 50.0).abs() < 1e-9);
        assert!(BalancedRows::new(3).choose(&[], 0).unwrap().rows.is_empty());
    }

    #[test]
    fn equal_hashes_are_refused() {
        let mut all = BalancedRows::new(0);
        all.push(0, 7, 0, &[]);
        all.push(0, 7, 1, &[]);
        assert_eq!(all.choose(&[1], 0), Err(StratifyError::Tie { stratum: 0 }));
    }
}
