//! Stored form of what a partition's fold goes on from beside members and names: its clock, and the newcomers
//! among the names.

use super::name_table::NamesForm;
use crate::log_clock::LogClock;
use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};

/// Newest version of a stored fold state.
pub const FOLD_STATE_VERSION: u8 = 1;

const WHAT: &str = "fold state";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FoldState {
    pub clock: LogClock,
    pub names: NamesForm,
}

impl FoldState {
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(FOLD_STATE_VERSION, self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_version, body) = versioned::split(WHAT, FOLD_STATE_VERSION, bytes)?;
        versioned::decode(WHAT, body)
    }
}
