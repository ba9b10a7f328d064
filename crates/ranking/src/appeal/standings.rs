//! Standings: how titles did in the contests so far.

use super::bearings::{Bearing, DIMENSIONS};
use super::blend::{AGE, CONTRAST, EXPOSURE, Row, STRENGTH, UNKNOWN};

pub(super) const SECONDS_OF_HOUR: f64 = 3_600.0;
/// Half-lives, in hours, of a strength and of how much a title is shown.
const STRENGTH_HALF_LIFE: f64 = 48.0;
const EXPOSURE_HALF_LIFE: f64 = 1.0;
/// Information that each title is taken to have had, against strength: that of eight contests between two alike.
const DOUBT: f64 = 2.0;
/// The same, against contrast: takes that were expected.
const DOUBTED_TAKES: f64 = 8.0;

/// How a title did.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    /// Logarithm of how much it is preferred to a mean title, as of the last contest.
    strength: f64,
    /// What that rests on, beside [`DOUBT`].
    information: f64,
    /// Contests that it was in, faded.
    exposure: f64,
    /// Hours of the first and the last contest; 0: in none.
    first: f64,
    last: f64,
    /// Sum of the bearings of members who took it, less those of who was expected to.
    contrast: [f32; DIMENSIONS],
    expected: f64,
}

impl Standing {
    fn fades(&self, hours: f64) -> (f64, f64) {
        let past = (hours - self.last).max(0.0);
        let fade = |half_life: f64| (-past / half_life).exp2();
        (fade(STRENGTH_HALF_LIFE), fade(EXPOSURE_HALF_LIFE))
    }

    /// What it is like for a member of this bearing.
    pub fn describe(&self, hours: f64, bearing: &Bearing, row: &mut Row) {
        if self.last <= 0.0 {
            row[UNKNOWN] = 1.0;
            return;
        }
        let (strength, exposure) = self.fades(hours);
        row[STRENGTH] = self.strength * strength;
        row[EXPOSURE] = (self.exposure * exposure).ln_1p();
        row[AGE] = (hours - self.first).max(0.0).ln_1p();
        let along: f32 = self.contrast.iter().zip(bearing).map(|(own, bearing)| own * bearing).sum();
        row[CONTRAST] = f64::from(along) / (self.expected + DOUBTED_TAKES);
    }

    /// A contest that it won (1) or not (0) when it was to win with a probability of `chance`.
    pub fn learn(&mut self, hours: f64, bearing: &Bearing, outcome: f64, chance: f64) {
        let (strength, exposure) = self.fades(hours);
        self.information = self.information * strength + chance * (1.0 - chance);
        let step = (outcome - chance) / (self.information + DOUBT);
        self.strength = self.strength * strength + step;
        self.exposure = self.exposure * exposure + 1.0;
        for (own, bearing) in self.contrast.iter_mut().zip(bearing) {
            *own += (outcome - chance) as f32 * bearing;
        }
        self.expected += chance;
        self.first = if self.last > 0.0 { self.first } else { hours };
        self.last = self.last.max(hours);
    }
}
