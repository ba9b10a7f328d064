//! How often members come back to titles: sums of [returns](crate::delta::ReturnBand).

use crate::delta::{RETURN_BANDS, ReturnBand, ReturnCell, ReturnCounts};
use get_size2::GetSize;

/// Titles that might have been played next and were not, as many as are added to each band: a few returns
/// prove nothing.
const DOUBTED_EXPOSURES: f64 = 50.0;

/// What came of titles that members had played, by band.
#[derive(Debug, Clone, GetSize)]
pub struct Returns([ReturnCounts; RETURN_BANDS]);

impl Default for Returns {
    fn default() -> Self {
        Self([ReturnCounts::default(); RETURN_BANDS])
    }
}

impl Returns {
    pub(super) fn add(&mut self, cell: &ReturnCell) {
        if let Some(counts) = self.0.get_mut(usize::from(cell.band)) {
            *counts += cell.counts;
        }
    }

    pub(super) fn cells(&self) -> Vec<ReturnCell> {
        let cells = (0..).zip(self.0).filter(|(_, counts)| *counts != ReturnCounts::default());
        cells.map(|(band, counts)| ReturnCell { band, counts }).collect()
    }

    /// Whether anybody ever came back to anything.
    pub fn are_any(&self) -> bool {
        self.0.iter().any(|counts| counts.repeated > 0)
    }

    /// How likely one title of the band is the next that its member plays.
    pub fn chance(&self, band: ReturnBand) -> f64 {
        chance(self.0[band.number()])
    }

    /// The same of a title so many steps back, whatever its plays.
    pub fn chance_back(&self, back: usize) -> f64 {
        let mut together = ReturnCounts::default();
        self.0[ReturnBand::of_back(back)].iter().for_each(|counts| together += *counts);
        chance(together)
    }
}

fn chance(counts: ReturnCounts) -> f64 {
    counts.repeated as f64 / (counts.exposed as f64 + DOUBTED_EXPOSURES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_is_the_share_of_titles_that_were_played_again() {
        let mut returns = Returns::default();
        assert!(!returns.are_any());
        let counts = |exposed, repeated| ReturnCounts { exposed, repeated };
        let band = ReturnBand::of(1, 4).number() as u8;
        returns.add(&ReturnCell { band, counts: counts(950, 200) });
        returns.add(&ReturnCell { band: band - 1, counts: counts(1_000, 0) });
        returns.add(&ReturnCell { band: u8::MAX, counts: counts(1, 1) });
        assert!(returns.are_any());
        assert!((returns.chance(ReturnBand::of(1, 4)) - 0.2).abs() < 1e-12);
        assert!((returns.chance_back(1) - 200.0 / 2_000.0).abs() < 1e-12);
        assert_eq!(returns.chance(ReturnBand::SEEN), 0.0);
    }
}
