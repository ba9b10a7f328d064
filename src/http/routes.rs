//! The public routes: one table, from which they are registered and checked against the document.

use super::admission::Query;
use super::admitted::admitted;
use super::keyed::keyed;
use super::problem::{Problem, ProblemKind};
use super::{
    events, experiments, home, insights, live, log, members, openapi, order, recommendations, titles,
    trending,
};
use actix_web::http::Method;
use actix_web::{HttpRequest, Route, guard, web};
use nearline_config::Scope;

/// One public route.
pub struct PublicRoute {
    /// Method; `GET` answers `HEAD`, too.
    pub method: Method,
    /// Path.
    pub path: &'static str,
    /// What a caller's key has to be for, one of them; none: no key is asked for.
    pub needs: &'static [Scope],
    /// Whether it changes something: what operators do is noted. Events come and go, and are not.
    changes: bool,
    handler: fn(Route) -> Route,
}

/// Every public route, those of one path beside each other.
pub fn public_routes() -> Vec<PublicRoute> {
    use Scope::{Catalogue, Publish, Query as Ask};
    let unnoted = ["/v1/events", "/v1/members/{id}/order"];
    let route = |method: Method, path, needs, handler| PublicRoute {
        changes: !method.is_safe() && !unnoted.contains(&path),
        method,
        path,
        needs,
        handler,
    };
    vec![
        route(Method::POST, "/v1/events", &[Publish], |route| route.to(events::publish)),
        route(Method::GET, "/v1/log", &[Publish, Ask], |route| route.to(log::read)),
        route(Method::GET, "/v1/members/{id}/recommendations", &[Ask], |route| {
            admitted(route.to(recommendations::recommend), Query::Row)
        }),
        route(Method::POST, "/v1/members/{id}/order", &[Ask], |route| {
            admitted(route.to(order::order), Query::Order)
        }),
        route(Method::GET, "/v1/members/{id}/recommendations/live", &[Ask], |route| route.to(live::follow)),
        route(Method::GET, "/v1/members/{id}/home", &[Ask], |route| {
            admitted(route.to(home::page), Query::Home)
        }),
        route(Method::GET, "/v1/members/{id}", &[Ask], |route| {
            admitted(route.to(members::read), Query::Member)
        }),
        route(Method::DELETE, "/v1/members/{id}", &[Publish], |route| route.to(members::erase)),
        route(Method::GET, "/v1/trending", &[Ask], |route| {
            admitted(route.to(trending::list), Query::Trending)
        }),
        route(Method::POST, "/v1/titles", &[Catalogue], |route| route.to(titles::put_many)),
        route(Method::GET, "/v1/titles/{id}", &[Ask], |route| route.to(titles::read)),
        route(Method::PUT, "/v1/titles/{id}", &[Catalogue], |route| route.to(titles::put)),
        route(Method::PATCH, "/v1/titles/{id}", &[Catalogue], |route| route.to(titles::patch)),
        route(Method::DELETE, "/v1/titles/{id}", &[Catalogue], |route| route.to(titles::withdraw)),
        route(Method::GET, "/v1/titles/{id}/similar", &[Ask], |route| {
            admitted(route.to(titles::similar_to), Query::Similar)
        }),
        route(Method::GET, "/v1/titles/{id}/insights", &[Ask], |route| route.to(insights::read)),
        route(Method::GET, "/v1/experiments", &[Ask], |route| route.to(experiments::list)),
        route(Method::GET, "/v1/experiments/{name}", &[Ask], |route| route.to(experiments::read)),
        route(Method::GET, "/v1/openapi.json", &[], |route| route.to(openapi::read)),
    ]
}

/// A route for `GET`, which answers `HEAD`, too.
pub(super) fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A route as it is registered.
pub(super) struct Registered {
    pub method: Method,
    pub path: &'static str,
    pub handler: Box<dyn FnOnce(Route) -> Route>,
}

/// Registers the public routes, with 404 for other paths.
pub(super) fn register_public(config: &mut web::ServiceConfig) {
    let keyed_handler = |route: PublicRoute| -> Box<dyn FnOnce(Route) -> Route> {
        match route.needs {
            [] => Box::new(route.handler),
            needs => Box::new(move |any| keyed((route.handler)(any), needs.to_vec(), route.changes)),
        }
    };
    let registered = |route: PublicRoute| Registered {
        method: route.method.clone(),
        path: route.path,
        handler: keyed_handler(route),
    };
    register(config, public_routes().into_iter().map(registered));
    config.default_service(web::to(not_found));
}

/// Registers `routes`, with 405 for other methods. Those of one path stand beside each other.
pub(super) fn register(config: &mut web::ServiceConfig, routes: impl Iterator<Item = Registered>) {
    let mut routes = routes.peekable();
    while let Some(first) = routes.next() {
        let path = first.path;
        let mut resource = web::resource(path);
        let mut allow = Vec::new();
        let mut next = Some(first);
        while let Some(route) = next {
            let any = if route.method == Method::GET {
                allow.extend(["GET", "HEAD"]);
                get()
            } else {
                allow.push(match route.method {
                    Method::PUT => "PUT",
                    Method::DELETE => "DELETE",
                    Method::PATCH => "PATCH",
                    _ => "POST",
                });
                web::method(route.method.clone())
            };
            resource = resource.route((route.handler)(any));
            next = routes.next_if(|next| next.path == path);
        }
        let allow = allow.join(", ");
        config.service(resource.default_service(web::to(move |request: HttpRequest| {
            let problem = wrong_method(&request, &allow);
            async move { Err::<&str, _>(problem) }
        })));
    }
}

fn wrong_method(request: &HttpRequest, allow: &str) -> Problem {
    let detail = format!("{} is not taken here; expected {allow}", request.method());
    Problem { allow: Some(allow.into()), ..Problem::new(ProblemKind::MethodNotAllowed, detail) }
}

async fn not_found(request: HttpRequest) -> Result<&'static str, Problem> {
    let detail = format!("{} is no route; see /v1/openapi.json for those there are", request.path());
    Err(Problem::new(ProblemKind::RouteNotFound, detail))
}
