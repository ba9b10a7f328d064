//! Ports: what the engine needs from the outside, what every adapter promises, and what can be done with
//! promises alone.
//!
//! Adapters are in `nearline-backends`, simulated ones in `nearline-chaos`; one contract suite
//! (`contract`, behind a feature of that name) holds all of them to the promises made here.
//!
//! What is deliberately absent: adapters, actors, and decisions about a partition.

pub mod catalogue_store;
pub mod clock;
#[cfg(feature = "contract")]
#[allow(missing_docs, clippy::unwrap_used, reason = "a promise is named by its test")]
pub mod contract;
pub mod dead_letters;
pub mod erasure;
pub mod event_log;
pub mod event_requests;
pub mod examine;
pub mod fact_stream;
pub mod finding;
pub mod membership;
pub mod page;
pub mod publish;
pub mod quarantine;
pub mod redrive;
pub mod refold;
pub mod remediation_journal;
pub mod state_store;
pub mod stored;
pub mod thread_states;
pub mod trace;
pub mod verify;

pub use catalogue_store::CatalogueStore;
pub use clock::{Clock, SystemClock};
pub use dead_letters::{DeadLetter, DeadLetters, Redrive};
pub use event_log::{Appended, EventLog, LogBounds, LogReader, NewEvent};
pub use event_requests::{EventRequest, EventRequestReader, EventRequests};
pub use fact_stream::{FactStream, StreamedFacts};
pub use membership::{Announced, Announcement, Membership, MembershipEvent, Question};
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
pub use quarantine::{PartitionFaults, QuarantineStore};
pub use remediation_journal::{JOURNAL_ENTRIES, RemediationJournal};
pub use state_store::{Acquired, AggregatesSnapshot, OutboxEntry, StateStore};
pub use thread_states::{ThreadNumber, ThreadState, ThreadStates, UnknownThreads};

use std::sync::Arc;

/// Why an adapter could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PortError {
    /// The server is away, slow or said no for now: try again. The outcome of a write is unknown.
    #[error("{what} is not available: {detail}")]
    Unavailable {
        /// Which part, such as `redis at 127.0.0.1:6379`.
        what: String,
        /// What happened.
        detail: String,
    },
    /// Another owner has taken the partition over: stop.
    #[error("partition {partition} was taken over: epoch {held} is held, {current} is current")]
    Fenced {
        /// The partition.
        partition: nearline_model::PartitionId,
        /// The epoch of the refused caller.
        held: OwnerEpoch,
        /// The epoch given out since.
        current: OwnerEpoch,
    },
    /// The store is at another position than the commit expects, or its sums are ahead of it.
    #[error(
        "partition {partition}, or its stored sums, stand at position {found} in the store, the commit expects {expected}"
    )]
    UnexpectedPosition {
        /// The partition.
        partition: nearline_model::PartitionId,
        /// Position that the commit follows.
        expected: Position,
        /// Position found.
        found: Position,
    },
    /// What is configured does not fit what is there; retrying does not help.
    #[error("{0}")]
    Misconfigured(String),
    /// Stored data cannot be read; retrying does not help.
    #[error("{what} holds damaged data: {detail}")]
    Damaged {
        /// Which part.
        what: String,
        /// What does not fit.
        detail: String,
    },
}

impl PortError {
    /// The refusal to go on with the state of a partition that was folded from another log.
    pub fn foreign_log(
        store: &str,
        partition: nearline_model::PartitionId,
        folded: &str,
        found: &str,
    ) -> Self {
        Self::Misconfigured(format!(
            "{store} holds state of partition {partition} that was folded from log {folded}, but this is log {found}: \
             its positions mean nothing here, and new events would be taken for read. Restore the log that the state \
             belongs to; or use another store, directory or key prefix; or remove the stored state, to fold this log \
             from its beginning"
        ))
    }

    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// Everything the engine stands on.
#[derive(Clone)]
pub struct Ports {
    /// The ordered log of events.
    pub log: Arc<dyn EventLog>,
    /// Member state, offsets, deltas.
    pub store: Arc<dyn StateStore>,
    /// Where refused events go.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Where facts go.
    pub facts: Arc<dyn FactStream>,
    /// The catalogue of titles.
    pub catalogue: Arc<dyn CatalogueStore>,
    /// The registry of nodes.
    pub membership: Arc<dyn Membership>,
    /// Events that are stepped over; in the same store as the state.
    pub quarantine: Arc<dyn QuarantineStore>,
    /// Remediations, for operators.
    pub remediations: Arc<dyn RemediationJournal>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where requests to publish come in that do not come over HTTP, if there is such a way.
    pub event_requests: Option<Arc<dyn EventRequests>>,
    /// What threads are doing.
    pub threads: Arc<dyn ThreadStates>,
}
