//! Members as 128-bit keys, and the table of those that labels name.
//!
//! A text of up to twelve bytes is its own key: the view that Arrow reads it as. Longer ones are hashed, and their bytes
//! compared where keys are equal, so that no two members are ever taken for one.

use std::hash::BuildHasher;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, StringViewArray};
use arrow_schema::DataType;
use hashbrown::DefaultHashBuilder;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::error::{FactsError, Result};

/// Marks the keys of texts that do not fit into a view.
const LONG: u128 = 0xFFFF_FFFF;

/// The members of a batch.
pub(crate) enum Members<'a> {
    Text(&'a StringViewArray),
    Number(&'a ArrayRef, Vec<u128>),
}

/// Refuses what is no name of a member.
pub(crate) fn check(path: &Path, column: &str, data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Utf8View => Ok(()),
        number if number.is_integer() => Ok(()),
        other => Err(FactsError::column(path, column, format!("is {other}; members are text or integers"))),
    }
}

impl<'a> Members<'a> {
    pub fn of(path: &Path, column: &str, array: &'a ArrayRef) -> Result<Self> {
        check(path, column, array.data_type())?;
        if let Some(text) = array.as_string_view_opt() {
            return Ok(Self::Text(text));
        }
        let keys = match array.data_type() {
            DataType::Int8 => keys::<Int8Type>(array),
            DataType::Int16 => keys::<Int16Type>(array),
            DataType::Int32 => keys::<Int32Type>(array),
            DataType::Int64 => keys::<Int64Type>(array),
            DataType::UInt8 => keys::<UInt8Type>(array),
            DataType::UInt16 => keys::<UInt16Type>(array),
            DataType::UInt32 => keys::<UInt32Type>(array),
            _ => keys::<UInt64Type>(array),
        };
        Ok(Self::Number(array, keys))
    }

    fn has_nulls(&self) -> bool {
        match self {
            Self::Text(text) => text.null_count() > 0,
            Self::Number(array, _) => array.null_count() > 0,
        }
    }

    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(text) => text.is_null(row),
            Self::Number(array, _) => array.is_null(row),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(array, _) => array.len(),
        }
    }

    /// The keys of some rows; what nulls have is arbitrary.
    fn keys(&self, first: usize, keys: &mut [u128]) {
        match self {
            Self::Number(_, all) => keys.copy_from_slice(&all[first..first + keys.len()]),
            Self::Text(text) => {
                keys.copy_from_slice(&text.views()[first..first + keys.len()]);
                for (place, key) in keys.iter_mut().enumerate() {
                    if (*key as u32) > 12 {
                        *key = long_key(text.value(first + place).as_bytes());
                    }
                }
            }
        }
    }

    #[inline]
    fn key(&self, row: usize) -> u128 {
        match self {
            Self::Text(text) => {
                let view = text.views()[row];
                if (view as u32) <= 12 { view } else { long_key(text.value(row).as_bytes()) }
            }
            Self::Number(_, keys) => keys[row],
        }
    }

    /// A hash that is the same in every run and every version.
    pub fn hash(&self, row: usize) -> u64 {
        match self {
            Self::Text(text) => xxh3_64(text.value(row).as_bytes()),
            Self::Number(_, keys) => xxh3_64(&keys[row].to_le_bytes()),
        }
    }

    /// The order of two rows' members; that of a null is first.
    pub fn compare(&self, one: usize, other: usize) -> std::cmp::Ordering {
        let nulls = self.is_null(other).cmp(&self.is_null(one));
        nulls.then_with(|| match self {
            Self::Text(text) => text.value(one).cmp(text.value(other)),
            Self::Number(_, keys) => (keys[one] as i128).cmp(&(keys[other] as i128)),
        })
    }

    /// The bytes of a member whose key is a hash.
    fn long(&self, row: usize) -> &[u8] {
        match self {
            Self::Text(text) => text.value(row).as_bytes(),
            Self::Number(..) => &[],
        }
    }
}

/// Numbers as text of no length with the number behind it: no text is equal to a number.
fn keys<T: ArrowPrimitiveType>(array: &ArrayRef) -> Vec<u128>
where
    T::Native: Into<i128>,
{
    let numbers = array.as_primitive::<T>().values().iter();
    numbers
        .map(|number| {
            let number: i128 = (*number).into();
            (number as u128) << 32 | 0xFFFF_FFFE
        })
        .collect()
}

fn long_key(bytes: &[u8]) -> u128 {
    xxh3_128(bytes) | LONG
}

/// The half of a hash that does not say where its slot is.
fn tag(hash: u64) -> u64 {
    hash & !u64::from(u32::MAX)
}

/// The number of the member of a slot.
#[inline]
fn number_in(slot: u64) -> Option<u32> {
    (slot as u32).checked_sub(1)
}

