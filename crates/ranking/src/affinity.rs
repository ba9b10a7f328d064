//! Which genres a member likes, from what the member watched, rated and put on the list.

use hashbrown::HashMap;
use nearline_model::catalogue::Catalogue;
use nearline_model::member::MemberSnapshot;

/// Weight of one step back in the history.
const STEP_WEIGHT: f64 = 0.95;
/// Weight of a title on the member's list, beside 1 of the title watched last.
const LISTED_WEIGHT: f64 = 0.5;
/// Stars up to which a rating says that the member did not like a title.
pub(crate) const LOW_RATING: f32 = 2.0;

/// Whether a member said of a title that it is no interest: by the thumb, or without one by the rating.
pub(crate) fn is_disliked(member: &MemberSnapshot, id: &str) -> bool {
    member.opinions.iter().any(|opinion| {
        let is_low = || opinion.rating.is_some_and(|rating| rating <= LOW_RATING);
        *opinion.title == *id && (opinion.thumb == Some(-1) || opinion.thumb.is_none() && is_low())
    })
}
/// Affinity to genres that nothing is known of: they stay possible.
const UNKNOWN: f64 = 0.05;

/// Affinity to each genre, 0 to 1; the strongest has 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenreAffinity<'a> {
    genres: HashMap<&'a str, f64>,
}

impl<'a> GenreAffinity<'a> {
    /// A member's affinities. A title shares its weight among its genres; a thumb up doubles it, a
    /// second one triples it, a thumb down turns it round; a low rating is no interest.
    pub fn of(member: Option<&MemberSnapshot>, catalogue: &'a Catalogue) -> Self {
        let Some(member) = member else { return Self::default() };
        let mut genres: HashMap<&'a str, f64> = HashMap::new();
        let mut add = |id: &str, weight: f64| {
            let Some(title) = catalogue.get(id) else { return };
            for genre in &title.genres {
                *genres.entry(genre).or_default() += weight / title.genres.len() as f64;
            }
        };
        let opinion = |id: &str| {
            let opinion = member.opinions.iter().find(|opinion| *opinion.title == *id);
            match opinion.map(|opinion| (opinion.thumb, opinion.rating)) {
                Some((Some(-1), _)) => -1.0,
                Some((Some(thumb), _)) => 1.0 + f64::from(thumb),
                Some((None, Some(rating))) if rating <= LOW_RATING => 0.0,
                _ => 1.0,
            }
        };
        let mut weight = 1.0;
        for watched in member.history.iter().rev() {
            add(&watched.title, weight * opinion(&watched.title));
            weight *= STEP_WEIGHT;
        }
        for title in &member.list {
            add(title, LISTED_WEIGHT);
        }
        let top = genres.values().copied().fold(0.0, f64::max);
        genres
            .values_mut()
            .for_each(|weight| *weight = if top > 0.0 { (*weight / top).max(0.0) } else { 0.0 });
        Self { genres }
    }

    /// Whether nothing is known of any genre.
    pub fn is_empty(&self) -> bool {
        self.genres.is_empty()
    }

    /// Affinity to a title of `genres`: the mean over them. 1 if nothing is known of the member, so
    /// that other things decide.
    pub fn to(&self, genres: &[String]) -> f64 {
        self.mean(genres.iter().map(|genre| self.to_genre(genre)))
    }

    /// Affinity to one genre.
    pub(crate) fn to_genre(&self, genre: &str) -> f64 {
        self.genres.get(genre).copied().unwrap_or(UNKNOWN)
    }

    /// Affinity to a title with `affinities` to its genres.
    pub(crate) fn mean(&self, affinities: impl ExactSizeIterator<Item = f64>) -> f64 {
        match affinities.len() {
            _ if self.is_empty() => 1.0,
            0 => UNKNOWN,
            genres => affinities.sum::<f64>() / genres as f64,
        }
    }
}

/// Genres in common over all genres of both (Jaccard); 0 where one has none.
pub(crate) fn common_genres(a: &[String], b: &[String]) -> f64 {
    let common = a.iter().filter(|genre| b.contains(genre)).count();
    let all = a.len() + b.len() - common;
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}
