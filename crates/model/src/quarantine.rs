//! Events that are stepped over: part of a partition's state, and of every fold that repeats it.

mod suspects;

pub use suspects::{SUSPECTS_VERSION, Suspect, Suspects};

use crate::identifier::Position;
use crate::reject::{Reject, RejectReason};
use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use suspects::shortened;

/// Version of the stored form of one entry.
pub const QUARANTINED_VERSION: u8 = 1;

/// An event in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its place in the log.
    pub position: Position,
    /// Crashes it caused; 0: an operator put it there.
    pub attempts: u32,
    /// Message of the last panic.
    pub message: String,
    /// When it was put into quarantine, Unix milliseconds.
    pub at_ms: i64,
}

impl Quarantined {
    /// An entry; long messages are cut.
    pub fn new(position: Position, attempts: u32, message: &str, at_ms: i64) -> Self {
        Self { position, attempts, message: shortened(message), at_ms }
    }

    /// Why the event is refused. Made of what is stored alone: every fold gives the same.
    pub fn reject(&self) -> Reject {
        let Self { position, attempts, message, .. } = self;
        let detail = match attempts {
            0 => format!("the event at position {position} was stepped over by hand: {message}"),
            _ => format!(
                "the event at position {position} crashed the fold {attempts} times and was stepped over: \
                 {message}"
            ),
        };
        Reject::new(RejectReason::Poison, detail)
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(QUARANTINED_VERSION, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`DecodeError`] where it cannot be read.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_version, rest) = versioned::split("quarantined event", QUARANTINED_VERSION, bytes)?;
        versioned::decode("quarantined event", rest)
    }
}

/// The events of one partition that every fold steps over: the second input of the fold, beside the
/// log. The same log and the same quarantine give the same bytes (invariant I3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantine(BTreeMap<Position, Quarantined>);

impl Quarantine {
    /// The entry of `position`, if it is stepped over.
    pub fn get(&self, position: Position) -> Option<&Quarantined> {
        if self.0.is_empty() { None } else { self.0.get(&position) }
    }

    /// Steps over one more event.
    pub fn insert(&mut self, entry: Quarantined) {
        self.0.insert(entry.position, entry);
    }

    /// The entries after position `after` up to position `upto`.
    pub fn between(&self, after: Position, upto: Position) -> impl Iterator<Item = &Quarantined> {
        let later = self.0.range(after.next()..).map(|(_, entry)| entry);
        later.take_while(move |entry| entry.position <= upto)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, by position.
    pub fn iter(&self) -> impl Iterator<Item = &Quarantined> {
        self.0.values()
    }
}

impl FromIterator<Quarantined> for Quarantine {
    fn from_iter<I: IntoIterator<Item = Quarantined>>(entries: I) -> Self {
        Self(entries.into_iter().map(|entry| (entry.position, entry)).collect())
    }
}
