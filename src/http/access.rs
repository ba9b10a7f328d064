//! Around every request: counts it, tells of it where its trace is recorded, and names the path in problem documents.

use super::pieces::in_pieces;
use super::problem::Problem;
use actix_web::ResponseError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use nearline_ports::trace::{self, Span, TraceContext};

/// Counts a request by route and status, and completes its problem document.
pub(super) async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let (mut span, of_caller) = span(&request, &route);
    let answering = next.call(request);
    let response = match span.context() {
        None => answering.await?,
        Some(_) => trace::within(&span, of_caller, answering).await?,
    };
    let response = response.map_into_boxed_body();
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>()).cloned();
    let response = match problem {
        Some(problem) => {
            let (request, _) = response.into_parts();
            let problem = problem.at(request.path());
            ServiceResponse::new(request, problem.error_response())
        }
        None => response,
    };
    let status = response.status().as_str().to_owned();
    span.set("http.response.status_code", u64::from(response.status().as_u16()));
    if response.status().is_server_error() {
        span.fail(&status);
    }
    metrics::counter!("nearline_http_requests_total", "route" => route, "status" => status).increment(1);
    Ok(uncached(response).map_body(|_, body| in_pieces(body)))
}

/// What is told of members and of the service is of this moment and for this caller: nothing on the way keeps it, unless an
/// answer says otherwise.
fn uncached(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The span of a request, and whether its caller asked for the trace. Of whom a request asks is not told.
fn span(request: &ServiceRequest, route: &str) -> (Span, bool) {
    // Probes and scrapers come again and again.
    if !trace::is_on() || !(route.starts_with("/v1/") || route.starts_with("/admin/")) {
        return (Span::default(), false);
    }
    let caller = traceparent(request.headers());
    let mut span = Span::called(caller, format!("{} {route}", request.method()));
    span.set("http.request.method", request.method().to_string());
    span.set("http.route", route.to_owned());
    (span, caller.is_some())
}

fn traceparent(headers: &HeaderMap) -> Option<TraceContext> {
    TraceContext::parse(headers.get("traceparent")?.to_str().ok()?)
}
