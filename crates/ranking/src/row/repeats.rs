//! Titles played before, as they score for one query where members come back to titles.
//!
//! How often members come back to a title so many steps back, played so many times, is
//! [counted](nearline_model::aggregates::returns); what stands close to the best of the others is come back to more or less,
//! as was [learned](crate::tuning). That gives each title played before a chance to be the next. So have the places of the
//! others a chance, learned from where what was played stood. A title played before is placed where its own is
//! the higher.

use super::scorer::Scorer;
use crate::query::Query;
use crate::settings::Repeats;
use crate::tuning::{REFERENCE_RANK, Returning, group_of};
use hashbrown::HashSet;
use nearline_model::aggregates::Aggregates;
use nearline_model::delta::ReturnBand;
use nearline_model::member::MemberSnapshot;
use nearline_model::symbols::Symbol;

/// How likely what is played next was played before, at most.
const MOST_TOGETHER: f64 = 0.95;

/// A title played before.
struct Known {
    title: Symbol,
    score: f64,
    chance: f64,
}

/// Titles played before, as they score for one query.
pub(super) struct RepeatScorer<'a> {
    returning: &'a Returning,
    group: usize,
    known: Vec<Known>,
}

impl<'a> RepeatScorer<'a> {
    /// For `member`; `None` where nobody comes back to anything, where nothing is learned yet, and where it is not wanted.
    pub fn new(
        aggregates: &Aggregates,
        member: Option<&MemberSnapshot>,
        query: &Query<'a>,
        scorer: &Scorer<'_>,
    ) -> Option<Self> {
        let returning = query.learned_of(aggregates)?.tuning.returning.as_ref()?;
        let member = member?;
        if query.settings().repeats != Repeats::Learned || !aggregates.returns().are_any() {
            return None;
        }
        let unwanted: HashSet<&str> = member.disliked().map(|title| &**title).collect();
        let mut known = Vec::new();
        let mut put = |id: &str, chance: f64| {
            if chance > 0.0
                && !unwanted.contains(id)
                && let Some(title) = aggregates.title(id)
            {
                known.push(Known { title, score: scorer.score(title), chance });
            }
        };
        // What is begun stands where members go on with it.
        let done = member.history.iter().rev().filter(|watched| !watched.is_begun());
        for (back, watched) in done.enumerate() {
            let band = ReturnBand::of(back, watched.plays);
            put(&watched.title, aggregates.returns().chance(band));
        }
        let chance = aggregates.returns().chance(ReturnBand::SEEN);
        member.seen.iter().for_each(|id| put(id, chance));
        let group = group_of(member.history.len() + member.seen.len());
        (!known.is_empty()).then_some(Self { returning, group, known })
    }

    /// How many of the others must be found at least.
    pub fn least_found(&self) -> usize {
        REFERENCE_RANK
    }

    /// The scores of those that stand among `found` (the others, best first; all of them, if it is whole), in the order
    /// of their numbers.
    pub fn among(&self, found: &[(f64, Symbol)], is_whole: bool) -> Vec<(f64, Symbol)> {
        let reference = found.get(REFERENCE_RANK - 1).or(found.last()).map_or(0.0, |(score, _)| *score);
        let chance = |known: &Known| known.chance * self.returning.closeness(known.score, reference);
        let together: f64 = self.known.iter().map(chance).sum::<f64>().min(MOST_TOGETHER);
        let place = |rank: usize| (1.0 - together) * self.returning.place(self.group, rank);
        // Most stand beyond what was found: they are not looked for.
        let beyond = if is_whole || found.is_empty() { f64::NEG_INFINITY } else { place(found.len()) };
        let score = |chance: f64| {
            if chance <= beyond {
                return None;
            }
            // Others that are at least as likely.
            let before = partition_point(found.len(), |at| place(at + 1) >= chance);
            let score_of = |rank: usize| found[rank - 1].0;
            match before {
                0 if found.is_empty() => Some(chance),
                0 => Some(score_of(1) * chance / place(1)),
                last if last == found.len() => is_whole.then(|| score_of(last) * chance / place(last)),
                before => {
                    let (high, low) = (place(before), place(before + 1));
                    let share = if high > low { (chance - low) / (high - low) } else { 0.5 };
                    Some(score_of(before + 1) + share * (score_of(before) - score_of(before + 1)))
                }
            }
        };
        let mut among: Vec<(f64, Symbol)> =
            self.known.iter().filter_map(|known| Some((score(chance(known))?, known.title))).collect();
        among.sort_unstable_by_key(|(_, title)| *title);
        among.dedup_by_key(|(_, title)| *title);
        among
    }
}

/// The first of `0..end` that is not so, where all before it are.
fn partition_point(end: usize, is_so: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low.midpoint(high);
        if is_so(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
