//! What one node asks another, and what it gets.

use bytes::Bytes;
use nearline_model::control::assignment::NodeId;
use nearline_model::{MemberSnapshot, Position};
use nearline_ports::{Membership, PortError};
use serde::{Deserialize, Serialize};

/// What one node asks another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MemberQuestion {
    pub member: String,
    #[serde(default)]
    pub complete: bool,
    #[serde(default)]
    pub after: Position,
    /// Milliseconds that whoever asks still has.
    pub deadline_ms: u64,
    /// The recorded trace that the question belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What it gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MemberReply {
    /// The state.
    Live(Box<MemberSnapshot>),
    /// The partition is not run there, not any more or not yet.
    NotHere,
    /// Too many questions are under way, or it took too long.
    Busy,
}

/// Asks `node`.
pub(crate) async fn ask(
    membership: &dyn Membership,
    node: &NodeId,
    question: &MemberQuestion,
) -> Result<MemberReply, PortError> {
    let body = Bytes::from(serde_json::to_vec(question).expect("a question is plain data"));
    let answer = membership.ask(node, body).await?;
    serde_json::from_slice(&answer).map_err(|error| PortError::Unavailable {
        what: format!("node {node}"),
        detail: format!("its answer cannot be read: {error}"),
    })
}
