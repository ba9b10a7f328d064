//! A member's state as an answer: where it came from, and how new it is.

use nearline_model::{MemberSnapshot, Position};
use serde::Serialize;

/// Where an answer comes from, freshest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The partition's actor: every event folded.
    Live,
    /// The store: every event committed.
    Store,
    /// The aggregates alone: the member's own history could not be reached in time.
    Popular,
}

impl Source {
    /// Name in answers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Store => "store",
            Self::Popular => "popular",
        }
    }
}

/// A member's state, as fresh as it could be had in time.
#[derive(Debug, Clone)]
pub struct MemberAnswer {
    /// Where it comes from.
    pub source: Source,
    /// The state; `None` only for [`Source::Popular`].
    pub snapshot: Option<MemberSnapshot>,
    /// Position that it reflects; 0 for [`Source::Popular`].
    pub position: Position,
}

impl MemberAnswer {
    pub(crate) fn new(source: Source, snapshot: Option<MemberSnapshot>) -> Self {
        let position = snapshot.as_ref().map_or(Position::START, |snapshot| snapshot.position);
        Self { source, snapshot, position }
    }
}

/// The position asked for was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReached {
    /// Position of the state.
    pub position: Position,
    /// Position asked for.
    pub wanted: Position,
    /// Position of the last record of the partition's log, if that is before the one asked for: it is
    /// no position that publishing for this member gave, and waiting does not help.
    pub log_end: Option<Position>,
}

impl std::fmt::Display for NotReached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { position, wanted, log_end } = self;
        match log_end {
            None => {
                write!(f, "state is at position {position}, asked for was {wanted}; ask again in a moment")
            }
            Some(end) => write!(
                f,
                "the log of the member's partition ends at position {end}, asked for was {wanted}; give a \
                 position that publishing an event of this member gave"
            ),
        }
    }
}

impl std::error::Error for NotReached {}
