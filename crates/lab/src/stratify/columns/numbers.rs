//! Levels of keys that are numbers, truth values or times.

use anyhow::{Context, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::{DataType, TimeUnit};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use nearline_stratify::rules::DatePart;

/// Up to here every whole number is a float of its own.
const LARGEST_WHOLE: f64 = (1_u64 << 53) as f64;

/// A column's values as 64 bits each.
pub(super) enum Bits<'a> {
    Signed(Box<dyn Fn(usize) -> i64 + 'a>),
    Unsigned(Box<dyn Fn(usize) -> u64 + 'a>),
    Float(Box<dyn Fn(usize) -> f64 + 'a>),
    Bool(&'a BooleanArray),
}

macro_rules! signed {
    ($array:expr, $kind:ty) => {{
        let values = $array.as_primitive::<$kind>().values();
        Bits::Signed(Box::new(move |row| i64::from(values[row])))
    }};
}

macro_rules! unsigned {
    ($array:expr, $kind:ty) => {{
        let values = $array.as_primitive::<$kind>().values();
        Bits::Unsigned(Box::new(move |row| u64::from(values[row])))
    }};
}

macro_rules! float {
    ($array:expr, $kind:ty) => {{
        let values = $array.as_primitive::<$kind>().values();
        Bits::Float(Box::new(move |row| f64::from(values[row])))
    }};
}

/// The values of a column of numbers.
pub(super) fn bits(array: &ArrayRef) -> anyhow::Result<Bits<'_>> {
    Ok(match array.data_type() {
        DataType::Int8 => signed!(array, Int8Type),
        DataType::Int16 => signed!(array, Int16Type),
        DataType::Int32 => signed!(array, Int32Type),
        DataType::Int64 => signed!(array, Int64Type),
        DataType::Date32 => signed!(array, Date32Type),
        DataType::Timestamp(TimeUnit::Second, _) => signed!(array, TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => signed!(array, TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => signed!(array, TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => signed!(array, TimestampNanosecondType),
        DataType::UInt8 => unsigned!(array, UInt8Type),
        DataType::UInt16 => unsigned!(array, UInt16Type),
        DataType::UInt32 => unsigned!(array, UInt32Type),
        DataType::UInt64 => unsigned!(array, UInt64Type),
        DataType::Float32 => float!(array, Float32Type),
        DataType::Float64 => float!(array, Float64Type),
        DataType::Boolean => Bits::Bool(array.as_boolean()),
        other => bail!("a column of type {other} cannot be a key"),
    })
}

impl Bits<'_> {
    #[inline]
    pub fn at(&self, row: usize) -> u64 {
        match self {
            Self::Signed(get) => get(row).cast_unsigned(),
            Self::Unsigned(get) => get(row),
            Self::Float(get) => get(row).to_bits(),
            Self::Bool(array) => u64::from(array.value(row)),
        }
    }

    /// The number that 64 bits stand for, for bins.
    pub fn number(&self, bits: u64) -> f64 {
        match self {
            Self::Signed(_) => bits.cast_signed() as f64,
            Self::Unsigned(_) | Self::Bool(_) => bits as f64,
            Self::Float(_) => f64::from_bits(bits),
        }
    }

    /// The number as an integer, for times; `None`: it is none, or too large for one.
    pub fn integer(&self, row: usize) -> Option<i64> {
        match self {
            Self::Signed(get) => Some(get(row)),
            Self::Unsigned(get) => i64::try_from(get(row)).ok(),
            Self::Float(get) => {
                let number = get(row);
                (number.fract() == 0.0 && number.abs() <= LARGEST_WHOLE).then_some(number as i64)
            }
            Self::Bool(_) => None,
        }
    }
}

/// The text of a value.
pub(super) fn level(data_type: &DataType, part: Option<DatePart>, bits: u64) -> anyhow::Result<String> {
    let signed = bits.cast_signed();
    let per_second = match data_type {
        DataType::Boolean => return Ok((bits != 0).to_string()),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            return Ok(bits.to_string());
        }
        DataType::Date32 => {
            let day = Date::constant(1970, 1, 1).checked_add(signed.days()).context("a date out of range")?;
            return Ok(of_date(day, 0, part.unwrap_or(DatePart::Day)));
        }
        DataType::Timestamp(TimeUnit::Second, _) => 1,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1_000_000_000,
        _ => return Ok(signed.to_string()),
    };
    let at = Timestamp::from_second(signed.div_euclid(per_second)).context("a timestamp out of range")?;
    let at = at.to_zoned(TimeZone::UTC);
    Ok(of_date(at.date(), at.hour(), part.unwrap_or(DatePart::Day)))
}

fn of_date(date: Date, hour: i8, part: DatePart) -> String {
    match part {
        DatePart::Year => date.year().to_string(),
        DatePart::Month => format!("{:04}-{:02}", date.year(), date.month()),
        DatePart::Day => date.to_string(),
        DatePart::Weekday => date.weekday().to_monday_one_offset().to_string(),
        DatePart::Hour => hour.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_parts_in_utc() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let at = 1_795_649_400_000_000_i64.cast_unsigned();
        let parts = [DatePart::Year, DatePart::Month, DatePart::Day, DatePart::Weekday, DatePart::Hour];
        let levels: Vec<String> = parts.iter().map(|part| level(&micros, Some(*part), at).unwrap()).collect();
        assert_eq!(levels, ["2026", "2026-11", "2026-11-25", "3", "23"]);
        assert_eq!(level(&DataType::Date32, None, (-1_i64).cast_unsigned()).unwrap(), "1969-12-31");
    }
}
