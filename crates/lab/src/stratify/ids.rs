//! Ids as the text that is hashed.

use anyhow::bail;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// An id: its text, and its number if it is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id<'a> {
    pub text: &'a [u8],
    pub number: Option<u64>,
}

/// Calls `visit` with every id of a column that is not null, by row; gives the number of nulls.
pub(super) fn visit(column: &str, array: &ArrayRef, visit: impl FnMut(usize, Id<'_>)) -> anyhow::Result<u64> {
    match array.data_type() {
        DataType::Int8 => numbers::<Int8Type>(array, visit),
        DataType::Int16 => numbers::<Int16Type>(array, visit),
        DataType::Int32 => numbers::<Int32Type>(array, visit),
        DataType::Int64 => numbers::<Int64Type>(array, visit),
        DataType::UInt8 => numbers::<UInt8Type>(array, visit),
        DataType::UInt16 => numbers::<UInt16Type>(array, visit),
        DataType::UInt32 => numbers::<UInt32Type>(array, visit),
        DataType::UInt64 => numbers::<UInt64Type>(array, visit),
        DataType::Utf8 => texts(array.as_string::<i32>().iter(), visit),
        DataType::LargeUtf8 => texts(array.as_string::<i64>().iter(), visit),
        DataType::Utf8View => texts(array.as_string_view().iter(), visit),
        DataType::Dictionary(_, _) => match array
            .as_dictionary_opt::<Int32Type>()
            .and_then(|d| d.downcast_dict::<arrow_array::StringArray>())
        {
            Some(dictionary) => texts(dictionary.into_iter(), visit),
            None => bail!("the column `{column}` is a dictionary of an unusual kind"),
        },
        other => bail!("the column `{column}` of type {other} cannot name rows; use integers or text"),
    }
    Ok(array.logical_null_count() as u64)
}

fn texts<'a>(texts: impl Iterator<Item = Option<&'a str>>, mut visit: impl FnMut(usize, Id<'_>)) {
    for (row, text) in texts.enumerate() {
        if let Some(text) = text {
            visit(row, Id { text: text.as_bytes(), number: None });
        }
    }
}

fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef, mut visit: impl FnMut(usize, Id<'_>))
where
    T::Native: Into<i128>,
{
    let array = array.as_primitive::<T>();
    let mut digits = Digits::default();
    for (row, value) in array.values().iter().enumerate() {
        if array.is_valid(row) {
            let value: i128 = (*value).into();
            visit(
                row,
                Id {
                    text: digits.write(value),
                    number: Some(order(value, T::DATA_TYPE.is_signed_integer())),
                },
            );
        }
    }
}

/// A number whose unsigned order is that of the integers.
fn order(value: i128, signed: bool) -> u64 {
    let number = value as u64;
    if signed { number ^ (1 << 63) } else { number }
}

/// A decimal number without allocation.
#[derive(Default)]
struct Digits([u8; 20]);

impl Digits {
    #[inline]
    fn write(&mut self, value: i128) -> &[u8] {
        let mut left = value.unsigned_abs() as u64;
        let mut at = self.0.len();
        loop {
            at -= 1;
            self.0[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if value < 0 {
            at -= 1;
            self.0[at] = b'-';
        }
        &self.0[at..]
    }
}
