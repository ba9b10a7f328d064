//! Counts by variant of an experiment.

use super::Aggregates;
use super::counters::Decays;
use crate::delta::TakeCounts;
use crate::settings::AggregateSettings;
use get_size2::GetSize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Counts by epoch of one variant, oldest first.
pub(crate) type VariantEpochs = Vec<(u32, TakeCounts)>;

/// Counts of one variant of an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VariantCounts {
    /// Counts by 30-minute epoch of the impressions, oldest first.
    pub epochs: Vec<(u32, TakeCounts)>,
}

/// Sums over epochs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakeTotals {
    /// Impressions.
    pub impressions: u64,
    /// Plays attributed to them.
    pub attributed: u64,
    /// Those of them that were watched for long enough.
    pub quality: u64,
}

impl VariantCounts {
    /// Sums over all epochs kept.
    pub fn totals(&self) -> TakeTotals {
        self.epochs.iter().fold(TakeTotals::default(), |totals, (_, counts)| TakeTotals {
            impressions: totals.impressions + u64::from(counts.impressions),
            attributed: totals.attributed + u64::from(counts.attributed),
            quality: totals.quality + u64::from(counts.quality),
        })
    }
}

/// Counts of all variants.
#[derive(Debug, GetSize)]
pub(crate) struct Variants {
    /// By `EXPERIMENT-VARIANT`.
    by_name: BTreeMap<Arc<str>, Variant>,
    limit: usize,
    epochs: u32,
}

#[derive(Debug, Default, GetSize)]
struct Variant {
    epochs: VariantEpochs,
    /// Impressions, as of the last sweep and since.
    impressions: u64,
}

impl Variants {
    pub(crate) fn new(settings: &AggregateSettings) -> Self {
        Self { by_name: BTreeMap::new(), limit: settings.variants, epochs: settings.variant_epochs }
    }

    fn oldest(&self, decays: &Decays) -> u32 {
        (decays.newest_epoch + 1).saturating_sub(self.epochs)
    }

    pub(crate) fn add(&mut self, name: &Arc<str>, epoch: u32, counts: TakeCounts, decays: &Decays) {
        if epoch < self.oldest(decays) {
            return;
        }
        if !self.by_name.contains_key(name) && !self.make_room(counts.impressions.into()) {
            metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => "variants").increment(1);
            return;
        }
        let Variant { epochs, impressions } = self.by_name.entry(name.clone()).or_default();
        *impressions += u64::from(counts.impressions);
        match epochs.binary_search_by_key(&epoch, |(epoch, _)| *epoch) {
            Ok(at) => {
                let cell = &mut epochs[at].1;
                cell.impressions = cell.impressions.saturating_add(counts.impressions);
                cell.attributed = cell.attributed.saturating_add(counts.attributed);
                cell.quality = cell.quality.saturating_add(counts.quality);
            }
            Err(at) => epochs.insert(at, (epoch, counts)),
        }
    }

    /// Whether there is room for one more variant, of `impressions`: at the limit the one shown least makes room,
    /// unless it was shown more.
    fn make_room(&mut self, impressions: u64) -> bool {
        if self.by_name.len() < self.limit {
            return true;
        }
        let least = self.by_name.iter().min_by_key(|(_, variant)| variant.impressions);
        let Some(name) =
            least.filter(|(_, least)| least.impressions <= impressions).map(|(name, _)| name.clone())
        else {
            return false;
        };
        metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => "variants").increment(1);
        self.by_name.remove(&name);
        true
    }

    /// Variants counted.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Sweeps out what is too old.
    pub(crate) fn sweep(&mut self, decays: &Decays) {
        let oldest = self.oldest(decays);
        self.by_name.retain(|_, variant| {
            variant.epochs.retain(|(epoch, _)| *epoch >= oldest);
            variant.impressions =
                variant.epochs.iter().map(|(_, counts)| u64::from(counts.impressions)).sum();
            !variant.epochs.is_empty()
        });
    }

    /// What is kept, by name: also before the next sweep.
    pub(crate) fn kept(&self, decays: &Decays) -> impl Iterator<Item = (&Arc<str>, &[(u32, TakeCounts)])> {
        let oldest = self.oldest(decays);
        let kept = move |epochs: &'_ VariantEpochs| epochs.partition_point(|(epoch, _)| *epoch < oldest);
        self.by_name
            .iter()
            .map(move |(name, Variant { epochs, .. })| (name, &epochs[kept(epochs)..]))
            .filter(|(_, epochs)| !epochs.is_empty())
    }
}

impl Aggregates {
    /// Experiments and their variants of which anything is counted, in ascending order.
    pub fn variants(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variants.kept(&self.decays).filter_map(|(name, _)| name.split_once('-'))
    }

    /// Counts of one variant of an experiment.
    pub fn variant_counts(&self, experiment: &str, variant: &str) -> Option<VariantCounts> {
        let (_, epochs) = self
            .variants
            .kept(&self.decays)
            .find(|(name, _)| name.split_once('-') == Some((experiment, variant)))?;
        Some(VariantCounts { epochs: epochs.to_vec() })
    }
}
