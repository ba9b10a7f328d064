//! `POST /admin/chaos/…`: faults on purpose, for test systems. Registered only where
//! `chaos.enabled` is set, which configuration refuses unless the operators' listener is on loopback.

use super::audit::Detail;
use super::body;
use super::problem::{Problem, ProblemKind};
use super::state::{Answer, State};
use actix_web::{HttpRequest, HttpResponse, web};
use nearline_actors::NotInjected;
use nearline_model::PartitionId;
use nearline_model::identifier::id_problem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;

/// Registers the routes.
pub(super) fn register(config: &mut web::ServiceConfig) {
    config
        .route("/admin/chaos/panic", web::post().to(panic))
        .route("/admin/chaos/hang", web::post().to(hang))
        .route("/admin/chaos/poison", web::post().to(poison))
        .route("/admin/chaos/poison", web::delete().to(clear_poison))
        .route("/admin/chaos/reader-stall", web::post().to(stall_reader));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnePartition {
    partition: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnePartitionFor {
    partition: u16,
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    pattern: String,
}

async fn read<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
) -> Result<T, Problem> {
    let bytes = body::read(request, payload, state).await?;
    body::object(&bytes)
}

fn refused(error: NotInjected) -> Problem {
    let kind = match error {
        NotInjected::NoActor(_) => ProblemKind::StateUnavailable,
        NotInjected::Disabled => ProblemKind::RouteNotFound,
        NotInjected::NoPartition(..) | NotInjected::TooManyPatterns => ProblemKind::InvalidParameter,
    };
    Problem::new(kind, error.to_string())
}

fn injected(what: serde_json::Value) -> Answer {
    tracing::warn!(event = "fault_injected", %what, "a fault was injected, on purpose");
    let mut response = HttpResponse::Accepted().json(json!({"injected": what}));
    response.extensions_mut().insert(Detail(what.to_string()));
    Ok(response)
}

async fn panic(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let OnePartition { partition } = read(&request, payload, &state).await?;
    state.engine.inject_panic(PartitionId(partition)).map_err(refused)?;
    injected(json!({"fault": "panic", "partition": partition}))
}

async fn hang(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let OnePartitionFor { partition, seconds } = read(&request, payload, &state).await?;
    let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| time.as_secs() <= 600);
    let time = time.ok_or_else(|| {
        Problem::new(ProblemKind::InvalidParameter, format!("`seconds` is {seconds}; expected 0 to 600"))
    })?;
    state.engine.inject_hang(PartitionId(partition), time).map_err(refused)?;
    injected(json!({"fault": "hang", "partition": partition, "seconds": seconds}))
}

async fn poison(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let Pattern { pattern } = read(&request, payload, &state).await?;
    let start = pattern.strip_suffix('*').unwrap_or(&pattern);
    if let Some(problem) = id_problem(start)
        && !(start.is_empty() && pattern == "*")
    {
        let detail = format!("`pattern` {problem}; expected an event's id, or the start of ids and a *");
        return Err(Problem::new(ProblemKind::InvalidParameter, detail));
    }
    state.engine.faults().and_then(|faults| faults.poison(&pattern)).map_err(refused)?;
    injected(json!({"fault": "poison", "pattern": pattern}))
}

async fn clear_poison(state: State) -> Answer {
    let cleared = state.engine.faults().map_err(refused)?.clear_poison();
    Ok(HttpResponse::Ok().json(json!({"cleared": cleared})))
}

async fn stall_reader(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let OnePartition { partition } = read(&request, payload, &state).await?;
    state.engine.inject_reader_stall(PartitionId(partition)).map_err(refused)?;
    injected(json!({"fault": "reader-stall", "partition": partition}))
}
