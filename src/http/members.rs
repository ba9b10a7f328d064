//! `GET` and `DELETE /v1/members/{id}`: a member's state, and its erasure.

use super::events::append_one;
use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::recommendations::not_reached;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, HttpResponse};
use nearline_model::MemberSnapshot;
use nearline_model::timestamp::format_rfc3339;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use utoipa::ToSchema;

/// A title that a member watched.
#[derive(Debug, Serialize, ToSchema)]
pub struct WatchedDocument {
    /// The title.
    #[schema(value_type = String)]
    pub title: Arc<str>,
    /// When, RFC 3339.
    pub at: String,
    /// Position of the event in the log.
    pub position: u64,
    /// Seconds watched; absent: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_s: Option<u32>,
    /// Length in seconds; absent: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
}

/// A thumb or a rating.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpinionDocument {
    /// The title.
    #[schema(value_type = String)]
    pub title: Arc<str>,
    /// −1, 1 or 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb: Option<i8>,
    /// 0.5 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<f32>,
}

/// An impression that may still be played.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenImpressionDocument {
    /// The title.
    #[schema(value_type = String)]
    pub title: Arc<str>,
    /// When, RFC 3339.
    pub at: String,
    /// Row of the page; empty: not given.
    #[schema(value_type = String)]
    pub row: Arc<str>,
    /// Artwork shown; empty: not given.
    #[schema(value_type = String)]
    pub artwork: Arc<str>,
    /// Position in the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

/// A member's state. One that nothing is known of has empty lists.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberDocument {
    /// The member.
    pub member: String,
    /// `live` or `store`.
    pub source: &'static str,
    /// Position of the log that this state reflects.
    pub position: u64,
    /// Titles watched or rated, most recent last.
    pub history: Vec<WatchedDocument>,
    /// Titles seen before those of the history.
    #[schema(value_type = Vec<String>)]
    pub seen: Vec<Arc<str>>,
    /// The member's own list.
    #[schema(value_type = Vec<String>)]
    pub list: Vec<Arc<str>>,
    /// Thumbs and ratings.
    pub opinions: Vec<OpinionDocument>,
    /// Impressions that may still be played.
    pub open_impressions: Vec<OpenImpressionDocument>,
    /// Plays that wait for a late impression.
    pub open_plays: usize,
    /// Event ids remembered against duplicates.
    pub recent_ids: usize,
    /// Newest event time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<String>,
    /// When the member was erased, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<String>,
}

impl MemberDocument {
    fn new(source: &'static str, snapshot: MemberSnapshot) -> Self {
        let known = |seconds: u32| (seconds > 0).then_some(seconds);
        let history = snapshot.history.into_iter().map(|watched| WatchedDocument {
            title: watched.title,
            at: format_rfc3339(i64::from(watched.at_s) * 1_000),
            position: watched.position,
            watched_s: known(watched.watched_s),
            duration_s: known(watched.duration_s),
        });
        let opinions = snapshot.opinions.into_iter().map(|opinion| OpinionDocument {
            title: opinion.title,
            thumb: opinion.thumb,
            rating: opinion.rating,
        });
        let open = snapshot.open_impressions.into_iter().map(|shown| OpenImpressionDocument {
            title: shown.title,
            at: shown.at,
            row: shown.row,
            artwork: shown.artwork,
            position: shown.position,
        });
        Self {
            member: snapshot.member.to_string(),
            source,
            position: snapshot.position,
            history: history.collect(),
            seen: snapshot.seen,
            list: snapshot.list,
            opinions: opinions.collect(),
            open_impressions: open.collect(),
            open_plays: snapshot.open_plays,
            recent_ids: snapshot.recent_ids,
            newest_at: snapshot.newest_at,
            erased_at: snapshot.erased_at,
        }
    }
}

/// An erasure that is under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureAnswer {
    /// The member.
    pub member: String,
    /// Id of the `forget` event.
    pub id: String,
    /// Its partition.
    pub partition: u16,
    /// Its position in the log: usable as `after`.
    pub position: u64,
}

#[utoipa::path(
    get, path = "/v1/members/{id}", tag = "members", summary = "A member's state",
    params(
        ("id" = String, Path, description = "The member"),
        ("after" = Option<u64>, Query, description = "Position that publishing gave: the answer is at least that new"),
    ),
    responses(
        (status = 200, description = "The state", body = MemberDocument),
        (status = 400, description = "The id or a parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries are under way; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The state is not that new yet, or out of reach", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    let started = Instant::now();
    let member = path_id(&request)?;
    let after = Parameters::read(&request, &["after"])?.after()?;
    let _admitted = state.admission.admit()?;
    let found = state.engine.member(&member, true, after).await.map_err(not_reached)?;
    let source = found.source.name();
    metrics::histogram!("nearline_query_duration_seconds", "route" => "member", "source" => source)
        .record(started.elapsed());
    match found.snapshot {
        Some(snapshot) => ok(&MemberDocument::new(source, snapshot)),
        None => {
            let detail = "neither the member's partition nor the store answered in time; try again";
            Err(Problem::new(ProblemKind::StateUnavailable, detail))
        }
    }
}

#[utoipa::path(
    delete, path = "/v1/members/{id}", tag = "members", summary = "Erase a member",
    description = "Publishes a `forget` event: everything up to now is erased once it is folded.",
    params(("id" = String, Path, description = "The member")),
    responses(
        (status = 202, description = "The `forget` event is in the log", body = ErasureAnswer),
        (status = 400, description = "The id is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The log is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn erase(request: HttpRequest, state: State) -> Answer {
    let member = path_id(&request)?;
    Parameters::read(&request, &[])?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    let id = format!("forget-{:032x}", rand::random::<u128>());
    let event = serde_json::json!({
        "id": id, "type": "forget", "member": member, "at": format_rfc3339(now_ms),
    });
    let appended = append_one(&state, &member, &id, event.to_string().into()).await?;
    let answer = ErasureAnswer { member, id, partition: appended.partition.0, position: appended.position };
    Ok(HttpResponse::Accepted().json(answer))
}
