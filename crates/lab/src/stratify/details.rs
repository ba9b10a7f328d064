//! What weights and parts need to know of the selected rows: strata, hashes, entities and times.

use std::sync::Arc;

use anyhow::bail;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int8Array, StringArray};
use arrow_schema::{DataType, TimeUnit};
use nearline_model::check_invariant;
use nearline_stratify::Plan;
use nearline_stratify::rules::{Rules, SplitRule, WeightsRule};
use nearline_stratify::select::IdHasher;
use nearline_stratify::splits::{Parts, SplitRows, embargo_in, split};
use nearline_stratify::weights::of_plan;

use super::columns::{Keys, integers};
use super::count::Strata;
use super::ids;
use super::output::Report;
use super::rowset::RowSet;
use super::source::{Progress, Source, values};

/// One entry per selected row, in the order of the rows.
#[derive(Default)]
pub(super) struct Details {
    strata: Vec<usize>,
    hashes: Vec<u64>,
    entities: Option<Vec<u64>>,
    times: Option<Vec<i64>>,
}

impl Details {
    pub fn read(
        rules: &Rules,
        source: &Source,
        keys: &Keys,
        strata: &Strata,
        rows: &RowSet,
        threads: usize,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let hasher = IdHasher::new(rules.seed);
        let split = rules.split();
        let (entity, time) = (split.and_then(|s| s.entity.as_deref()), split.and_then(|s| s.time.as_deref()));
        let key_columns = keys.columns();
        let mut columns = key_columns.clone();
        columns.push(&rules.id);
        columns.extend(entity.iter().chain(&time));
        columns.iter().try_for_each(|column| source.data_type(column).map(|_| ()))?;
        let parts = source.each("details", threads, progress, |place, group| {
            let mut found = Self {
                entities: entity.map(|_| Vec::new()),
                times: time.map(|_| Vec::new()),
                ..Self::default()
            };
            let Some(selection) = rows.group(place).selection() else { return Ok(found) };
            let mut encoder = keys.encoder();
            for batch in source.read(group, &columns, &key_columns, Some(selection))? {
                let batch = batch?;
                let column = |name: &str| {
                    batch.column_by_name(name).ok_or_else(|| anyhow::anyhow!("`{name}` was not read"))
                };
                found.strata.extend(encoder.encode(&batch)?.iter().map(|code| strata.of(*code) as usize));
                ids::visit(&rules.id, column(&rules.id)?, |_, id| found.hashes.push(hasher.hash(id.text)))?;
                if let (Some(name), Some(entities)) = (entity, &mut found.entities) {
                    let nulls = ids::visit(name, column(name)?, |_, id| entities.push(hasher.hash(id.text)))?;
                    if nulls > 0 {
                        bail!("{nulls} selected rows have no `{name}`, by which they are split");
                    }
                }
                if let (Some(name), Some(times)) = (time, &mut found.times) {
                    times.extend(integers(name, column(name)?)?);
                }
            }
            Ok(found)
        })?;
        let mut all =
            Self { entities: entity.map(|_| Vec::new()), times: time.map(|_| Vec::new()), ..Self::default() };
        for part in parts {
            all.strata.extend(part.strata);
            all.hashes.extend(part.hashes);
            if let (Some(all), Some(part)) = (&mut all.entities, part.entities) {
                all.extend(part);
            }
            if let (Some(all), Some(part)) = (&mut all.times, part.times) {
                all.extend(part);
            }
        }
        Ok(all)
    }

    /// What was taken is what the hashes say, whichever pass looks: none lies above its stratum's threshold.
    pub fn check_hashes(&self, thresholds: &[Option<u64>]) {
        let above = self.strata.iter().zip(&self.hashes).filter(|(stratum, hash)| {
            thresholds.get(**stratum).is_some_and(|threshold| threshold.is_none_or(|most| **hash > most))
        });
        let above = above.count();
        check_invariant!(I10, above == 0, "{above} rows were taken whose hashes are not among the smallest");
    }

    pub fn split(&self, rule: &SplitRule, source: &Source) -> anyhow::Result<Parts> {
        let embargo = match &rule.time {
            Some(time) => in_unit_of(source.data_type(time)?, rule.embargo),
            None => rule.embargo,
        };
        let rule = SplitRule { embargo, ..rule.clone() };
        let rows = SplitRows {
            strata: &self.strata,
            hashes: &self.hashes,
            entities: self.entities.as_deref(),
            times: self.times.as_deref(),
        };
        Ok(split(&rule, &rows)?)
    }
}

/// The embargo in the unit of the column of times; that of a column of numbers is in their own.
fn in_unit_of(data_type: &DataType, embargo: i64) -> i64 {
    let unit_nanos = match values(data_type) {
        DataType::Date32 => 86_400_000_000_000,
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
        _ => return embargo,
    };
    embargo_in(embargo, unit_nanos)
}

/// The part's name of every row.
pub(super) fn part_column(rule: &SplitRule, parts: &Parts) -> ArrayRef {
    let names = StringArray::from_iter_values(rule.parts.iter().map(|part| part.name.as_str()));
    let places =
        parts.part.iter().map(|part| part.and_then(|part| i8::try_from(part).ok())).collect::<Int8Array>();
    Arc::new(DictionaryArray::new(places, Arc::new(names)))
}

/// The weight of every row: the inverse of its chance, calibrated if the rule wants it.
pub(super) fn weights(
    (rule, is_hard): (&WeightsRule, bool),
    plan: &Plan,
    details: &Details,
    report: &mut Report,
) -> anyhow::Result<ArrayRef> {
    let mut taken = vec![0.0; plan.strata.len()];
    details.strata.iter().for_each(|stratum| taken[*stratum] += 1.0);
    let found = of_plan(rule, plan, &taken)?;
    if !found.converged {
        report.notes.push(format!(
            "weights: the totals are missed by up to {:.2e} of the whole within the bounds",
            found.residual
        ));
        if is_hard {
            report.miss();
        }
    }
    let of_stratum = found.weights;
    Ok(Arc::new(Float64Array::from_iter_values(details.strata.iter().map(|stratum| of_stratum[*stratum]))))
}
