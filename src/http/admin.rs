//! The operators' listener: health, metrics, partitions.

use super::gauges;
use super::overview::{self, Rates};
use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;
#[cfg(feature = "openapi")]
use nearline_api::operators::shapes::{PartitionDocument, RankingDocument, RemediationDocument};
use nearline_ports::JOURNAL_ENTRIES;

/// Remediations of an answer, if the caller does not say.
const DEFAULT_REMEDIATIONS: usize = 100;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/livez", tag = "health", operation_id = "read_liveness", summary = "Whether the process is worth keeping",
    responses(
        (status = 200, description = "It is", body = String, content_type = "text/plain"),
        (status = 503, description = "It is not, and why: it should be started anew", body = String, content_type = "text/plain"),
    )
))]
pub(super) async fn live(state: State) -> HttpResponse {
    match state.engine.not_healthy() {
        None => text(HttpResponse::Ok(), "live\n".to_owned()),
        Some(reason) => text(HttpResponse::ServiceUnavailable(), format!("not live: {reason}\n")),
    }
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "read_readiness", summary = "Whether this node may be asked",
    responses(
        (status = 200, description = "It may", body = String, content_type = "text/plain"),
        (status = 503, description = "Not yet, or not any more, and why", body = String, content_type = "text/plain"),
    )
))]
pub(super) async fn ready(state: State) -> HttpResponse {
    let reasons = state.engine.not_ready();
    if reasons.is_empty() {
        return text(HttpResponse::Ok(), "ready\n".to_owned());
    }
    let lines: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    text(HttpResponse::ServiceUnavailable(), format!("not ready:\n{}\n", lines.join("\n")))
}

fn text(mut answer: actix_web::HttpResponseBuilder, body: String) -> HttpResponse {
    answer.content_type("text/plain; charset=utf-8").body(body)
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "read_metrics", summary = "Metrics, as Prometheus reads them",
    responses(
        (status = 200, description = "Text format 0.0.4", body = String, content_type = "text/plain"),
    )
))]
pub(super) async fn metrics_text(state: State, prometheus: web::Data<PrometheusHandle>) -> HttpResponse {
    let partitions = state.engine.partitions();
    gauges::refresh(&state, &partitions);
    let text = prometheus.render() + &gauges::of_partitions(&partitions);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/partitions", tag = "partitions", operation_id = "list_partitions", summary = "Where every partition stands here",
    responses(
        (status = 200, description = "By number", body = Vec<PartitionDocument>),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn partitions(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&state.engine.partitions())
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/ranking", tag = "nodes", operation_id = "read_ranking", summary = "The weights that were chosen from the stream",
    responses(
        (status = 200, description = "The weights, and on what evidence", body = RankingDocument),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn ranking(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&state.engine.learned().tuning)
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/overview", tag = "nodes", operation_id = "read_overview", summary = "Rates, lag, sizes and what trends, at a glance",
    responses(
        (status = 200, description = "How this node does", body = overview::Overview),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn overview(request: HttpRequest, state: State, rates: web::Data<Rates>) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&overview::overview(&state, &rates).await)
}

/// Remediations, newest first, with where the partition stood before and after.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/remediations", tag = "remediations", operation_id = "list_remediations", summary = "What was done about faults",
    params(
        ("limit" = Option<usize>, Query, description = "Remediations at most (default 100)", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "Newest first", body = Vec<RemediationDocument>),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn remediations(request: HttpRequest, state: State) -> Answer {
    let parameters = Parameters::read(&request, &["limit"])?;
    let limit = parameters.limit(DEFAULT_REMEDIATIONS, JOURNAL_ENTRIES)?;
    ok(&state.engine.remediations().list(limit).await)
}

pub(super) async fn not_found(request: HttpRequest) -> Result<&'static str, Problem> {
    let detail = format!("{} {} is no admin route; the console is at /", request.method(), request.path());
    Err(Problem::new(ProblemKind::RouteNotFound, detail))
}
