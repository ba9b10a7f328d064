//! Which places of one row go to new titles ([`crate::exploration`]), and with which probability.

use crate::affinity::GenreAffinity;
use crate::artwork::Window;
use crate::draw;
use crate::exploration::{Entry, Explorable, Placement, SURE_PLACES, Seed};
use crate::query::Query;
use hashbrown::HashSet;
use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::Catalogue;
use nearline_model::member::MemberSnapshot;
use std::sync::Arc;

/// Seconds after which places are drawn anew.
const HOLD_SECONDS: u32 = 6 * 3_600;
/// What a title of genres that the member does not care for weighs, beside 1.
const LEAST_WEIGHT: f64 = 0.02;

/// A place of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    pub put: Put,
    /// `None`: no other title could stand there.
    pub placement: Option<Placement>,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Put {
    /// One of those ranked.
    Ranked(usize),
    /// A new title, instead of this one of those ranked.
    New { title: Arc<str>, affinity: f64, instead_of: usize },
}

/// Gives places of one row to new titles.
pub(crate) struct Explorer<'a> {
    explorable: &'a Explorable,
    share: f64,
    /// What is drawn of the member's window: places, and titles.
    places: u64,
    titles: u64,
    /// To the genres of new titles, by number.
    affinities: Vec<f64>,
    /// Whether the member knows each, or does not want it.
    known: Vec<bool>,
    catalogue: &'a Catalogue,
    /// Whether new titles are as the catalogue has them.
    is_current: bool,
    query: &'a Query<'a>,
}

/// A new title that may be shown.
struct Drawn<'a> {
    number: usize,
    id: &'a Arc<str>,
    weight: f64,
    affinity: f64,
    /// When its clock rings: the first is drawn.
    rings: f64,
}

impl<'a> Explorer<'a> {
    /// For `member`; `None` where nothing is explored.
    pub fn new(
        aggregates: &Aggregates,
        catalogue: &'a Catalogue,
        member: Option<&'a MemberSnapshot>,
        query: &'a Query<'a>,
    ) -> Option<Self> {
        let share = query.settings().exploration;
        let Seed { member: id, now_ms } = query.seed?;
        let explorable = &query.learned_of(aggregates)?.explorable;
        if share <= 0.0 || explorable.is_empty() || query.limit <= SURE_PLACES {
            return None;
        }
        let known = member.into_iter().flat_map(|member| member.known().chain(member.disliked()));
        let unwanted = known.map(|title| &**title).chain(query.exclude.iter().copied());
        let window = Window::of(id, now_ms, HOLD_SECONDS).number.to_le_bytes();
        let of_window = |what: &[u8]| draw::hash([id.as_bytes(), &window[..], what]);
        let mut known = vec![false; explorable.len()];
        for at in unwanted.filter_map(|title| explorable.by_id.get(title)) {
            known[*at] = true;
        }
        Some(Self {
            explorable,
            share,
            places: of_window(b"place"),
            titles: of_window(b"title"),
            affinities: explorable.genres.affinities(&GenreAffinity::of(member, catalogue)),
            known,
            catalogue,
            is_current: catalogue.is_still(&explorable.version),
            query,
        })
    }

