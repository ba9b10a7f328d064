//! Taste: which genres a member plays more than others do, over the whole history.
//!
//! Of a member's titles a share is of each genre, and of all plays another. The first is drawn toward the second by as many
//! titles as `DOUBTED_TITLES`, so that a few plays say little; the logarithm of both over each other is how much
//! the member leans to the genre, and a title's lean is the mean over its genres. The ranking multiplies
//! scores by `exp(taste · lean)`; how much `taste` counts is [chosen from the stream](crate::tuning), 0 where it finds nothing.

use crate::affinity::is_disliked;
use hashbrown::HashMap;
use nearline_model::aggregates::{ALL, Aggregates, TITLES_AT_ONCE};
use nearline_model::catalogue::Catalogue;
use nearline_model::member::MemberSnapshot;
use nearline_model::symbols::{NONE, Symbol};
use std::sync::Arc;

/// Titles that the shares of all plays weigh as much as, beside a member's own.
const DOUBTED_TITLES: f64 = 5.0;
/// What a genre is taken to have of all plays at least.
const LEAST_SHARE: f64 = 1e-3;
/// Genres known at most, those of the titles with the lowest numbers first; sets of genres, too.
const MOST_GENRES: usize = 1_024;
const MOST_SETS: usize = 4_096;
/// Titles of a genre's shelf: those played most lately.
const SHELF: usize = 256;
/// Titles of a genre from which on a member may be said to like it.
const LEAST_LIKED: f64 = 3.0;
/// Standard errors by which the member must play it more than others do.
const LEAST_DEVIATION: f64 = 2.0;

/// Genres of the titles that are counted, by title number.
#[derive(Debug, Default)]
pub struct Genres {
    names: Vec<Arc<str>>,
    /// Share of all plays that is of titles of the genre.
    shares: Vec<f64>,
    /// Sets of genres that titles have together; the first has none.
    sets: Vec<Vec<u16>>,
    /// Number of the set, by title number.
    by_title: Vec<u16>,
    /// By genre.
    shelves: Vec<Vec<Symbol>>,
}

/// How much a member leans to each set of genres.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Leans(Vec<f64>);

/// How many of a member's titles are of each genre.
struct Counts {
    titles: f64,
    of_genre: Vec<f64>,
}

/// Genres, looked at piece by piece: whoever adds to the sums is not kept waiting for all.
pub struct GenreSums {
    genres: Genres,
    numbers: HashMap<Arc<str>, u16>,
    sets: HashMap<Vec<u16>, u16>,
    /// By title number: how popular it is, and its id.
    popularity: Vec<f64>,
    ids: Vec<Arc<str>>,
    plays: f64,
    looked: Symbol,
}

impl Default for GenreSums {
    fn default() -> Self {
        let genres = Genres { sets: vec![Vec::new()], by_title: vec![0], ..Genres::default() };
        let (numbers, sets) = (HashMap::new(), HashMap::from_iter([(Vec::new(), 0)]));
        Self {
            genres,
            numbers,
            sets,
            popularity: vec![0.0],
            ids: vec![Arc::from("")],
            plays: 0.0,
            looked: NONE,
        }
    }
}

impl GenreSums {
    /// Looks at the next titles; false if there are none.
    pub fn look(&mut self, aggregates: &Aggregates, catalogue: &Catalogue) -> bool {
        let next = aggregates.titles_after(self.looked).take(TITLES_AT_ONCE);
        self.looked = self.looked.further(next.len());
        let is_more = next.len() > 0;
        let popularity = aggregates.counters(ALL).map(|all| all.popularity().scores());
        for title in next {
            let known = catalogue.get(aggregates.title_id(title));
            let set = self.set(known.map(|known| known.genres.as_slice()).unwrap_or_default());
            let plays = aggregates.plays(title) as f64;
            self.plays += if set.is_empty() { 0.0 } else { plays };
            for genre in &set {
                self.genres.shares[usize::from(*genre)] += plays;
                self.genres.shelves[usize::from(*genre)].push(title);
            }
            let number = self.number_of(set);
            self.genres.by_title.push(number);
            let score = popularity.and_then(|scores| scores.get(title.index()));
            self.popularity.push(score.copied().unwrap_or_default());
            self.ids.push(aggregates.title_id(title).clone());
        }
        is_more
    }

    /// Numbers of genres, each once, in ascending order.
    fn set(&mut self, names: &[String]) -> Vec<u16> {
        let mut set: Vec<u16> = Vec::with_capacity(names.len());
        for name in names {
            let genres = &mut self.genres;
            match self.numbers.get(name.as_str()) {
                Some(number) => set.push(*number),
                None if genres.names.len() >= MOST_GENRES => {}
                None => {
                    let (name, number): (Arc<str>, _) = (Arc::from(name.as_str()), genres.names.len() as u16);
                    self.numbers.insert(name.clone(), number);
                    genres.names.push(name);
                    genres.shares.push(0.0);
                    genres.shelves.push(Vec::new());
                    set.push(number);
                }
            }
        }
        // Numbers depend on the order in which titles came; sums over a set must not.
        let name = |number: &u16| &self.genres.names[usize::from(*number)];
        set.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        set.dedup();
        set
    }

