//! Version 1 of the stored aggregates: neither quality plays nor places nor variants.

use crate::decay::DecayedSum;
use crate::delta::CountsV1;
use crate::identifier::Position;
use crate::settings::AggregateSettings;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct SnapshotV1 {
    pub positions: Vec<Position>,
    pub contents: ContentsV1,
}

#[derive(Deserialize)]
pub(super) struct ContentsV1 {
    pub settings: SettingsV1,
    pub newest_epoch: u32,
    pub titles: Vec<(Arc<str>, u64)>,
    pub dimensions: Vec<(Arc<str>, Vec<CountersV1>)>,
    pub transitions: Vec<FollowersV1>,
}

/// Source, total, followers with their weights.
pub(super) type FollowersV1 = (u32, u64, Vec<(u32, u64)>);

#[derive(Deserialize)]
pub(super) struct CountersV1 {
    pub title: u32,
    pub epochs: Vec<(u32, CountsV1)>,
    pub popularity: DecayedSum,
    pub trend: DecayedSum,
}

#[derive(Deserialize)]
pub(super) struct SettingsV1 {
    epochs: u32,
    popularity_half_life_epochs: u32,
    trend_half_life_epochs: u32,
    titles: usize,
    dimensions: usize,
    transitions: usize,
}

impl SettingsV1 {
    /// These settings, and those of `others` that version 1 did not know.
    pub fn with(self, others: &AggregateSettings) -> AggregateSettings {
        AggregateSettings {
            epochs: self.epochs,
            popularity_half_life_epochs: self.popularity_half_life_epochs,
            trend_half_life_epochs: self.trend_half_life_epochs,
            titles: self.titles,
            dimensions: self.dimensions,
            transitions: self.transitions,
            ..others.clone()
        }
    }
}
