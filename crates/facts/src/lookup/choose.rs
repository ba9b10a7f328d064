//! Which rows are read: by the index, or by a look at every row.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use jiff::Timestamp;
use nearline_model::check_invariant;

use super::What;
use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::{FactsError, Result};
use crate::index::{self, IndexFile, Ranges};
use crate::labels::positions;
use crate::members::{MemberTable, Members};
use crate::moments::{self, Unit};
use crate::rules::Order;
use crate::source::{Group, Read, Source};
use crate::sweep::Best;

/// The rows that are read.
pub(super) struct Chosen {
    pub ranges: Ranges,
    /// The members that rows must be of, if the rows come from an index.
    pub verify: Option<Wanted>,
    /// Facts that were, or will be, looked at.
    pub facts_read: u64,
}

/// The members that are asked for.
pub(super) struct Wanted {
    table: MemberTable,
    hashes: Vec<u64>,
}

pub(super) fn choose(facts: &Source, paths: &[PathBuf], what: &What, threads: usize) -> Result<Chosen> {
    let groups: Vec<&Group> = facts.groups.iter().collect();
    let scanned = |ranges: Ranges| Chosen { ranges, verify: None, facts_read: facts.rows() };
    match what {
        What::Members(members) => {
            let wanted = Wanted::read(members, facts)?;
            if let Some(ranges) = indexed(facts, paths, &wanted)? {
                let rows = |ranges: &Vec<Range<u64>>| {
                    ranges.iter().map(|range| range.end - range.start).sum::<u64>()
                };
                let facts_read = ranges.values().map(rows).sum();
                return Ok(Chosen { ranges, verify: Some(wanted), facts_read });
            }
            let rows = |path: &Path, batch: &RecordBatch| wanted.places(path, batch);
            scan(facts, &groups, &[MEMBER], threads, rows).map(scanned)
        }
        What::Changes { from, to } => {
            let unit = Unit::for_types([facts.required(KNOWN_AT)?.data_type()]);
            let within = in_unit(*from, unit)?..in_unit(*to, unit)?;
            let rows = |path: &Path, batch: &RecordBatch| {
                let array = column(path, batch, KNOWN_AT)?;
                let times = moments::instants(
                    path,
                    KNOWN_AT,
                    moments::whole(path, KNOWN_AT, array, |_| false)?,
                    unit,
                )?;
                let rows = times.iter().enumerate().filter(|(_, at)| within.contains(at));
                Ok(rows.map(|(row, _)| row as u32).collect())
            };
            scan(facts, &groups, &[KNOWN_AT], threads, rows).map(scanned)
        }
        What::AsOf { at, order } => as_of(facts, &groups, *at, *order, threads).map(scanned),
    }
}

impl Wanted {
    fn read(paths: &[PathBuf], facts: &Source) -> Result<Self> {
        let source = Source::open(paths)?;
        let (own, other) = (source.required(MEMBER)?.data_type(), facts.required(MEMBER)?.data_type());
        if own != other {
            let reason = format!("is {own}, and that of the facts is {other}; write both as one type");
            return Err(FactsError::column(&source.files[0].path, MEMBER, reason));
        }
        let mut wanted = Self { table: MemberTable::default(), hashes: Vec::new() };
        for group in &source.groups {
            let path = source.path(group);
            for batch in source.read(group, Read { columns: vec![MEMBER], ..Read::default() })? {
                let batch = batch.map_err(FactsError::parquet(path))?;
                let members = Members::of(path, MEMBER, batch.column(0))?;
                for row in 0..batch.num_rows() {
                    if wanted.table.insert(&members, row).is_some() {
                        wanted.hashes.push(members.hash(row));
                    }
                }
            }
        }
        Ok(wanted)
    }

    /// The rows of a batch that are of wanted members.
    pub fn places(&self, path: &Path, batch: &RecordBatch) -> Result<Vec<u32>> {
        let mut places = Vec::new();
        let members = Members::of(path, MEMBER, column(path, batch, MEMBER)?)?;
        self.table.find_all(&members, |row, _| places.push(row as u32));
        Ok(places)
    }
}

fn column<'a>(path: &Path, batch: &'a RecordBatch, name: &str) -> Result<&'a arrow_array::ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| FactsError::column(path, name, "is not there"))
}

