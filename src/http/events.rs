//! `POST /v1/events`: publishes events; answers when the log has acknowledged them.

use super::body::{self, BodyFormat, Entries};
use super::problem::{Problem, ProblemKind};
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use nearline_actors::ports::{Appended, NewEvent, PortError};
use nearline_model::Event;
use serde::Serialize;
use utoipa::ToSchema;

/// An event as publishers send it. Further fields are kept and ignored.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDocument {
    /// Id, unique among all events: `[A-Za-z0-9_-]{1,64}`.
    pub id: String,
    /// `impression`, `play`, `progress`, `thumb`, `rating`, `list_add`, `list_remove` or `forget`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The member: an id.
    pub member: String,
    /// The title: an id; not needed by `forget`.
    pub title: Option<String>,
    /// When it happened: RFC 3339 with an offset.
    pub at: String,
    /// The page request that showed the title: an id.
    pub request: Option<String>,
    /// Row of the page: an id.
    pub row: Option<String>,
    /// Position in the row, from 0.
    pub position: Option<u32>,
    /// Artwork shown: an id.
    pub artwork: Option<String>,
    /// Probability with which the artwork was chosen, above 0, at most 1.
    pub propensity: Option<f32>,
    /// Segment that the artwork was chosen for, as it was answered: an id.
    pub segment: Option<String>,
    /// Country, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Device: an id.
    pub device: Option<String>,
    /// Seconds watched so far; needed by `progress`.
    pub watched_s: Option<f64>,
    /// Length of the title in seconds.
    pub duration_s: Option<f64>,
    /// Thumb (−1, 1, 2) or rating (0.5 to 5).
    pub value: Option<f64>,
}

/// What became of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// It is in the log.
    Accepted,
    /// Its id is in the log already; nothing was stored.
    Duplicate,
    /// It is not valid and was not stored: sending it again does not help.
    Rejected,
    /// The log did not acknowledge it: send it again with the same id.
    Unavailable,
}

/// What became of one event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventResult {
    /// Its index, from 0, in a JSON array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its line, from 1, in NDJSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What became of it.
    pub status: EventStatus,
    /// Partition it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// Position in the log: usable as `after` in queries for its member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Stable code of why it was not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What exactly was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of all events of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsAnswer {
    /// Events stored.
    pub accepted: usize,
    /// Events that had been stored before.
    pub duplicates: usize,
    /// Events refused.
    pub rejected: usize,
    /// Each event, in the order sent.
    pub results: Vec<EventResult>,
}

#[utoipa::path(
    post, path = "/v1/events", tag = "events",
    summary = "Publish events",
    description = "A JSON array, a single object, or NDJSON. One invalid event does not stop the others.",
    request_body(content(
        (Vec<EventDocument> = "application/json"), (EventDocument = "application/x-ndjson")
    ), description = "Events"),
    responses(
        (status = 200, description = "Every valid event is in the log", body = EventsAnswer),
        (status = 400, description = "The body cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Content type not taken", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Some events were not acknowledged; `results` says which", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn publish(request: HttpRequest, state: State, payload: web::Payload) -> Answer {
    super::query::Parameters::read(&request, &[])?;
    let limits = &state.config.http;
    let format = BodyFormat::of(&request)?;
    let body = body::read(&request, payload, limits).await?;
    let entries = Entries::split(format, &body, limits.max_events_per_request)?;
    let mut results = Vec::with_capacity(entries.entries.len());
    let (mut events, mut places) = (Vec::new(), Vec::new());
    for (number, text) in &entries.entries {
        let (index, line) = entries.numbers(*number);
        let mut result = EventResult {
            index,
            line,
            status: EventStatus::Unavailable,
            partition: None,
            position: None,
            reason: None,
            detail: None,
        };
        match Event::parse(text, state.config.fold.event_bytes) {
            Ok(event) => {
                places.push(results.len());
                events.push(NewEvent {
                    member: event.member.into_owned(),
                    id: event.id.into_owned(),
                    payload: body.slice_ref(text),
                });
            }
            Err(reject) => {
                result.status = EventStatus::Rejected;
                result.reason = Some(reject.reason.code());
                result.detail = Some(reject.detail);
            }
        }
        results.push(result);
    }
    let outcomes = if events.is_empty() { Vec::new() } else { state.engine.ports().log.append(events).await };
    let mut outcomes = outcomes.into_iter();
    for place in places {
        note(&mut results[place], outcomes.next());
    }
    answer(results)
}

fn note(result: &mut EventResult, outcome: Option<Result<Appended, PortError>>) {
    match outcome {
        Some(Ok(appended)) => {
            result.status = if appended.duplicate { EventStatus::Duplicate } else { EventStatus::Accepted };
            result.partition = Some(appended.partition.0);
            result.position = Some(appended.position);
        }
        other => {
            let detail = match other {
                Some(Err(error)) => error.to_string(),
                _ => "the log gave no answer".to_owned(),
            };
            result.reason = Some("log-unavailable");
            result.detail = Some(detail);
        }
    }
}

fn answer(results: Vec<EventResult>) -> Answer {
    let count = |status| results.iter().filter(|result| result.status == status).count();
    let (accepted, duplicates, rejected, unavailable) = (
        count(EventStatus::Accepted),
        count(EventStatus::Duplicate),
        count(EventStatus::Rejected),
        count(EventStatus::Unavailable),
    );
    for (outcome, events) in [
        ("accepted", accepted),
        ("duplicate", duplicates),
        ("rejected", rejected),
        ("unavailable", unavailable),
    ] {
        if events > 0 {
            metrics::counter!("nearline_publish_events_total", "outcome" => outcome).increment(events as u64);
        }
    }
    if unavailable == 0 {
        return ok(&EventsAnswer { accepted, duplicates, rejected, results });
    }
    let detail = format!(
        "{unavailable} of {} events were not acknowledged; send them again with the same ids",
        results.len()
    );
    Err(Problem::new(ProblemKind::LogUnavailable, detail)
        .with("accepted", accepted)
        .with("duplicates", duplicates)
        .with("rejected", rejected)
        .with("unavailable", unavailable)
        .with("results", results))
}

/// Appends one event that the program itself makes.
pub(super) async fn append_one(
    state: &State,
    member: &str,
    id: &str,
    payload: Bytes,
) -> Result<Appended, Problem> {
    let event = NewEvent { member: member.to_owned(), id: id.to_owned(), payload };
    let outcome = state.engine.ports().log.append(vec![event]).await.into_iter().next();
    outcome
        .unwrap_or_else(|| {
            Err(PortError::Unavailable { what: "the log".to_owned(), detail: "it gave no answer".to_owned() })
        })
        .map_err(|error| Problem::new(ProblemKind::LogUnavailable, format!("{error}; try again")))
}
