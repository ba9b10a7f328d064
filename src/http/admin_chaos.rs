//! `POST /admin/chaos/…`: faults on purpose, for test systems. Registered only where
//! `chaos.enabled` is set, which configuration refuses unless the operators' listener is on loopback.

use super::audit::Detail;
use super::body;
use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, HttpResponse, web};
use nearline_actors::NotInjected;
use nearline_api::operators::{
    ClearedAnswer, HangFault, Injected, InjectedAnswer, PartitionFault, PoisonFault,
};
use nearline_model::PartitionId;
use nearline_model::identifier::id_problem;
use serde::de::DeserializeOwned;
use std::time::Duration;

async fn read<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
) -> Result<T, Problem> {
    Parameters::read(request, &[])?;
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

fn of(fault: &str, partition: u16) -> Injected {
    Injected { fault: fault.to_owned(), partition: Some(partition), ..Injected::default() }
}

fn injected(injected: Injected) -> Answer {
    let answer = InjectedAnswer { injected };
    let what = serde_json::to_string(&answer.injected).unwrap_or_default();
    tracing::warn!(event = "fault_injected", %what, "a fault was injected, on purpose");
    let mut response = HttpResponse::Accepted().json(answer);
    response.extensions_mut().insert(Detail(what));
    Ok(response)
}

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/admin/chaos/panic", tag = "chaos", operation_id = "inject_panic", summary = "Let an actor panic",
    request_body = PartitionFault,
    responses(
        (status = 202, description = "It will", body = InjectedAnswer),
        (status = 400, description = "The body is not valid, or there is no such partition", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Faults may not be made here", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The partition has no actor right now", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn panic(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let PartitionFault { partition } = read(&request, payload, &state).await?;
    state.engine.inject_panic(PartitionId(partition)).map_err(refused)?;
    injected(of("panic", partition))
}

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/admin/chaos/hang", tag = "chaos", operation_id = "inject_hang", summary = "Let an actor block its thread",
    request_body = HangFault,
    responses(
        (status = 202, description = "It will", body = InjectedAnswer),
        (status = 400, description = "The body is not valid, or there is no such partition", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Faults may not be made here", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The partition has no actor right now", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn hang(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let HangFault { partition, seconds } = read(&request, payload, &state).await?;
    let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| time.as_secs() <= 600);
    let time = time.ok_or_else(|| {
        Problem::new(ProblemKind::InvalidParameter, format!("`seconds` is {seconds}; expected 0 to 600"))
    })?;
    state.engine.inject_hang(PartitionId(partition), time).map_err(refused)?;
    injected(Injected { seconds: Some(seconds), ..of("hang", partition) })
}

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/admin/chaos/poison", tag = "chaos", operation_id = "inject_poison", summary = "Let events panic whoever folds them",
    request_body = PoisonFault,
    responses(
        (status = 202, description = "They will", body = InjectedAnswer),
        (status = 400, description = "The body is not valid, or there is no such partition", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Faults may not be made here", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The partition has no actor right now", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn poison(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let PoisonFault { pattern } = read(&request, payload, &state).await?;
    let start = pattern.strip_suffix('*').unwrap_or(&pattern);
    if let Some(problem) = id_problem(start)
        && !(start.is_empty() && pattern == "*")
    {
        let detail = format!("`pattern` {problem}; expected an event's id, or the start of ids and a *");
        return Err(Problem::new(ProblemKind::InvalidParameter, detail));
    }
    state.engine.faults().and_then(|faults| faults.poison(&pattern)).map_err(refused)?;
    injected(Injected { fault: "poison".to_owned(), pattern: Some(pattern), ..Injected::default() })
}

#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/admin/chaos/poison", tag = "chaos", operation_id = "clear_poison", summary = "Let no event be poisonous any more",
    responses(
        (status = 200, description = "None is", body = ClearedAnswer),
        (status = 400, description = "A parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Faults may not be made here", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn clear_poison(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let cleared = state.engine.faults().map_err(refused)?.clear_poison();
    ok(&ClearedAnswer { cleared })
}

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/admin/chaos/reader-stall", tag = "chaos", operation_id = "inject_reader_stall", summary = "Let a reader bring nothing more",
    request_body = PartitionFault,
    responses(
        (status = 202, description = "It will", body = InjectedAnswer),
        (status = 400, description = "The body is not valid, or there is no such partition", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Faults may not be made here", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The partition has no actor right now", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn stall_reader(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let PartitionFault { partition } = read(&request, payload, &state).await?;
    state.engine.inject_reader_stall(PartitionId(partition)).map_err(refused)?;
    injected(of("reader-stall", partition))
}
