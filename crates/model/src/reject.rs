//! Why an event was refused: a stable code for machines, a sentence for people.

use serde::{Deserialize, Serialize};

/// Stable code of a reason. New reasons may be added; old ones keep their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    /// The payload is no JSON object.
    MalformedJson,
    /// A field has the wrong JSON type, or stands twice.
    InvalidField,
    /// A field that the event's type needs is absent.
    MissingField,
    /// `type` is none of the known ones.
    UnknownType,
    /// An id does not match `[A-Za-z0-9_-]{1,64}`.
    InvalidId,
    /// `at` is no RFC 3339 time stamp with an offset.
    InvalidTime,
    /// A value lies outside its range.
    InvalidValue,
    /// The payload is larger than the limit.
    TooLarge,
    /// The payload's member does not belong to the partition it arrived on.
    Misrouted,
    /// The title is new, and its member has brought as many new names as one member may.
    TooManySymbols,
    /// Folding it crashed again and again: it is in quarantine.
    Poison,
}

impl RejectReason {
    /// The stable code, as in metrics and problem documents.
    pub fn code(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed-json",
            Self::InvalidField => "invalid-field",
            Self::MissingField => "missing-field",
            Self::UnknownType => "unknown-type",
            Self::InvalidId => "invalid-id",
            Self::InvalidTime => "invalid-time",
            Self::InvalidValue => "invalid-value",
            Self::TooLarge => "too-large",
            Self::Misrouted => "misrouted",
            Self::TooManySymbols => "too-many-symbols",
            Self::Poison => "poison",
        }
    }
}

/// A refused event: the code and what exactly is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.code())]
pub struct Reject {
    /// The stable code.
    pub reason: RejectReason,
    /// What is wrong, where, and what is expected.
    pub detail: String,
}

impl Reject {
    /// A reject with `reason` and `detail`.
    pub fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}
