//! What a fact stream holds: facts of members with the part of the log that they cover, and decisions.

use super::Fact;
use crate::identifier::{PartitionId, Position};
use crate::partition::RecordMark;
use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
/// Bytes of a fact beside member and payload, at most.
const FACT_BYTES: usize = 64;

/// Bytes of a fact, about.
fn size(fact: &Fact) -> usize {
    FACT_BYTES + fact.member.len() + fact.payload.len()
}

/// Facts of the members that changed in a part of a partition's log. Parts that follow one another without a gap leave
/// nothing out; those of a replay overlap, with equal facts at equal positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberFacts {
    /// The partition.
    pub partition: PartitionId,
    /// Position before the first that is covered.
    pub after: Position,
    /// The last position that is covered.
    pub position: Position,
    /// Fingerprint of the record that the part ends with, where it is known: a log that was set back has another.
    pub mark: Option<RecordMark>,
    /// The facts, by position.
    pub facts: Vec<Fact>,
}

impl MemberFacts {
    /// The same in parts of about so many bytes each, as small as one fact.
    pub fn split(self, most_bytes: usize) -> Vec<Self> {
        let (mut parts, mut held, mut after) = (Vec::new(), Vec::new(), self.after);
        let mut held_bytes = 0;
        for fact in self.facts {
            if !held.is_empty() && held_bytes + size(&fact) > most_bytes {
                let position = held.last().map_or(after, |last: &Fact| last.position);
                let facts = std::mem::take(&mut held);
                parts.push(Self { partition: self.partition, after, position, mark: None, facts });
                (after, held_bytes) = (position, 0);
            }
            held_bytes += size(&fact);
            held.push(fact);
        }
        let (partition, position, mark) = (self.partition, self.position, self.mark);
        parts.push(Self { partition, after, position, mark, facts: held });
        parts
    }
}

/// One entry of a fact stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactEntry {
    /// Facts of members.
    Members(MemberFacts),
    /// Decisions, in the order in which they were made on one node.
    Decisions(Vec<Fact>),
}

impl FactEntry {
    /// Facts in it.
    pub fn facts(&self) -> &[Fact] {
        match self {
            Self::Members(members) => &members.facts,
            Self::Decisions(facts) => facts,
        }
    }

    /// Fingerprint of what is in it, whichever version stored it: it tells whether the entry of a number is still the one
    /// that was read there. Never 0.
    pub fn mark(&self) -> RecordMark {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        let covered = match self {
            Self::Members(part) => {
                let mark = part.mark.map_or(0, RecordMark::get);
                [1, u64::from(part.partition.0), part.after.0, part.position.0, mark]
            }
            Self::Decisions(_) => [2, 0, 0, 0, 0],
        };
        covered.iter().for_each(|number| hasher.update(&number.to_le_bytes()));
        for fact in self.facts() {
            let numbers = [
                fact.known_at_ms.cast_unsigned(),
                u64::from(fact.partition.0),
                fact.position.0,
                u64::from(fact.ordinal),
                fact.member.len() as u64,
                fact.payload.len() as u64,
            ];
            numbers.iter().for_each(|number| hasher.update(&number.to_le_bytes()));
            hasher.update(fact.member.as_bytes());
            hasher.update(&fact.payload);
        }
        RecordMark::new(hasher.digest().max(1)).expect("at least 1")
    }

    /// Its stored form.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_behind(Vec::new())
    }

    /// Its stored form, behind `bytes`.
    pub fn encode_behind(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.reserve(FACT_BYTES + self.facts().iter().map(size).sum::<usize>());
        versioned::encode_behind(bytes, VERSION, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`DecodeError`] where it is of a newer version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "an entry of the fact stream";
        let (_, bytes) = versioned::split(WHAT, VERSION, bytes)?;
        versioned::decode(WHAT, bytes)
    }
}
