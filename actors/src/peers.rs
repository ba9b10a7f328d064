//! Questions between nodes: a member's live state, asked of the node that owns the partition.
//!
//! Questions and answers are JSON: during a rolling upgrade nodes of different versions talk.

use crate::ownership::NodeStatus;
use crate::router::Router;
use bytes::Bytes;
use nearline_model::control::assignment::NodeId;
use nearline_model::{MemberSnapshot, Position};
use nearline_ports::{Membership, PortError, Question};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Questions of other nodes under way at most; more are told to look elsewhere.
const QUESTIONS_UNDER_WAY: usize = 1_024;

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

/// Answers other nodes until this one has handed everything over. Must be called inside an actix system.
pub(crate) fn serve(
    membership: Arc<dyn Membership>,
    node: NodeId,
    router: Router,
    mut status: watch::Receiver<NodeStatus>,
) {
    actix_rt::spawn(async move {
        let permits = Arc::new(Semaphore::new(QUESTIONS_UNDER_WAY));
        let mut backoff = crate::retry::Backoff::new(50, 1_000);
        loop {
            match membership.listen(&node).await {
                Ok(mut questions) => {
                    backoff.reset();
                    loop {
                        let question = tokio::select! {
                            biased;
                            question = questions.recv() => question,
                            // Nothing runs here any more.
                            _gone = status.wait_for(|status| status.gone) => return,
                        };
                        let Some(question) = question else { break };
                        let (permits, router) = (permits.clone(), router.clone());
                        actix_rt::spawn(async move {
                            let reply = match permits.try_acquire() {
                                Ok(_permit) => answer(&router, &question).await,
                                Err(_none_left) => Some(MemberReply::Busy),
                            };
                            reply_to(question, reply);
                        });
                    }
                }
                Err(error) => tracing::warn!(%error, "other nodes cannot ask this one; trying again"),
            }
            if status.has_changed().is_err() {
                return;
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    });
}

async fn answer(router: &Router, question: &Question) -> Option<MemberReply> {
    let asked: MemberQuestion = serde_json::from_slice(&question.body).ok()?;
    let patience = Duration::from_millis(asked.deadline_ms);
    let found = router.ask_here(&asked.member, asked.complete, asked.after);
    let reply = match tokio::time::timeout(patience, found).await {
        Ok(Some(snapshot)) => MemberReply::Live(Box::new(snapshot)),
        Ok(None) => MemberReply::NotHere,
        Err(_late) => MemberReply::Busy,
    };
    let outcome = match &reply {
        MemberReply::Live(_) => "live",
        MemberReply::NotHere => "not_here",
        MemberReply::Busy => "busy",
    };
    metrics::counter!("nearline_peer_answers_total", "outcome" => outcome).increment(1);
    Some(reply)
}

/// A question that could not be read is left without an answer.
fn reply_to(question: Question, reply: Option<MemberReply>) {
    if let Some(reply) = reply {
        let body = serde_json::to_vec(&reply).expect("a reply is plain data");
        // Whoever asked may have gone on.
        let _gone = question.reply.send(Bytes::from(body));
    }
}
