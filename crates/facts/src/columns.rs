//! The names of the columns that have a meaning.

/// Whom a fact or a label is about: text, or an integer.
pub const MEMBER: &str = "member";
/// When what a fact says happened; of a label, the moment that it asks as of.
pub const EVENT_AT: &str = "event_at";
/// When a fact became known: the log's own time.
pub const KNOWN_AT: &str = "known_at";
/// A fact's position in its partition of the log.
pub const POSITION: &str = "position";
/// Of a label: the position that the served answer reflected. It is joined by it, not by its time.
pub const DECISION_POSITION: &str = "decision_position";

/// What facts have beside features: no feature unless it is asked for.
pub(crate) const BESIDE_FEATURES: &[&str] =
    &[MEMBER, EVENT_AT, KNOWN_AT, POSITION, "partition", "ordinal", "kind", "schema_version", "payload"];

/// Of the result: the fact's `event_at`.
pub const FACT_EVENT_AT: &str = "fact_event_at";
/// Of the result: the fact's `known_at`.
pub const FACT_KNOWN_AT: &str = "fact_known_at";
/// Of the result: the fact's position.
pub const FACT_POSITION: &str = "fact_position";
/// Of the result: from the fact's `event_at` to the label's, in the unit of the times (microseconds, or nanoseconds).
pub const FACT_AGE: &str = "fact_age";
/// Of the result: `ok`, `none`, `expired` or `null`.
pub const STATUS: &str = "status";
