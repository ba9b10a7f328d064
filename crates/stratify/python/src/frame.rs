//! A table in memory as the library sees it: strata, hashes of ids and of entities, times.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use nearline_stratify::entities::{MemberRow, Thinner, assign, whole};
use nearline_stratify::rules::{DatePart, EntityMethod, KeySource, Rules, SplitRule, WeightsRule};
use nearline_stratify::select::{BalancedRows, IdHasher, mix, smallest};
use nearline_stratify::splits::{SplitRows, embargo_in, split};
use nearline_stratify::weights::of_plan;
use nearline_stratify::{Census, NULL_LEVEL, Plan, StratifyError, bin_level};

pub(crate) struct Frame {
    levels: Vec<Vec<String>>,
    hashes: Vec<u64>,
    entities: Option<Vec<u64>>,
    split_entities: Option<Vec<u64>>,
    times: Option<Vec<i64>>,
    /// Nanoseconds of the times' unit; none where they are numbers.
    time_unit: Option<i64>,
    /// One column of numbers for each total that is kept.
    balance: Vec<Vec<f64>>,
    eligible: Option<HashSet<u64>>,
}

fn column(batches: &[RecordBatch], name: &str) -> Result<Vec<ArrayRef>, String> {
    let found = batches.iter().map(|batch| {
        batch.column_by_name(name).cloned().ok_or_else(|| format!("there is no column `{name}`"))
    });
    found.collect()
}

fn texts(batches: &[RecordBatch], name: &str) -> Result<Vec<Option<String>>, String> {
    let mut all = Vec::new();
    for array in column(batches, name)? {
        let wrong = |error| format!("`{name}`: {error}");
        // Moments are written as those of UTC, wherever they were taken.
        let array = match array.data_type() {
            DataType::Timestamp(unit, _) => {
                let utc = DataType::Timestamp(*unit, Some("+00:00".into()));
                arrow_cast::cast(&array, &utc).map_err(wrong)?
            }
            _ => array,
        };
        let cast = arrow_cast::cast(&array, &DataType::Utf8).map_err(wrong)?;
        all.extend(cast.as_string::<i32>().iter().map(|text| text.map(ToOwned::to_owned)));
    }
    Ok(all)
}

