//! Exploration: a few places of a row go to titles that are new, so that it is found out who likes them.
//!
//! From the fourth place on, each place is given to a new title with a small probability
//! ([`exploration`](crate::settings::RankingSettings::exploration)); the first three are never. Which one it is is
//! drawn in proportion to how much the member likes its genres (squared) and how much it was taken where it was offered so
//! far. New is a title of the catalogue that is [shown and played little](Explorable); after that it ranks by what was
//! learned alone.
//!
//! The draws are hashes of member, title, place and a window of time, as those of artworks are: a row asked for again is
//! the same, on whichever node, until something is learned or the window ends. Titles are drawn as the first of
//! exponential clocks whose rates are their weights, so that a weight that changes a little changes few draws.
//!
//! Each place says with which [probability](Placement) it got its title, given those before it: exactly that with which
//! it was drawn. What exploration costs is bounded: no more than that share of what the places from the fourth on are worth, and
//! no more than [`MOST_IMPRESSIONS`] impressions of a title that nobody wants.

use crate::draw::hash;
use crate::genre_sets::GenreSets;
use crate::newcomers::{Counted, LittlePlayed};
use hashbrown::HashMap;
use nearline_model::catalogue::{CatalogueVersion, Title};
use nearline_model::symbols::Symbol;
use std::sync::Arc;

/// Places at the beginning of a row that are never explored.
pub const SURE_PLACES: usize = 3;
/// Impressions from which on a title is not new.
pub const MOST_IMPRESSIONS: u32 = 1_000;
/// New titles that are explored at a time, those of the newest years first.
pub const MOST_TITLES: usize = 256;

/// Who is offered something, and when: places are drawn by both.
#[derive(Debug, Clone, Copy)]
pub struct Seed<'a> {
    /// The member.
    pub member: &'a str,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// How a title came to its place, where another could have stood there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Whether it was put there because it is new.
    pub explored: bool,
    /// Probability that it stands there, given the titles before it, in (0, 1].
    pub propensity: f64,
}

/// New titles, the same for everybody: shown less than [`MOST_IMPRESSIONS`] times and played less than
/// [`MOST_PLAYS`](crate::newcomers::MOST_PLAYS)
/// times, as of the last solve.
#[derive(Debug, Default)]
pub struct Explorable {
    pub(crate) genres: GenreSets,
    pub(crate) titles: Vec<Entry>,
    pub(crate) by_id: HashMap<Arc<str>, usize>,
    /// Of the catalogue that they are from.
    pub(crate) version: CatalogueVersion,
}

/// A new title.
#[derive(Debug)]
pub(crate) struct Entry {
    pub id: Arc<str>,
    /// Of its id, for draws.
    pub hash: u64,
    pub title: Arc<Title>,
    /// Number of its genres.
    pub genres: usize,
    /// How much more it was taken where it was offered than others were.
    pub lift: f64,
}

impl Explorable {
    /// Those of the titles that are played little; `lift` is how much more a title is taken than others are.
    pub(crate) fn among(little: &LittlePlayed, lift: impl Fn(Symbol) -> f64) -> Self {
        let is_new = |(title, counts): &&(Arc<Title>, Option<Counted>)| {
            !title.withdrawn && counts.is_none_or(|counts| counts.impressions < MOST_IMPRESSIONS)
        };
        type Little = (Arc<Title>, Option<Counted>);
        let mut new: Vec<&Little> = little.titles.iter().filter(is_new).collect();
        let newest_first =
            |a: &&Little, b: &&Little| b.0.year.cmp(&a.0.year).then_with(|| a.0.id.cmp(&b.0.id));
        if new.len() > MOST_TITLES {
            new.select_nth_unstable_by(MOST_TITLES - 1, newest_first);
            new.truncate(MOST_TITLES);
        }
        new.sort_unstable_by(newest_first);
        let (genres, numbers) = GenreSets::of(new.iter().map(|(title, _)| title.genres.as_slice()));
        let mut explorable = Self { genres, version: little.version.clone(), ..Self::default() };
        for (at, ((title, counts), genres)) in new.into_iter().zip(numbers).enumerate() {
            let id: Arc<str> = Arc::from(title.id.as_str());
            let lift = counts.map_or(1.0, |counts| lift(counts.number));
            explorable.by_id.insert(id.clone(), at);
            explorable.titles.push(Entry {
                hash: hash([id.as_bytes()]),
                id,
                title: title.clone(),
                genres,
                lift,
            });
        }
        explorable
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.titles.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }
}
