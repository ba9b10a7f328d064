//! Take rates of rows, as members showed them: what home pages are ordered by.
//!
//! They are sums over all titles and positions of a row, of the periods that the aggregates keep
//! (`aggregates.place_epochs`, the newest and the one before), so that what is long past does not count.
//! A rate is drawn toward the row's prior one by as many impressions as `PRIOR_IMPRESSIONS`, and is
//! none at all below `LEAST_IMPRESSIONS`.

use super::page_row::RowKind;
use nearline_model::Aggregates;
use nearline_model::symbols::{NONE, Symbol};
use std::collections::HashMap;

/// Impressions below which a row's rate counts as unknown.
const LEAST_IMPRESSIONS: u64 = 100;
/// Impressions that the prior rate weighs as much as.
const PRIOR_IMPRESSIONS: f64 = 200.0;
/// Take rates by name of the row; rows too little shown are left out.
pub fn rates(aggregates: &Aggregates) -> HashMap<&'static str, f64> {
    let places = aggregates.places();
    // Impressions and attributed plays, by number of the row.
    let mut sums: HashMap<Symbol, (u64, u64)> = HashMap::new();
    for title in aggregates.titles_after(NONE) {
        for place in places.title(title) {
            let sum = sums.entry(place.row).or_default();
            *sum = (sum.0 + place.impressions, sum.1 + place.attributed);
        }
    }
    let rate = |(row, (impressions, attributed)): (Symbol, (u64, u64))| {
        let kind = RowKind::ALL.into_iter().find(|kind| kind.name() == places.row_name(row))?;
        let weight = impressions as f64 + PRIOR_IMPRESSIONS;
        let rate = (attributed as f64 + PRIOR_IMPRESSIONS * kind.prior_take()) / weight;
        (impressions >= LEAST_IMPRESSIONS).then_some((kind.name(), rate))
    };
    sums.into_iter().filter_map(rate).collect()
}
