//! The operators' routes: one table, from which they are registered and checked against their document.

use super::routes::Registered;
use super::{
    admin, admin_chaos, admin_dead_letters, admin_log, admin_nodes, admin_partition, admin_stream, audit,
    keyed, members, openapi, recommendations,
};
use actix_web::http::Method;
use actix_web::{Route, web};
use nearline_config::Scope;

/// One route of the operators' listener.
pub struct OperatorRoute {
    /// Method; `GET` answers `HEAD`, too.
    pub method: Method,
    /// Path.
    pub path: &'static str,
    /// Whether it makes faults, and is there only where that is allowed.
    pub is_fault: bool,
    handler: fn(Route) -> Route,
}

impl OperatorRoute {
    /// What a caller's key has to be for; none: no key is asked for at the door.
    pub fn needs(&self) -> Option<Scope> {
        keyed::needs(&self.method, self.path)
    }
}

/// Every route that operators alone have, those of one path beside each other.
pub fn operator_routes() -> Vec<OperatorRoute> {
    let route = |method, path, handler| OperatorRoute { method, path, is_fault: false, handler };
    let get = |path, handler| route(Method::GET, path, handler);
    let post = |path, handler| route(Method::POST, path, handler);
    let delete = |path, handler| route(Method::DELETE, path, handler);
    let mut routes = vec![
        get("/livez", |route| route.to(admin::live)),
        get("/readyz", |route| route.to(admin::ready)),
        get("/metrics", |route| route.to(admin::metrics_text)),
        get("/admin/openapi.json", |route| route.to(openapi::read_operators)),
        get("/admin/overview", |route| route.to(admin::overview)),
        get("/admin/stream", |route| route.to(admin_stream::open)),
        get("/admin/partitions", |route| route.to(admin::partitions)),
        post("/admin/partitions/{partition}/verify", |route| route.to(admin_partition::verify)),
        post("/admin/partitions/{partition}/give-away", |route| route.to(admin_partition::give_away)),
        get("/admin/remediations", |route| route.to(admin::remediations)),
        get("/admin/nodes", |route| route.to(admin_nodes::nodes)),
        get("/admin/configuration", |route| route.to(admin_nodes::configuration)),
        get("/admin/doctor", |route| route.to(admin_nodes::doctor)),
        get("/admin/ranking", |route| route.to(admin::ranking)),
        get("/admin/audit", |route| route.to(audit::list)),
        get("/admin/dead-letters", |route| route.to(admin_dead_letters::list)),
        get("/admin/dead-letters/{position}", |route| route.to(admin_dead_letters::show)),
        delete("/admin/dead-letters/{position}", |route| route.to(admin_dead_letters::remove)),
        post("/admin/dead-letters/{position}/redrive", |route| route.to(admin_dead_letters::publish_again)),
        get("/admin/log", |route| route.to(admin_log::holdings)),
        get("/admin/log/{partition}", |route| route.to(admin_log::records)),
        get("/admin/log/{partition}/{position}", |route| route.to(admin_log::record)),
        get("/admin/facts", |route| route.to(admin_log::facts)),
        get("/admin/session", |route| route.to(keyed::standing)),
        post("/admin/session", |route| route.to(keyed::begin)),
        delete("/admin/session", |route| route.to(keyed::end)),
        get("/admin/members/{id}", |route| route.to(members::read)),
        get("/admin/members/{id}/recommendations", |route| route.to(recommendations::recommend)),
    ];
    let fault = |method, path, handler| OperatorRoute { method, path, is_fault: true, handler };
    routes.extend([
        fault(Method::POST, "/admin/chaos/panic", |route| route.to(admin_chaos::panic)),
        fault(Method::POST, "/admin/chaos/hang", |route| route.to(admin_chaos::hang)),
        fault(Method::POST, "/admin/chaos/poison", |route| route.to(admin_chaos::poison)),
        fault(Method::DELETE, "/admin/chaos/poison", |route| route.to(admin_chaos::clear_poison)),
        fault(Method::POST, "/admin/chaos/reader-stall", |route| route.to(admin_chaos::stall_reader)),
    ]);
    routes
}

/// Registers the routes, with 405 for other methods and 404 for other paths; those that make faults only `with_faults`.
pub(super) fn register(config: &mut web::ServiceConfig, with_faults: bool) {
    let routes = operator_routes().into_iter().filter(|route| with_faults || !route.is_fault);
    super::routes::register(
        config,
        routes.map(|route| {
            let (needs, changes) = (route.needs(), !route.method.is_safe());
            let OperatorRoute { method, path, handler, .. } = route;
            let handler: Box<dyn FnOnce(Route) -> Route> = match needs {
                None => Box::new(handler),
                Some(needs) => Box::new(move |any| keyed::keyed(handler(any), vec![needs], changes)),
            };
            Registered { method, path, handler }
        }),
    );
    config.default_service(web::to(admin::not_found));
}