fn key(batches: &[RecordBatch], name: &str, source: Option<&KeySource>) -> Result<Vec<String>, String> {
    let from = source.and_then(|source| source.column.as_deref()).unwrap_or(name);
    let null = || NULL_LEVEL.to_owned();
    if source.is_some_and(|source| source.sql.is_some()) {
        return Err(format!("the key `{name}`: `sql` is for `nearline-lab stratify`; add a column"));
    }
    if let Some(source) = source.filter(|source| !source.bins.is_empty()) {
        let mut levels = Vec::new();
        for array in column(batches, from)? {
            let cast =
                arrow_cast::cast(&array, &DataType::Float64).map_err(|error| format!("`{from}`: {error}"))?;
            let numbers = cast.as_primitive::<Float64Type>();
            levels.extend(
                numbers
                    .iter()
                    .map(|number| number.map_or_else(null, |number| bin_level(&source.bins, number))),
            );
        }
        return Ok(levels);
    }
    if let Some(array) = column(batches, from)?.first()
        && array.data_type().is_floating()
    {
        return Err(format!("the key `{name}` is of numbers with a fraction; give it `bins`"));
    }
    let is_moment = |array: &ArrayRef| {
        matches!(array.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
    };
    let day = column(batches, from)?.first().is_some_and(is_moment).then_some(DatePart::Day);
    let part = source.and_then(|source| source.date).or(day);
    let texts = texts(batches, from)?;
    texts.into_iter().map(|text| text.map_or_else(|| Ok(null()), |text| of_date(name, text, part))).collect()
}

/// A part of a date in ISO 8601.
fn of_date(name: &str, text: String, part: Option<DatePart>) -> Result<String, String> {
    let Some(part) = part else { return Ok(text) };
    let cut = |range: std::ops::Range<usize>| {
        text.get(range).map(ToOwned::to_owned).ok_or_else(|| format!("`{name}`: `{text}` is no date"))
    };
    match part {
        DatePart::Year => cut(0..4),
        DatePart::Month => cut(0..7),
        DatePart::Day => cut(0..10),
        // A date without a time.
        DatePart::Hour if text.len() == 10 => Ok("0".to_owned()),
        DatePart::Hour => Ok(cut(11..13)?.trim_start_matches('0').to_owned())
            .map(|hour| if hour.is_empty() { "0".into() } else { hour }),
        DatePart::Weekday => {
            let day: jiff::civil::Date =
                cut(0..10)?.parse().map_err(|_| format!("`{name}`: `{text}` is no date"))?;
            Ok(day.weekday().to_monday_one_offset().to_string())
        }
    }
}

fn hashed(batches: &[RecordBatch], name: &str, seed: u64) -> Result<Vec<u64>, String> {
    let hasher = IdHasher::new(seed);
    let texts = texts(batches, name)?.into_iter();
    texts
        .map(|text| {
            text.map(|text| hasher.hash(text.as_bytes())).ok_or_else(|| format!("a row has no `{name}`"))
        })
        .collect()
}

impl Frame {
    pub fn new(rules: &Rules, batches: &[RecordBatch]) -> Result<Self, String> {
        let ids = texts(batches, &rules.id)?;
        let mut seen = HashSet::with_capacity(ids.len());
        let hasher = IdHasher::new(rules.seed);
        let mut hashes = Vec::with_capacity(ids.len());
        for id in &ids {
            let Some(id) = id else {
                return Err(format!("a row has no id in `{}`; every row needs one", rules.id));
            };
            if !seen.insert(id.as_str()) {
                return Err(format!(
                    "the id `{id}` in `{}` occurs more than once; ids must be unique",
                    rules.id
                ));
            }
            hashes.push(hasher.hash(id.as_bytes()));
        }
        let keys = rules.strata.iter().map(|name| key(batches, name, rules.keys.get(name)));
        let keys: Vec<Vec<String>> = keys.collect::<Result<_, _>>()?;
        let levels = (0..ids.len()).map(|row| keys.iter().map(|key| key[row].clone()).collect()).collect();
        let entities = rules.entity().map(|rule| hashed(batches, &rule.column, 0)).transpose()?;
        let split_entities = rules
            .split()
            .and_then(|rule| rule.entity.as_ref())
            .map(|name| hashed(batches, name, rules.seed))
            .transpose()?;
        let time = rules.split().and_then(|rule| rule.time.as_ref());
        let times = time.map(|name| times(batches, name)).transpose()?;
        let time_unit = time.map(|name| unit_nanos(batches, name)).transpose()?.flatten();
        let balance = rules.balance().map_or(&[][..], |rule| &rule.columns).iter();
        let balance = balance.map(|name| numbers(batches, name)).collect::<Result<_, _>>()?;
        let eligible = None;
        let mut frame =
            Self { levels, hashes, entities, split_entities, times, time_unit, balance, eligible };
        frame.thin(rules);
        Ok(frame)
    }

    fn thin(&mut self, rules: &Rules) {
        let (Some(rule), Some(entities)) = (rules.entity().filter(|rule| !rule.whole), &self.entities) else {
            return;
        };
        let cap = rule.at_most.filter(|_| rule.method == EntityMethod::Thin);
        if cap.is_none() && rule.at_least.is_none() {
            return;
        }
        let mut counts: HashMap<u64, u32> = HashMap::new();
        entities.iter().for_each(|entity| *counts.entry(*entity).or_default() += 1);
        let most = counts.values().copied().max().unwrap_or(1);
        let mut thinner = Thinner::new(cap.unwrap_or(most));
        for (row, (entity, hash)) in entities.iter().zip(&self.hashes).enumerate() {
            thinner.offer(*entity, *hash, row as u64);
        }
        self.eligible = Some(thinner.finish(rule.at_least.unwrap_or(0)).rows.into_iter().collect());
    }

    pub fn rows(&self) -> usize {
        self.hashes.len()
    }

    fn may(&self, row: usize) -> bool {
        self.eligible.as_ref().is_none_or(|eligible| eligible.contains(&(row as u64)))
    }

    pub fn census(&self, rules: &Rules) -> Census {
        let mut table: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        for (row, levels) in self.levels.iter().enumerate() {
            if self.may(row) {
                *table.entry(levels.clone()).or_default() += 1;
            }
        }
        Census::from_table(rules.strata.clone(), table)
    }

    fn strata(&self, rules: &Rules, plan: &Plan) -> Vec<Option<usize>> {
        let census = self.census(rules);
        let of = |row: usize| {
            if self.may(row) { plan.stratum_of[census.find_named(&self.levels[row])?] } else { None }
        };
        (0..self.rows()).map(of).collect()
    }

    pub fn select(&self, rules: &Rules, plan: &Plan) -> Result<Vec<u64>, String> {
        let strata = self.strata(rules, plan);
        let wrong = |error: nearline_stratify::StratifyError| error.to_string();
        match (rules.entity(), &self.entities) {
            (Some(rule), Some(entities)) if rule.whole => self.whole(rules, plan, &strata, entities),
            (Some(rule), Some(entities)) if rule.method == EntityMethod::Flow && rule.at_most.is_some() => {
                let rows = (0..self.rows()).filter_map(|row| {
                    let (hash, entity) = (self.hashes[row], entities[row]);
                    strata[row].map(|stratum| MemberRow { stratum, entity, hash, row: row as u64 })
                });
                let cap = u64::from(rule.at_most.unwrap_or(u32::MAX));
                Ok(assign(&rows.collect::<Vec<_>>(), &plan.take(), cap).map_err(wrong)?.rows)
            }
            _ if rules.balance().is_some() => self.balanced(rules, plan, &strata).map_err(wrong),
            _ => {
                let rows = smallest(&strata, &self.hashes, &plan.take()).map_err(wrong)?;
                Ok(rows.into_iter().map(|row| row as u64).collect())
            }
        }
    }

    fn balanced(
        &self,
        rules: &Rules,
        plan: &Plan,
        strata: &[Option<usize>],
    ) -> Result<Vec<u64>, StratifyError> {
        let mut rows = BalancedRows::new(self.balance.len());
        for (row, stratum) in strata.iter().enumerate() {
            let Some(stratum) = stratum.filter(|stratum| plan.strata[*stratum].take > 0) else { continue };
            let values: Vec<f64> = self.balance.iter().map(|numbers| numbers[row]).collect();
            let stratum = u32::try_from(stratum).expect("fewer than 2^32 strata");
            rows.push(stratum, self.hashes[row], row as u64, &values);
        }
        rows.refuse_unknown(rules.balance().map_or(&[], |rule| &rule.columns))?;
        Ok(rows.choose(&plan.take(), rules.seed)?.rows)
    }

    fn whole(
        &self,
        rules: &Rules,
        plan: &Plan,
        strata: &[Option<usize>],
        entities: &[u64],
    ) -> Result<Vec<u64>, String> {
        let mut sizes: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
        for (entity, stratum) in entities.iter().zip(strata) {
            if let Some(stratum) = stratum {
                let known = sizes.entry(*entity).or_insert((*stratum, 0));
                if known.0 != *stratum {
                    return Err("an entity lies in several strata; whole entities need strata of their own"
                        .to_owned());
                }
                known.1 += 1;
            }
        }
        let mut chosen = HashSet::new();
        for (stratum, planned) in plan.strata.iter().enumerate() {
            let mine: Vec<(u64, u64)> = sizes
                .iter()
                .filter(|(_, (at, _))| *at == stratum)
                .map(|(e, (_, rows))| (*e, *rows))
                .collect();
            let keyed: Vec<(u64, u64)> = mine.iter().map(|(e, rows)| (mix(e ^ rules.seed), *rows)).collect();
            chosen.extend(whole(&keyed, planned.take).chosen.into_iter().map(|place| mine[place].0));
        }
        let rows = (0..self.rows()).filter(|row| strata[*row].is_some() && chosen.contains(&entities[*row]));
        Ok(rows.map(|row| row as u64).collect())
    }

    pub fn weights(&self, rules: &Rules, plan: &Plan, rows: &[u64]) -> Result<Vec<f64>, String> {
        let strata = self.strata(rules, plan);
        let of_rows =
            rows.iter().map(|row| strata[*row as usize].ok_or("a row of the sample is in no stratum"));
        let of_rows: Vec<usize> = of_rows.collect::<Result<_, _>>()?;
        let mut taken = vec![0.0; plan.strata.len()];
        of_rows.iter().for_each(|stratum| taken[*stratum] += 1.0);
        let plain = WeightsRule { column: String::new(), calibrate: Vec::new(), lower: 1.0, upper: 1.0 };
        let found =
            of_plan(rules.weights().unwrap_or(&plain), plan, &taken).map_err(|error| error.to_string())?;
        Ok(of_rows.into_iter().map(|stratum| found.weights[stratum]).collect())
    }

    pub fn split(&self, rules: &Rules, plan: &Plan, rows: &[u64]) -> Result<Vec<(String, Vec<u64>)>, String> {
        let rule = rules.split().ok_or("the rules have no `split`")?;
        let all = self.strata(rules, plan);
        let pick = |values: &[u64]| rows.iter().map(|row| values[*row as usize]).collect::<Vec<u64>>();
        let strata: Vec<usize> = rows.iter().map(|row| all[*row as usize].unwrap_or_default()).collect();
        let hashes = pick(&self.hashes);
        let entities = self.split_entities.as_deref().map(pick);
        let times: Option<Vec<i64>> =
            self.times.as_ref().map(|times| rows.iter().map(|row| times[*row as usize]).collect());
        let looked = SplitRows {
            strata: &strata,
            hashes: &hashes,
            entities: entities.as_deref(),
            times: times.as_deref(),
        };
        let embargo = self.time_unit.map_or(rule.embargo, |unit| embargo_in(rule.embargo, unit));
        let parts =
            split(&SplitRule { embargo, ..rule.clone() }, &looked).map_err(|error| error.to_string())?;
        let of = |place: usize| {
            rows.iter()
                .zip(&parts.part)
                .filter(|(_, part)| **part == Some(place))
                .map(|(row, _)| *row)
                .collect()
        };
        Ok(rule.parts.iter().enumerate().map(|(place, part)| (part.name.clone(), of(place))).collect())
    }
}

fn numbers(batches: &[RecordBatch], name: &str) -> Result<Vec<f64>, String> {
    let mut all = Vec::new();
    for array in column(batches, name)? {
        if !(array.data_type().is_numeric() || *array.data_type() == DataType::Boolean) {
            return Err(format!(
                "totals of `{name}` cannot be balanced: it is of type {}",
                array.data_type()
            ));
        }
        let cast =
            arrow_cast::cast(&array, &DataType::Float64).map_err(|error| format!("`{name}`: {error}"))?;
        all.extend(cast.as_primitive::<Float64Type>().iter().map(|number| number.unwrap_or(f64::NAN)));
    }
    Ok(all)
}

fn unit_nanos(batches: &[RecordBatch], name: &str) -> Result<Option<i64>, String> {
    let columns = column(batches, name)?;
    Ok(columns.first().and_then(|array| match array.data_type() {
        DataType::Date32 => Some(86_400_000_000_000),
        DataType::Date64 => Some(1_000_000),
        DataType::Timestamp(TimeUnit::Second, _) => Some(1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => Some(1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Some(1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(1),
        _ => None,
    }))
}

fn times(batches: &[RecordBatch], name: &str) -> Result<Vec<i64>, String> {
    let mut all = Vec::new();
    for array in column(batches, name)? {
        let cast =
            arrow_cast::cast(&array, &DataType::Int64).map_err(|error| format!("`{name}`: {error}"))?;
        if cast.null_count() > 0 {
            return Err(format!("a row has no `{name}`"));
        }
        all.extend(cast.as_primitive::<Int64Type>().values());
    }
    Ok(all)
}
