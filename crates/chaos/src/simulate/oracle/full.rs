//! Tables that strangers fill: what is known keeps counting.

use crate::simulate::world::World;
use nearline_model::Aggregates;
use nearline_model::symbols::NONE;
use std::collections::BTreeMap;

/// Countries that are there from the beginning; all others are strangers'.
const KNOWN: [&str; 2] = ["BR", "JP"];

/// Plays by country: exactly those published where there is room for all. Where there is not, a known country lacks no
/// more than twice what strangers brought: only what is counted less than a stranger makes room, for it or for what
/// comes back.
pub(super) fn countries_keep_counting(world: &World, sums: &Aggregates, published: &BTreeMap<String, u64>) {
    let is_stranger = |country: &&String| !KNOWN.contains(&country.as_str());
    let strangers: u64 = published.keys().filter(is_stranger).map(|country| published[country]).sum();
    let may_lack = if world.scenario.full_tables { 2 * strangers } else { 0 };
    for country in KNOWN {
        let wanted = published.get(country).copied().unwrap_or_default();
        let counters = sums.counters(&format!("country:{country}"));
        let titles = sums.titles_after(NONE).filter_map(|title| counters?.title(title));
        let plays = titles.flat_map(|title| &title.epochs).map(|(_, counts)| u64::from(counts.plays));
        let found: u64 = plays.sum();
        if found > wanted || found + may_lack < wanted {
            let what = format!("{found} plays are counted in {country}, published were {published:?}");
            world.violated("I2", what);
        }
    }
}
