//! Keys at the doors: of each public route, of the operators' routes, and of the console, which keeps its key in a cookie that no
//! script can read.

use super::audit::Changes;
use super::body;
use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, ApiState, State, ok};
use crate::keys::{Admitted, Caller, LOOK_AGAIN, Refusal};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, Route, web};
use nearline_api::operators::{SessionDocument, SessionRequest};
use nearline_config::Scope;
use std::num::NonZeroU16;
use std::rc::Rc;

/// The console's cookie. Not sent by pages of other sites, and not looked at by the public listener.
const COOKIE_NAME: &str = "nearline_key";
/// Where the console brings its key.
const SESSION: &str = "/admin/session";
/// Bytes of what brings it, before anybody knows who sends them.
const SESSION_BYTES: usize = 1_024;

/// A route for callers whose key has one of the scopes `needs`. A door for each route, so that how a path is written does not
/// matter: the one that is taken is the one that is asked at.
pub(super) fn keyed(route: Route, needs: Vec<Scope>, changes: bool) -> Route {
    let needs: Rc<[Scope]> = needs.into();
    route.wrap(from_fn(move |request: ServiceRequest, next| {
        let needs = needs.clone();
        async move {
            if changes {
                request.extensions_mut().insert(Changes);
            }
            let_in(&needs, request, next).await
        }
    }))
}

/// Takes the console's key, where a request brings none as programs do.
pub(super) async fn bring_cookie(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if let Some(shown) = of_cookie(request.headers())
        && !request.headers().contains_key(AUTHORIZATION)
    {
        request.headers_mut().insert(AUTHORIZATION, shown);
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// What a key has to be for on an operators' route; none: none is asked for at the door. All below `/admin` is for keys of the
/// scope `admin`; what the console shows may be seen with the scope `view`, too, but whole logs and streams of facts are more than
/// any page shows. Probes and metrics need none.
pub(super) fn needs(method: &Method, path: &str) -> Option<Scope> {
    if !path.starts_with("/admin") || path == SESSION {
        return None;
    }
    let is_whole = ["/admin/log", "/admin/facts"].iter().any(|whole| path.starts_with(whole));
    Some(if method.is_safe() && !is_whole { Scope::View } else { Scope::Admin })
}

async fn let_in(
    needs: &[Scope],
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match check(request.request(), needs) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) => {
            let problem = problem.at(request.path());
            Ok(request.into_response(problem.error_response()))
        }
    }
}

fn check(request: &HttpRequest, needs: &[Scope]) -> Result<Caller, Problem> {
    let Some(state) = request.app_data::<State>() else { return Ok(Caller::default()) };
    state.keys.check(shown(request), needs, state.now_ms()).map_err(refused)
}

/// The key that a request brings.
pub(super) fn shown(request: &HttpRequest) -> Option<&str> {
    request.headers().get(AUTHORIZATION).and_then(bearer)
}

fn refused(refusal: Refusal) -> Problem {
    metrics::counter!("nearline_key_refusals_total", "why" => refusal.name()).increment(1);
    let kind = match &refusal {
        Refusal::Missing => ProblemKind::KeyMissing,
        Refusal::Unknown => ProblemKind::KeyUnknown,
        Refusal::Ended(_) => ProblemKind::KeyEnded,
        Refusal::NotFor(..) => ProblemKind::ScopeMissing,
        Refusal::TooOften(..) => ProblemKind::TooManyRequests,
    };
    let problem = Problem::new(kind, refusal.to_string());
    match refusal {
        Refusal::TooOften(_, _, wait) => {
            Problem { retry_after_s: NonZeroU16::new(wait.as_secs_f64().ceil() as u16), ..problem }
        }
        _ => problem,
    }
}

/// What stands behind `Bearer`.
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The console's key, as a program would send it.
fn of_cookie(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut cookies =
        headers.get_all(COOKIE).filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(';'));
    let key = cookies.find_map(|one| one.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))?;
    HeaderValue::from_str(&format!("Bearer {key}")).ok()
}

/// Reads the file of keys again and again, and tells how long the next key is good for that has no successor.
pub(super) async fn follow(state: ApiState) {
    while state.keys.is_asked_for() {
        let left_ms = state.keys.next_end_ms(state.now_ms());
        metrics::gauge!("nearline_keys_expire_seconds")
            .set(left_ms.map_or(f64::INFINITY, |ms| ms.max(0) as f64 / 1_000.0));
        tokio::time::sleep(LOOK_AGAIN).await;
        let keys = state.keys.clone();
        // It says itself what went wrong.
        let _read = tokio::task::spawn_blocking(move || keys.read_again()).await;
    }
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/session", tag = "session", operation_id = "read_session", summary = "Whose key it is, and whether it may change anything",
    responses(
        (status = 200, description = "Whose, and what for", body = SessionDocument),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn standing(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let admitted = state.keys.admit(shown(&request), &[Scope::View], state.now_ms()).map_err(refused)?;
    let Admitted { caller: Caller(name), is_admin } = admitted;
    ok(&SessionDocument { name: name.map(|name| name.to_string()), changes: is_admin })
}

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/admin/session", tag = "session", operation_id = "begin_session", summary = "Keep a key in a cookie that no script can read",
    request_body = SessionRequest,
    responses(
        (status = 204, description = "It is kept"),
        (status = 400, description = "The body is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key was shown, or it is not known, or it has ended", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The key is not for the scope `view`; or a page of another site asks", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn begin(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let bytes = body::read_few(&request, payload, &state, SESSION_BYTES).await?;
    let SessionRequest { key } = body::object(&bytes)?;
    let caller = state.keys.check(Some(&key), &[Scope::View], state.now_ms()).map_err(refused)?;
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(Changes);
    if !state.keys.is_asked_for() {
        // It may be anything, and opens nothing: it is not kept.
        return Ok(HttpResponse::NoContent().finish());
    }
    // It is known, and so has no sign that a cookie must not have.
    Ok(cookie(&format!("{COOKIE_NAME}={key}"), &state))
}

#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/admin/session", tag = "session", operation_id = "end_session", summary = "Give the key back",
    responses(
        (status = 204, description = "It is kept no more"),
        (status = 400, description = "A parameter is not known", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn end(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    Ok(cookie(&format!("{COOKIE_NAME}=; Max-Age=0"), &state))
}

fn cookie(value: &str, state: &State) -> HttpResponse {
    // Never over plain HTTP, where TLS is spoken.
    let secure = if state.config.admin.certificate().is_some() { "; Secure" } else { "" };
    HttpResponse::NoContent()
        .insert_header((SET_COOKIE, format!("{value}; Path=/; HttpOnly; SameSite=Strict{secure}")))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_behind_bearer_or_in_the_cookie_of_its_name() {
        let of = |text| bearer(&HeaderValue::from_static(text)).map(str::to_owned);
        assert_eq!(of("Bearer nl_a"), Some("nl_a".into()));
        assert_eq!(of("bearer  nl_a "), Some("nl_a".into()));
        assert_eq!((of("Basic nl_a"), of("nl_a"), of("")), (None, None, None));
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; nearline_keys=nl_x; nearline_key=nl_a"));
        assert_eq!(of_cookie(&headers), Some(HeaderValue::from_static("Bearer nl_a")));
        headers.insert(COOKIE, HeaderValue::from_static("a=nearline_key=nl_a"));
        assert_eq!(of_cookie(&headers), None);
    }
}
