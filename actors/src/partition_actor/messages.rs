//! What a partition actor is told.

use crate::faults::InjectedFault;
use actix::Message;
use nearline_model::{LogRecord, MemberSnapshot, Position};
use nearline_ports::PortError;
use tokio::sync::OwnedSemaphorePermit;

/// Fold these records. The permit is given back when they are folded: it bounds what is under way.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FoldBatch {
    /// Records in the order of the log.
    pub records: Vec<LogRecord>,
    /// Leave to have a batch under way.
    pub permit: OwnedSemaphorePermit,
}

/// Give a member's state at a position of at least `after`; `None` if the actor ended first.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Option<MemberSnapshot>")]
pub struct GetMember {
    /// The member.
    pub member: String,
    /// Whether open impressions are to be spelled out.
    pub complete: bool,
    /// Position that the state must reflect.
    pub after: Position,
}

/// What the actor stands on failed for good: the log cannot be read any further, or the store is not what it was.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct PortFailed(pub PortError);

/// Commit what is folded now.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CommitNow;

/// Fold no more, commit what is folded, and end.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// Another actor has taken over: end without a trace.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// Meet a fault, on purpose.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Inject(pub InjectedFault);
