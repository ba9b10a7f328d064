//! What a member is shown by whoever recommends, and what the member makes of it.

use super::World;
use rand::Rng;
use rand::rngs::StdRng;

/// Chances that a title is played which is of the genre that a member likes best, second, and third.
const OF_GENRE: [f64; 3] = [0.12, 0.08, 0.05];
/// The same of a title that is often watched after what was played last, and of any other.
const COMPANION: f64 = 0.25;
const ANY: f64 = 0.01;
/// The same of what is hot, at its hottest.
const HOT: f64 = 0.15;

/// A title that is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownTitle {
    /// Its id.
    pub title: String,
    /// The artwork that it is shown with, and the probability with which it was chosen.
    pub artwork: Option<(String, f64)>,
}

/// A row that was recommended.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Id of the recommendation: impressions and plays say it.
    pub request: String,
    /// Its titles, best first.
    pub titles: Vec<ShownTitle>,
}

impl World {
    /// The place in `page` of the title that `member` plays, the first one that is wanted; none may be.
    pub(super) fn take(&self, member: usize, page: &[u32], random: &mut StdRng) -> Option<usize> {
        page.iter().position(|title| random.random::<f64>() < self.chance(member, *title))
    }

    /// The chance that `member` plays a title that is looked at.
    fn chance(&self, member: usize, title: u32) -> f64 {
        let profile = &self.members[member];
        let genre = self.titles.genre(title);
        let liked = profile.genres.iter().position(|liked| *liked == genre);
        let of_genre = liked.map_or(ANY, |rank| OF_GENRE[rank]);
        let follows = profile.last_played.is_some_and(|last| self.titles.is_companion(last, title));
        let heat =
            self.hot.iter().filter(|trend| trend.title == title).map(|trend| trend.heat(self.generated));
        let hot = HOT * heat.fold(0.0, f64::max);
        of_genre.max(if follows { COMPANION } else { 0.0 }).max(hot)
    }
}
