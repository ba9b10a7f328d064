//! What a title played before is held against: how likely each place of the ranking of others holds what is played
//! next, and how much more likely members come back to what stands close to those places.

use super::GROUPS;
use serde::{Deserialize, Serialize};

/// Titles not played before whose last score others are told by.
pub(crate) const REFERENCE_RANK: usize = 10;
/// Ranks from which on bands of ranks begin; others, here and below, need another version of the stored form.
const RANK_BANDS: [usize; 11] = [1, 2, 3, 5, 8, 11, 21, 51, 101, 301, 1_001];
/// Where the last band ends.
const LAST_RANK: usize = 2_049;
/// Shares of the reference's score from which on bands of closeness begin; below the last: one more.
const CLOSENESS: [f64; 9] = [4.0, 2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.01];
/// Examples of all groups that a group's own are blended with, and titles that each band of closeness is.
const PRIOR: f64 = 20.0;

/// What titles played before are held against, as it was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Returning {
    /// By group and band of ranks: how likely a place of the band holds what is played next, of what was not played before.
    places: [[f64; RANK_BANDS.len()]; GROUPS.len()],
    /// By band of closeness: how many times as likely a title is come back to.
    closeness: [f64; CLOSENESS.len() + 1],
}

/// Counts that [`Returning`] is learned from.
#[derive(Debug, Clone, Default)]
pub(super) struct ReturnEvidence {
    /// By group and band of ranks; the last element: plays beyond all of them.
    ranks: [[f64; RANK_BANDS.len() + 1]; GROUPS.len()],
    /// By band of closeness: chances of all titles played before, and titles come back to.
    exposed: [f64; CLOSENESS.len() + 1],
    repeated: [f64; CLOSENESS.len() + 1],
}

fn band_of_rank(rank: usize) -> usize {
    RANK_BANDS.partition_point(|from| *from <= rank) - 1
}

fn band_of_closeness(score: f64, reference: f64) -> usize {
    CLOSENESS.partition_point(|least| score < least * reference)
}

impl ReturnEvidence {
    /// What was played next, and not before, was at this rank; `None`: it was not among those ranked.
    pub fn placed(&mut self, group: usize, rank: Option<usize>) {
        let band = rank.filter(|rank| *rank < LAST_RANK).map_or(RANK_BANDS.len(), band_of_rank);
        self.ranks[group][band] += 1.0;
    }

    /// A title played before, with its chance to be the next, scored so much; whether it was.
    pub fn exposed(&mut self, score: f64, reference: f64, chance: f64, is_next: bool) {
        let band = band_of_closeness(score, reference);
        self.exposed[band] += chance;
        self.repeated[band] += f64::from(u8::from(is_next));
    }

    pub fn learned(&self) -> Returning {
        let mut all = [0.0; RANK_BANDS.len() + 1];
        for ranks in &self.ranks {
            all.iter_mut().zip(ranks).for_each(|(sum, count)| *sum += count);
        }
        let examples = all.iter().sum::<f64>().max(1.0);
        let places = self.ranks.map(|ranks| {
            let count = ranks.iter().sum::<f64>() + PRIOR;
            let mut least = f64::INFINITY;
            std::array::from_fn(|band| {
                let below = RANK_BANDS.get(band + 1).copied().unwrap_or(LAST_RANK);
                let share = (ranks[band] + PRIOR * all[band] / examples) / count;
                // A later place is never likelier than an earlier one.
                least = f64::min(least, share / (below - RANK_BANDS[band]) as f64);
                least
            })
        });
        let [exposed, repeated] =
            [&self.exposed, &self.repeated].map(|counts| counts.iter().sum::<f64>().max(f64::MIN_POSITIVE));
        let closeness = std::array::from_fn(|band| {
            let (expected, found) = (self.exposed[band] / exposed * repeated, self.repeated[band]);
            (found + PRIOR) / (expected + PRIOR)
        });
        Returning { places, closeness }
    }
}

impl Returning {
    /// Whether all of it is a share or a ratio.
    pub(super) fn is_sound(&self) -> bool {
        let mut all = self.places.as_flattened().iter().chain(&self.closeness);
        all.all(|number| number.is_finite() && *number >= 0.0)
    }

    /// How likely the place of this rank (from 1) holds what is played next, where that was not played before.
    pub(crate) fn place(&self, group: usize, rank: usize) -> f64 {
        let places = &self.places[group];
        let band = band_of_rank(rank.max(1));
        let (from, below) = (RANK_BANDS[band], RANK_BANDS.get(band + 1).copied().unwrap_or(LAST_RANK));
        // From one band to the next as a power of the rank, so that no two places are alike.
        let next = places.get(band + 1).copied().unwrap_or(places[band] / 2.0);
        let share = (rank as f64 / from as f64).ln() / (below as f64 / from as f64).ln();
        places[band].max(f64::MIN_POSITIVE)
            * (next.max(f64::MIN_POSITIVE) / places[band].max(f64::MIN_POSITIVE)).powf(share)
    }

    /// How many times as likely a title that scores so much is come back to.
    pub(crate) fn closeness(&self, score: f64, reference: f64) -> f64 {
        self.closeness[band_of_closeness(score, reference)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_as_likely_as_what_was_played_stood_there() {
        let mut evidence = ReturnEvidence::default();
        for rank in [1; 400].into_iter().chain([3; 200]).chain([150; 200]) {
            evidence.placed(3, Some(rank));
        }
        (0..200).for_each(|_| evidence.placed(3, None));
        let learned = evidence.learned();
        assert!((learned.place(3, 1) - 0.4).abs() < 1e-9, "{}", learned.place(3, 1));
        let places: Vec<f64> = (1..3_000).map(|rank| learned.place(3, rank)).collect();
        assert!(places.is_sorted_by(|a, b| a >= b), "never likelier further down");
        assert_eq!(learned.place(0, 1), learned.place(3, 1), "a group without examples is like all");
    }

    #[test]
    fn titles_close_to_the_best_are_come_back_to_more() {
        let mut evidence = ReturnEvidence::default();
        for at in 0..1_000 {
            evidence.exposed(2.0, 1.0, 0.1, at % 4 == 0);
            evidence.exposed(0.001, 1.0, 0.1, false);
        }
        let learned = evidence.learned();
        assert!(learned.closeness(2.0, 1.0) > 1.7);
        assert!(learned.closeness(0.0, 1.0) < 0.2);
        assert_eq!(learned.closeness(0.3, 1.0), 1.0, "nothing is known of it");
    }
}
