//! Artwork arms: how often each artwork of a title was shown and taken, by affinity segment.
//!
//! An *arm* is a (title, artwork, segment). It holds two decayed sums in exact integers
//! ([`crate::decay`]), so arms can be added in any order: impressions that showed the artwork, and
//! plays attributed to those impressions. Both count at the impression's time, so that takes never
//! outnumber impressions. The segment is the one the artwork was chosen for, as the publisher echoed
//! it; impressions that name none are counted in the segment `""`.

use super::gone::Gone;
use crate::decay::{DecayWeights, DecayedSum, KEPT_HALF_LIVES};
use crate::delta::{ArmCell, ArmCounts, Delta};
use crate::symbols::{Symbol, Symbols};
use crate::versioned::DecodeError;
use get_size2::GetSize;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Impressions and takes, faded to the newest epoch: at most as many as there really were.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// Impressions.
    pub shown: f64,
    /// Plays attributed to them.
    pub taken: f64,
}

/// What is known of one artwork of a title.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ArtworkTally {
    /// In the segment asked for.
    pub segment: Tally,
    /// In all other segments together.
    pub others: Tally,
}

/// Sums of one arm.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, GetSize)]
pub(super) struct ArmSums {
    shown: DecayedSum,
    taken: DecayedSum,
}

impl ArmSums {
    fn add(&mut self, weights: &DecayWeights, epoch: u32, counts: ArmCounts, newest: u32) {
        for (sum, count) in [(&mut self.shown, counts.impressions), (&mut self.taken, counts.takes)] {
            if count > 0 {
                sum.add(weights, epoch, u64::from(count), newest);
            }
        }
    }

    fn expire(&mut self, oldest: u32) {
        self.shown.expire(oldest);
        self.taken.expire(oldest);
    }

    fn is_empty(&self) -> bool {
        self.shown.is_empty() && self.taken.is_empty()
    }

    /// Without what is before `oldest`, as [`DecayedSum`]s are stored.
    fn kept(&self, oldest: u32) -> KeptSums<'_> {
        [self.shown.kept(oldest), self.taken.kept(oldest)]
    }
}

/// The stored form of [`ArmSums`], written from where they are.
pub(super) type KeptSums<'a> = [&'a [(u32, u64)]; 2];

#[derive(Debug, Clone, GetSize)]
struct Arm {
    artwork: Symbol,
    segment: Symbol,
    sums: ArmSums,
}

/// Part of all arms that makes room when there is none.
const ROOM_SHARE: usize = 8;

/// Arms of all titles.
#[derive(Debug, GetSize)]
pub struct Arms {
    /// Ids of artworks and segments.
    names: Symbols,
    /// By title; those of one title ordered by artwork and segment.
    titles: HashMap<Symbol, Vec<Arm>>,
    all: ArmSums,
    weights: DecayWeights,
    newest_epoch: u32,
    count: usize,
    limit: usize,
}

impl Arms {
    pub(crate) fn new(limit: usize, half_life_epochs: u32) -> Self {
        Self {
            names: Symbols::new(usize::MAX - 1),
            titles: HashMap::new(),
            all: ArmSums::default(),
            weights: DecayWeights::new(half_life_epochs),
            newest_epoch: 0,
            count: 0,
            limit,
        }
    }

    /// Arms counted.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Moves on to `epoch`; what faded away is dropped once in a half-life.
    pub(crate) fn advance(&mut self, epoch: u32) {
        if epoch <= self.newest_epoch {
            return;
        }
        let before = self.oldest();
        self.newest_epoch = epoch;
        let oldest = self.oldest();
        if oldest == before {
            return;
        }
        self.all.expire(oldest);
        let mut left = 0;
        self.titles.retain(|_, arms| {
            arms.iter_mut().for_each(|arm| arm.sums.expire(oldest));
            arms.retain(|arm| !arm.sums.is_empty());
            left += arms.len();
            !arms.is_empty()
        });
        self.count = left;
    }

    /// The oldest half-life kept.
    fn oldest(&self) -> u32 {
        self.weights.place(self.newest_epoch).0.saturating_sub(KEPT_HALF_LIVES)
    }

