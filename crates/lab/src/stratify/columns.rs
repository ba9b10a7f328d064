//! Keys as small numbers: every batch's levels become places in one table per key, shared by all threads.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use hashbrown::HashMap;
use nearline_stratify::rules::{KeySource, Rules};
use nearline_stratify::{NULL_LEVEL, bin_level};

use super::source::{Source, values};

pub(super) mod expression;
mod numbers;

use expression::Expression;

/// The keys of a job's strata.
pub(super) struct Keys {
    keys: Vec<Key>,
    bits: u32,
}

struct Key {
    name: String,
    column: String,
    source: Option<KeySource>,
    expression: Option<Expression>,
    levels: Mutex<Levels>,
}

#[derive(Default)]
struct Levels {
    names: Vec<String>,
    places: HashMap<String, u32>,
}

impl Key {
    fn place(&self, level: &str) -> u32 {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = levels.places.get(level) {
            return *place;
        }
        let place = u32::try_from(levels.names.len()).expect("a key has fewer than 2^32 levels");
        levels.names.push(level.to_owned());
        levels.places.insert(level.to_owned(), place);
        place
    }
}

/// What one thread remembers from batch to batch.
pub(super) struct Encoder<'a> {
    keys: &'a Keys,
    memory: Vec<Memory>,
    codes: Vec<u64>,
}

#[derive(Default)]
struct Memory {
    dictionary: Option<ArrayRef>,
    places: Vec<u32>,
    numbers: HashMap<u64, u32>,
    /// The same for numbers below 256, which most keys' are; 0 is none, others are one more than the place.
    small: Vec<u32>,
    null: Option<u32>,
    /// What expressions gave.
    names: HashMap<String, u32>,
}

impl Memory {
    #[inline]
    fn known(&self, number: u64) -> Option<u32> {
        match usize::try_from(number).ok().and_then(|number| self.small.get(number)) {
            Some(0) => None,
            Some(place) => Some(place - 1),
            None => self.numbers.get(&number).copied(),
        }
    }

    fn remember(&mut self, number: u64, place: u32) {
        if self.small.is_empty() {
            self.small = vec![0; 256];
        }
        match usize::try_from(number).ok().and_then(|number| self.small.get_mut(number)) {
            Some(slot) => *slot = place + 1,
            // Numbers that rarely repeat are not worth remembering.
            None if self.numbers.len() < 1 << 16 => {
                self.numbers.insert(number, place);
            }
            None => {}
        }
    }
}

impl Keys {
    /// The keys of rules, checked against the columns there are.
    pub fn new(rules: &Rules, source: &Source) -> anyhow::Result<Self> {
        Self::of(rules, source, &rules.strata)
    }

    /// Those keys of rules whose columns a source has.
    pub fn present(rules: &Rules, source: &Source) -> anyhow::Result<Self> {
        let present = |key: &String| match rules.keys.get(key) {
            Some(KeySource { sql: Some(sql), .. }) => Expression::new(key, sql, source.schema()).is_ok(),
            found => {
                let column = found.and_then(|found| found.column.as_deref()).unwrap_or(key);
                source.data_type(column).is_ok()
            }
        };
        let names: Vec<String> = rules.strata.iter().filter(|key| present(key)).cloned().collect();
        Self::of(rules, source, &names)
    }

    fn of(rules: &Rules, source: &Source, names: &[String]) -> anyhow::Result<Self> {
        if names.len() > 8 {
            bail!("strata of more than 8 keys are not supported; there are {}", names.len());
        }
        let mut keys = Vec::new();
        for name in names {
            let found = rules.keys.get(name).cloned();
            if let Some(sql) = found.as_ref().and_then(|found| found.sql.as_deref()) {
                let expression = Some(Expression::new(name, sql, source.schema())?);
                keys.push(Key {
                    name: name.clone(),
                    column: String::new(),
                    source: found,
                    expression,
                    levels: Mutex::default(),
                });
                continue;
            }
            let column =
                found.as_ref().and_then(|found| found.column.clone()).unwrap_or_else(|| name.clone());
            check(name, found.as_ref(), values(source.data_type(&column)?))?;
            let levels = Mutex::default();
            keys.push(Key { name: name.clone(), column, source: found, expression: None, levels });
        }
        let bits = 64 / u32::try_from(keys.len().max(1)).expect("at most 8 keys");
        Ok(Self { keys, bits })
    }

    pub fn names(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.name.clone()).collect()
    }

    /// The columns to read.
    pub fn columns(&self) -> Vec<&str> {
        let plain = self.keys.iter().filter(|key| key.expression.is_none()).map(|key| key.column.as_str());
        let read = self.keys.iter().filter_map(|key| key.expression.as_ref()).flat_map(Expression::columns);
        let mut columns: Vec<&str> = plain.chain(read).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    pub fn encoder(&self) -> Encoder<'_> {
        let memory = self.keys.iter().map(|_| Memory::default()).collect();
        Encoder { keys: self, memory, codes: Vec::new() }
    }

    /// The levels of a code, by name.
    pub fn levels(&self, code: u64) -> Vec<String> {
        let mask = if self.bits == 64 { u64::MAX } else { (1 << self.bits) - 1 };
        let places =
            (0..self.keys.len()).map(|key| code >> (u32::try_from(key).unwrap_or(0) * self.bits) & mask);
        let named = self.keys.iter().zip(places).map(|(key, place)| {
            key.levels.lock().unwrap_or_else(PoisonError::into_inner).names[place as usize].clone()
        });
        named.collect()
    }
}

