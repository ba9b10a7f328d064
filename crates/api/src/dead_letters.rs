//! Dead letters as documents: the same for the command line and the operators' listener.

use nearline_model::timestamp::format_rfc3339;
use nearline_model::{PartitionId, Position};
use nearline_ports::{DeadLetter, Redrive};
use serde::Serialize;

/// A dead letter, for people and machines.
#[derive(Debug, Serialize)]
pub struct LetterDocument {
    partition: PartitionId,
    position: Position,
    log_time: String,
    reason: String,
    detail: String,
    payload: String,
    /// Where its event was published again.
    #[serde(skip_serializing_if = "Option::is_none")]
    redriven_to: Option<Position>,
    /// Whether a redrive began and nobody knows what came of it; another one finds out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    redrive_unfinished: bool,
}

/// The document of a letter.
pub fn document(letter: &DeadLetter, redrive: Option<Redrive>) -> LetterDocument {
    LetterDocument {
        partition: letter.partition,
        position: letter.position,
        log_time: format_rfc3339(letter.log_ms),
        reason: letter.reason.clone(),
        detail: letter.detail.clone(),
        payload: String::from_utf8_lossy(&letter.payload).into_owned(),
        redriven_to: redrive.and_then(|redrive| redrive.position),
        redrive_unfinished: redrive.is_some_and(|redrive| redrive.position.is_none()),
    }
}
