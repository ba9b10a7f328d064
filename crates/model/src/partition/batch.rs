//! Records of the log, parsed together and kept beside what was parsed out of them.

use crate::event::Event;
use crate::identifier::Position;
use crate::quarantine::Quarantine;
use crate::reject::{Reject, RejectReason};
use bytes::Bytes;

/// Fingerprint of a record of the log, see [`LogRecord::mark`].
pub type RecordMark = std::num::NonZeroU64;

/// One record of a partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Place in the log.
    pub position: Position,
    /// The log's own time stamp, Unix milliseconds.
    pub log_ms: i64,
    /// The event as it was published.
    pub payload: Bytes,
}

impl LogRecord {
    /// Fingerprint of what the log says of the record: it tells whether the record at a position is still the one
    /// that was read there. Never 0.
    pub fn mark(&self) -> RecordMark {
        RecordMark::new(
            xxhash_rust::xxh3::xxh3_64_with_seed(&self.payload, self.log_ms.cast_unsigned()).max(1),
        )
        .expect("at least 1")
    }
}

type ParsedEvents<'a> = Vec<Result<Event<'a>, Reject>>;

self_cell::self_cell!(
    struct Parsed {
        owner: Vec<LogRecord>,
        #[covariant]
        dependent: ParsedEvents,
    }
);

/// Records with their parsed events, which borrow from them.
pub struct Batch(Parsed);

impl Batch {
    /// Parses `records`; payloads above `max_event_bytes` are rejects.
    pub fn parse(records: Vec<LogRecord>, max_event_bytes: usize) -> Self {
        Self::parse_except(records, max_event_bytes, &Quarantine::default(), |_| {})
    }

    /// Parses `records` except those in `quarantine`, which are rejects without being looked at: an
    /// event may be poison for the parser, too. `observe` hears of each position before it is parsed.
    pub fn parse_except(
        records: Vec<LogRecord>,
        max_event_bytes: usize,
        quarantine: &Quarantine,
        mut observe: impl FnMut(Position),
    ) -> Self {
        Self(Parsed::new(records, |records| {
            let parsed = records.iter().map(|record| match quarantine.get(record.position) {
                Some(entry) => Err(entry.reject()),
                None => {
                    observe(record.position);
                    Event::parse(&record.payload, max_event_bytes)
                }
            });
            parsed.collect()
        }))
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.0.borrow_owner().len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Records with what was parsed out of them.
    pub fn events(&self) -> impl Iterator<Item = (&LogRecord, &Result<Event<'_>, Reject>)> {
        self.0.borrow_owner().iter().zip(self.0.borrow_dependent())
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("records", &self.len()).finish()
    }
}

/// Whether an event is stepped over.
pub(super) fn is_quarantined(event: &Result<Event<'_>, Reject>) -> bool {
    matches!(event, Err(reject) if reject.reason == RejectReason::Poison)
}
