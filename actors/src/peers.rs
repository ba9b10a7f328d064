//! Questions between nodes: a member's live state, asked of the node that owns the partition.
//!
//! Questions and answers are JSON: during a rolling upgrade nodes of different versions talk.

pub(crate) mod question;

use crate::ownership::NodeStatus;
use crate::router::Router;
use bytes::Bytes;
use nearline_model::control::assignment::NodeId;
use nearline_ports::trace::{Kind, Span, TraceContext};
use nearline_ports::{Membership, Question};
use question::{MemberQuestion, MemberReply};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Questions of other nodes under way at most; more are told to look elsewhere.
const QUESTIONS_UNDER_WAY: usize = 1_024;

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
    let caller = asked.traceparent.as_deref().and_then(TraceContext::parse);
    let mut span = Span::part_of(caller, "answer a node", Kind::Server);
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
    span.set("nearline.outcome", outcome);
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
