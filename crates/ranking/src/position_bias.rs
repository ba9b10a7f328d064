//! Position bias: how likely a title is to be seen at all, by where on the page it is shown.
//!
//! What stands further up is played more, whatever it is. Under the examination hypothesis the take
//! rate of title *t* in row *r* at position *p* is the product of its appeal and of the examination of
//! the place, *γ(t) · row(r) · position(p)*. As the same titles are shown at different places, their own
//! differences tell the places apart without any experiment ("intervention harvesting": Agarwal,
//! Zaitsev, Wang, Li, Najork, Joachims: "Estimating Position Bias without Intrusive Interventions",
//! WSDM 2019). Each factor is a ratio of sums, the plays seen there over those expected from the other
//! factors (clicks over expected clicks; Zhang, Jones: "Comparing Click Logs and Editorial Labels",
//! 2007), and the three are fitted in turns, which climbs to the maximum of the Poisson likelihood. A
//! prior of [`PRIOR_PLAYS`] expected plays draws places with little evidence toward 1.

mod shown;

pub use shown::ShownPlaces;

use nearline_model::aggregates::Aggregates;
use nearline_model::aggregates::places::PlaceSum;
use nearline_model::delta::PositionBand;
use nearline_model::symbols::Symbol;

/// Plays that a place is taken to have had already, as many as expected of it.
pub const PRIOR_PLAYS: f64 = 20.0;
/// Titles that the estimate is made from at most: those shown most.
pub const MOST_TITLES: usize = 200;
/// Turns of the fit at most, and the change of a factor below which there is no further one.
const TURNS: usize = 20;
const SETTLED: f64 = 1e-3;

/// One place at which a title was shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Number of the title, from 0 on.
    pub title: usize,
    /// Number of the row, from 0 on.
    pub row: usize,
    /// Number of the position, from 0 on.
    pub position: usize,
    /// Impressions there.
    pub impressions: f64,
    /// Plays attributed to them.
    pub plays: f64,
}

/// Examination by row and by position, relative to the mean of all impressions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examination {
    /// By number of the row.
    pub rows: Vec<f64>,
    /// By number of the position.
    pub positions: Vec<f64>,
}

/// Estimates examination from what titles made of their places. The order of the observations shows in
/// the last digits.
pub fn estimate(observations: &[Observation], prior_plays: f64) -> Examination {
    let count =
        |number: fn(&Observation) -> usize| observations.iter().map(number).max().map_or(0, |n| n + 1);
    let mut appeal = vec![0.0; count(|seen| seen.title)];
    let mut rows = vec![1.0; count(|seen| seen.row)];
    let mut positions = vec![1.0; count(|seen| seen.position)];
    let prior_plays = prior_plays.max(f64::MIN_POSITIVE);
    for _ in 0..TURNS {
        let before = (rows.clone(), positions.clone());
        let expected = |seen: &Observation| seen.impressions * rows[seen.row] * positions[seen.position];
        appeal = ratios(observations, appeal.len(), 0.0, |seen| seen.title, expected);
        let expected = |seen: &Observation| seen.impressions * appeal[seen.title] * positions[seen.position];
        rows = ratios(observations, rows.len(), prior_plays, |seen| seen.row, expected);
        let expected = |seen: &Observation| seen.impressions * appeal[seen.title] * rows[seen.row];
        positions = ratios(observations, positions.len(), prior_plays, |seen| seen.position, expected);
        // The likelihood does not know the scale of a factor: it is 1 on average.
        scale_to_one(&mut rows, observations, |seen| seen.row);
        scale_to_one(&mut positions, observations, |seen| seen.position);
        let mut pairs = before.0.iter().zip(&rows).chain(before.1.iter().zip(&positions));
        if pairs.all(|(before, now)| (now - before).abs() <= SETTLED * before) {
            break;
        }
    }
    Examination { rows, positions }
}

fn ratios(
    observations: &[Observation],
    count: usize,
    prior: f64,
    of: impl Fn(&Observation) -> usize,
    expected: impl Fn(&Observation) -> f64,
) -> Vec<f64> {
    let mut sums = vec![(prior, prior); count];
    for seen in observations {
        let (plays, expectation) = &mut sums[of(seen)];
        *plays += seen.plays;
        *expectation += expected(seen);
    }
    sums.into_iter().map(|(plays, expected)| if expected > 0.0 { plays / expected } else { 1.0 }).collect()
}

fn scale_to_one(factors: &mut [f64], observations: &[Observation], of: impl Fn(&Observation) -> usize) {
    let (mut sum, mut weight) = (0.0, 0.0);
    for seen in observations {
        sum += seen.impressions * factors[of(seen)];
        weight += seen.impressions;
    }
    if sum > 0.0 {
        factors.iter_mut().for_each(|factor| *factor *= weight / sum);
    }
}

/// Number of the positions that were not told, behind those of the bands.
const NO_BAND: usize = PositionBand::COUNT;

/// Examination of the places that the aggregates know.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PositionBias {
    /// By number of the row in the aggregates; 1 for one that is not there.
    rows: Vec<f64>,
    /// By number of the band.
    bands: Vec<f64>,
}

fn band_number(band: Option<PositionBand>) -> usize {
    band.map_or(NO_BAND, PositionBand::number)
}

impl PositionBias {
    /// The estimate from the titles shown most in the period before the newest: as long as that stands,
    /// so does the estimate. Before the first period is over all places are the same.
    pub fn of(aggregates: &Aggregates) -> Self {
        Self::looked_at(|shown| shown.look(aggregates))
    }

