//! Counters and followers of titles in their stored form, written from where they are.

use crate::aggregates::counters::{Decays, TitleCounters};
use crate::aggregates::pair::Pair;
use crate::aggregates::transitions::Followers;
use crate::symbols::Symbol;
use serde::{Serialize, Serializer};

/// Counters of a title, without what is too old: the form of [`CountersV2`](super::CountersV2).
pub(super) struct StoredCounters<'a> {
    /// Place of the title in the stored list.
    pub title: u32,
    pub counters: &'a TitleCounters,
    pub decays: &'a Decays,
}

impl Serialize for StoredCounters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [popularity, trend] = self.counters.kept_sums(self.decays);
        (self.title, self.counters.kept_epochs(self.decays), popularity, trend).serialize(serializer)
    }
}

/// What follows a title: the form of [`FollowersV2`](super::FollowersV2).
pub(super) struct StoredFollowers<'a> {
    /// Place of the title in the stored list.
    pub from: u32,
    pub followers: &'a Followers,
    /// Places of titles in the stored list, by their number.
    pub places: &'a [u32],
}

impl Serialize for StoredFollowers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = |(to, pair): (Symbol, Pair)| {
            let (next, near) = pair.parts();
            (self.places[to.index()], next, near)
        };
        let mut followers: Vec<(u32, u32, u32)> = self.followers.iter().map(stored).collect();
        followers.sort_unstable();
        (self.from, followers).serialize(serializer)
    }
}
