//! `POST /v1/events`: publishes events; answers when the log has acknowledged them.

pub(super) mod requests;

use super::body::{self, BodyFormat, Entries};
use super::cors;
use super::problem::{Problem, ProblemKind};
use super::state::{Answer, ApiState, State, ok};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, web};
use nearline_api::events::{EventResult, EventStatus, EventsAnswer};
use nearline_ports::publish;

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/events", tag = "events", operation_id = "publish_events",
    summary = "Publish events",
    description = "A JSON array, a single object, or NDJSON, plain or gzip. One invalid event does not stop the others: the answer is 200, and `results` says of each event what became of it. `text/plain`, which is what `navigator.sendBeacon` sends, is looked into.",
    request_body(content(
        (Vec<nearline_api::events::EventDocument> = "application/json"), (nearline_api::events::EventDocument = "application/x-ndjson"),
        (String = "text/plain")
    ), description = "Events"),
    responses(
        (status = 200, description = "Every valid event is in the log", body = EventsAnswer),
        (status = 400, description = "The body cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From a page whose origin is not named", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Content type not taken", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Bodies take as much room as they may; or the node is behind; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Some events were not acknowledged; `results` says which: send those again, with the same ids", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn publish(request: HttpRequest, state: State, payload: web::Payload) -> Answer {
    super::query::Parameters::read(&request, &[])?;
    let limits = &state.config.http;
    let format = match body::is_beacon(&request) {
        true => cors::check_beacon(&request, limits).map(|()| None)?,
        false => Some(BodyFormat::of(&request)?),
    };
    let body = body::read(&request, payload, &state).await?;
    let entries = match format {
        Some(format) => Entries::split(format, &body, limits.max_events_per_request)?,
        None => Entries::split_beacon(&body, limits.max_events_per_request)?,
    };
    ok(&publish_entries(&state, &body, &entries).await?)
}

/// Publishes the entries of `body`.
async fn publish_entries(
    state: &ApiState,
    body: &Bytes,
    entries: &Entries<'_>,
) -> Result<EventsAnswer, Problem> {
    let payloads = entries.entries.iter().map(|(_, text)| body.slice_ref(text)).collect();
    let log = &*state.engine.ports().log;
    let published = publish::publish(log, payloads, state.config.fold.event_bytes).await;
    let results = entries.entries.iter().zip(published).map(|((number, _), published)| {
        let (index, line) = entries.numbers(*number);
        EventResult::new(index, line, published)
    });
    answer(results.collect())
}

fn answer(results: Vec<EventResult>) -> Result<EventsAnswer, Problem> {
    let count = |status| results.iter().filter(|result| result.status == status).count();
    let (accepted, duplicates, conflicts, rejected, unavailable) = (
        count(EventStatus::Accepted),
        count(EventStatus::Duplicate),
        count(EventStatus::Conflict),
        count(EventStatus::Rejected),
        count(EventStatus::Unavailable),
    );
    if unavailable == 0 {
        return Ok(EventsAnswer { accepted, duplicates, conflicts, rejected, results });
    }
    let detail = format!(
        "{unavailable} of {} events were not acknowledged; send them again with the same ids",
        results.len()
    );
    Err(Problem::new(ProblemKind::LogUnavailable, detail)
        .with("accepted", accepted)
        .with("duplicates", duplicates)
        .with("conflicts", conflicts)
        .with("rejected", rejected)
        .with("unavailable", unavailable)
        .with("results", results))
}
