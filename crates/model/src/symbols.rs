//! Interned strings: titles, countries, devices, rows and artworks of one partition (or of the
//! aggregates), numbered in the order of their first appearance.
//!
//! Numbers make member state small. Because they follow the order of the log, folding the same
//! log again gives the same numbers.

use compact_str::CompactString;
use get_size2::GetSize;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Number of an interned string, in one table: titles, dimensions and rows have tables of their own.
///
/// It is compared and looked up; numbers are worked with only where tables number their strings and where
/// symbols are stored.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, GetSize,
)]
#[serde(transparent)]
pub struct Symbol(pub u32);

impl Symbol {
    /// The symbol at `index` of a table in the order of its symbols.
    ///
    /// # Panics
    /// Where a table has more strings than symbols have numbers.
    #[inline]
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("tables are limited to what symbols can number"))
    }

    /// The symbol `by` further on.
    #[must_use]
    pub fn further(self, by: usize) -> Self {
        Self::at(self.index() + by)
    }

    /// Where it is in a table in the order of its symbols.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The symbol of "not given": the empty string, always number 0.
pub const NONE: Symbol = Symbol(0);

/// The table is full: its configured limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("symbol table is full: {limit} distinct titles, devices and rows")]
pub struct SymbolsFull {
    /// The limit that was reached.
    pub limit: usize,
}

/// Numbers of strings. Those of up to 15 bytes, which nearly all ids are, stand in the table itself as a number of 128 bits:
/// they are hashed and compared as one, and a look-up ends there.
#[derive(Debug, Clone, Default, GetSize)]
struct Numbers {
    short: HashMap<u128, Symbol>,
    long: HashMap<CompactString, Symbol>,
}

impl Numbers {
    #[inline]
    fn get(&self, text: &str) -> Option<Symbol> {
        match short_of(text) {
            Some(short) => self.short.get(&short).copied(),
            None => self.long.get(text).copied(),
        }
    }

    fn insert(&mut self, text: &str, symbol: Symbol) {
        match short_of(text) {
            Some(short) => self.short.insert(short, symbol),
            None => self.long.insert(text.into(), symbol),
        };
    }

    fn remove(&mut self, text: &str) {
        match short_of(text) {
            Some(short) => self.short.remove(&short),
            None => self.long.remove(text),
        };
    }
}

