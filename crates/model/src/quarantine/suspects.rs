//! Events that crashed an actor, remembered until they are folded or in quarantine.

use crate::identifier::Position;
use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};

/// Version of the stored form.
pub const SUSPECTS_VERSION: u8 = 1;

/// Suspects kept per partition: the fold goes in order, so there is mostly one.
const MOST: usize = 16;
/// Bytes kept of a message.
const MESSAGE_BYTES: usize = 500;

/// An event that crashed the actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// Its place in the log.
    pub position: Position,
    /// How often it crashed the actor.
    pub crashes: u32,
    /// Message of the latest panic.
    pub message: String,
}

/// Suspects of a partition, by position. The stored form outlives the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspects(Vec<Suspect>);

impl Suspects {
    /// Notes one more crash on `position`; how many there are now.
    pub fn crashed(&mut self, position: Position, message: &str) -> u32 {
        let message = shortened(message);
        match self.0.binary_search_by_key(&position, |suspect| suspect.position) {
            Ok(at) => {
                let suspect = &mut self.0[at];
                suspect.crashes = suspect.crashes.saturating_add(1);
                suspect.message = message;
                suspect.crashes
            }
            Err(at) => {
                self.0.insert(at, Suspect { position, crashes: 1, message });
                if self.0.len() > MOST {
                    // The furthest is met last, and then accused anew; never the one just accused.
                    let furthest = self.0.len() - 1;
                    self.0.remove(if furthest == at { furthest - 1 } else { furthest });
                }
                1
            }
        }
    }

    /// Everything up to `position` is folded and committed: nothing there is suspect any more.
    pub fn acquit(&mut self, position: Position) {
        self.0.retain(|suspect| suspect.position > position);
    }

    /// The event at `position` is not suspect any more.
    pub fn remove(&mut self, position: Position) -> Option<Suspect> {
        let at = self.0.iter().position(|suspect| suspect.position == position)?;
        Some(self.0.remove(at))
    }

    /// Whether the event at `position` has crashed an actor.
    pub fn contains(&self, position: Position) -> bool {
        self.0.binary_search_by_key(&position, |suspect| suspect.position).is_ok()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, by position.
    pub fn iter(&self) -> impl Iterator<Item = &Suspect> {
        self.0.iter()
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(SUSPECTS_VERSION, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`DecodeError`] where it cannot be read.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_version, rest) = versioned::split("list of suspects", SUSPECTS_VERSION, bytes)?;
        versioned::decode("list of suspects", rest)
    }
}

/// The start of `message`, cut between characters.
pub(super) fn shortened(message: &str) -> String {
    let mut end = message.len().min(MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
}
