//! The operators' listener: health, metrics, partitions, and the console.

use super::overview::{self, Rates};
use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, State, ok};
use super::{members, recommendations};
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;
use nearline_actors::{Engine, PartitionState};
use nearline_ports::JOURNAL_ENTRIES;

/// The console: one page without anything from elsewhere.
const CONSOLE: &str = include_str!("../console/console.html");

/// Remediations of an answer, if the caller does not say.
const DEFAULT_REMEDIATIONS: usize = 100;

/// Registers the routes.
pub(super) fn register(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(console))
        .route("/livez", web::get().to(live))
        .route("/readyz", web::get().to(ready))
        .route("/metrics", web::get().to(metrics_text))
        .route("/admin/partitions", web::get().to(partitions))
        .route("/admin/overview", web::get().to(overview))
        .route("/admin/remediations", web::get().to(remediations))
        .route("/admin/members/{id}", web::get().to(members::read))
        .route("/admin/members/{id}/recommendations", web::get().to(recommendations::recommend))
        .default_service(web::to(not_found));
}

async fn console() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((
            "Content-Security-Policy",
            "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
        ))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(CONSOLE)
}

async fn live() -> &'static str {
    "live\n"
}

async fn ready(state: State) -> HttpResponse {
    if state.engine.is_ready() {
        return HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n");
    }
    let partitions = state.engine.partitions();
    let catalogue =
        (!state.engine.is_catalogue_loaded()).then(|| "the catalogue has not come".to_owned()).into_iter();
    let waiting = partitions
        .iter()
        .filter(|partition| {
            !matches!(partition.state, PartitionState::Live | PartitionState::Elsewhere) || partition.lag > 0
        })
        .map(|partition| format!("{} {} lag {}", partition.partition, partition.state, partition.lag));
    let waiting: Vec<String> = catalogue.chain(waiting).collect();
    let text = format!("not ready: something is awaited, or the node is stopping\n{}\n", waiting.join("\n"));
    HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body(text)
}

async fn metrics_text(state: State, prometheus: web::Data<PrometheusHandle>) -> HttpResponse {
    refresh_gauges(&state.engine);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(prometheus.render())
}

async fn partitions(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&state.engine.partitions())
}

async fn overview(request: HttpRequest, state: State, rates: web::Data<Rates>) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&overview::overview(&state, &rates))
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

/// Sets what is not counted where it happens.
fn refresh_gauges(engine: &Engine) {
    for status in engine.partitions() {
        let partition = status.partition.to_string();
        let gauge = |name: &'static str, value: u64| {
            metrics::gauge!(name, "partition" => partition.clone()).set(value as f64);
        };
        gauge("nearline_partition_live", u64::from(status.state == PartitionState::Live));
        gauge("nearline_partition_epoch", status.epoch);
        gauge("nearline_partition_folded_position", status.folded);
        gauge("nearline_partition_committed_position", status.committed);
        gauge("nearline_partition_lag_positions", status.lag);
        gauge("nearline_partition_cached_members", status.cached_members as u64);
    }
    metrics::gauge!("nearline_ready").set(if engine.is_ready() { 1.0 } else { 0.0 });
    let sizes = engine.sizes();
    metrics::gauge!("nearline_catalogue_titles").set(sizes.catalogue_titles as f64);
    metrics::gauge!("nearline_aggregates_titles").set(sizes.titles as f64);
    metrics::gauge!("nearline_aggregates_transitions").set(sizes.transitions as f64);
}
