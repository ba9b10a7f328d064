//! Columns of instants as integers of one unit.

use std::borrow::Cow;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use crate::error::{FactsError, Result};

/// The unit that a join calculates in: the finest of those it meets, at least microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Micros,
    Nanos,
}

impl Unit {
    /// The unit in which nothing of these types is lost.
    pub fn for_types<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Self {
        let nanos = |kind: &DataType| matches!(kind, DataType::Timestamp(TimeUnit::Nanosecond, _));
        if types.into_iter().any(nanos) { Self::Nanos } else { Self::Micros }
    }

    pub fn per_second(self) -> i64 {
        match self {
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }

    pub fn time_unit(self) -> TimeUnit {
        match self {
            Self::Micros => TimeUnit::Microsecond,
            Self::Nanos => TimeUnit::Nanosecond,
        }
    }

    /// A duration in this unit; far beyond any time if it does not fit.
    pub fn of(self, duration: std::time::Duration) -> i64 {
        let units = match self {
            Self::Micros => duration.as_micros(),
            Self::Nanos => duration.as_nanos(),
        };
        i64::try_from(units).unwrap_or(i64::MAX)
    }

    /// How many of these one unit of a file is.
    pub fn per(self, unit: TimeUnit) -> i64 {
        let per_second = match unit {
            TimeUnit::Second => 1,
            TimeUnit::Millisecond => 1_000,
            TimeUnit::Microsecond => 1_000_000,
            TimeUnit::Nanosecond => 1_000_000_000,
        };
        self.per_second() / per_second
    }
}

/// Refuses what is no instant.
pub(crate) fn check(path: &Path, column: &str, data_type: &DataType) -> Result<TimeUnit> {
    match data_type {
        DataType::Timestamp(unit, Some(_)) => Ok(*unit),
        DataType::Timestamp(_, None) => Err(FactsError::column(
            path,
            column,
            "has times without an offset, which mean another moment in every place; write it as a timestamp \
             with a time zone (UTC)",
        )),
        other => Err(FactsError::column(
            path,
            column,
            format!("is {other}; it must be a timestamp with a time zone (UTC)"),
        )),
    }
}

/// Refuses facts that do not say what they must: when they were and became known, and where in the log. Rows that are of nobody,
/// as records that are no event, need not.
pub(crate) fn whole<'a>(
    path: &Path,
    column: &str,
    array: &'a ArrayRef,
    is_of_nobody: impl Fn(usize) -> bool,
) -> Result<&'a ArrayRef> {
    let nulls = match array.null_count() {
        0 => 0,
        _ => (0..array.len()).filter(|row| array.is_null(*row) && !is_of_nobody(*row)).count(),
    };
    match nulls {
        0 => Ok(array),
        nulls => Err(FactsError::column(
            path,
            column,
            format!(
                "is null in {nulls} facts of a batch: what was known when cannot be said; leave them out"
            ),
        )),
    }
}

/// The instants of an array; what nulls hold is arbitrary.
pub(crate) fn instants<'a>(
    path: &Path,
    column: &str,
    array: &'a ArrayRef,
    unit: Unit,
) -> Result<Cow<'a, [i64]>> {
    let file_unit = check(path, column, array.data_type())?;
    let values: &[i64] = match file_unit {
        TimeUnit::Second => values::<TimestampSecondType>(array),
        TimeUnit::Millisecond => values::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => values::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => values::<TimestampNanosecondType>(array),
    };
    let factor = unit.per(file_unit);
    if factor == 1 {
        return Ok(Cow::Borrowed(values));
    }
    let scaled = values.iter().enumerate().map(|(row, value)| match value.checked_mul(factor) {
        Some(value) => Ok(value),
        None if array.is_null(row) => Ok(0),
        None => Err(FactsError::column(path, column, format!("holds {value}, a time too far away"))),
    });
    Ok(Cow::Owned(scaled.collect::<Result<_>>()?))
}

fn values<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> &[i64] {
    array.as_primitive::<T>().values()
}
