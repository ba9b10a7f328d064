//! Where titles were shown, looked at piece by piece: whoever adds to the sums is not kept waiting for all.

use super::{MOST_TITLES, Observation, PRIOR_PLAYS, PositionBias, band_number, estimate};
use nearline_model::aggregates::places::PlaceSum;
use nearline_model::aggregates::{Aggregates, TITLES_AT_ONCE};
use nearline_model::symbols::{NONE, Symbol};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So often it is begun anew for a period that has ended. While months of events are caught up with, periods end all the time:
/// then there is no more to be known than is left of one of them.
const MOST_ENDED: u32 = 3;

/// What an estimate is made from. [`look`](Self::look) until nothing is left, with a [`take_in`](Self::take_in) after each,
/// which does not need the sums.
#[derive(Debug, Default)]
pub struct ShownPlaces {
    /// The identity of the sums, and the period; for others it is begun anew.
    of: Option<(Arc<str>, Option<u32>)>,
    /// How often a period has ended meanwhile.
    ended: u32,
    looked: Symbol,
    stage: Stage,
    /// Titles that were shown, with their impressions.
    titles: Vec<(u64, Arc<str>, Symbol)>,
    /// Where those shown most were shown, in their order.
    places: Vec<Vec<PlaceSum>>,
    rows: BTreeMap<Symbol, Arc<str>>,
}

#[derive(Debug, Default, PartialEq)]
enum Stage {
    /// It is being found out which titles were shown.
    #[default]
    Titles,
    /// All of them are known.
    AllTitles,
    /// Those shown most are left, and their places are looked at.
    Places,
}

impl ShownPlaces {
    /// Looks at the next titles; false if there are none.
    pub fn look(&mut self, aggregates: &Aggregates) -> bool {
        let (places, identity) = (aggregates.places(), aggregates.title_id(NONE));
        let now = places.closed_period();
        let known =
            self.of.as_ref().filter(|(known, _)| Arc::ptr_eq(known, identity)).map(|(_, period)| *period);
        let has_ended = known.is_some_and(|known| known != now) && self.ended < MOST_ENDED;
        if known.is_none() || has_ended {
            let ended = self.ended + u32::from(has_ended);
            *self = Self { of: Some((identity.clone(), now)), ended, ..Self::default() };
        }
        let Some(period) = self.of.as_ref().and_then(|(_, period)| *period) else { return false };
        let in_period =
            |title: Symbol| places.title(title).iter().filter(move |sum| sum.period == period).copied();
        if self.stage == Stage::Places {
            let next = self.titles.iter().skip(self.places.len()).take(TITLES_AT_ONCE);
            let next: Vec<Vec<PlaceSum>> = next.map(|(.., title)| in_period(*title).collect()).collect();
            for sum in next.iter().flatten() {
                self.rows.entry(sum.row).or_insert_with(|| Arc::from(places.row_name(sum.row)));
            }
            let is_more = !next.is_empty();
            self.places.extend(next);
            return is_more;
        }
        let next = aggregates.titles_after(self.looked).take(TITLES_AT_ONCE);
        self.looked = self.looked.further(next.len());
        if next.len() == 0 {
            self.stage = Stage::AllTitles;
        }
        for title in next {
            let impressions: u64 = in_period(title).map(|sum| sum.impressions).sum();
            if impressions > 0 {
                self.titles.push((impressions, aggregates.title_id(title).clone(), title));
            }
        }
        true
    }

    /// Takes in what was looked at.
    pub fn take_in(&mut self) {
        if self.stage == Stage::AllTitles {
            // By names, never by numbers: those depend on the order in which titles arrived.
            self.titles.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            self.titles.truncate(MOST_TITLES);
            self.stage = Stage::Places;
        }
    }

    /// The estimate.
    pub fn estimate(self) -> PositionBias {
        let rows: BTreeMap<&str, Symbol> = self.rows.iter().map(|(row, name)| (&**name, *row)).collect();
        let count = self.rows.keys().next_back().map_or(0, |row| row.index() + 1);
        let mut order = vec![0; count];
        rows.values().enumerate().for_each(|(at, row)| order[row.index()] = at);
        let places = self.places.iter().enumerate();
        let mut observations: Vec<Observation> = places
            .flat_map(|(title, sums)| sums.iter().map(move |sum| (title, sum)))
            .map(|(title, sum)| Observation {
                title,
                row: order[sum.row.index()],
                position: band_number(sum.band),
                impressions: sum.impressions as f64,
                plays: sum.attributed as f64,
            })
            .collect();
        observations.sort_unstable_by_key(|seen| (seen.title, seen.row, seen.position));
        let found = estimate(&observations, PRIOR_PLAYS);
        let mut by_row = vec![1.0; count];
        rows.values().enumerate().for_each(|(at, row)| by_row[row.index()] = found.rows[at]);
        PositionBias { rows: by_row, bands: found.positions }
    }
}
