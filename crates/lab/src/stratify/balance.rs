//! Totals that the sample keeps: the cube method over all rows that may be taken.

use anyhow::bail;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_schema::DataType;
use nearline_stratify::rules::{BalanceRule, Rules};
use nearline_stratify::select::{BalancedRows, IdHasher, MOST_BALANCED_ROWS};
use nearline_stratify::{Plan, StratifyError};

use super::columns::Keys;
use super::count::{LEFT_OUT, Strata};
use super::output::Balance;
use super::rowset::RowSet;
use super::source::{Progress, Source, values};
use super::{entity, ids};

/// Chooses the rows of a plan so that totals are kept.
#[expect(clippy::too_many_arguments, reason = "a pass needs the source, the keys and the plan")]
pub(super) fn choose(
    rules: &Rules,
    rule: &BalanceRule,
    plan: &Plan,
    source: &Source,
    keys: &Keys,
    strata: &Strata,
    eligible: Option<&RowSet>,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<(RowSet, Vec<Balance>)> {
    check(rule, source, plan)?;
    let (hasher, key_columns) = (IdHasher::new(rules.seed), keys.columns());
    let mut columns = key_columns.clone();
    columns.push(&rules.id);
    columns.extend(rule.columns.iter().map(String::as_str));
    let parts = source.each("balancing", threads, progress, |place, group| {
        let mut rows = BalancedRows::new(rule.columns.len());
        let (mut start, mut nulls) = (0, 0);
        let mut encoder = keys.encoder();
        for batch in source.read(group, &columns, &key_columns, None)? {
            let batch = batch?;
            let codes = encoder.encode(&batch)?;
            let numbers = numbers(rule, &batch)?;
            let Some(array) = batch.column_by_name(&rules.id) else { bail!("the ids were not read") };
            let mut values = vec![0.0; rule.columns.len()];
            nulls += ids::visit(&rules.id, array, |row, id| {
                let stratum = strata.of(codes[row]);
                let may = eligible.is_none_or(|eligible| eligible.group(place).has(start + row));
                if stratum == LEFT_OUT || !may || plan.strata[stratum as usize].take == 0 {
                    return;
                }
                values.iter_mut().zip(&numbers).for_each(|(value, numbers)| *value = numbers[row]);
                rows.push(stratum, hasher.hash(id.text), group.start + (start + row) as u64, &values);
            })?;
            start += batch.num_rows();
        }
        entity::refuse_nulls(&rules.id, nulls)?;
        Ok(rows)
    })?;
    let mut all = BalancedRows::new(rule.columns.len());
    parts.into_iter().for_each(|part| all.append(part));
    all.refuse_unknown(&rule.columns)?;
    let chosen = all.choose(&plan.take(), rules.seed)?;
    let totals = rule.columns.iter().cloned().zip(chosen.totals);
    let totals = totals.map(|(column, total)| Balance { column, total }).collect();
    Ok((RowSet::of(source, &chosen.rows), totals))
}

fn check(rule: &BalanceRule, source: &Source, plan: &Plan) -> anyhow::Result<()> {
    for column in &rule.columns {
        let data_type = values(source.data_type(column)?);
        if !(data_type.is_numeric() || *data_type == DataType::Boolean) {
            bail!("totals of `{column}` cannot be balanced: it is of type {data_type}, not of numbers");
        }
    }
    let needed: u64 =
        plan.strata.iter().filter(|stratum| stratum.take > 0).map(|stratum| stratum.available).sum();
    if needed > MOST_BALANCED_ROWS {
        return Err(StratifyError::TooLarge {
            what: "balanced totals",
            needed,
            unit: "rows",
            limit: MOST_BALANCED_ROWS,
            instead: "take a plain sample of less than that first, and balance that",
        }
        .into());
    }
    Ok(())
}

/// The columns of a batch as numbers; what is missing is no number.
fn numbers(rule: &BalanceRule, batch: &RecordBatch) -> anyhow::Result<Vec<Vec<f64>>> {
    let number = |name: &String| {
        let Some(array) = batch.column_by_name(name) else { bail!("the column `{name}` was not read") };
        let cast = arrow_cast::cast(array, &DataType::Float64)?;
        Ok(cast.as_primitive::<Float64Type>().iter().map(|number| number.unwrap_or(f64::NAN)).collect())
    };
    rule.columns.iter().map(number).collect()
}