    /// Adds one arm of a delta, of `title`.
    pub(crate) fn add(&mut self, title: Symbol, cell: &ArmCell, delta: &Delta) {
        self.all.add(&self.weights, cell.epoch, cell.counts, self.newest_epoch);
        if self.count >= self.limit {
            self.make_room();
        }
        let mut name = |local: u32| self.names.intern(delta.strings.get(local as usize)?).ok();
        let (Some(artwork), Some(segment)) = (name(cell.artwork), name(cell.segment)) else {
            full();
            return;
        };
        let has_room = self.count < self.limit;
        let arms = self.titles.entry(title).or_default();
        let Some((sums, is_new)) = arm_of(arms, artwork, segment, has_room) else {
            full();
            return;
        };
        sums.add(&self.weights, cell.epoch, cell.counts, self.newest_epoch);
        self.count += usize::from(is_new);
    }

    /// The arms of which least is known make room, and names that none has any more.
    fn make_room(&mut self) {
        let sum = |arm: &Arm| self.tally(&arm.sums).shown + self.tally(&arm.sums).taken;
        let known = |(title, arms): (&Symbol, &Vec<Arm>)| {
            arms.iter().map(|arm| (sum(arm), *title, arm.artwork, arm.segment)).collect::<Vec<_>>()
        };
        let mut all: Vec<(f64, Symbol, Symbol, Symbol)> = self.titles.iter().flat_map(known).collect();
        let least = (self.limit / ROOM_SHARE).clamp(1, all.len().max(1));
        let order = |a: &(f64, Symbol, Symbol, Symbol), b: &(f64, Symbol, Symbol, Symbol)| {
            a.0.total_cmp(&b.0).then((a.1, a.2, a.3).cmp(&(b.1, b.2, b.3)))
        };
        if all.is_empty() {
            return;
        }
        all.select_nth_unstable_by(least - 1, order);
        metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => "arms").increment(least as u64);
        for (_, title, artwork, segment) in &all[..least] {
            if let Some(arms) = self.titles.get_mut(title) {
                arms.retain(|arm| (arm.artwork, arm.segment) != (*artwork, *segment));
            }
        }
        self.titles.retain(|_, arms| !arms.is_empty());
        self.recount();
        let mut is_named = vec![false; self.names.len()];
        for arm in self.titles.values().flatten() {
            (is_named[arm.artwork.index()], is_named[arm.segment.index()]) = (true, true);
        }
        for (name, is_named) in (0..).map(Symbol).zip(is_named) {
            if !is_named {
                self.names.release(name);
            }
        }
    }

    /// Forgets the titles that are `gone`.
    pub(super) fn forget(&mut self, gone: &Gone) {
        self.titles.retain(|title, _| !gone.has(*title));
        self.recount();
    }

    fn recount(&mut self) {
        self.count = self.titles.values().map(Vec::len).sum();
    }

    /// What is known of each of a title's `artworks` in `segment` and elsewhere.
    pub fn tallies<'a>(
        &self,
        title: Symbol,
        artworks: impl Iterator<Item = &'a str>,
        segment: &str,
    ) -> Vec<ArtworkTally> {
        let arms = self.titles.get(&title).map(Vec::as_slice).unwrap_or_default();
        let segment = self.names.get(segment);
        // Added up as integers, so that the tally does not depend on the order of the segments.
        let tally = |artwork: &str| {
            let (mut own, mut others) = (ArmSums::default(), ArmSums::default());
            if let Some(artwork) = self.names.get(artwork) {
                let first = arms.partition_point(|arm| arm.artwork < artwork);
                for arm in arms[first..].iter().take_while(|arm| arm.artwork == artwork) {
                    let sums = if Some(arm.segment) == segment { &mut own } else { &mut others };
                    sums.shown.merge(&arm.sums.shown);
                    sums.taken.merge(&arm.sums.taken);
                }
            }
            ArtworkTally { segment: self.tally(&own), others: self.tally(&others) }
        };
        artworks.map(tally).collect()
    }

    /// All arms together.
    pub fn overall(&self) -> Tally {
        self.tally(&self.all)
    }

    /// The arms of a title: artwork, segment and what is known of them, in no particular order.
    pub fn of_title(&self, title: Symbol) -> impl Iterator<Item = (&str, &str, Tally)> {
        self.titles.get(&title).into_iter().flatten().map(|arm| {
            (&**self.names.text(arm.artwork), &**self.names.text(arm.segment), self.tally(&arm.sums))
        })
    }

    fn tally(&self, sums: &ArmSums) -> Tally {
        let (landmark, weight) = self.weights.place(self.newest_epoch);
        let one = weight as f64 / self.weights.place(0).1 as f64;
        Tally { shown: sums.shown.value(landmark) / one, taken: sums.taken.value(landmark) / one }
    }
}

