//! Requests to publish that do not come over HTTP: the same bodies, and the same answers.

use super::super::body::{self, Entries};
use super::super::problem::{Problem, ProblemKind};
use super::super::state::ApiState;
use super::publish_entries;
use actix_web::web::Bytes;
use nearline_api::events::EventsAnswer;
use nearline_ports::event_requests::RequestAnswer;
use nearline_ports::trace::{self, Span};
use nearline_ports::{EventRequest, EventRequests};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What the result of one event takes of an answer, generously.
const RESULT_BYTES: usize = 384;
/// Before it is tried again to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Answers requests, as many at once as their bodies have room, until `stop`: then other nodes get what comes, and what is
/// under way is answered.
pub(in super::super) async fn answer(state: ApiState, stop: CancellationToken) {
    let Some(requests) = state.engine.ports().event_requests.clone() else { return };
    let mut under_way = JoinSet::new();
    let listening = async {
        loop {
            match requests.listen().await {
                Ok(mut reader) => {
                    while let Some(request) = reader.next().await {
                        while under_way.try_join_next().is_some() {}
                        // What does not fit is told at once, so that nothing piles up.
                        under_way.spawn_local(answer_one(state.clone(), requests.clone(), request));
                    }
                    tracing::warn!("requests to publish come no more; listening anew");
                }
                Err(error) => tracing::warn!(%error, "requests to publish are not taken; trying again"),
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    };
    let _stopped = stop.run_until_cancelled(listening).await;
    while under_way.join_next().await.is_some() {}
}

async fn answer_one(state: ApiState, requests: Arc<dyn EventRequests>, request: EventRequest) {
    let EventRequest { body, content_encoding, trace: caller, asker } = request;
    let most = requests.answer_bytes();
    let mut span = Span::called(caller, "publish request".to_owned());
    let work = publish(&state, body, content_encoding.as_deref(), most / RESULT_BYTES);
    let outcome = trace::within(&span, caller.is_some(), work).await;
    let status = outcome.as_ref().map_or_else(|problem| problem.status, |_| 200);
    if status >= 500 {
        span.fail(status);
    }
    metrics::counter!("nearline_event_requests_total", "status" => status.to_string()).increment(1);
    let Some(asker) = asker else { return };
    if let Err(error) = asker.answer(within(outcome, most)).await {
        tracing::debug!(%error, "an answer was not sent");
    }
}

async fn publish(
    state: &ApiState,
    body: Bytes,
    content_encoding: Option<&str>,
    most: usize,
) -> Result<EventsAnswer, Problem> {
    let limits = &state.config.http;
    let body = body::take(body, content_encoding, state).await?;
    let entries = Entries::split_beacon(&body, limits.max_events_per_request.min(most))?;
    publish_entries(state, &body, &entries).await
}

/// The answer as it goes out. One that is too long after all loses what is said of single events, not what became of them
/// together.
fn within(outcome: Result<EventsAnswer, Problem>, most: usize) -> RequestAnswer {
    match outcome {
        Ok(mut answer) => {
            let mut body = json(&answer);
            if body.len() > most {
                answer.results.iter_mut().for_each(|result| result.detail = None);
                body = json(&answer);
            }
            RequestAnswer { body, content_type: "application/json", problem: None }
        }
        Err(mut problem) => {
            let mut body = json(&problem);
            if body.len() > most {
                problem.more.remove("results");
                body = json(&problem);
            }
            let said = Some((problem.status, problem.title));
            RequestAnswer { body, content_type: "application/problem+json", problem: said }
        }
    }
}

fn json(document: &impl Serialize) -> Bytes {
    match serde_json::to_vec(document) {
        Ok(body) => body.into(),
        Err(error) => Problem::new(ProblemKind::Internal, error.to_string()).detail.into(),
    }
}