/// Whether a key can be made of a column of this type.
fn check(name: &str, source: Option<&KeySource>, data_type: &DataType) -> anyhow::Result<()> {
    let binned = source.is_some_and(|source| !source.bins.is_empty());
    let dated = source.is_some_and(|source| source.date.is_some());
    let fits = match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => !binned && !dated,
        DataType::Boolean => !binned && !dated,
        DataType::Date32 | DataType::Timestamp(_, _) => !binned,
        DataType::Float32 | DataType::Float64 => binned,
        other => other.is_integer() && !dated,
    };
    if fits {
        return Ok(());
    }
    let wanted = if binned {
        "bins need numbers"
    } else if dated {
        "dates need a date or a timestamp"
    } else {
        "numbers with a fraction need `bins`"
    };
    bail!("the key `{name}` cannot be made of a column of type {data_type}: {wanted}")
}

impl Encoder<'_> {
    /// One code per row of a batch: equal codes are equal levels. Without keys all are the same.
    pub fn encode(&mut self, batch: &RecordBatch) -> anyhow::Result<&[u64]> {
        self.codes.clear();
        self.codes.resize(batch.num_rows(), 0);
        for (place, key) in self.keys.keys.iter().enumerate() {
            let shift = u32::try_from(place)? * self.keys.bits;
            let memory = &mut self.memory[place];
            let most = match (&key.expression, batch.column_by_name(&key.column)) {
                (Some(expression), _) => {
                    add_expression(key, expression, memory, batch, shift, &mut self.codes)?
                }
                (None, Some(array)) => add(key, memory, array, shift, &mut self.codes)?,
                (None, None) => bail!("the column `{}` was not read", key.column),
            };
            if self.keys.bits < 32 && most >= 1 << self.keys.bits {
                bail!(
                    "the key `{}` has more than {} levels; use bins or fewer keys",
                    key.name,
                    1_u64 << self.keys.bits
                );
            }
        }
        Ok(&self.codes)
    }
}

/// Adds one key's places to the codes; gives the largest place.
fn add(
    key: &Key,
    memory: &mut Memory,
    array: &ArrayRef,
    shift: u32,
    codes: &mut [u64],
) -> anyhow::Result<u32> {
    let null = |memory: &mut Memory| *memory.null.get_or_insert_with(|| key.place(NULL_LEVEL));
    let mut most = 0;
    if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() {
        let same = memory.dictionary.as_ref().is_some_and(|known| Arc::ptr_eq(known, dictionary.values()));
        if !same {
            let Some(values) = dictionary.values().as_string_opt::<i32>() else {
                bail!("the key `{}` was read as {}, not as text", key.name, array.data_type())
            };
            memory.places = values.iter().map(|level| key.place(level.unwrap_or(NULL_LEVEL))).collect();
            memory.dictionary = Some(Arc::clone(dictionary.values()));
        }
        most = memory.places.iter().copied().max().unwrap_or_default();
        let places = dictionary.keys().values();
        if dictionary.null_count() == 0 {
            for (code, place) in codes.iter_mut().zip(places) {
                *code |= u64::from(memory.places[*place as usize]) << shift;
            }
        } else {
            let missing = null(memory);
            most = most.max(missing);
            for (row, code) in codes.iter_mut().enumerate() {
                let place =
                    if dictionary.is_null(row) { missing } else { memory.places[places[row] as usize] };
                *code |= u64::from(place) << shift;
            }
        }
        return Ok(most);
    }
    let source = key.source.as_ref();
    let bits = numbers::bits(array)?;
    for (row, code) in codes.iter_mut().enumerate() {
        let place = if array.is_null(row) {
            null(memory)
        } else {
            let number = bits.at(row);
            match memory.known(number) {
                Some(place) => place,
                None => {
                    let level = match source {
                        Some(source) if !source.bins.is_empty() => {
                            bin_level(&source.bins, bits.number(number))
                        }
                        _ => {
                            numbers::level(array.data_type(), source.and_then(|source| source.date), number)?
                        }
                    };
                    let place = key.place(&level);
                    memory.remember(number, place);
                    place
                }
            }
        };
        most = most.max(place);
        *code |= u64::from(place) << shift;
    }
    Ok(most)
}

/// The same of a key that is an expression.
fn add_expression(
    key: &Key,
    expression: &Expression,
    memory: &mut Memory,
    batch: &RecordBatch,
    shift: u32,
    codes: &mut [u64],
) -> anyhow::Result<u32> {
    let mut most = 0;
    expression.levels(batch, |row, level| {
        let level = level.unwrap_or(NULL_LEVEL);
        let place = match memory.names.get(level) {
            Some(place) => *place,
            None => {
                let place = key.place(level);
                if memory.names.len() < 1 << 16 {
                    memory.names.insert(level.to_owned(), place);
                }
                place
            }
        };
        most = most.max(place);
        codes[row] |= u64::from(place) << shift;
    })?;
    Ok(most)
}

/// A column of times (or whole numbers) as integers; every row needs one.
pub(super) fn integers(name: &str, array: &ArrayRef) -> anyhow::Result<Vec<i64>> {
    if array.null_count() > 0 {
        bail!("{} selected rows have no `{name}`, by which they are split", array.null_count());
    }
    let bits = numbers::bits(array).with_context(|| format!("`{name}`"))?;
    let integer = |row| {
        bits.integer(row).with_context(|| {
            let data_type = array.data_type();
            format!(
                "`{name}` is of type {data_type}, and row {row} of a batch is no whole number within 64 bits: parts \
                 would not follow each other; make it a timestamp, or whole numbers"
            )
        })
    };
    (0..array.len()).map(integer).collect()
}
