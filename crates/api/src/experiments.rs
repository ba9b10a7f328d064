//! `/v1/experiments`: which variants there are, and how they do.

use nearline_ranking::experiment::{Experiment, ExperimentResults, SampleRatio, VariantResults};
use nearline_ranking::settings::RankingSettings;
use nearline_ranking::statistics::{Difference, Interval};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An interval that holds 95 %.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IntervalDocument {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<Interval> for IntervalDocument {
    fn from(interval: Interval) -> Self {
        Self { low: interval.low, high: interval.high }
    }
}

/// A variant beside the control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifferenceDocument {
    /// The variant's take rate less the control's.
    pub take_rate: f64,
    /// Its interval (Newcombe's method 10).
    pub interval: IntervalDocument,
    /// Two-sided two-proportion z test.
    pub p_value: f64,
}

/// How a variant does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VariantResult {
    /// Its name.
    pub name: String,
    /// Share of the experiment's members dealt to it.
    pub share: f64,
    /// Settings of the ranking that differ from `[ranking]`.
    #[cfg_attr(feature = "openapi", schema(value_type = Object, additional_properties))]
    pub ranking: Value,
    /// Titles shown.
    pub impressions: u64,
    /// How many of them were played.
    pub attributed_plays: u64,
    /// How many of those plays were watched for long enough to count as a good choice.
    pub quality_plays: u64,
    /// Attributed plays per impression; absent without impressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_rate: Option<f64>,
    /// Its interval (Wilson's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<IntervalDocument>,
    /// Beside the control; absent for the control, and without impressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<DifferenceDocument>,
    /// Distinct members that got an answer of it, of a sample, since the program started.
    pub sampled_members: u64,
}

/// Whether members are dealt as they should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SampleRatioDocument {
    /// Statistic of the chi-square test over the sampled members.
    pub chi_square: f64,
    /// Its p-value.
    pub p_value: f64,
    /// Whether that is below 0.001: then do not trust the rates before the cause is found.
    pub mismatch: bool,
}

/// An experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentDocument {
    /// Its name.
    pub name: String,
    /// What it is defined as, in short: what is counted is counted under this definition alone, and begins anew
    /// where salt, share, place in the list, variants, weights or settings are others.
    pub definition: String,
    /// Share of all members that take part.
    pub share: f64,
    /// Its variants, the control first.
    pub variants: Vec<VariantResult>,
    /// Whether members are dealt as they should be; absent with too few members to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_ratio: Option<SampleRatioDocument>,
}

/// All experiments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentsAnswer {
    /// In the order of the configuration.
    pub experiments: Vec<ExperimentDocument>,
}

impl From<Difference> for DifferenceDocument {
    fn from(difference: Difference) -> Self {
        let Difference { difference: take_rate, interval, p_value } = difference;
        Self { take_rate, interval: interval.into(), p_value }
    }
}

impl From<SampleRatio> for SampleRatioDocument {
    fn from(ratio: SampleRatio) -> Self {
        let SampleRatio { chi_square, p_value, mismatch } = ratio;
        Self { chi_square, p_value, mismatch }
    }
}

impl ExperimentDocument {
    /// Of an experiment and how it does; settings are shown where they differ from `base`.
    pub fn new(
        experiment: &Experiment,
        definition: String,
        results: ExperimentResults,
        base: &RankingSettings,
    ) -> Self {
        let settings = experiment.variants.iter().map(|variant| differing(&variant.settings, base));
        let variant = |(results, ranking): (VariantResults, Value)| VariantResult {
            name: results.name,
            share: results.share,
            ranking,
            impressions: results.counted.impressions,
            attributed_plays: results.counted.attributed,
            quality_plays: results.counted.quality,
            take_rate: results.take_rate,
            interval: results.interval.map(IntervalDocument::from),
            difference: results.difference.map(DifferenceDocument::from),
            sampled_members: results.sampled_members,
        };
        Self {
            name: experiment.name.clone(),
            definition,
            share: experiment.share,
            variants: results.variants.into_iter().zip(settings).map(variant).collect(),
            sample_ratio: results.sample_ratio.map(SampleRatioDocument::from),
        }
    }
}

/// The settings that differ from `base`, by name.
fn differing(settings: &RankingSettings, base: &RankingSettings) -> Value {
    let fields = |settings: &RankingSettings| match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let base = fields(base);
    let own = fields(settings).into_iter().filter(|(name, value)| base.get(name) != Some(value));
    Value::Object(own.collect())
}
