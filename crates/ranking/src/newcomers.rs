//! Newcomers: titles of the catalogue that hardly anybody has played yet, so that they are found at all.

use crate::genre_sets::GenreSets;
use hashbrown::HashMap;
use nearline_model::aggregates::{Aggregates, TITLES_AT_ONCE};
use nearline_model::catalogue::{Catalogue, CatalogueVersion, Title};
use nearline_model::symbols::Symbol;
use std::sync::Arc;

/// Plays from which a title is no newcomer.
pub(crate) const FEW_PLAYS: u64 = 5;
/// Plays from which on nobody needs to be shown a title so that it is found out who likes it.
pub const MOST_PLAYS: u64 = 20;
/// Newcomers held at most: those of the newest years.
const MOST: usize = 1_000;

/// Titles of the catalogue played fewer than [`MOST_PLAYS`] times: looked for once for all that is new.
pub struct LittlePlayed {
    /// The newest year of all titles.
    newest_year: u16,
    /// Of the catalogue that they are from.
    pub(crate) version: CatalogueVersion,
    /// Each with what is counted of it, if anything is.
    pub(crate) titles: Vec<(Arc<Title>, Option<Counted>)>,
    /// Those not looked at yet.
    waiting: Vec<Arc<Title>>,
}

/// What is counted of a title.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    pub number: Symbol,
    pub plays: u64,
    pub impressions: u32,
}

impl LittlePlayed {
    /// Those of `catalogue`.
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue) -> Self {
        let mut little = Self::begin(catalogue);
        while little.look(aggregates) {}
        little
    }

    /// Notes the titles of `catalogue`, to be looked at piece by piece: whoever adds to the sums is not kept waiting for all.
    pub fn begin(catalogue: &Catalogue) -> Self {
        let newest_year = catalogue.iter().filter_map(|title| title.year).max().unwrap_or_default();
        let (version, waiting) = (catalogue.version().clone(), catalogue.iter().cloned().collect());
        Self { newest_year, version, titles: Vec::new(), waiting }
    }

    /// Looks at the next titles; false if there are none.
    pub fn look(&mut self, aggregates: &Aggregates) -> bool {
        let next = self.waiting.split_off(self.waiting.len().saturating_sub(TITLES_AT_ONCE));
        let counted = |title: Arc<Title>| {
            let counted = |number| Counted {
                number,
                plays: aggregates.plays(number),
                impressions: aggregates.impressions(number),
            };
            let counts = aggregates.title(&title.id).map(counted);
            counts.is_none_or(|counts| counts.plays < MOST_PLAYS).then_some((title, counts))
        };
        self.titles.extend(next.into_iter().filter_map(counted));
        !self.waiting.is_empty()
    }
}

/// Titles hardly played yet, with how new they are by their year (the newest of the catalogue: 1; half as
/// new with each year before).
#[derive(Debug, Default)]
pub struct Newcomers {
    /// The newest first, those of a year by id.
    pub(crate) titles: Vec<Newcomer>,
    /// Place of each among them.
    pub(crate) by_id: HashMap<Arc<str>, usize>,
    /// Their genres.
    pub(crate) genres: GenreSets,
    /// Of the catalogue that they are from.
    pub(crate) version: CatalogueVersion,
}

/// A title hardly played yet.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub id: Arc<str>,
    /// In the sums that it was found with; `None` if nothing was counted of it by then.
    pub number: Option<Symbol>,
    /// Above 0 to 1.
    pub newness: f64,
    /// Number of its genres.
    pub genres: usize,
    /// Place of its id among the ids of all.
    pub id_order: u32,
}

impl Newcomers {
    /// Those of the titles that are played little.
    pub fn among(little: &LittlePlayed) -> Self {
        type Little = (Arc<Title>, Option<Counted>);
        let newest_year = little.newest_year;
        let few = |(_, counts): &&Little| counts.is_none_or(|counts| counts.plays < FEW_PLAYS);
        let year = |title: &Title| title.year.unwrap_or_default();
        let mut new: Vec<&Little> = little.titles.iter().filter(few).collect();
        new.sort_unstable_by(|(a, _), (b, _)| year(b).cmp(&year(a)).then_with(|| a.id.cmp(&b.id)));
        new.truncate(MOST);
        let newness = |year: u16| (-f64::from(newest_year.saturating_sub(year))).exp2();
        let (genres, numbers) = GenreSets::of(new.iter().map(|(title, _)| title.genres.as_slice()));
        let newcomer = |((title, counts), genres): (&&Little, usize)| Newcomer {
            id: Arc::from(title.id.as_str()),
            number: counts.map(|counts| counts.number),
            newness: newness(year(title)),
            genres,
            id_order: 0,
        };
        let mut titles: Vec<Newcomer> = new.iter().zip(numbers).map(newcomer).collect();
        let mut in_order: Vec<usize> = (0..titles.len()).collect();
        in_order.sort_unstable_by(|a, b| titles[*a].id.cmp(&titles[*b].id));
        for (order, at) in (0..).zip(in_order) {
            titles[at].id_order = order;
        }
        let by_id = titles.iter().enumerate().map(|(at, title)| (title.id.clone(), at)).collect();
        Self { titles, by_id, genres, version: little.version.clone() }
    }

    /// Each with how new it is, above 0 to 1, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, f64)> {
        self.titles.iter().map(|title| (&title.id, title.newness))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }
}