fn in_unit(at: Timestamp, unit: Unit) -> Result<i64> {
    let nanos = at.as_nanosecond();
    let value = match unit {
        Unit::Micros => i64::try_from(nanos.div_euclid(1_000)),
        Unit::Nanos => i64::try_from(nanos),
    };
    value.map_err(|_| FactsError::Refused(format!("{at} is too far away")))
}

/// The rows that the index names, if there is one that belongs to the files.
fn indexed(facts: &Source, paths: &[PathBuf], wanted: &Wanted) -> Result<Option<Ranges>> {
    let Some(place) = index::place(paths) else { return Ok(None) };
    let Some(index) = IndexFile::open(&place, &facts.snapshot().digest)? else { return Ok(None) };
    index::ranges(facts, &index, &wanted.hashes).map(Some)
}

/// Looks at some columns of every row.
fn scan(
    facts: &Source,
    groups: &[&Group],
    columns: &[&str],
    threads: usize,
    rows: impl Fn(&Path, &RecordBatch) -> Result<Vec<u32>> + Sync,
) -> Result<Ranges> {
    let found = Source::each(groups, threads, |group| {
        let path = facts.path(group);
        let mut ranges = Vec::new();
        let mut first = group.first_row;
        for batch in facts.read(group, Read { columns: columns.to_vec(), ..Read::default() })? {
            let batch = batch.map_err(FactsError::parquet(path))?;
            for row in rows(path, &batch)? {
                push(&mut ranges, first + u64::from(row));
            }
            first += batch.num_rows() as u64;
        }
        Ok((group.number, ranges))
    })?;
    Ok(found.into_iter().filter(|(_, ranges)| !ranges.is_empty()).collect())
}

fn push(ranges: &mut Vec<Range<u64>>, row: u64) {
    match ranges.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => ranges.push(row..row + 1),
    }
}

/// The row of every member's fact as of a moment.
fn as_of(facts: &Source, groups: &[&Group], at: Timestamp, order: Order, threads: usize) -> Result<Ranges> {
    let times = [facts.required(EVENT_AT)?.data_type(), facts.required(KNOWN_AT)?.data_type()];
    let unit = Unit::for_types(times);
    let at = in_unit(at, unit)?;
    let known = Mutex::new((MemberTable::default(), Vec::<Best>::new()));
    let columns = vec![MEMBER, EVENT_AT, KNOWN_AT, POSITION];
    Source::each(groups, threads, |group| {
        let path = facts.path(group);
        let mut first = group.first_row;
        for batch in facts.read(group, Read { columns: columns.clone(), ..Read::default() })? {
            let batch = batch.map_err(FactsError::parquet(path))?;
            let members = Members::of(path, MEMBER, column(path, &batch, MEMBER)?)?;
            let whole = |name: &str| {
                moments::whole(path, name, column(path, &batch, name)?, |row| members.is_null(row))
            };
            let event_at = moments::instants(path, EVENT_AT, whole(EVENT_AT)?, unit)?;
            let known_at = moments::instants(path, KNOWN_AT, whole(KNOWN_AT)?, unit)?;
            let positions = positions(path, POSITION, whole(POSITION)?)?;
            let mut locked = known.lock().unwrap_or_else(PoisonError::into_inner);
            let (table, best) = &mut *locked;
            for row in (0..batch.num_rows()).filter(|&row| known_at[row] <= at && event_at[row] <= at) {
                let fact = Best::new(event_at[row], known_at[row], positions[row], first + row as u64);
                match table.insert(&members, row).map(|number| number as usize) {
                    Some(number) if number == best.len() => best.push(fact),
                    Some(number) if fact.is_newer_than(&best[number], order) => best[number] = fact,
                    _ => {}
                }
            }
            first += batch.num_rows() as u64;
        }
        Ok(())
    })?;
    let (_, best) = known.into_inner().unwrap_or_else(PoisonError::into_inner);
    let late = best.iter().filter(|fact| fact.known_at > at || fact.event_at > at).count();
    check_invariant!(I9, late == 0, "{late} facts as of {at} became known later");
    let mut rows: Vec<u64> = best.iter().filter_map(Best::row).collect();
    rows.sort_unstable();
    let mut ranges = Ranges::new();
    for group in groups {
        let within = rows.partition_point(|row| *row < group.first_row)
            ..rows.partition_point(|row| *row < group.first_row + group.rows as u64);
        if !within.is_empty() {
            let of_group = ranges.entry(group.number).or_default();
            rows[within].iter().for_each(|row| push(of_group, *row));
        }
    }
    Ok(ranges)
}
