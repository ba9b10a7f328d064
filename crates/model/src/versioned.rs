//! Versioned encoding: one version byte, then [postcard](https://docs.rs/postcard).
//!
//! Old versions are read for good; `tests/golden/` holds one file of each.

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
    postcard::to_extend(value, bytes).expect("a Vec takes every value of our own wire types")
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
