//! Selection: the best of many scores, and, if asked for, a little unlike each other.

use crate::affinity::common_genres;
use crate::ranked::Ranked;
use nearline_model::catalogue::Catalogue;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Candidates looked at for each title wanted, where diversity is asked for.
const CANDIDATES_EACH: usize = 4;
/// How many times as long the next listing is, where too few titles of one were admitted.
const LONGER: usize = 4;

/// A title with its score.
#[derive(Clone)]
pub(super) struct Scored {
    pub id: Arc<str>,
    pub score: f64,
}

impl PartialEq for Scored {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Scored {}
impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
/// Higher scores first, then the lower id.
impl Ord for Scored {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.id.cmp(&self.id))
    }
}

/// Titles with their scores, best first.
pub(super) struct Listing {
    pub titles: Vec<Scored>,
    /// Whether there are no others.
    pub is_whole: bool,
}

/// The `limit` best titles that are `admitted`, of listings that `list` makes, each as long as it is asked
/// for at least, or whole. A longer listing begins with the shorter one. Titles are judged once, in order.
pub(super) fn best(
    limit: usize,
    mut list: impl FnMut(usize) -> Listing,
    admitted: impl Fn(&str) -> bool,
) -> Vec<Ranked> {
    let (mut ranked, mut judged, mut length) = (Vec::new(), 0, limit);
    while ranked.len() < limit {
        let Listing { titles, is_whole } = list(length);
        let more = titles.iter().skip(judged).filter(|scored| admitted(&scored.id));
        let more = more.map(|Scored { id, score }| Ranked::new(id.clone(), *score));
        ranked.extend(more.take(limit - ranked.len()));
        judged = titles.len();
        if is_whole {
            break;
        }
        length = length.saturating_mul(LONGER);
    }
    ranked
}

/// The `limit` best of `scored` that are `admitted`.
pub(super) fn best_of(
    scored: impl Iterator<Item = Scored>,
    limit: usize,
    admitted: impl Fn(&str) -> bool,
) -> Vec<Ranked> {
    let mut heap: BinaryHeap<Scored> = scored.filter(|scored| scored.score > 0.0).collect();
    let mut ranked = Vec::with_capacity(limit.min(heap.len()));
    while ranked.len() < limit
        && let Some(Scored { score, id }) = heap.pop()
    {
        if admitted(&id) {
            ranked.push(Ranked::new(id, score));
        }
    }
    ranked
}

/// How many candidates [`diverse`] wants for `limit` titles.
pub(super) fn candidates(limit: usize, diversity: f64) -> usize {
    if diversity > 0.0 { limit.saturating_mul(CANDIDATES_EACH) } else { limit }
}

/// Picks `limit` of `ranked` one after the other, each by its score and by how unlike those picked
/// before it is in its genres: maximal marginal relevance (Carbonell, Goldstein, SIGIR 1998).
pub(super) fn diverse(
    mut ranked: Vec<Ranked>,
    catalogue: &Catalogue,
    limit: usize,
    diversity: f64,
) -> Vec<Ranked> {
    if diversity <= 0.0 {
        return ranked;
    }
    let top = ranked.first().map_or(1.0, |first| first.score);
    let mut alike = vec![0.0_f64; ranked.len()];
    let mut picked: Vec<Ranked> = Vec::with_capacity(limit.min(ranked.len()));
    while picked.len() < limit && !ranked.is_empty() {
        let worth = |at: usize| (1.0 - diversity) * ranked[at].score / top - diversity * alike[at];
        let mut next = 0;
        for at in 1..ranked.len() {
            if worth(at) > worth(next) {
                next = at;
            }
        }
        let pick = ranked.remove(next);
        alike.remove(next);
        for (other, alike) in ranked.iter().zip(&mut alike) {
            *alike = alike.max(likeness(catalogue, &pick.title, &other.title));
        }
        picked.push(pick);
    }
    picked
}

/// How alike two titles are by their genres.
fn likeness(catalogue: &Catalogue, a: &str, b: &str) -> f64 {
    let (Some(a), Some(b)) = (catalogue.get(a), catalogue.get(b)) else { return 0.0 };
    common_genres(&a.genres, &b.genres)
}
