//! Where on the page: counts by row and position.
//!
//! Positions are counted one by one where most is seen, and in bands that grow with the distance
//! from the start of the row, so that what is kept of a title stays bounded.

use super::TakeCounts;
use get_size2::GetSize;
use serde::{Deserialize, Serialize};

/// First positions of the bands; the last has no end.
const BAND_STARTS: [u16; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 50];

/// A band of positions, known by its first position: 0 to 9 one by one, 10–14, 15–19, 20–29, 30–49,
/// and 50 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, GetSize)]
#[serde(transparent)]
pub struct PositionBand(u16);

impl PositionBand {
    /// The band of `position`, which counts from 0.
    pub fn of(position: u32) -> Self {
        let after = BAND_STARTS.partition_point(|start| u32::from(*start) <= position);
        Self(BAND_STARTS[after.saturating_sub(1)])
    }

    /// Bands that there are.
    pub const COUNT: usize = BAND_STARTS.len();

    /// Its place among all bands, from 0 on.
    pub fn number(self) -> usize {
        BAND_STARTS.partition_point(|start| *start < self.0).min(Self::COUNT - 1)
    }

    /// Its first position.
    pub fn first(self) -> u16 {
        self.0
    }

    /// How the band is called: `3`, `10-14`, `50+`.
    pub fn label(self) -> String {
        match BAND_STARTS.iter().find(|start| **start > self.0) {
            None => format!("{}+", self.0),
            Some(next) if *next == self.0 + 1 => self.0.to_string(),
            Some(next) => format!("{}-{}", self.0, next - 1),
        }
    }
}

/// Counts of one title, epoch, row and band of positions. Strings are indices into the delta's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceCell {
    /// The title.
    pub title: u32,
    /// Epoch of the impressions.
    pub epoch: u32,
    /// The row; 0: not told.
    pub row: u32,
    /// The band of positions; `None`: not told.
    pub band: Option<PositionBand>,
    /// What was counted.
    pub counts: TakeCounts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_in_the_band_that_its_label_says() {
        for (position, label) in [
            (0, "0"),
            (9, "9"),
            (10, "10-14"),
            (14, "10-14"),
            (15, "15-19"),
            (49, "30-49"),
            (50, "50+"),
            (u32::MAX, "50+"),
        ] {
            assert_eq!(PositionBand::of(position).label(), label, "{position}");
        }
    }
}
