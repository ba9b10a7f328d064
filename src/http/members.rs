//! `GET` and `DELETE /v1/members/{id}`: a member's state, and its erasure.

use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::recommendations::not_reached;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, HttpResponse};
use nearline_api::members::{ErasureAnswer, MemberDocument};
use nearline_model::timestamp::format_rfc3339;
use nearline_ports::NewEvent;
use nearline_ports::publish::append_one;
use std::time::Instant;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/members/{id}", tag = "members", operation_id = "read_member", summary = "A member's state",
    params(
        ("id" = String, Path, description = "The member"),
        ("after" = Option<u64>, Query, description = "Position that publishing gave: the answer is at least that new"),
    ),
    responses(
        (status = 200, description = "The state", body = MemberDocument),
        (status = 400, description = "The id or a parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries are under way; or the node is behind; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The state is not that new yet, or out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    let started = Instant::now();
    let member = path_id(&request)?;
    let after = Parameters::read(&request, &["after"])?.after()?;
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

#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/v1/members/{id}", tag = "members", operation_id = "erase_member", summary = "Erase a member",
    description = "Publishes a `forget` event: everything up to now is erased once it is folded.",
    params(("id" = String, Path, description = "The member")),
    responses(
        (status = 202, description = "The `forget` event is in the log", body = ErasureAnswer),
        (status = 400, description = "The id is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The log is away", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn erase(request: HttpRequest, state: State) -> Answer {
    let member = path_id(&request)?;
    Parameters::read(&request, &[])?;
    let ports = state.engine.ports();
    let now_ms = ports.clock.now_ms();
    let id = format!("forget-{:032x}", rand::random::<u128>());
    let event = serde_json::json!({
        "id": id, "type": "forget", "member": member, "at": format_rfc3339(now_ms),
    });
    let event = NewEvent { member: member.clone(), id: id.clone(), payload: event.to_string().into() };
    let appended = append_one(&*ports.log, event)
        .await
        .map_err(|error| Problem::new(ProblemKind::LogUnavailable, format!("{error}; try again")))?;
    let answer = ErasureAnswer { member, id, partition: appended.partition.0, position: appended.position.0 };
    Ok(HttpResponse::Accepted().json(answer))
}
