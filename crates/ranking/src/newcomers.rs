//! Newcomers: titles of the catalogue that hardly anybody has played yet, so that they are found at all.

use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::Catalogue;
use std::sync::Arc;

/// Plays from which a title is no newcomer.
pub(crate) const FEW_PLAYS: u64 = 5;
/// Newcomers held at most: those of the newest years.
const MOST: usize = 1_000;

/// Titles hardly played yet, with how new they are by their year (the newest of the catalogue: 1; half as
/// new with each year before).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Newcomers {
    titles: Vec<(Arc<str>, f64)>,
}

impl Newcomers {
    /// Those of `catalogue`.
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue) -> Self {
        let plays = |id: &str| aggregates.title(id).map_or(0, |title| aggregates.plays(title));
        let newest_year = catalogue.iter().filter_map(|title| title.year).max().unwrap_or_default();
        let mut new: Vec<(u16, &str)> = catalogue
            .iter()
            .filter(|title| plays(&title.id) < FEW_PLAYS)
            .map(|title| (title.year.unwrap_or_default(), title.id.as_str()))
            .collect();
        new.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        new.truncate(MOST);
        let newness = |year: u16| (-f64::from(newest_year.saturating_sub(year))).exp2();
        Self { titles: new.into_iter().map(|(year, id)| (Arc::from(id), newness(year))).collect() }
    }

    /// Each with how new it is, above 0 to 1, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, f64)> {
        self.titles.iter().map(|(id, newness)| (id, *newness))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }
}
