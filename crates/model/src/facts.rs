//! Facts: what was known of a member after an event, and what it was offered, as records that outlive the state.
//!
//! A member's fact at a position of the log is its state *after* that position. It is a function of the log alone,
//! so that writing it again, after a crash or by folding the log anew, gives the same bytes. Which positions have
//! one depends on how often was committed: of several changes between two commits, the last one has, and each that
//! was shown to a query. Whoever reads takes the newest up to a moment ([`crate::partition::Partition::capture`]).
//!
//! A decision is what was offered: it comes from answering, not from the fold.

mod capture;
mod decision;
mod entry;
mod fact;
mod known;

pub use capture::CaptureSettings;
pub(crate) use capture::{Capture, HeldMember};
pub use decision::{Candidate, ChosenArtwork, Decision, PlacedBy};
pub use entry::{FactEntry, MemberFacts};
pub use fact::{Fact, FactKind};
pub use known::{Known, KnownOpinion, KnownTitle, Whereabouts};
