//! Dead letters as documents: the same for the command line and the operators' listener.

use nearline_model::timestamp::format_rfc3339;
use nearline_model::{PartitionId, Position};
use nearline_ports::{DeadLetter, Redrive};
use serde::Serialize;

/// A dead letter without its event.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LetterHeading {
    /// Partition that it arrived on.
    #[cfg_attr(feature = "openapi", schema(value_type = u16))]
    partition: PartitionId,
    /// Its position: what names it.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    position: Position,
    /// When the log took it, RFC 3339.
    log_time: String,
    /// Stable code of why it was refused.
    reason: String,
    /// What exactly was wrong.
    detail: String,
}

/// A dead letter, for people and machines.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LetterDocument {
    #[serde(flatten)]
    heading: LetterHeading,
    /// The event as it came; what is no UTF-8 is replaced.
    payload: String,
    /// Position where its event was published again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, nullable = false))]
    redriven_to: Option<Position>,
    /// Whether a redrive began and nobody knows what came of it; another one finds out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    redrive_unfinished: bool,
}

/// What of a letter is told without its event.
pub fn heading(letter: &DeadLetter) -> LetterHeading {
    LetterHeading {
        partition: letter.partition,
        position: letter.position,
        log_time: format_rfc3339(letter.log_ms),
        reason: letter.reason.clone(),
        detail: letter.detail.clone(),
    }
}

/// The document of a letter.
pub fn document(letter: &DeadLetter, redrive: Option<Redrive>) -> LetterDocument {
    LetterDocument {
        heading: heading(letter),
        payload: String::from_utf8_lossy(&letter.payload).into_owned(),
        redriven_to: redrive.and_then(|redrive| redrive.position),
        redrive_unfinished: redrive.is_some_and(|redrive| redrive.position.is_none()),
    }
}
