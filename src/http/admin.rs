//! The operators' listener: health, metrics, partitions, and the console.

use super::overview::{self, Rates};
use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::routes;
use super::state::{Answer, State, ok};
use super::{admin_nodes, admin_partition, admin_stream, audit, console, gauges, members, recommendations};
use actix_web::{HttpRequest, HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;
use nearline_ports::JOURNAL_ENTRIES;

/// Remediations of an answer, if the caller does not say.
const DEFAULT_REMEDIATIONS: usize = 100;

/// Registers the routes.
pub(super) fn register(config: &mut web::ServiceConfig) {
    config
        .configure(console::register)
        .route("/livez", routes::get().to(live))
        .route("/readyz", routes::get().to(ready))
        .route("/metrics", routes::get().to(metrics_text))
        .route("/admin/partitions", routes::get().to(partitions))
        .route("/admin/partitions/{partition}/verify", web::post().to(admin_partition::verify))
        .route("/admin/partitions/{partition}/give-away", web::post().to(admin_partition::give_away))
        .route("/admin/stream", web::get().to(admin_stream::open))
        .route("/admin/overview", routes::get().to(overview))
        .route("/admin/audit", routes::get().to(audit::list))
        .route("/admin/nodes", routes::get().to(admin_nodes::nodes))
        .route("/admin/configuration", routes::get().to(admin_nodes::configuration))
        .route("/admin/doctor", routes::get().to(admin_nodes::doctor))
        .route("/admin/ranking", routes::get().to(ranking))
        .route("/admin/remediations", routes::get().to(remediations))
        .route("/admin/members/{id}", routes::get().to(members::read))
        .route("/admin/members/{id}/recommendations", routes::get().to(recommendations::recommend))
        .default_service(web::to(not_found));
}

async fn live(state: State) -> HttpResponse {
    match state.engine.not_healthy() {
        None => text(HttpResponse::Ok(), "live\n".to_owned()),
        Some(reason) => text(HttpResponse::ServiceUnavailable(), format!("not live: {reason}\n")),
    }
}

async fn ready(state: State) -> HttpResponse {
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

async fn metrics_text(state: State, prometheus: web::Data<PrometheusHandle>) -> HttpResponse {
    let partitions = state.engine.partitions();
    gauges::refresh(&state, &partitions);
    let text = prometheus.render() + &gauges::of_partitions(&partitions);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}

async fn partitions(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&state.engine.partitions())
}

async fn ranking(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&state.engine.learned().tuning)
}

async fn overview(request: HttpRequest, state: State, rates: web::Data<Rates>) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&overview::overview(&state, &rates).await)
}

/// Remediations, newest first, with where the partition stood before and after.
async fn remediations(request: HttpRequest, state: State) -> Answer {
    let parameters = Parameters::read(&request, &["limit"])?;
    let limit = parameters.limit(DEFAULT_REMEDIATIONS, JOURNAL_ENTRIES)?;
    ok(&state.engine.remediations().list(limit).await)
}

async fn not_found(request: HttpRequest) -> Result<&'static str, Problem> {
    let detail = format!("{} {} is no admin route; the console is at /", request.method(), request.path());
    Err(Problem::new(ProblemKind::RouteNotFound, detail))
}
