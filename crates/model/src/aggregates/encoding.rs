//! Stored form of the aggregates: canonical, so that equal sums give equal bytes whatever the order
//! in which titles and deltas arrived.

mod contests;
mod probes;
mod sums;
mod version_1;

use super::arms::{ArmsForm, KeptSums};
use super::pair::Pair;
use super::places::PlaceSum;
use super::transitions::BEGINNING;
use super::variants::VariantEpochs;
use super::{Aggregates, Numbering};
use crate::decay::DecayedSum;
use crate::delta::{Counts, PositionBand, ReturnCell};
use crate::identifier::Position;
use crate::settings::{AggregateSettings, differences};
use crate::symbols::{NONE, Symbol};
use crate::versioned::{self, DecodeError};
use contests::ContestsV6;
use probes::{ProbeV3, ProbeV4, ProbesV4};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use sums::{StoredCounters, StoredFollowers};
use version_1::{ContentsV1, CountersV1, FollowersV1, SnapshotV1};

/// Newest version of encoded aggregates.
pub const SNAPSHOT_VERSION: u8 = 6;

const WHAT: &str = "aggregates";

/// Version 2 of the sums. What is read has sums of its own; what is written has them where they are.
#[derive(Serialize, Deserialize)]
struct ContentsV2<C = CountersV2, F = FollowersV2, A = ArmsForm> {
    settings: AggregateSettings,
    newest_epoch: u32,
    /// Titles in ascending order; their numbers below are places in this list.
    titles: Vec<(Arc<str>, u64)>,
    /// Dimensions in ascending order of their names.
    dimensions: Vec<(Arc<str>, Vec<C>)>,
    /// By source: title, followers in ascending order.
    transitions: Vec<F>,
    /// Members who began.
    beginnings: u64,
    places: PlacesV2,
    /// Variants in ascending order of their names.
    variants: Vec<(Arc<str>, VariantEpochs)>,
    /// Absent in what was version 1.
    arms: Option<A>,
}

/// In place of a title: the beginning.
const BEGINNING_PLACE: u32 = u32::MAX;

/// Source, followers with their sums of what was played next and near.
type FollowersV2 = (u32, Vec<(u32, u32, u32)>);

#[derive(Deserialize)]
struct CountersV2 {
    title: u32,
    epochs: Vec<(u32, Counts)>,
    popularity: DecayedSum,
    trend: DecayedSum,
}

#[derive(Default, Serialize, Deserialize)]
struct PlacesV2 {
    /// Rows in ascending order; their numbers are places in this list, from 1 on.
    rows: Vec<Arc<str>>,
    /// By title in ascending order: row, band, period, impressions, attributed, in ascending order.
    titles: Vec<(u32, Vec<PlaceV2>)>,
}

type PlaceV2 = (u32, Option<PositionBand>, u32, u64, u64);

/// Version 2: no probes.
#[derive(Deserialize)]
struct SnapshotV2 {
    positions: Vec<Position>,
    contents: ContentsV2,
}

/// Version 3: nothing of returns.
#[derive(Deserialize)]
struct SnapshotV3 {
    positions: Vec<Position>,
    contents: ContentsV2,
    probes: Vec<Vec<ProbeV3>>,
}

/// Version 4: no impressions but those of the epochs kept.
#[derive(Deserialize)]
struct SnapshotV4 {
    positions: Vec<Position>,
    contents: ContentsV2,
    probes: ProbesV4,
    returns: Vec<ReturnCell>,
}

/// Version 5: no contests.
#[derive(Deserialize)]
struct SnapshotV5 {
    positions: Vec<Position>,
    contents: ContentsV2,
    probes: ProbesV4,
    returns: Vec<ReturnCell>,
    /// Impressions ever, by place of the title in its list.
    impressions: Vec<u32>,
}

#[derive(Deserialize)]
struct SnapshotV6 {
    positions: Vec<Position>,
    contents: ContentsV2,
    probes: ProbesV4,
    returns: Vec<ReturnCell>,
    /// Impressions ever, by place of the title in its list.
    impressions: Vec<u32>,
    contests: ContestsV6,
}

/// What refers to titles by their places in one list. Most of the sums are counters, followers and arms: they are written from
/// where they are, so that a snapshot takes no second copy of them.
struct Stored<'a> {
    contents: ContentsV2<StoredCounters<'a>, StoredFollowers<'a>, ArmsForm<KeptSums<'a>>>,
    probes: ProbesV4,
    /// Impressions ever, in the order of the titles.
    impressions: Vec<u32>,
    contests: ContestsV6,
}

