//! Title-to-title sums: what was played after what, and how closely.
//!
//! A play adds to the pair of each title of the history before it, by steps back: to `next` a weight of
//! 0.85 per step, which fades within a session; to `near` one of 0.97, which spans the longer history
//! (what is watched by the same people). Weights are 10-bit fixed point, and sums stop at the most they
//! can hold, so they do not depend on their order.
//!
//! Pairs are bounded. Beyond the limit each title keeps its strongest followers, all titles the same
//! number at most; what was dropped starts anew. Below the limit sums are exact and the same whatever
//! the order of arrival; at the limit they depend on when it was reached.

use super::beginnings::Beginnings;
use super::gone::Gone;
use super::pair::{Pair, UNIT};
use crate::symbols::{NONE, Symbol, Symbols};
use get_size2::GetSize;
use hashbrown::HashMap;
use std::sync::LazyLock;

/// What stands before a member's first title, as if it were one: what is played after it is what new
/// members begin with.
pub const BEGINNING: Symbol = NONE;

/// Weight of one step back, of what is played next.
pub const NEXT_STEP: f64 = 0.85;
/// Weight of one step back, of what is played near.
pub const NEAR_STEP: f64 = 0.97;
/// Steps back that count at most.
pub const MOST_STEPS: usize = 128;

/// Share of the limit that is kept when it is exceeded.
const KEPT: f64 = 0.8;

fn weights(step: f64) -> Vec<u32> {
    (0..MOST_STEPS as i32).map(|steps| (UNIT * step.powi(steps)).round() as u32).collect()
}

static NEXT: LazyLock<Vec<u32>> = LazyLock::new(|| weights(NEXT_STEP));
static NEAR: LazyLock<Vec<u32>> = LazyLock::new(|| weights(NEAR_STEP));

/// What follows one title.
#[derive(Debug, Clone, Default, PartialEq, GetSize)]
pub struct Followers {
    pub(crate) pairs: HashMap<Symbol, Pair>,
}

impl Followers {
    /// The titles that followed, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, Pair)> {
        self.pairs.iter().map(|(title, pair)| (*title, *pair))
    }

    /// The sums of one title that followed.
    pub fn get(&self, title: Symbol) -> Pair {
        self.pairs.get(&title).copied().unwrap_or_default()
    }

    /// Keeps the `most` strongest; equal ones by title id.
    fn keep_strongest(&mut self, most: usize, titles: &Symbols) {
        if self.pairs.len() <= most {
            return;
        }
        let Some(last) = most.checked_sub(1) else {
            self.pairs.clear();
            return;
        };
        let stronger_first = |a: &(Symbol, Pair), b: &(Symbol, Pair)| {
            (b.1.next, b.1.near)
                .cmp(&(a.1.next, a.1.near))
                .then_with(|| titles.text(a.0).cmp(titles.text(b.0)))
        };
        let mut pairs: Vec<(Symbol, Pair)> = self.iter().collect();
        let weakest = *pairs.select_nth_unstable_by(last, stronger_first).1;
        self.pairs.retain(|title, pair| stronger_first(&(*title, *pair), &weakest).is_le());
        // Room to grow again, and no more.
        self.pairs.shrink_to(most.saturating_mul(2));
    }
}

/// Followers of every title.
#[derive(Debug, GetSize)]
pub struct Transitions {
    pub(crate) from: Vec<Followers>,
    /// What follows the beginning, once more, by title number.
    beginnings: Beginnings,
    pairs: usize,
    limit: usize,
}

impl Transitions {
    pub(crate) fn new(limit: usize) -> Self {
        Self { from: Vec::new(), beginnings: Beginnings::default(), pairs: 0, limit }
    }

    /// Adds a play of `to` after `sources`, most recent first.
    pub(crate) fn add(&mut self, to: Symbol, sources: impl Iterator<Item = Option<Symbol>>) {
        for ((source, next), near) in sources.zip(NEXT.iter()).zip(NEAR.iter()) {
            if let Some(from) = source {
                self.add_pair(from, to, Pair { next: *next, near: *near });
            }
        }
    }

    pub(crate) fn add_pair(&mut self, from: Symbol, to: Symbol, sums: Pair) {
        let at = from.index();
        if self.from.len() <= at {
            self.from.resize_with(at + 1, Followers::default);
        }
        let pairs = &mut self.from[at].pairs;
        let before = pairs.len();
        let pair = pairs.entry(to).or_default();
        pair.add(sums);
        if from == BEGINNING {
            self.beginnings.raise(to, *pair);
        }
        self.pairs += pairs.len() - before;
    }

