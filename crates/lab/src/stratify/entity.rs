//! Rows per entity: thinning before the count, whole entities and flows after the plan.

use std::collections::BTreeMap;

use anyhow::bail;
use nearline_stratify::entities::{MemberRow, Thinner, assign, whole};
use nearline_stratify::rules::{EntityRule, Rules};
use nearline_stratify::select::IdHasher;
use nearline_stratify::{Plan, StratifyError};

use super::columns::Keys;
use super::count::{LEFT_OUT, Strata};
use super::ids;
use super::output::Entities;
use super::rowset::{Bits, RowSet};
use super::source::{Progress, Source};

/// Rows that a flow may look at.
const MOST_FLOW_ROWS: usize = 8_000_000;

/// The eligible rows: at most `cap` of each entity, none of entities with too few.
pub(super) fn thin(
    rules: &Rules,
    rule: &EntityRule,
    cap: Option<u32>,
    source: &Source,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<(RowSet, Entities)> {
    let (ids_hasher, entity_hasher) = (IdHasher::new(rules.seed), IdHasher::new(0));
    let columns = [rules.id.as_str(), rule.column.as_str()];
    columns.iter().try_for_each(|column| source.data_type(column).map(|_| ()))?;
    // Without a cap nothing but counts is needed, but rows must be kept: no cap is a very large one, in two steps.
    let Some(cap) = cap else { return at_least(rule, source, threads, progress) };
    let collected = std::sync::Mutex::new(Thinner::new(cap));
    let nulls = source.each("thinning", threads, progress, |_, group| {
        let mut nulls = 0;
        let mut start = group.start;
        for batch in source.read(group, &columns, &[], None)? {
            let batch = batch?;
            let mut hashes = vec![None; batch.num_rows()];
            let column = |name: &str| {
                batch.column_by_name(name).ok_or_else(|| anyhow::anyhow!("`{name}` was not read"))
            };
            nulls += ids::visit(&rules.id, column(&rules.id)?, |row, id| {
                hashes[row] = Some(ids_hasher.hash(id.text))
            })?;
            let mut found = Vec::with_capacity(batch.num_rows());
            ids::visit(&rule.column, column(&rule.column)?, |row, id| {
                if let Some(hash) = hashes[row] {
                    found.push((entity_hasher.hash(id.text), hash, start + row as u64));
                }
            })?;
            let mut thinner = collected.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            found.iter().for_each(|(entity, hash, row)| thinner.offer(*entity, *hash, *row));
            start += batch.num_rows() as u64;
        }
        Ok(nulls)
    })?;
    refuse_nulls(&rules.id, nulls.iter().sum())?;
    let thinner = collected.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let thinned = thinner.finish(rule.at_least.unwrap_or(0));
    let left = RowSet::of(source, &thinned.rows);
    Ok((left, entities(source, thinned.entities, thinned.too_few, thinned.rows.len() as u64)))
}

fn entities(source: &Source, entities: u64, too_few: u64, left: u64) -> Entities {
    Entities { entities, too_few, rows_left: left, rows_lost: source.rows() - left }
}

pub(super) fn refuse_nulls(column: &str, rows: u64) -> anyhow::Result<()> {
    if rows > 0 {
        return Err(StratifyError::NullId { column: column.to_owned(), rows }.into());
    }
    Ok(())
}

/// The hash of every row's entity, a row group at a time; rows without an entity have none.
fn entity_hashes(
    source: &Source,
    column: &str,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<Vec<Vec<Option<u64>>>> {
    let hasher = IdHasher::new(0);
    source.each("entities", threads, progress, |_, group| {
        let mut hashes = Vec::with_capacity(group.rows);
        for batch in source.read(group, &[column], &[], None)? {
            let batch = batch?;
            let start = hashes.len();
            hashes.resize(start + batch.num_rows(), None);
            ids::visit(column, batch.column(0), |row, id| hashes[start + row] = Some(hasher.hash(id.text)))?;
        }
        Ok(hashes)
    })
}

fn at_least(
    rule: &EntityRule,
    source: &Source,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<(RowSet, Entities)> {
    let hashes = entity_hashes(source, &rule.column, threads, progress)?;
    let mut counts: std::collections::HashMap<u64, u32> = std::collections::HashMap::new();
    hashes.iter().flatten().flatten().for_each(|entity| *counts.entry(*entity).or_default() += 1);
    let least = rule.at_least.unwrap_or(0);
    let sets = hashes.iter().map(|hashes| {
        let mut bits = Bits::new(hashes.len());
        for (row, entity) in hashes.iter().enumerate() {
            if entity.is_some_and(|entity| counts[&entity] >= least) {
                bits.set(row);
            }
        }
        bits
    });
    let left = RowSet::new(source, sets.collect());
    let too_few = counts.values().filter(|count| **count < least).count() as u64;
    let rows = left.count();
    Ok((left, entities(source, counts.len() as u64, too_few, rows)))
}

/// The stratum of every row, a row group at a time.
fn row_strata(
    source: &Source,
    keys: &Keys,
    strata: &Strata,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<Vec<Vec<u32>>> {
    let columns = keys.columns();
    source.each("strata", threads, progress, |_, group| {
        if columns.is_empty() {
            return Ok(vec![strata.of(0); group.rows]);
        }
        let mut encoder = keys.encoder();
        let mut found = Vec::with_capacity(group.rows);
        for batch in source.read(group, &columns, &columns, None)? {
            found.extend(encoder.encode(&batch?)?.iter().map(|code| strata.of(*code)));
        }
        Ok(found)
    })
}

/// Whole entities, stratum by stratum; an entity must lie in one stratum.
#[expect(clippy::too_many_arguments, reason = "a pass needs the source, the keys and the plan")]
pub(super) fn keep_whole(
    rules: &Rules,
    rule: &EntityRule,
    plan: &Plan,
    source: &Source,
    keys: &Keys,
    strata: &Strata,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<(RowSet, Vec<(usize, i64)>)> {
    let entities = entity_hashes(source, &rule.column, threads, progress)?;
    let of_rows = row_strata(source, keys, strata, threads, progress)?;
    let mut sizes: BTreeMap<u64, (u32, u64)> = BTreeMap::new();
    for (entity, stratum) in entities.iter().flatten().zip(of_rows.iter().flatten()) {
        let Some(entity) = entity else {
            bail!("a row has no `{}`; whole entities need one per row", rule.column)
        };
        if *stratum == LEFT_OUT {
            continue;
        }
        let known = sizes.entry(*entity).or_insert((*stratum, 0));
        if known.0 != *stratum {
            bail!(
                "an entity of `{}` lies in several strata; whole entities need strata of the entity's own",
                rule.column
            );
        }
        known.1 += 1;
    }
    let mut chosen = std::collections::HashSet::new();
    let mut off = Vec::new();
    for (stratum, planned) in plan.strata.iter().enumerate() {
        let mine: Vec<(u64, u64)> = sizes
            .iter()
            .filter(|(_, (at, _))| *at as usize == stratum)
            .map(|(e, (_, rows))| (*e, *rows))
            .collect();
        // The seed decides which entities, not the name alone.
        let keyed: Vec<(u64, u64)> =
            mine.iter().map(|(e, rows)| (nearline_stratify::select::mix(e ^ rules.seed), *rows)).collect();
        let found = whole(&keyed, planned.take);
        chosen.extend(found.chosen.iter().map(|place| mine[*place].0));
        if found.rows != planned.take {
            off.push((stratum, found.rows.cast_signed() - planned.take.cast_signed()));
        }
    }
    let sets = entities.iter().zip(&of_rows).map(|(entities, strata)| {
        let mut bits = Bits::new(entities.len());
        for (row, (entity, stratum)) in entities.iter().zip(strata).enumerate() {
            if *stratum != LEFT_OUT && entity.is_some_and(|entity| chosen.contains(&entity)) {
                bits.set(row);
            }
        }
        bits
    });
    Ok((RowSet::new(source, sets.collect()), off))
}

/// A cap per entity by flow.
#[expect(clippy::too_many_arguments, reason = "a pass needs the source, the keys and the plan")]
pub(super) fn flow(
    rules: &Rules,
    rule: &EntityRule,
    plan: &Plan,
    source: &Source,
    keys: &Keys,
    strata: &Strata,
    eligible: Option<&RowSet>,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<(RowSet, Vec<(usize, i64)>)> {
    if source.rows() > MOST_FLOW_ROWS as u64 {
        let (what, needed, limit) = ("a cap per entity by flow", source.rows(), MOST_FLOW_ROWS as u64);
        return Err(StratifyError::TooLarge {
            what,
            needed,
            unit: "rows",
            limit,
            instead: "use `method = \"thin\"`",
        }
        .into());
    }
    let entities = entity_hashes(source, &rule.column, threads, progress)?;
    let of_rows = row_strata(source, keys, strata, threads, progress)?;
    let hasher = IdHasher::new(rules.seed);
    let hashes = source.each("hashing", threads, progress, |_, group| {
        let mut hashes = Vec::with_capacity(group.rows);
        let mut nulls = 0;
        for batch in source.read(group, &[rules.id.as_str()], &[], None)? {
            nulls += ids::visit(&rules.id, batch?.column(0), |_, id| hashes.push(hasher.hash(id.text)))?;
        }
        refuse_nulls(&rules.id, nulls)?;
        Ok(hashes)
    })?;
    let mut rows = Vec::new();
    for (place, group) in source.groups().iter().enumerate() {
        for row in 0..group.rows {
            let (stratum, entity) = (of_rows[place][row], entities[place][row]);
            let takes = stratum != LEFT_OUT && eligible.is_none_or(|eligible| eligible.group(place).has(row));
            if let (true, Some(entity)) = (takes, entity) {
                let (stratum, hash, row) = (stratum as usize, hashes[place][row], group.start + row as u64);
                rows.push(MemberRow { stratum, entity, hash, row });
            }
        }
    }
    let assigned = assign(&rows, &plan.take(), u64::from(rule.at_most.unwrap_or(u32::MAX)))?;
    let short = assigned.missing.iter().enumerate().filter(|(_, missing)| **missing > 0);
    let short = short.map(|(stratum, missing)| (stratum, -missing.cast_signed())).collect();
    Ok((RowSet::of(source, &assigned.rows), short))
}