/// The sums of an arm, made if there is room, and whether they were made now.
fn arm_of(
    arms: &mut Vec<Arm>,
    artwork: Symbol,
    segment: Symbol,
    has_room: bool,
) -> Option<(&mut ArmSums, bool)> {
    match arms.binary_search_by_key(&(artwork, segment), |arm| (arm.artwork, arm.segment)) {
        Ok(at) => Some((&mut arms[at].sums, false)),
        Err(at) if has_room => {
            arms.insert(at, Arm { artwork, segment, sums: ArmSums::default() });
            Some((&mut arms[at].sums, true))
        }
        Err(_) => None,
    }
}

fn full() {
    metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => "arms").increment(1);
}

/// Stored form: names and arms in ascending order of their ids, so that equal sums give equal bytes. What is read has sums of
/// its own; what is written has them where they are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ArmsForm<S = ArmSums> {
    names: Vec<Arc<str>>,
    all: S,
    /// Place of the title, of artwork and segment in `names`, and the sums.
    arms: Vec<(u32, u32, u32, S)>,
}

impl Arms {
    /// The stored form; `places` are the places of title numbers in the stored list of titles.
    pub(super) fn form(&self, places: &[u32]) -> ArmsForm<KeptSums<'_>> {
        let oldest = self.oldest();
        let mut kept: Vec<(u32, &Arc<str>, &Arc<str>, KeptSums<'_>)> = Vec::with_capacity(self.count);
        for (title, arms) in &self.titles {
            for arm in arms {
                let sums = arm.sums.kept(oldest);
                if sums.iter().any(|sum| !sum.is_empty()) {
                    let (artwork, segment) = (self.names.text(arm.artwork), self.names.text(arm.segment));
                    kept.push((places[title.index()], artwork, segment, sums));
                }
            }
        }
        kept.sort_unstable_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        let mut names: Vec<Arc<str>> = kept
            .iter()
            .flat_map(|(_, artwork, segment, _)| [(*artwork).clone(), (*segment).clone()])
            .collect();
        names.sort_unstable();
        names.dedup();
        let place = |name: &Arc<str>| names.partition_point(|known| known < name) as u32;
        let arms = kept
            .into_iter()
            .map(|(title, artwork, segment, sums)| (title, place(artwork), place(segment), sums))
            .collect();
        ArmsForm { all: self.all.kept(oldest), arms, names }
    }

    /// Takes in a stored form; `numbers` are the numbers of titles by their place in the stored list.
    pub(super) fn restore(&mut self, form: ArmsForm, numbers: &[Symbol]) -> Result<(), DecodeError> {
        let damaged = |detail: String| DecodeError::Damaged { what: "aggregates", detail };
        self.all = form.all;
        let mut names = Vec::with_capacity(form.names.len());
        for name in &form.names {
            names.push(self.names.intern(name).map_err(|full| damaged(full.to_string()))?);
        }
        for (title, artwork, segment, sums) in form.arms {
            let unknown = || damaged(format!("an arm of title {title} names what is not in its list"));
            let title = *numbers.get(title as usize).ok_or_else(unknown)?;
            let artwork = *names.get(artwork as usize).ok_or_else(unknown)?;
            let segment = *names.get(segment as usize).ok_or_else(unknown)?;
            let has_room = self.count < self.limit;
            let arms = self.titles.entry(title).or_default();
            let (place, is_new) = arm_of(arms, artwork, segment, has_room)
                .ok_or_else(|| damaged("more arms than the settings allow".into()))?;
            *place = sums;
            self.count += usize::from(is_new);
        }
        Ok(())
    }
}
