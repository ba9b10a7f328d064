//! The pure core of Nearline: everything the engine *decides*, and nothing it *does*.
//!
//! State is a fold of the log. This crate holds that fold and what it folds over:
//! [`event`] parses and validates, [`partition`] folds events into [`member`] state and a
//! [`delta`], and [`aggregates`] adds deltas up in any order. [`control`] decides who runs a partition, and
//! what is done about a fault.
//!
//! What is deliberately absent: I/O, clocks, randomness, threads, async runtimes, actors, and whatever an
//! answer alone needs (`nearline-ranking`). Time arrives as an argument (the event's own and the log's), so
//! that folding the same log twice gives the same bytes.

pub mod aggregates;
pub mod catalogue;
pub mod control;
pub mod decay;
pub mod delta;
pub mod event;
pub mod facts;
pub mod identifier;
pub mod invariant;
pub mod log_clock;
pub mod member;
pub mod partition;
pub mod quarantine;
pub mod reject;
pub mod settings;
pub mod symbols;
pub mod timestamp;
pub mod versioned;

pub use aggregates::Aggregates;
pub use catalogue::Title;
pub use delta::Delta;
pub use event::{Event, EventKind};
pub use facts::{Fact, FactEntry, MemberFacts};
pub use identifier::{PartitionId, Position};
pub use member::{Member, MemberSnapshot};
pub use partition::{Commit, LogRecord, Partition, RecordMark};
pub use reject::{Reject, RejectReason};
pub use settings::FoldSettings;