impl SnapshotV6 {
    /// Of a form of any version; settings that it did not know are those of `settings`.
    fn read(version: u8, body: &[u8], settings: &AggregateSettings) -> Result<Self, DecodeError> {
        if version > 5 {
            return versioned::decode(WHAT, body);
        }
        let before = SnapshotV5::read(version, body, settings)?;
        let SnapshotV5 { positions, contents, probes, returns, impressions } = before;
        Ok(Self { positions, contents, probes, returns, impressions, contests: Vec::new() })
    }
}

impl SnapshotV5 {
    /// Of a form of version 5 or before.
    fn read(version: u8, body: &[u8], settings: &AggregateSettings) -> Result<Self, DecodeError> {
        let before = match version {
            1 => {
                let SnapshotV1 { positions, contents } = versioned::decode(WHAT, body)?;
                let contents = ContentsV2::from_v1(contents, settings);
                SnapshotV4 { positions, contents, probes: Vec::new(), returns: Vec::new() }
            }
            2 => {
                let SnapshotV2 { positions, contents } = versioned::decode(WHAT, body)?;
                SnapshotV4 { positions, contents, probes: Vec::new(), returns: Vec::new() }
            }
            3 => {
                let SnapshotV3 { positions, contents, probes } = versioned::decode(WHAT, body)?;
                let probes = probes.into_iter().map(|probes| probes.into_iter().map(ProbeV4::from).collect());
                SnapshotV4 { positions, contents, probes: probes.collect(), returns: Vec::new() }
            }
            4 => versioned::decode(WHAT, body)?,
            _ => return versioned::decode(WHAT, body),
        };
        let SnapshotV4 { positions, contents, probes, returns } = before;
        let impressions = contents.impressions_kept();
        Ok(Self { positions, contents, probes, returns, impressions })
    }
}

impl ContentsV2 {
    /// What version 1 held; settings it did not know are those of `settings`.
    fn from_v1(before: ContentsV1, settings: &AggregateSettings) -> Self {
        let counters = |before: CountersV1| CountersV2 {
            title: before.title,
            epochs: before.epochs.into_iter().map(|(epoch, counts)| (epoch, counts.into())).collect(),
            popularity: before.popularity,
            trend: before.trend,
        };
        Self {
            settings: before.settings.with(settings),
            newest_epoch: before.newest_epoch,
            titles: before.titles,
            dimensions: before
                .dimensions
                .into_iter()
                .map(|(name, titles)| (name, titles.into_iter().map(counters).collect()))
                .collect(),
            transitions: before.transitions.into_iter().map(followers_from_v1).collect(),
            beginnings: 0,
            places: PlacesV2::default(),
            variants: Vec::new(),
            arms: None,
        }
    }
}

impl ContentsV2 {
    /// Impressions of each title in the epochs kept: what there is of those that were ever.
    fn impressions_kept(&self) -> Vec<u32> {
        let mut impressions = vec![0_u32; self.titles.len()];
        let all = self.dimensions.iter().filter(|(name, _)| **name == *super::ALL);
        for counters in all.flat_map(|(_, counters)| counters) {
            if let Some(sum) = impressions.get_mut(counters.title as usize) {
                let kept = counters.epochs.iter().map(|(_, counts)| counts.impressions);
                *sum = kept.fold(*sum, u32::saturating_add);
            }
        }
        impressions
    }
}

/// Version 1 knew in 16-bit fixed point what was played next, and nothing of what was played near: that is
/// at least as much.
fn followers_from_v1((from, _total, followers): FollowersV1) -> FollowersV2 {
    let sums = |(to, weight): (u32, u64)| {
        let next = u32::try_from(weight >> 6).unwrap_or(u32::MAX);
        (to, next, next)
    };
    (from, followers.into_iter().map(sums).collect())
}

impl Aggregates {
    /// The sums alone, without the positions they reflect: equal for equal event histories.
    pub fn encode_contents(&self) -> Vec<u8> {
        let (places, order) = self.stored_order();
        let Stored { contents, probes, impressions, contests } = self.stored(&places, &order);
        let sums = (contents, probes, self.returns.cells(), impressions, contests);
        versioned::encode(SNAPSHOT_VERSION, &sums)
    }

    /// The sums with the positions they reflect.
    pub fn encode(&self) -> Vec<u8> {
        let (places, order) = self.stored_order();
        let Stored { contents, probes, impressions, contests } = self.stored(&places, &order);
        // The fields of [`SnapshotV6`].
        let snapshot = (self.positions(), contents, probes, self.returns.cells(), impressions, contests);
        versioned::encode(SNAPSHOT_VERSION, &snapshot)
    }