    /// Beyond the limit, keeps the strongest followers of each title.
    pub(crate) fn bound(&mut self, titles: &Symbols) {
        if self.pairs <= self.limit {
            return;
        }
        metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => "transitions").increment(1);
        let room = (self.limit as f64 * KEPT) as usize;
        let most = most_each(self.from.iter().map(|followers| followers.pairs.len()).collect(), room);
        for followers in &mut self.from {
            followers.keep_strongest(most, titles);
        }
        self.recount();
    }

    /// Forgets the titles that are `gone`.
    pub(super) fn forget(&mut self, gone: &Gone) {
        for (from, followers) in (0..).map(Symbol).zip(&mut self.from) {
            if gone.has(from) {
                followers.pairs = HashMap::new();
            } else {
                followers.pairs.retain(|to, _| !gone.has(*to));
            }
        }
        self.recount();
    }

    fn recount(&mut self) {
        self.pairs = self.from.iter().map(|followers| followers.pairs.len()).sum();
        self.beginnings = Beginnings::default();
        for (to, pair) in self.from.first().into_iter().flat_map(|followers| &followers.pairs) {
            self.beginnings.raise(*to, *pair);
        }
    }

    /// What follows `title`.
    pub fn after(&self, title: Symbol) -> Option<&Followers> {
        self.from.get(title.index()).filter(|followers| !followers.pairs.is_empty())
    }

    /// What follows the beginning, by title number.
    pub fn beginnings(&self) -> &Beginnings {
        &self.beginnings
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }
}

/// How many each may keep at most so that all together keep no more than `room`.
fn most_each(mut lengths: Vec<usize>, room: usize) -> usize {
    lengths.sort_unstable();
    let mut left = room;
    for (at, length) in lengths.iter().enumerate() {
        let share = left / (lengths.len() - at);
        if *length > share {
            return share;
        }
        left -= length;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(count: u32) -> Symbols {
        let mut titles = Symbols::new(1_000);
        for number in 0..count {
            titles.intern(&format!("t{number:03}")).expect("there is room");
        }
        titles
    }

    #[test]
    fn nearer_steps_weigh_more() {
        let mut transitions = Transitions::new(10);
        transitions.add(Symbol(3), [Some(Symbol(2)), None, Some(Symbol(1))].into_iter());
        let pair = |from| transitions.after(from).expect("followed").get(Symbol(3));
        assert_eq!((pair(Symbol(2)).next(), pair(Symbol(2)).near()), (1.0, 1.0));
        assert!(
            (pair(Symbol(1)).next() - 0.7225).abs() < 1e-3 && (pair(Symbol(1)).near() - 0.9409).abs() < 1e-3
        );
    }

    #[test]
    fn beyond_the_limit_each_title_keeps_its_strongest_followers() {
        let titles = titles(60);
        let mut transitions = Transitions::new(50);
        for to in 2..=50 {
            for _ in 0..to {
                transitions.add(Symbol(to), [Some(Symbol(1))].into_iter());
            }
        }
        transitions.add(Symbol(7), [Some(Symbol(2))].into_iter());
        transitions.add(Symbol(8), [Some(Symbol(2))].into_iter());
        assert_eq!(transitions.len(), 51);
        transitions.bound(&titles);
        assert_eq!(transitions.len(), 40);
        let mut kept: Vec<Symbol> =
            transitions.after(Symbol(1)).expect("followed").iter().map(|(to, _)| to).collect();
        kept.sort_unstable();
        assert_eq!(kept, (13..=50).map(Symbol).collect::<Vec<_>>());
        assert_eq!(transitions.after(Symbol(2)).expect("short lists are kept whole").iter().count(), 2);
    }

    #[test]
    fn of_equal_followers_the_first_by_id_stay() {
        let titles = titles(20);
        let mut followers = Followers::default();
        for to in (1..20).map(Symbol) {
            let next = if to.0 == 11 { 2 } else { 1 };
            followers.pairs.insert(to, Pair { next, near: 1 });
        }
        followers.keep_strongest(4, &titles);
        let mut kept: Vec<u32> = followers.iter().map(|(to, _)| to.0).collect();
        kept.sort_unstable();
        assert_eq!(kept, [1, 2, 3, 11]);
        followers.keep_strongest(0, &titles);
        assert_eq!(followers.iter().count(), 0);
    }

    #[test]
    fn room_is_shared_evenly() {
        assert_eq!(most_each(vec![1, 2, 3], 6), usize::MAX);
        assert_eq!(most_each(vec![10, 1, 10], 11), 5);
        assert_eq!(most_each(vec![], 11), usize::MAX);
    }
}