    /// The same from sums that `look` looks at the next piece of, until there are none.
    pub fn looked_at(mut look: impl FnMut(&mut ShownPlaces) -> bool) -> Self {
        let mut shown = ShownPlaces::default();
        while look(&mut shown) {
            shown.take_in();
        }
        shown.estimate()
    }

    /// Examination of a row, relative to the mean; 1 for one that is not known.
    pub fn row(&self, row: Symbol) -> f64 {
        self.rows.get(row.index()).copied().unwrap_or(1.0)
    }

    /// Examination of a band of positions, relative to the mean; 1 for one that is not known.
    pub fn band(&self, band: Option<PositionBand>) -> f64 {
        self.bands.get(band_number(band)).copied().unwrap_or(1.0)
    }

    /// Mean examination of the places where a title was shown; 1 where that is not known.
    pub fn of_title(&self, places: &[PlaceSum]) -> f64 {
        // Equal places of different rows' numbers would add up in another order elsewhere: in fixed
        // point the order does not matter.
        let fixed = |sum: &PlaceSum| (self.row(sum.row) * self.band(sum.band) * 65_536.0).round() as u128;
        let shown: u128 = places.iter().map(|sum| u128::from(sum.impressions)).sum();
        let examined: u128 = places.iter().map(|sum| u128::from(sum.impressions) * fixed(sum)).sum();
        if shown == 0 { 1.0 } else { (examined as f64 / shown as f64 / 65_536.0).max(1e-3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A whole number below `limit` (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
    fn random(state: &mut u64, limit: u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    const ROWS: [f64; 3] = [1.0, 0.6, 0.3];
    const POSITIONS: [f64; 6] = [1.0, 0.7, 0.5, 0.35, 0.25, 0.2];

    /// Impressions and plays of titles whose appeal falls with their number, the worst of them shown
    /// at the best places mostly.
    fn simulation(titles: usize, impressions: usize, seed: u64) -> (Vec<f64>, Vec<Observation>) {
        let appeal: Vec<f64> = (0..titles).map(|title| 0.5 - 0.4 * title as f64 / titles as f64).collect();
        let mut seen: BTreeMap<(usize, usize, usize), (f64, f64)> = BTreeMap::new();
        let mut state = seed;
        for _ in 0..impressions {
            let title = random(&mut state, titles as u64) as usize;
            let place = |count: usize, state: &mut u64| {
                let favoured = (count - 1) - title * count / titles;
                if random(state, 10) < 6 { favoured } else { random(state, count as u64) as usize }
            };
            let (row, position) = (place(ROWS.len(), &mut state), place(POSITIONS.len(), &mut state));
            let chance = appeal[title] * ROWS[row] * POSITIONS[position];
            let cell = seen.entry((title, row, position)).or_default();
            cell.0 += 1.0;
            cell.1 += f64::from(u8::from((random(&mut state, 1_000_000) as f64) < chance * 1_000_000.0));
        }
        let observations = seen.into_iter().map(|((title, row, position), (impressions, plays))| {
            Observation { title, row, position, impressions, plays }
        });
        (appeal, observations.collect())
    }

    /// Pairs of titles that `rates` puts in the wrong order, as a share of all.
    fn wrong_pairs(appeal: &[f64], rates: &[f64]) -> f64 {
        let pairs: Vec<bool> = (0..appeal.len())
            .flat_map(|a| (0..a).map(move |b| (a, b)))
            .map(|(a, b)| (appeal[a] < appeal[b]) != (rates[a] < rates[b]))
            .collect();
        pairs.iter().filter(|wrong| **wrong).count() as f64 / pairs.len() as f64
    }

    #[test]
    fn known_examination_is_found_though_good_titles_stand_at_bad_places() {
        let (_, observations) = simulation(30, 600_000, 7);
        let found = estimate(&observations, PRIOR_PLAYS);
        for (truth, found) in [(&ROWS[..], &found.rows), (&POSITIONS[..], &found.positions)] {
            for (at, factor) in truth.iter().enumerate() {
                let relative = found[at] / found[0];
                assert!((relative / factor - 1.0).abs() < 0.1, "place {at}: {relative} is not {factor}");
            }
        }
    }

    #[test]
    fn take_rates_rank_titles_wrongly_and_corrected_ones_rightly() {
        let (appeal, observations) = simulation(30, 600_000, 11);
        let found = estimate(&observations, PRIOR_PLAYS);
        let rates = |weight: &dyn Fn(&Observation) -> f64| -> Vec<f64> {
            let mut sums = vec![(0.0, 0.0); appeal.len()];
            for seen in &observations {
                sums[seen.title].0 += seen.plays;
                sums[seen.title].1 += seen.impressions * weight(seen);
            }
            sums.into_iter().map(|(plays, shown)| plays / shown).collect()
        };
        let naive = wrong_pairs(&appeal, &rates(&|_| 1.0));
        let corrected =
            wrong_pairs(&appeal, &rates(&|seen| found.rows[seen.row] * found.positions[seen.position]));
        assert!(naive > 0.5, "the simulation misleads take rates: {naive}");
        assert!(corrected < 0.05, "{corrected} of the pairs are wrong");
    }

    #[test]
    fn without_evidence_all_places_are_the_same() {
        assert_eq!(estimate(&[], PRIOR_PLAYS), Examination::default());
        let seen = Observation { title: 0, row: 0, position: 1, impressions: 3.0, plays: 3.0 };
        let found = estimate(&[seen, Observation { position: 0, plays: 0.0, ..seen }], PRIOR_PLAYS);
        assert!(found.positions.iter().all(|factor| (factor - 1.0).abs() < 0.2), "{found:?}");
    }
}
