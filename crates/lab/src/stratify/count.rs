//! The first pass: how many rows each stratum has. Only the keys' columns are read.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use nearline_stratify::{Census, Plan};

use super::columns::{Keys, integers};
use super::rowset::RowSet;
use super::source::{Progress, Source};

/// What the first pass found.
pub(super) struct Counted {
    pub census: Census,
    /// The stratum of every code that occurred.
    codes: HashMap<u64, usize>,
}

/// The plan's stratum of every code.
pub(super) struct Strata(HashMap<u64, u32>);

/// A row that the plan leaves out.
pub(super) const LEFT_OUT: u32 = u32::MAX;

impl Strata {
    #[inline]
    pub fn of(&self, code: u64) -> u32 {
        self.0.get(&code).copied().unwrap_or(LEFT_OUT)
    }
}

impl Counted {
    pub fn strata(&self, plan: &Plan) -> Strata {
        let place = |stratum: usize| plan.stratum_of[stratum].and_then(|place| u32::try_from(place).ok());
        Strata(
            self.codes.iter().map(|(code, stratum)| (*code, place(*stratum).unwrap_or(LEFT_OUT))).collect(),
        )
    }
}

/// Counts rows per stratum, only the eligible ones if some are not.
pub(super) fn count(
    source: &Source,
    keys: &Keys,
    eligible: Option<&RowSet>,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<Counted> {
    let columns = keys.columns();
    let tables = source.each("counting", threads, progress, |place, group| {
        let mut table: HashMap<u64, u64> = HashMap::new();
        if columns.is_empty() {
            let rows = eligible.map_or(group.rows as u64, |eligible| eligible.group(place).count());
            table.insert(0, rows);
            return Ok(table);
        }
        let mut encoder = keys.encoder();
        let mut start = 0;
        for batch in source.read(group, &columns, &columns, None)? {
            let batch = batch?;
            let codes = encoder.encode(&batch)?;
            tally(&mut table, codes, |row| {
                eligible.is_none_or(|eligible| eligible.group(place).has(start + row))
            });
            start += batch.num_rows();
        }
        Ok(table)
    })?;
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for (code, rows) in tables.into_iter().flatten() {
        *counts.entry(code).or_default() += rows;
    }
    let mut table: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (code, rows) in &counts {
        *table.entry(keys.levels(*code)).or_default() += rows;
    }
    let census = Census::from_table(keys.names(), table);
    let codes =
        counts.keys().filter_map(|code| Some((*code, census.find_named(&keys.levels(*code))?))).collect();
    Ok(Counted { census, codes })
}

/// The column of counts that the counting statement makes.
const ROWS: &str = "rows_in";

/// The strata of a table of counts.
pub(super) fn of_counts(source: &Source, keys: &Keys) -> anyhow::Result<Census> {
    let mut columns = keys.columns();
    let dictionaries = columns.clone();
    columns.push(ROWS);
    source.data_type(ROWS)?;
    let mut table: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for group in source.groups() {
        let mut encoder = keys.encoder();
        for batch in source.read(group, &columns, &dictionaries, None)? {
            let batch = batch?;
            let codes = encoder.encode(&batch)?;
            let Some(rows) = batch.column_by_name(ROWS) else { anyhow::bail!("`{ROWS}` was not read") };
            for (code, rows) in codes.iter().zip(integers(ROWS, rows)?) {
                *table.entry(keys.levels(*code)).or_default() += u64::try_from(rows).unwrap_or_default();
            }
        }
    }
    Ok(Census::from_table(keys.names(), table))
}

/// Rows of equal codes often follow each other: their place in the table is looked up once.
fn tally(table: &mut HashMap<u64, u64>, codes: &[u64], counts: impl Fn(usize) -> bool) {
    let (mut last, mut run) = (u64::MAX, 0);
    for (row, code) in codes.iter().enumerate() {
        if !counts(row) {
            continue;
        }
        if *code != last {
            if run > 0 {
                *table.entry(last).or_default() += run;
            }
            (last, run) = (*code, 0);
        }
        run += 1;
    }
    if run > 0 {
        *table.entry(last).or_default() += run;
    }
}