    /// What stands at each place of a row of `ranked` (best first; titles behind its end fall out), which may have none of
    /// those `taken` elsewhere.
    pub fn places(&self, ranked: &[&str], taken: impl Fn(&str) -> bool) -> Vec<Place> {
        let is_any = self.not_taken(&taken).any(|(at, title)| self.weight(at, title).0 > 0.0);
        // Not all need to be weighed where none of them stands. Those that may stand still, once they are.
        let mut others: Option<Vec<Drawn<'_>>> = None;
        let mut placed: HashSet<&str> = HashSet::new();
        let mut is_one_placed = false;
        let mut left = 0;
        let place = |at: usize| {
            while placed.contains(ranked[left]) {
                left += 1;
            }
            let next = ranked[left];
            let new = self.explorable.by_id.get(next).copied();
            let place = if at < SURE_PLACES || !is_any {
                Place { put: Put::Ranked(left), placement: None }
            } else if self.explores(at) || new.is_some() || is_one_placed {
                let others = others.get_or_insert_with(|| {
                    let mut all = self.drawn(&taken);
                    all.retain(|new| !placed.contains(&**new.id));
                    all
                });
                self.place(at, new, left, others)
            } else {
                let placement = Placement { explored: false, propensity: 1.0 - self.share };
                Place { put: Put::Ranked(left), placement: Some(placement) }
            };
            let stands = match &place.put {
                Put::New { title, .. } => self.explorable.by_id.get(title).copied(),
                Put::Ranked(_) => new,
            };
            is_one_placed |= new.is_some() || stands.is_some();
            placed.insert(stands.map_or(next, |stands| &*self.explorable.titles[stands].id));
            if let (Some(stands), Some(others)) = (stands, others.as_mut()) {
                others.retain(|other| other.number != stands);
            }
            place
        };
        (0..ranked.len()).map(place).collect()
    }

    /// What stands at a place: one of the `others`, which are new, or what is next of those ranked, `new` with that number.
    fn place(&self, at: usize, new: Option<usize>, left: usize, others: &[Drawn<'_>]) -> Place {
        let together: f64 = others.iter().map(|new| new.weight).sum();
        let chance = |new: &Drawn<'_>| self.share * new.weight / together;
        let order = |a: &&Drawn<'_>, b: &&Drawn<'_>| a.rings.total_cmp(&b.rings).then_with(|| a.id.cmp(b.id));
        let Some(first) = others.iter().min_by(order) else {
            // All that are new stand already.
            return Place { put: Put::Ranked(left), placement: None };
        };
        if self.explores(at) && Some(first.number) != new {
            let put = Put::New { title: first.id.clone(), affinity: first.affinity, instead_of: left };
            let placement = Placement { explored: true, propensity: chance(first) };
            return Place { put, placement: Some(placement) };
        }
        let drawn = others.iter().find(|other| Some(other.number) == new).map_or(0.0, chance);
        let placement = Placement { explored: false, propensity: 1.0 - self.share + drawn };
        Place { put: Put::Ranked(left), placement: Some(placement) }
    }

    /// Whether a place is given to a new title.
    fn explores(&self, at: usize) -> bool {
        draw::uniform(self.places, at as u64) < self.share
    }

    /// All that may be shown.
    fn drawn(&self, taken: impl Fn(&str) -> bool) -> Vec<Drawn<'a>> {
        let weighed = self.not_taken(taken).map(|(at, title)| (at, title, self.weight(at, title)));
        let may_stand = weighed.filter(|(_, _, (weight, _))| *weight > 0.0);
        may_stand
            .map(|(number, title, (weight, affinity))| {
                let rings = -draw::uniform(self.titles, title.hash).ln() / weight;
                Drawn { number, id: &title.id, weight, affinity, rings }
            })
            .collect()
    }

    /// New titles with their numbers, but those `taken`.
    fn not_taken(&self, taken: impl Fn(&str) -> bool) -> impl Iterator<Item = (usize, &'a Entry)> {
        self.explorable.titles.iter().enumerate().filter(move |(_, title)| !taken(&title.id))
    }

    /// What the title of that number weighs in the draw, 0 if it may not be shown; and how much the member likes its
    /// genres.
    fn weight(&self, at: usize, title: &Entry) -> (f64, f64) {
        let id = &*title.id;
        let is_available = || match self.is_current {
            true => title.title.is_available_in(self.query.country),
            false => self.catalogue.is_available(id, self.query.country),
        };
        let may = !self.known[at] && is_available() && self.query.admit.is_none_or(|admit| admit(id));
        if !may {
            return (0.0, 0.0);
        }
        let affinity = self.affinities[title.genres];
        let liked = LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) * affinity * affinity;
        let boost = self.query.boost.map_or(1.0, |boost| boost(id).max(0.0));
        let weight = liked * title.lift * boost;
        (if weight.is_finite() { weight } else { 0.0 }, affinity)
    }
}