    fn number_of(&mut self, set: Vec<u16>) -> u16 {
        match self.sets.get(&set) {
            Some(number) => *number,
            None if self.genres.sets.len() >= MOST_SETS => 0,
            None => {
                let number = self.genres.sets.len() as u16;
                self.genres.sets.push(set.clone());
                self.sets.insert(set, number);
                number
            }
        }
    }

    /// The genres of all titles looked at.
    pub fn genres(self) -> Genres {
        let Self { mut genres, popularity, ids, plays, .. } = self;
        genres.shares.iter_mut().for_each(|share| *share /= f64::max(plays, 1.0));
        let score = |title: &Symbol| popularity[title.index()];
        for shelf in &mut genres.shelves {
            let by_id = |a: &Symbol, b: &Symbol| ids[a.index()].cmp(&ids[b.index()]);
            shelf.sort_unstable_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| by_id(a, b)));
            shelf.truncate(SHELF);
            shelf.shrink_to_fit();
        }
        genres
    }
}

impl Genres {
    /// Those of `catalogue`.
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue) -> Self {
        let mut sums = GenreSums::default();
        while sums.look(aggregates, catalogue) {}
        sums.genres()
    }

    /// Number of the set of genres that a title has.
    pub(crate) fn set_of(&self, title: Symbol) -> u16 {
        self.by_title.get(title.index()).copied().unwrap_or_default()
    }

    /// How much somebody leans to each set who played `titles`; `None`: nothing is known.
    pub(crate) fn leans(&self, titles: impl Iterator<Item = Symbol>) -> Option<Leans> {
        let counts = self.counts(titles)?;
        let lean = |(share, count): (&f64, &f64)| {
            let share = share.max(LEAST_SHARE);
            let own = (count + DOUBTED_TITLES * share) / (counts.titles + DOUBTED_TITLES);
            (own / share).ln()
        };
        let leans: Vec<f64> = self.shares.iter().zip(&counts.of_genre).map(lean).collect();
        let of_genre = |genre: &u16| leans[usize::from(*genre)];
        let of_set = |set: &Vec<u16>| match set.len() {
            0 => 0.0,
            genres => set.iter().map(of_genre).sum::<f64>() / genres as f64,
        };
        Some(Leans(self.sets.iter().map(of_set).collect()))
    }

    fn counts(&self, titles: impl Iterator<Item = Symbol>) -> Option<Counts> {
        let mut counts = Counts { titles: 0.0, of_genre: vec![0.0; self.names.len()] };
        for title in titles {
            let set = &self.sets[usize::from(self.set_of(title))];
            counts.titles += f64::from(u8::from(!set.is_empty()));
            set.iter().for_each(|genre| counts.of_genre[usize::from(*genre)] += 1.0);
        }
        (counts.titles > 0.0).then_some(counts)
    }

    /// The genres that a member plays more than others do, the most telling first, each with the member's share and
    /// its shelf.
    pub(crate) fn liked(
        &self,
        aggregates: &Aggregates,
        member: &MemberSnapshot,
    ) -> Vec<(&Arc<str>, f64, &[Symbol])> {
        let Some(counts) = self.counts(liked_titles(aggregates, member)) else { return Vec::new() };
        let deviation = |genre: usize| {
            let expected = counts.titles * self.shares[genre];
            let spread = (expected * (1.0 - self.shares[genre])).max(0.25).sqrt();
            (counts.of_genre[genre] - expected) / spread
        };
        let mut liked: Vec<(f64, usize)> = (0..self.names.len())
            .filter(|genre| counts.of_genre[*genre] >= LEAST_LIKED)
            .map(|genre| (deviation(genre), genre))
            .filter(|(deviation, _)| *deviation >= LEAST_DEVIATION)
            .collect();
        liked
            .sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| self.names[a.1].cmp(&self.names[b.1])));
        let told = |(_, genre): (f64, usize)| {
            (&self.names[genre], counts.of_genre[genre] / counts.titles, self.shelves[genre].as_slice())
        };
        liked.into_iter().map(told).collect()
    }
}

impl Leans {
    /// To each set, as a factor of scores.
    pub(crate) fn factors(&self, taste: f64) -> Vec<f64> {
        self.0.iter().map(|lean| (taste * lean).exp()).collect()
    }
}

/// Titles that a member played and did not dislike, over the whole history.
pub(crate) fn liked_titles<'a>(
    aggregates: &'a Aggregates,
    member: &'a MemberSnapshot,
) -> impl Iterator<Item = Symbol> + 'a {
    member.known().filter(move |id| !is_disliked(member, id)).filter_map(|id| aggregates.title(id))
}
