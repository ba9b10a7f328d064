//! How the variants of an experiment do beside the control.

use super::Experiment;
use crate::statistics::{Difference, Interval, chi_square, difference, wilson};
use nearline_model::aggregates::variants::TakeTotals;

/// p-value below which the members' ratio counts as mismatched: checked often, so it must be small.
const MISMATCH: f64 = 0.001;

/// How a variant does.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantResults {
    /// Its name.
    pub name: String,
    /// Share of the experiment's members dealt to it.
    pub share: f64,
    /// Impressions, attributed plays and quality plays.
    pub counted: TakeTotals,
    /// Attributed plays per impression; `None` without impressions.
    pub take_rate: Option<f64>,
    /// Its interval of 95 % (Wilson's).
    pub interval: Option<Interval>,
    /// Beside the control; `None` for the control, and without impressions.
    pub difference: Option<Difference>,
    /// Distinct members that got an answer of it, of a sample.
    pub sampled_members: u64,
}

/// Whether members are dealt as they should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleRatio {
    /// Statistic of the chi-square test over the sampled members.
    pub chi_square: f64,
    /// Its p-value.
    pub p_value: f64,
    /// Whether that is below 0.001: then the rates are not to be trusted before the cause is found.
    pub mismatch: bool,
}

/// How an experiment does.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentResults {
    /// Its variants, the control first.
    pub variants: Vec<VariantResults>,
    /// Whether members are dealt as they should be; `None` with too few members to tell.
    pub sample_ratio: Option<SampleRatio>,
}

impl ExperimentResults {
    /// Of what was counted by variant, and of the members that got an answer of each.
    pub fn of(experiment: &Experiment, counts: &[TakeTotals], exposed: &[u64]) -> Self {
        let weights: Vec<f64> = experiment.variants.iter().map(|variant| f64::from(variant.weight)).collect();
        let total: f64 = weights.iter().sum();
        let pair = |counts: &TakeTotals| (counts.attributed, counts.impressions);
        let control = counts.first().map(pair).unwrap_or_default();
        let variants = experiment.variants.iter().enumerate().map(|(number, variant)| {
            let counted = counts.get(number).copied().unwrap_or_default();
            let (attributed, impressions) = pair(&counted);
            let beside = if number == 0 { None } else { difference(control, (attributed, impressions)) };
            VariantResults {
                name: variant.name.clone(),
                share: weights[number] / total,
                counted,
                take_rate: (impressions > 0).then(|| attributed as f64 / impressions as f64),
                interval: wilson(attributed, impressions),
                difference: beside,
                sampled_members: exposed.get(number).copied().unwrap_or_default(),
            }
        });
        Self {
            variants: variants.collect(),
            sample_ratio: chi_square(exposed, &weights).map(|test| SampleRatio {
                chi_square: test.statistic,
                p_value: test.p_value,
                mismatch: test.p_value < MISMATCH,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Variant;
    use super::*;
    use crate::settings::RankingSettings;

    fn experiment() -> Experiment {
        let variant = |name: &str, weight| Variant {
            name: name.to_owned(),
            weight,
            settings: RankingSettings::default(),
        };
        Experiment {
            name: "rows".to_owned(),
            salt: "s".to_owned(),
            share: 1.0,
            variants: vec![variant("control", 3), variant("bold", 1)],
        }
    }

    #[test]
    fn a_variant_that_is_better_is_shown_so_with_its_certainty() {
        let counts = [
            TakeTotals { impressions: 10_000, attributed: 500, quality: 400 },
            TakeTotals { impressions: 10_000, attributed: 600, quality: 450 },
        ];
        let results = ExperimentResults::of(&experiment(), &counts, &[300, 100]);
        let bold = &results.variants[1];
        let beside = bold.difference.as_ref().expect("both were shown");
        assert!((beside.difference - 0.01).abs() < 1e-12 && beside.p_value < 0.01);
        assert!(beside.interval.low > 0.0 && beside.interval.high < 0.02);
        assert!(results.variants[0].difference.is_none() && results.variants[0].interval.is_some());
        assert_eq!(bold.share, 0.25);
        assert!(!results.sample_ratio.expect("enough members").mismatch);
    }

    #[test]
    fn a_mismatched_ratio_is_told_and_nothing_is_made_up_from_nothing() {
        let results = ExperimentResults::of(&experiment(), &[TakeTotals::default(); 2], &[500, 500]);
        assert!(results.sample_ratio.expect("enough members").mismatch, "3 : 1 was asked for");
        assert!(results.variants.iter().all(|variant| {
            variant.take_rate.is_none() && variant.interval.is_none() && variant.difference.is_none()
        }));
        assert!(ExperimentResults::of(&experiment(), &[], &[]).sample_ratio.is_none());
    }
}
