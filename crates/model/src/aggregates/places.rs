//! Counts by title, row and band of positions: what position bias is estimated from.
//!
//! They are kept for whole periods of `place_epochs` epochs, the newest and the one before: few
//! enough to hold the cross product that an estimate within titles needs.

use super::gone::Gone;
use crate::delta::{PlaceCell, PositionBand, TakeCounts};
use crate::settings::AggregateSettings;
use crate::symbols::{Symbol, Symbols};
use get_size2::GetSize;
use hashbrown::HashMap;

/// Counts of one row, band and period of a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GetSize)]
pub struct PlaceSum {
    /// Number of the row; 0: not told.
    pub row: Symbol,
    /// The band of positions; `None`: not told.
    pub band: Option<PositionBand>,
    /// The period.
    pub period: u32,
    /// Impressions there.
    pub impressions: u64,
    /// Plays attributed to them.
    pub attributed: u64,
}

impl PlaceSum {
    fn key(&self) -> (Symbol, Option<PositionBand>, u32) {
        (self.row, self.band, self.period)
    }
}

/// Counts by place of all titles.
#[derive(Debug, GetSize)]
pub struct Places {
    pub(crate) rows: Symbols,
    pub(crate) titles: HashMap<Symbol, Vec<PlaceSum>>,
    period_epochs: u32,
    newest_period: u32,
}

impl Places {
    pub(crate) fn new(settings: &AggregateSettings) -> Self {
        Self {
            rows: Symbols::new(usize::MAX - 1),
            titles: HashMap::new(),
            period_epochs: settings.place_epochs.max(1),
            newest_period: 0,
        }
    }

    /// Moves on to the period of `newest_epoch`, and drops what is older than the period before it.
    pub(crate) fn advance(&mut self, newest_epoch: u32) {
        let period = newest_epoch / self.period_epochs;
        if period > self.newest_period {
            self.newest_period = period;
            let oldest = self.oldest();
            self.titles.retain(|_, sums| {
                sums.retain(|sum| sum.period >= oldest);
                !sums.is_empty()
            });
        }
    }

    /// The period before the newest: late events aside, its sums stand.
    pub fn closed_period(&self) -> Option<u32> {
        self.newest_period.checked_sub(1)
    }

    fn oldest(&self) -> u32 {
        self.newest_period.saturating_sub(1)
    }

    /// Number of a row, given out now if it is new: whether there is room is known by its dimension.
    pub(crate) fn row(&mut self, name: &str) -> Option<Symbol> {
        self.rows.intern(name).ok()
    }

    pub(crate) fn add(&mut self, title: Symbol, row: Symbol, cell: &PlaceCell) {
        let TakeCounts { impressions, attributed, .. } = cell.counts;
        self.add_sum(
            title,
            PlaceSum {
                row,
                band: cell.band,
                period: cell.epoch / self.period_epochs,
                impressions: impressions.into(),
                attributed: attributed.into(),
            },
        );
    }

    pub(crate) fn add_sum(&mut self, title: Symbol, sum: PlaceSum) {
        // Whatever the order of arrival: what is too old is dropped now, or was with the newest.
        if sum.period < self.oldest() {
            return;
        }
        let sums = self.titles.entry(title).or_default();
        match sums.binary_search_by_key(&sum.key(), PlaceSum::key) {
            Ok(at) => {
                sums[at].impressions += sum.impressions;
                sums[at].attributed += sum.attributed;
            }
            Err(at) => sums.insert(at, sum),
        }
    }

    /// Forgets the titles that are `gone`.
    pub(super) fn forget(&mut self, gone: &Gone) {
        self.titles.retain(|title, _| !gone.has(*title));
    }

    /// Forgets rows, all of them in one walk; their numbers are given out again.
    pub(super) fn forget_rows(&mut self, rows: &[Symbol]) {
        self.titles.retain(|_, sums| {
            sums.retain(|sum| !rows.contains(&sum.row));
            !sums.is_empty()
        });
        rows.iter().for_each(|row| self.rows.release(*row));
    }

    /// Name of a row.
    pub fn row_name(&self, row: Symbol) -> &str {
        self.rows.text(row)
    }

    /// Counts of all titles by place, in no order.
    pub fn titles(&self) -> impl Iterator<Item = (Symbol, &[PlaceSum])> {
        self.titles.iter().map(|(title, sums)| (*title, sums.as_slice()))
    }

    /// Counts of one title by place, periods apart.
    pub fn title(&self, title: Symbol) -> &[PlaceSum] {
        self.titles.get(&title).map(Vec::as_slice).unwrap_or_default()
    }
}