/// `text` of up to 15 bytes as a number: its length in the highest byte, its bytes below.
#[inline]
fn short_of(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    let word = |from: usize| bytes.get(from..)?.first_chunk().map(|word| u64::from_le_bytes(*word));
    let half = |from: usize| bytes.get(from..)?.first_chunk().map(|half| u32::from_le_bytes(*half).into());
    // Two loads that overlap take in any length; the second one's share of the first is shifted out.
    let (low, high) = match bytes.len() {
        length @ 8..=15 => {
            (word(0)?, word(length - 8)?.checked_shr(8 * (16 - length as u32)).unwrap_or_default())
        }
        length @ 4..=7 => {
            let (first, last): (u64, u64) = (half(0)?, half(length - 4)?);
            (first | (last >> (8 * (8 - length))) << 32, 0)
        }
        0..=3 => (bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        _ => return None,
    };
    Some((bytes.len() as u128) << 120 | u128::from(high) << 64 | u128::from(low))
}

/// A table of interned strings.
#[derive(Debug, Clone, GetSize)]
pub struct Symbols {
    strings: Vec<Arc<str>>,
    numbers: Numbers,
    /// Numbers that may be given out again.
    free: Vec<Symbol>,
    limit: usize,
}

impl Symbols {
    /// An empty table (holding only [`NONE`]) that takes at most `limit` strings.
    pub fn new(limit: usize) -> Self {
        let none: Arc<str> = Arc::from("");
        Self { strings: vec![none], numbers: Numbers::default(), free: Vec::new(), limit }
    }

    /// The number of `text`, given out now if it is new.
    pub fn intern(&mut self, text: &str) -> Result<Symbol, SymbolsFull> {
        if text.is_empty() {
            return Ok(NONE);
        }
        if let Some(symbol) = self.numbers.get(text) {
            return Ok(symbol);
        }
        if let Some(symbol) = self.free.pop() {
            self.strings[symbol.index()] = Arc::from(text);
            self.numbers.insert(text, symbol);
            return Ok(symbol);
        }
        if self.strings.len() > self.limit {
            return Err(SymbolsFull { limit: self.limit });
        }
        let symbol = Symbol::at(self.strings.len());
        self.strings.push(Arc::from(text));
        self.numbers.insert(text, symbol);
        Ok(symbol)
    }

    /// Gives out a number for a name that is known no more.
    pub(crate) fn push_retired(&mut self, text: &Arc<str>) {
        self.strings.push(text.clone());
    }

    /// The string of `symbol` has no number any more; the number keeps its string.
    pub(crate) fn retire(&mut self, symbol: Symbol) {
        if let Some(text) = self.strings.get(symbol.index())
            && self.numbers.get(text) == Some(symbol)
        {
            self.numbers.remove(text);
        }
    }

    /// The string of `symbol`, which was retired, has that number again.
    pub(crate) fn revive(&mut self, symbol: Symbol) {
        self.numbers.insert(&self.strings[symbol.index()], symbol);
    }

    /// Takes the string of `symbol` out; its number is given out again.
    pub(crate) fn release(&mut self, symbol: Symbol) {
        if symbol != NONE && !self.text(symbol).is_empty() {
            self.retire(symbol);
            self.strings[symbol.index()] = self.strings[NONE.index()].clone();
            self.free.push(symbol);
        }
    }

    /// Strings in the table.
    pub fn live(&self) -> usize {
        self.strings.len() - 1 - self.free.len()
    }

    /// Most strings that are taken.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// From now on this is another table to whoever compares the string of [`NONE`] by address: numbers mean
    /// something else.
    pub(crate) fn renew(&mut self) {
        self.strings[0] = Arc::from("");
    }

    /// Whether every string of `before` has here the number that it has there.
    pub(crate) fn has_all_of(&self, before: &Self) -> bool {
        let mut strings = before.since(1).iter().zip(self.since(1));
        self.len() >= before.len()
            && strings.all(|(then, now)| then.is_empty() || Arc::ptr_eq(then, now) || then == now)
    }

    /// The number of `text`, if it has one.
    #[inline]
    pub fn get(&self, text: &str) -> Option<Symbol> {
        if text.is_empty() { Some(NONE) } else { self.numbers.get(text) }
    }

    /// The string of `symbol`; the empty string for one never given out.
    pub fn text(&self, symbol: Symbol) -> &Arc<str> {
        self.strings.get(symbol.index()).unwrap_or(&self.strings[0])
    }

    /// All symbols after `symbol`: those of every string after [`NONE`].
    pub fn after(&self, symbol: Symbol) -> impl ExactSizeIterator<Item = Symbol> + use<> {
        (symbol.index() + 1..self.strings.len().max(symbol.index() + 1)).map(Symbol::at)
    }

    /// Numbers given out, [`NONE`] included.
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether nothing but [`NONE`] is in the table.
    pub fn is_empty(&self) -> bool {
        self.strings.len() == 1
    }

    /// All strings from number `first` on.
    pub fn since(&self, first: usize) -> &[Arc<str>] {
        self.strings.get(first..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_string_is_its_bytes_and_its_length() {
        let text = "abcdefghijklmno";
        for length in 0..=15 {
            let mut bytes = [0; 16];
            bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
            bytes[15] = length as u8;
            assert_eq!(short_of(&text[..length]), Some(u128::from_le_bytes(bytes)), "{length}");
        }
        assert_eq!(short_of("abcdefghijklmnop"), None);
    }

    #[test]
    fn a_name_that_made_room_is_not_found_until_it_is_back() {
        for name in ["short", "a name that is longer than fifteen bytes"] {
            let mut symbols = Symbols::new(10);
            let symbol = symbols.intern(name).expect("there is room");
            symbols.retire(symbol);
            symbols.retire(NONE);
            assert_eq!(
                (symbols.get(name), &**symbols.text(symbol), symbols.get("")),
                (None, name, Some(NONE))
            );
            symbols.revive(symbol);
            assert_eq!(symbols.get(name), Some(symbol));
            symbols.release(symbol);
            assert_eq!((symbols.get(name), symbols.intern("another")), (None, Ok(symbol)));
        }
    }

    proptest! {
        /// Bytes of zero among them, and strings that begin or end alike.
        #[test]
        fn every_string_has_a_number_of_its_own(texts in prop::collection::vec("[a\0]{0,20}", 1..40)) {
            let mut symbols = Symbols::new(1_000);
            let mut numbers: std::collections::HashMap<&str, Symbol> = std::collections::HashMap::new();
            for text in &texts {
                let known = numbers.get(&**text).copied();
                prop_assert_eq!(symbols.get(text), known.or(text.is_empty().then_some(NONE)));
                let number = symbols.intern(text).expect("there is room");
                prop_assert!(known.is_none_or(|known| known == number));
                prop_assert!(known.is_some() || text.is_empty() || numbers.values().all(|other| *other != number));
                numbers.insert(text, number);
                prop_assert_eq!(&**symbols.text(number), &**text);
            }
        }
    }
}
