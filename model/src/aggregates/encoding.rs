//! Stored form of the aggregates: canonical, so that equal sums give equal bytes whatever the order
//! in which titles and deltas arrived.

use super::Aggregates;
use super::arms::ArmsForm;
use crate::decay::DecayedSum;
use crate::delta::Counts;
use crate::identifier::Position;
use crate::settings::AggregateSettings;
use crate::symbols::Symbol;
use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Newest version of encoded aggregates.
pub const SNAPSHOT_VERSION: u8 = 2;

const WHAT: &str = "aggregates";

/// The settings that version 1 knew.
#[derive(Serialize, Deserialize)]
struct SettingsV1 {
    epochs: u32,
    popularity_half_life_epochs: u32,
    trend_half_life_epochs: u32,
    titles: usize,
    dimensions: usize,
    transitions: usize,
}

impl SettingsV1 {
    /// Version 1 had nothing that today's other settings would shape.
    fn with(self, today: &AggregateSettings) -> AggregateSettings {
        AggregateSettings {
            epochs: self.epochs,
            popularity_half_life_epochs: self.popularity_half_life_epochs,
            trend_half_life_epochs: self.trend_half_life_epochs,
            titles: self.titles,
            dimensions: self.dimensions,
            transitions: self.transitions,
            ..today.clone()
        }
    }
}

/// Version 1, with the settings of any version.
#[derive(Serialize, Deserialize)]
struct ContentsV1<Settings> {
    settings: Settings,
    newest_epoch: u32,
    /// Titles in ascending order; their numbers below are places in this list.
    titles: Vec<(Arc<str>, u64)>,
    /// Dimensions in ascending order of their names.
    dimensions: Vec<(Arc<str>, Vec<CountersV1>)>,
    /// By source: title, total, followers in ascending order.
    transitions: Vec<FollowersV1>,
}

/// Source, total, followers with their weights.
type FollowersV1 = (u32, u64, Vec<(u32, u64)>);

#[derive(Serialize, Deserialize)]
struct CountersV1 {
    title: u32,
    epochs: Vec<(u32, Counts)>,
    popularity: DecayedSum,
    trend: DecayedSum,
}

#[derive(Serialize, Deserialize)]
struct SnapshotV1 {
    positions: Vec<Position>,
    contents: ContentsV1<SettingsV1>,
}

/// Version 2: version 1 with today's settings, then what came since.
#[derive(Serialize, Deserialize)]
struct ContentsV2 {
    v1: ContentsV1<AggregateSettings>,
    arms: Option<ArmsForm>,
}

#[derive(Serialize, Deserialize)]
struct SnapshotV2 {
    positions: Vec<Position>,
    contents: ContentsV2,
}

impl SnapshotV1 {
    fn upgrade(self, today: &AggregateSettings) -> SnapshotV2 {
        let ContentsV1 { settings, newest_epoch, titles, dimensions, transitions } = self.contents;
        let settings = settings.with(today);
        let v1 = ContentsV1 { settings, newest_epoch, titles, dimensions, transitions };
        SnapshotV2 { positions: self.positions, contents: ContentsV2 { v1, arms: None } }
    }
}

impl Aggregates {
    /// The sums alone, without the positions they reflect: equal for equal event histories.
    pub fn encode_contents(&self) -> Vec<u8> {
        versioned::encode(SNAPSHOT_VERSION, &self.contents())
    }

