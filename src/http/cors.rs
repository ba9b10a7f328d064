//! Cross-origin requests: which pages may call from a browser. Off unless `http.cors_origins` names some.

use super::problem::{Problem, ProblemKind};
use super::state::State;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse};
use nearline_config::HttpSection;

/// Seconds for which a browser need not ask again; more than two hours none keeps.
const MAX_AGE_SECONDS: &str = "7200";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const HEADERS: &str = "authorization, content-type, content-encoding, last-event-id, traceparent";
const EXPOSED: &str = "retry-after";

/// Answers what a browser asks beforehand, and says in each answer that its page may read it.
pub(super) async fn allow(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let config = request.app_data::<State>().map(|state| state.config.clone());
    let Some(config) = config.filter(|config| config.http.named_origins().next().is_some()) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let origin = named_origin(request.headers(), &config.http);
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match origin.is_some() && is_preflight {
        true => request.into_response(HttpResponse::NoContent().finish()),
        false => next.call(request).await?.map_into_boxed_body(),
    };
    let headers = response.headers_mut();
    let mut set =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    // Another page's answer is another one: for whoever keeps answers in between.
    set(VARY, "origin");
    let Some(origin) = origin else { return Ok(response) };
    // Beacons come with credentials, whatever the page wants.
    set(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    if is_preflight {
        set(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        set(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        set(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    } else {
        set(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    Ok(response)
}

/// Checks that a beacon comes from a page that may send it: a browser sends one wherever a page wants, without
/// asking beforehand. Whoever is no browser sends no origin.
pub(super) fn check_beacon(request: &HttpRequest, limits: &HttpSection) -> Result<(), Problem> {
    let headers = request.headers();
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let own = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_own =
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host) == own;
    if is_own || named_origin(headers, limits).is_some() {
        return Ok(());
    }
    let shown = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    let detail = format!("pages of {shown:?} may not send events here; name the origin in http.cors_origins");
    Err(Problem::new(ProblemKind::OriginNotAllowed, detail))
}

/// The origin of a request, if it is one of those that are named.
fn named_origin(headers: &HeaderMap, limits: &HttpSection) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    limits.named_origins().any(|named| named.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}
