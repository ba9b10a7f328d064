//! Versioned encoding: one version byte, then [postcard](https://docs.rs/postcard).
//!
//! Old versions are read for good; `tests/golden/` holds one file of each.

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

/// Stored bytes that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer program.
    #[error("{what} has version {version}, this program reads up to {newest}; run a newer nearline")]
    UnknownVersion {
        /// What was read.
        what: &'static str,
        /// The version found.
        version: u8,
        /// The newest version this program reads.
        newest: u8,
    },
    /// The bytes are not what the version byte promises.
    #[error("{what} is damaged: {detail}")]
    Damaged {
        /// What was read.
        what: &'static str,
        /// What does not fit.
        detail: String,
    },
}

/// Encodes `value` behind the version byte `version`.
pub fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    encode_behind(Vec::with_capacity(256), version, value)
}

/// The same behind `bytes`, for what is written at once with other things.
pub fn encode_behind<T: Serialize>(mut bytes: Vec<u8>, version: u8, value: &T) -> Vec<u8> {
    bytes.push(version);
    postcard::serialize_with_flavor(value, Appended(bytes))
        .expect("a Vec takes every value of our own wire types")
}

/// Bytes behind others. Most of what comes is a number of a byte or three: a call of `memcpy` costs more than it copies.
struct Appended(Vec<u8>);

/// Bytes that are put one by one at most.
const FEW: usize = 10;

impl Flavor for Appended {
    type Output = Vec<u8>;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        match bytes.len() {
            0..=FEW => {
                self.0.reserve(FEW);
                bytes.iter().for_each(|byte| self.0.push(*byte));
            }
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Self::Output> {
        Ok(self.0)
    }
}

/// Splits the version byte off `bytes`.
pub fn split<'a>(what: &'static str, newest: u8, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), DecodeError> {
    match bytes.split_first() {
        None => Err(DecodeError::Damaged { what, detail: "it is empty".into() }),
        Some((&version, rest)) if (1..=newest).contains(&version) => Ok((version, rest)),
        Some((&version, _)) => Err(DecodeError::UnknownVersion { what, version, newest }),
    }
}

/// Decodes the bytes behind the version byte, from which the value may borrow; all of them must be used.
pub fn decode<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(DecodeError::Damaged { what, detail: format!("{} bytes too many", rest.len()) }),
        Err(error) => Err(DecodeError::Damaged { what, detail: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_postcard_whatever_their_length() {
        for length in [0, 1, FEW - 1, FEW, FEW + 1, 200] {
            let value = ("x".repeat(length), vec![u64::MAX; length], length, i64::MIN, 0.25_f32);
            let written = encode_behind(vec![9], 3, &value);
            let plain = postcard::to_extend(&value, vec![9, 3]).expect("a Vec takes every value");
            assert_eq!(written, plain, "{length}");
        }
    }
}
