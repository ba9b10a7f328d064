//! `GET /v1/experiments` and `/v1/experiments/{name}`: which variants there are, and how they do.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, ApiState, State, ok};
use crate::experiments::statistics::{Interval, chi_square, difference, wilson};
use crate::experiments::{Experiment, Running};
use actix_web::HttpRequest;
use nearline_model::aggregates::variants::TakeTotals;
use serde::Serialize;
use utoipa::ToSchema;

/// p-value below which the members' ratio counts as mismatched: checked often, so it must be small.
const MISMATCH: f64 = 0.001;

/// An interval that holds 95 %.
#[derive(Debug, Serialize, ToSchema)]
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
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceDocument {
    /// The variant's take rate less the control's.
    pub take_rate: f64,
    /// Its interval (Newcombe's method 10).
    pub interval: IntervalDocument,
    /// Two-sided two-proportion z test.
    pub p_value: f64,
}

/// How a variant does.
#[derive(Debug, Serialize, ToSchema)]
pub struct VariantResult {
    /// Its name.
    pub name: String,
    /// Share of the experiment's members dealt to it.
    pub share: f64,
    /// Settings of the ranking that differ from `[ranking]`.
    #[schema(value_type = Object, additional_properties)]
    pub ranking: serde_json::Value,
    /// Titles shown.
    pub impressions: u64,
    /// How many of them were played.
    pub attributed_plays: u64,
    /// How many of those plays were watched for long enough to count as a good choice.
    pub quality_plays: u64,
    /// Attributed plays per impression; absent without impressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_rate: Option<f64>,
    /// Its interval (Wilson's).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<IntervalDocument>,
    /// Beside the control; absent for the control, and without impressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<DifferenceDocument>,
    /// Distinct members that got an answer of it, of a sample, since the program started.
    pub sampled_members: u64,
}

/// Whether members are dealt as they should be.
#[derive(Debug, Serialize, ToSchema)]
pub struct SampleRatioDocument {
    /// Statistic of the chi-square test over the sampled members.
    pub chi_square: f64,
    /// Its p-value.
    pub p_value: f64,
    /// Whether that is below 0.001: then do not trust the rates before the cause is found.
    pub mismatch: bool,
}

/// An experiment.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExperimentDocument {
    /// Its name.
    pub name: String,
    /// Share of all members that take part.
    pub share: f64,
    /// Its variants, the control first.
    pub variants: Vec<VariantResult>,
    /// Whether members are dealt as they should be; absent with too few members to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_ratio: Option<SampleRatioDocument>,
}

/// All experiments.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExperimentsAnswer {
    /// In the order of the configuration.
    pub experiments: Vec<ExperimentDocument>,
}

#[utoipa::path(
    get, path = "/v1/experiments", tag = "experiments", summary = "All experiments and how they do",
    responses(
        (status = 200, description = "In the order of the configuration", body = ExperimentsAnswer),
        (status = 400, description = "A parameter is not known", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let experiments = state.experiments.all().iter().map(|running| document(&state, running)).collect();
    ok(&ExperimentsAnswer { experiments })
}

#[utoipa::path(
    get, path = "/v1/experiments/{name}", tag = "experiments", summary = "How an experiment does",
    params(("name" = String, Path, description = "The experiment")),
    responses(
        (status = 200, description = "Its variants beside the control", body = ExperimentDocument),
        (status = 400, description = "A parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such experiment", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let name = request.match_info().query("name");
    let Some(running) = state.experiments.get(name) else {
        let known: Vec<&str> =
            state.experiments.all().iter().map(|running| running.experiment.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let shown: String = name.chars().take(64).collect();
        let detail = format!("{shown:?} is not configured; experiments there are: {known}");
        return Err(Problem::new(ProblemKind::ExperimentNotFound, detail));
    };
    ok(&document(&state, running))
}

fn document(state: &ApiState, running: &Running) -> ExperimentDocument {
    let experiment = &running.experiment;
    let counts: Vec<TakeTotals> = {
        let aggregates = state.engine.aggregates().read();
        let variants = experiment.variants.iter();
        let counts = variants.map(|variant| aggregates.variant_counts(&experiment.name, &variant.name));
        counts.map(|counts| counts.map(|counts| counts.totals()).unwrap_or_default()).collect()
    };
    results(experiment, &counts, &running.exposed())
}

/// What is counted, with its statistics.
fn results(experiment: &Experiment, counts: &[TakeTotals], exposed: &[u64]) -> ExperimentDocument {
    let weights: Vec<f64> = experiment.variants.iter().map(|variant| f64::from(variant.weight)).collect();
    let total: f64 = weights.iter().sum();
    let pair = |counts: &TakeTotals| (counts.attributed, counts.impressions);
    let control = counts.first().map(pair).unwrap_or_default();
    let variants = experiment.variants.iter().enumerate().map(|(number, variant)| {
        let counted = counts.get(number).copied().unwrap_or_default();
        let (attributed, impressions) = pair(&counted);
        let beside = if number == 0 { None } else { difference(control, (attributed, impressions)) };
        VariantResult {
            name: variant.name.clone(),
            share: weights[number] / total,
            ranking: serde_json::to_value(&variant.ranking).unwrap_or_default(),
            impressions,
            attributed_plays: attributed,
            quality_plays: counted.quality,
            take_rate: (impressions > 0).then(|| attributed as f64 / impressions as f64),
            interval: wilson(attributed, impressions).map(IntervalDocument::from),
            difference: beside.map(|beside| DifferenceDocument {
                take_rate: beside.difference,
                interval: beside.interval.into(),
                p_value: beside.p_value,
            }),
            sampled_members: exposed.get(number).copied().unwrap_or_default(),
        }
    });
    ExperimentDocument {
        name: experiment.name.clone(),
        share: experiment.share,
        variants: variants.collect(),
        sample_ratio: chi_square(exposed, &weights).map(|test| SampleRatioDocument {
            chi_square: test.statistic,
            p_value: test.p_value,
            mismatch: test.p_value < MISMATCH,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment() -> Experiment {
        let text = "name = 'rows'\nsalt = 's'\n[[variants]]\nname = 'control'\nweight = 3\n\
                    [[variants]]\nname = 'bold'\nweight = 1\n";
        toml::from_str(text).expect("an experiment")
    }

    #[test]
    fn a_variant_that_is_better_is_shown_so_with_its_certainty() {
        let counts = [
            TakeTotals { impressions: 10_000, attributed: 500, quality: 400 },
            TakeTotals { impressions: 10_000, attributed: 600, quality: 450 },
        ];
        let document = results(&experiment(), &counts, &[300, 100]);
        let bold = &document.variants[1];
        let beside = bold.difference.as_ref().expect("both were shown");
        assert!((beside.take_rate - 0.01).abs() < 1e-12 && beside.p_value < 0.01);
        assert!(beside.interval.low > 0.0 && beside.interval.high < 0.02);
        assert!(document.variants[0].difference.is_none() && document.variants[0].interval.is_some());
        assert_eq!(bold.share, 0.25);
        assert!(!document.sample_ratio.expect("enough members").mismatch);
    }

    #[test]
    fn a_mismatched_ratio_is_told_and_nothing_is_made_up_from_nothing() {
        let document = results(&experiment(), &[TakeTotals::default(); 2], &[500, 500]);
        assert!(document.sample_ratio.expect("enough members").mismatch, "3 : 1 was asked for");
        assert!(document.variants.iter().all(|variant| {
            variant.take_rate.is_none() && variant.interval.is_none() && variant.difference.is_none()
        }));
        assert!(results(&experiment(), &[], &[]).sample_ratio.is_none());
    }
}
