//! What listens while the start waits for servers that are away: probes and callers hear why, instead of nothing.

use super::listener::{self, Listening};
use super::problem::{Problem, ProblemKind};
use crate::certificate::Certificate;
use crate::telemetry;
use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpRequest, HttpResponse, web};
use nearline_config::{Config, Listener};
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;

/// What is waited for, in words.
pub type Reason = Arc<Mutex<String>>;

/// Listeners that say that the start is waiting; both addresses are free again when it is closed.
pub struct Waiting {
    handles: Vec<ServerHandle>,
}

impl Waiting {
    /// Listens on the addresses that are configured, as far as they are free.
    pub fn listen(config: &Config, reason: &Reason) -> Self {
        let mut handles = Vec::new();
        let limits = &config.http;
        for Listener { section: name, address, certificate: files } in config.listeners() {
            // The start will say what is wrong with it, if it still is then.
            let Ok(certificate) = Certificate::open(files) else { continue };
            let reason = reason.clone();
            let is_for_operators = name == "admin";
            let app = move || {
                let app = App::new()
                    .app_data(web::Data::new(reason.clone()))
                    .route("/livez", web::get().to(alive))
                    .route("/livez", web::head().to(alive))
                    .default_service(web::to(not_yet));
                if is_for_operators { app.route("/metrics", web::get().to(metrics_text)) } else { app }
            };
            let builder = Server::build().workers(1).shutdown_timeout(0).disable_signals();
            match listener::bind(builder, &Listening { name, address, limits, certificate }, app) {
                Ok((_, server)) => {
                    handles.push(server.handle());
                    actix_rt::spawn(server);
                }
                // The start will say so, if it still is then.
                Err(error) => tracing::debug!(%error, address, "not listening while waiting"),
            }
        }
        Self { handles }
    }

    /// Closes the listeners.
    pub async fn close(self) {
        for handle in self.handles {
            handle.stop(false).await;
        }
    }
}

async fn alive(reason: web::Data<Reason>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "starting", "waiting_for": *reason.lock()}))
}

/// So that whoever watches is told that the node runs and is not ready.
async fn metrics_text() -> HttpResponse {
    let name = "nearline_ready";
    let text = format!("# HELP {name} {}\n# TYPE {name} gauge\n{name} 0\n", telemetry::help(name));
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}

async fn not_yet(request: HttpRequest, reason: web::Data<Reason>) -> Result<&'static str, Problem> {
    let detail = format!("the start waits: {}", reason.lock());
    Err(Problem::new(ProblemKind::Starting, detail).at(request.path()))
}