    /// Reads a stored form of any version.
    ///
    /// # Errors
    /// [`DecodeError`] for a version from the future, damaged bytes, another number of partitions or
    /// other settings.
    pub fn decode(bytes: &[u8], partitions: u16, settings: &AggregateSettings) -> Result<Self, DecodeError> {
        Self::decode_numbered(bytes, partitions, settings, None)
    }

    /// [`decode`](Self::decode) later sums of the log that sums with this `numbering` are of: what was worked out of those
    /// serves for these, unless a title has made room meanwhile.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    pub fn decode_as(
        bytes: &[u8],
        partitions: u16,
        settings: &AggregateSettings,
        numbering: Numbering,
    ) -> Result<Self, DecodeError> {
        Self::decode_numbered(bytes, partitions, settings, Some(numbering))
    }

    fn decode_numbered(
        bytes: &[u8],
        partitions: u16,
        settings: &AggregateSettings,
        numbering: Option<Numbering>,
    ) -> Result<Self, DecodeError> {
        let (version, body) = versioned::split(WHAT, SNAPSHOT_VERSION, bytes)?;
        let SnapshotV6 { positions, contents, probes, returns, impressions, contests } =
            SnapshotV6::read(version, body, settings)?;
        let damaged = |detail: String| DecodeError::Damaged { what: WHAT, detail };
        if positions.len() != usize::from(partitions) {
            return Err(damaged(format!("made for {} partitions, not {partitions}", positions.len())));
        }
        if contents.settings != *settings {
            let differ = differences("aggregates", &contents.settings, settings);
            return Err(damaged(format!(
                "made with other settings: {differ}; set them back, or fold the log anew with these \
                 (`nearline refold`, every node stopped)"
            )));
        }
        let mut aggregates = Self::new(partitions, settings.clone());
        aggregates.positions = positions;
        aggregates.decays.advance(contents.newest_epoch);
        if let Some(numbering) = numbering {
            numbering.give(&mut aggregates, &contents.titles, &contents.places.rows);
        }
        let unknown = |at: u32| damaged(format!("title {at} is not in its list"));
        let mut numbers = Vec::with_capacity(contents.titles.len());
        for (at, (title, plays)) in contents.titles.iter().enumerate() {
            let number = aggregates.titles.intern(title).map_err(|full| damaged(full.to_string()))?;
            aggregates.restore_counts(number, *plays, impressions.get(at).copied().unwrap_or_default());
            numbers.push(number);
        }
        let number = |at: u32| numbers.get(at as usize).copied().ok_or_else(|| unknown(at));
        for (name, counters) in contents.dimensions {
            let [dimension] = aggregates.dimensions_of(&[&name]);
            let dimension = dimension.ok_or_else(|| damaged("too many dimensions".into()))?;
            let table = &mut aggregates.counters[dimension.index()];
            for CountersV2 { title, epochs, popularity, trend } in counters {
                let title_counters = super::counters::TitleCounters { epochs, popularity, trend };
                table.titles.insert(number(title)?, title_counters);
            }
            table.rescale(&aggregates.decays);
        }
        aggregates.beginnings = contents.beginnings;
        for (from, followers) in contents.transitions {
            let from = if from == BEGINNING_PLACE { BEGINNING } else { number(from)? };
            for (to, next, near) in followers {
                aggregates.transitions.add_pair(from, number(to)?, Pair::from_parts(next, near));
            }
        }
        aggregates.places.advance(contents.newest_epoch);
        aggregates.restore_places(contents.places, number)?;
        aggregates.arms.advance(contents.newest_epoch);
        if let Some(arms) = contents.arms {
            aggregates.arms.restore(arms, &numbers)?;
        }
        for (name, epochs) in contents.variants {
            for (epoch, counts) in epochs {
                aggregates.variants.add(&name, epoch, counts, &aggregates.decays);
            }
        }
        aggregates.restore_probes(probes, number)?;
        aggregates.restore_contests(contests, number)?;
        returns.iter().for_each(|cell| aggregates.returns.add(cell));
        Ok(aggregates)
    }

    fn restore_counts(&mut self, title: Symbol, plays: u64, impressions: u32) {
        if self.plays.len() <= title.index() {
            self.plays.resize(title.index() + 1, 0);
        }
        self.plays[title.index()] = plays;
        self.add_impressions(title, impressions);
    }

    fn restore_places(
        &mut self,
        places: PlacesV2,
        number: impl Fn(u32) -> Result<Symbol, DecodeError>,
    ) -> Result<(), DecodeError> {
        let damaged = |detail: String| DecodeError::Damaged { what: WHAT, detail };
        let mut rows = vec![NONE];
        for name in &places.rows {
            rows.push(self.places.row(name).ok_or_else(|| damaged("too many rows".into()))?);
        }
        for (title, sums) in places.titles {
            let title = number(title)?;
            for (row, band, period, impressions, attributed) in sums {
                let unlisted = || damaged(format!("row {row} is not in its list"));
                let row = *rows.get(row as usize).ok_or_else(unlisted)?;
                self.places.add_sum(title, PlaceSum { row, band, period, impressions, attributed });
            }
        }
        Ok(())
    }

    /// The place of each title, by its number, in the list of those that are stored, and the list.
    fn stored_order(&self) -> (Vec<u32>, Vec<Symbol>) {
        // Without those that made room for others.
        let known = |title: &Symbol| !self.titles.text(*title).is_empty();
        let mut order: Vec<Symbol> = self.titles.after(NONE).filter(known).collect();
        order.sort_unstable_by(|a, b| self.titles.text(*a).cmp(self.titles.text(*b)));
        let mut places = vec![BEGINNING_PLACE; self.titles.len()];
        for (place, title) in order.iter().enumerate() {
            places[title.index()] = place as u32;
        }
        (places, order)
    }

    fn stored<'a>(&'a self, places: &'a [u32], order: &[Symbol]) -> Stored<'a> {
        let mut dimensions: Vec<(Arc<str>, Vec<StoredCounters<'a>>)> = self
            .counters
            .iter()
            .enumerate()
            .map(|(dimension, table)| {
                let stored = table.titles.iter().map(|(title, counters)| StoredCounters {
                    title: places[title.index()],
                    counters,
                    decays: &self.decays,
                });
                let mut stored: Vec<StoredCounters<'a>> =
                    stored.filter(|stored| !stored.counters.is_expired(stored.decays)).collect();
                stored.sort_unstable_by_key(|stored| stored.title);
                (self.dimensions.text(Symbol::at(dimension)).clone(), stored)
            })
            .filter(|(_, stored)| !stored.is_empty())
            .collect();
        dimensions.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let stored_title = |title: &Symbol| (self.titles.text(*title).clone(), self.plays(*title));
        let contents = ContentsV2 {
            settings: self.settings.clone(),
            newest_epoch: self.decays.newest_epoch,
            titles: order.iter().map(stored_title).collect(),
            dimensions,
            beginnings: self.beginnings,
            transitions: self.stored_transitions(places),
            places: self.stored_places(places),
            arms: Some(self.arms.form(places)),
            variants: self
                .variants
                .kept(&self.decays)
                .map(|(name, epochs)| (name.clone(), epochs.to_vec()))
                .collect(),
        };
        Stored {
            contents,
            probes: self.stored_probes(places),
            impressions: order.iter().map(|title| self.impressions(*title)).collect(),
            contests: self.stored_contests(places),
        }
    }

    /// What follows each title; `places` are the titles' places in their list.
    fn stored_transitions<'a>(&'a self, places: &'a [u32]) -> Vec<StoredFollowers<'a>> {
        let all = self.transitions.from.iter().zip(places);
        let stored = all.filter(|(followers, _)| !followers.pairs.is_empty());
        let mut transitions: Vec<StoredFollowers<'a>> =
            stored.map(|(followers, from)| StoredFollowers { from: *from, followers, places }).collect();
        transitions.sort_unstable_by_key(|stored| stored.from);
        transitions
    }

    /// Counts by place; `places` are the titles' places in their list.
    fn stored_places(&self, places: &[u32]) -> PlacesV2 {
        let rows = &self.places.rows;
        let known = |row: &Symbol| !rows.text(*row).is_empty();
        let mut order: Vec<Symbol> = rows.after(NONE).filter(known).collect();
        order.sort_unstable_by(|a, b| rows.text(*a).cmp(rows.text(*b)));
        let mut numbers = vec![0_u32; rows.len()];
        for (place, row) in order.iter().enumerate() {
            numbers[row.index()] = place as u32 + 1;
        }
        let mut titles: Vec<(u32, Vec<PlaceV2>)> = self
            .places
            .titles
            .iter()
            .map(|(title, sums)| {
                let stored = |sum: &PlaceSum| {
                    (numbers[sum.row.index()], sum.band, sum.period, sum.impressions, sum.attributed)
                };
                let mut sums: Vec<PlaceV2> = sums.iter().map(stored).collect();
                sums.sort_unstable();
                (places[title.index()], sums)
            })
            .collect();
        titles.sort_unstable_by_key(|(title, _)| *title);
        PlacesV2 { rows: order.iter().map(|row| rows.text(*row).clone()).collect(), titles }
    }
}
