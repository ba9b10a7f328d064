//! Who may call the operators' listener: programs, and the console's own pages. Not a page from elsewhere that a browser on
//! this machine happens to show.
//!
//! A browser sends what any page asks it to, from loopback, without asking anybody. Two things tell such requests: the
//! name in `Host` (a page can point a name of its own at 127.0.0.1, but its browser still says that name), and
//! `Origin` or `Sec-Fetch-Site`, which no page can set. Programs send neither of the latter.

use super::problem::{Problem, ProblemKind};
use super::state::State;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Refuses what does not come from a program or from the console itself.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let hosts = request.app_data::<State>().map(|state| state.config.admin.hosts.clone()).unwrap_or_default();
    match check(request.request(), &hosts) {
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(problem) => Ok(request.into_response(HttpResponse::from_error(problem))),
    }
}

/// The public listener, where it is on loopback and nobody has to show a key: a page that points a name of its own at this
/// machine would read and write as this machine's programs do.
pub(super) async fn guard_public(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let is_open = |state: &&State| {
        let address = state.config.http.address.parse::<SocketAddr>();
        !state.keys.is_asked_for() && address.is_ok_and(|at| at.ip().to_canonical().is_loopback())
    };
    let hosts = request.app_data::<State>().filter(is_open).map(|state| state.config.http.hosts.clone());
    let host = host_of(request.request());
    // A browser always names one.
    match hosts.filter(|hosts| !host.is_empty() && !is_ours(host, hosts)) {
        None => Ok(next.call(request).await?.map_into_boxed_body()),
        Some(_) => {
            let detail = format!(
                "the host is {host:?}; where no keys are asked for, expected localhost, an IP address, or a name in `http.hosts`"
            );
            let problem = Problem::new(ProblemKind::ForeignOrigin, detail);
            Ok(request.into_response(HttpResponse::from_error(problem)))
        }
    }
}

/// The host that a request is for.
fn host_of(request: &HttpRequest) -> &str {
    let named = request.headers().get(HOST).map(|value| value.to_str().unwrap_or("?"));
    named.or_else(|| request.uri().authority().map(|authority| authority.as_str())).unwrap_or_default()
}

fn check(request: &HttpRequest, hosts: &str) -> Result<(), Problem> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = host_of(request);
    if !is_ours(host, hosts) {
        let detail = format!(
            "the host is {host:?}; expected localhost, an IP address, or a name in `admin.hosts`: add it there if \
             the name is this listener's"
        );
        return Err(Problem::new(ProblemKind::Misdirected, detail));
    }
    if request.method().is_safe() {
        return Ok(());
    }
    let refused = |detail: String| Err(Problem::new(ProblemKind::ForeignOrigin, detail));
    if let Some(site) = header("sec-fetch-site").filter(|site| !matches!(*site, "same-origin" | "none")) {
        return refused(format!(
            "a page of another site asks for this (`Sec-Fetch-Site: {site}`); it is not done"
        ));
    }
    if let Some(origin) = header(ORIGIN.as_str()) {
        let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(host)) {
            return refused(format!(
                "a page from {origin:?} asks for this; only pages from this listener may"
            ));
        }
    }
    // Without a body there may be no type; a browser sends bodies with their length.
    let kind = header(CONTENT_TYPE.as_str());
    let is_empty = header(CONTENT_LENGTH.as_str()).is_none_or(|length| length == "0");
    let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case("application/json");
    let is_nothing = kind.is_none() && is_empty;
    if !is_json && !is_nothing {
        let detail = format!("content type is {:?}; expected application/json", kind.unwrap_or_default());
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    Ok(())
}

/// Whether a request for `host` is meant for this listener. An address is no name: nobody can point it elsewhere.
fn is_ours(host: &str, hosts: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            return rest.split(']').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
        }
        None => host.rsplit_once(':').map_or(host, |(name, _port)| name),
    };
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.split(',').map(str::trim).any(|known| !known.is_empty() && known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_configured_names_are_ours_and_no_other_name_is() {
        for host in
            ["127.0.0.1:7701", "10.1.2.3", "[::1]:7701", "[fe80::1]", "localhost:7701", "LOCALHOST", "a.b:1"]
        {
            assert!(is_ours(host, " x.y, a.b "), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:7701", "localhost.evil.example", "127.0.0.1.nip.io", "[x]:1"]
        {
            assert!(!is_ours(host, "a.b,"), "{host}");
        }
    }
}