/// Rows that are looked for at a time: what a step leaves for the next one stays in the nearest cache.
const BLOCK: usize = 1_024;

/// The members that labels name, numbered in the order they were met.
///
/// Looking for the members of many rows is waiting for memory. So a block of rows goes through in steps, each of which
/// asks for all its memory before it needs any: hashes, then slots, then keys.
#[derive(Debug, Default)]
pub(crate) struct MemberTable {
    /// The upper half of a member's hash, and one more than its number; zero is none. A power of two, half full at most.
    slots: Vec<u64>,
    /// By number.
    keys: Vec<u128>,
    hasher: DefaultHashBuilder,
    /// By number, where its bytes are, if its key is a hash.
    long: Vec<(u32, u32)>,
    bytes: Vec<u8>,
}

impl MemberTable {
    /// Bytes that one member takes up, about.
    pub const BYTES_PER_MEMBER: usize = 56;

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The number of a row's member, a new one if it was not met before; none for a null.
    pub fn insert(&mut self, members: &Members<'_>, row: usize) -> Option<u32> {
        if members.is_null(row) {
            return None;
        }
        if self.slots.len() < 2 * (self.keys.len() + 1) {
            self.grow();
        }
        let key = members.key(row);
        let hash = self.hasher.hash_one(key);
        let slot = self.slot(key, hash, members, row);
        if let Some(number) = number_in(self.slots[slot]) {
            return Some(number);
        }
        let number = u32::try_from(self.keys.len()).expect("a sweep has fewer than 2^32 labels");
        if key & LONG == LONG {
            let text = members.long(row);
            let small = |length: usize| {
                u32::try_from(length).expect("a sweep's members have less than 4 GiB of names")
            };
            self.long.resize(self.keys.len(), (0, 0));
            self.long.push((small(self.bytes.len()), small(text.len())));
            self.bytes.extend_from_slice(text);
        }
        self.keys.push(key);
        self.slots[slot] = tag(hash) | (u64::from(number) + 1);
        Some(number)
    }

    /// Calls with every row whose member is in the table, and its number. Gives the number of rows without a member.
    pub fn find_all(&self, members: &Members<'_>, mut found: impl FnMut(usize, u32)) -> usize {
        if self.keys.is_empty() {
            return (0..members.len()).filter(|row| members.is_null(*row)).count();
        }
        let mask = self.slots.len() - 1;
        let (mut keys, mut hashes, mut near) = ([0_u128; BLOCK], [0_u64; BLOCK], [0_u64; BLOCK]);
        let mut equal = [false; BLOCK];
        let nulls = members.has_nulls();
        let mut missing = 0;
        for first in (0..members.len()).step_by(BLOCK) {
            let rows = BLOCK.min(members.len() - first);
            members.keys(first, &mut keys[..rows]);
            for (hash, key) in hashes[..rows].iter_mut().zip(&keys) {
                *hash = self.hasher.hash_one(*key);
            }
            for (near, hash) in near[..rows].iter_mut().zip(&hashes) {
                *near = self.slots[*hash as usize & mask];
            }
            for ((equal, near), key) in equal[..rows].iter_mut().zip(&near).zip(&keys) {
                *equal = self.keys[number_in(*near).unwrap_or_default() as usize] == *key;
            }
            for place in 0..rows {
                let row = first + place;
                if nulls && members.is_null(row) {
                    missing += 1;
                } else if near[place] == 0 {
                    // Nobody of this hash, nor of one near it.
                } else if equal[place] && keys[place] & LONG != LONG {
                    found(row, near[place] as u32 - 1);
                } else {
                    let slot = self.slot(keys[place], hashes[place], members, row);
                    if let Some(number) = number_in(self.slots[slot]) {
                        found(row, number);
                    }
                }
            }
        }
        missing
    }

    /// The slot of a member, or the free one where it belongs.
    fn slot(&self, key: u128, hash: u64, members: &Members<'_>, row: usize) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while let Some(number) = number_in(self.slots[slot]) {
            let number = number as usize;
            // Most of those that are near are told apart without a look at their keys.
            if self.slots[slot] >> 32 == hash >> 32
                && self.keys[number] == key
                && (key & LONG != LONG || self.text(number) == members.long(row))
            {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn text(&self, number: usize) -> &[u8] {
        let (start, length) = self.long[number];
        &self.bytes[start as usize..(start + length) as usize]
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(1_024);
        self.slots = vec![0; slots];
        for (number, key) in self.keys.iter().enumerate() {
            let hash = self.hasher.hash_one(key);
            let mut slot = hash as usize & (slots - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            self.slots[slot] = tag(hash) | (number as u64 + 1);
        }
    }
}