    /// The sums with the positions they reflect.
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(
            SNAPSHOT_VERSION,
            &SnapshotV2 { positions: self.positions().to_vec(), contents: self.contents() },
        )
    }

    /// Reads a stored form of any version.
    ///
    /// # Errors
    /// [`DecodeError`] for a version from the future, damaged bytes, another number of partitions or
    /// other settings.
    pub fn decode(bytes: &[u8], partitions: u16, settings: &AggregateSettings) -> Result<Self, DecodeError> {
        let SnapshotV2 { positions, contents } = match versioned::split(WHAT, SNAPSHOT_VERSION, bytes)? {
            (1, body) => versioned::decode::<SnapshotV1>(WHAT, body)?.upgrade(settings),
            (_, body) => versioned::decode(WHAT, body)?,
        };
        let ContentsV2 { v1: contents, arms } = contents;
        let damaged = |detail: String| DecodeError::Damaged { what: WHAT, detail };
        if positions.len() != usize::from(partitions) {
            return Err(damaged(format!("made for {} partitions, not {partitions}", positions.len())));
        }
        if contents.settings != *settings {
            return Err(damaged(format!(
                "made with the settings {:?}, configured are {settings:?}; restore the settings or rebuild the state",
                contents.settings
            )));
        }
        let mut aggregates = Self::new(partitions, settings.clone());
        aggregates.positions = positions;
        aggregates.decays.advance(contents.newest_epoch);
        let unknown = |at: u32| damaged(format!("title {at} is not in its list"));
        let mut numbers = Vec::with_capacity(contents.titles.len());
        for (title, plays) in &contents.titles {
            let number = aggregates.titles.intern(title).map_err(|full| damaged(full.to_string()))?;
            aggregates.plays.resize(number as usize + 1, 0);
            aggregates.plays[number as usize] = *plays;
            numbers.push(number);
        }
        let number = |at: u32| numbers.get(at as usize).copied().ok_or_else(|| unknown(at));
        for (name, counters) in contents.dimensions {
            let [dimension] = aggregates.dimensions_of(&[&name]);
            let dimension = dimension.ok_or_else(|| damaged("too many dimensions".into()))?;
            let table = &mut aggregates.counters[dimension as usize];
            for CountersV1 { title, epochs, popularity, trend } in counters {
                let title_counters = super::counters::TitleCounters { epochs, popularity, trend };
                table.titles.insert(number(title)?, title_counters);
            }
            table.rescale(&aggregates.decays);
        }
        for (from, total, followers) in contents.transitions {
            let from = number(from)?;
            for (to, weight) in followers {
                aggregates.transitions.add_weight(from, number(to)?, weight);
            }
            aggregates.transitions.restore_total(from, total);
        }
        aggregates.arms.advance(contents.newest_epoch);
        if let Some(arms) = arms {
            aggregates.arms.restore(arms, &numbers)?;
        }
        Ok(aggregates)
    }

    fn contents(&self) -> ContentsV2 {
        let mut order: Vec<Symbol> = (1..self.titles.len() as Symbol).collect();
        order.sort_unstable_by(|a, b| self.titles.text(*a).cmp(self.titles.text(*b)));
        let mut places = vec![0_u32; self.titles.len()];
        for (place, title) in order.iter().enumerate() {
            places[*title as usize] = place as u32;
        }
        let mut dimensions: Vec<(Arc<str>, Vec<CountersV1>)> = self
            .counters
            .iter()
            .enumerate()
            .map(|(dimension, table)| {
                let mut counters: Vec<CountersV1> = table
                    .titles
                    .iter()
                    .filter_map(|(title, counters)| {
                        let mut counters = counters.clone();
                        counters.expire(&self.decays);
                        (!counters.is_empty()).then_some(CountersV1 {
                            title: places[*title as usize],
                            epochs: counters.epochs,
                            popularity: counters.popularity,
                            trend: counters.trend,
                        })
                    })
                    .collect();
                counters.sort_unstable_by_key(|counters| counters.title);
                (self.dimensions.text(dimension as Symbol).clone(), counters)
            })
            .filter(|(_, counters)| !counters.is_empty())
            .collect();
        dimensions.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut transitions: Vec<_> = self
            .transitions
            .from
            .iter()
            .enumerate()
            .filter(|(_, followers)| followers.total > 0)
            .map(|(from, followers)| {
                let mut weights: Vec<(u32, u64)> =
                    followers.weights.iter().map(|(to, weight)| (places[*to as usize], *weight)).collect();
                weights.sort_unstable();
                (places[from], followers.total, weights)
            })
            .collect();
        transitions.sort_unstable_by_key(|(from, _, _)| *from);
        let v1 = ContentsV1 {
            settings: self.settings.clone(),
            newest_epoch: self.decays.newest_epoch,
            titles: order
                .iter()
                .map(|title| (self.titles.text(*title).clone(), self.plays(*title)))
                .collect(),
            dimensions,
            transitions,
        };
        ContentsV2 { v1, arms: Some(self.arms.form(&places)) }
    }
}
