//! The HTTP API: `/v1/…` for callers, and a second listener for operators.
//!
//! Errors are problem documents ([`problem`]); the API describes itself at `/v1/openapi.json`.

mod access;
mod admin;
mod admin_chaos;
mod admin_dead_letters;
mod admin_log;
mod admin_nodes;
mod admin_partition;
mod admin_stream;
mod admission;
mod admitted;
mod asked;
mod audit;
mod body;
mod body_room;
mod console;
mod cors;
mod cursor;
#[cfg(feature = "openapi")]
pub mod description;
mod event_stream;
mod events;
mod experiments;
mod filter;
mod gauges;
mod home;
mod insights;
mod keyed;
mod lag;
mod listener;
mod live;
mod live_hub;
mod log;
mod members;
mod openapi;
pub mod operator_routes;
mod order;
mod overview;
mod own_origin;
mod pieces;
pub mod problem;
mod query;
mod recommendations;
mod replies;
pub mod routes;
mod state;
mod titles;
mod trending;
mod unreadable;
pub mod waiting;

use crate::certificate::{Certificate, follow as follow_certificates};
use crate::keys::KeyRing;
use crate::telemetry::OperationalEvent;
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use listener::Listening;
use metrics_exporter_prometheus::PrometheusHandle;
use nearline_actors::Engine;
use nearline_config::Config;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Time between sweeps of the metrics' buffers.
const UPKEEP: Duration = Duration::from_secs(5);

/// The running listeners.
pub struct Servers {
    /// Where the API listens.
    pub http: SocketAddr,
    /// Where the operators' listener is, if there is one.
    pub admin: Option<SocketAddr>,
    handles: Vec<ServerHandle>,
    background: Vec<JoinHandle<()>>,
    /// Requests that do not come over HTTP, and what stops taking them.
    requests: (JoinHandle<()>, CancellationToken),
    live: Arc<live_hub::LiveHub>,
}

impl Servers {
    /// Stops listening. A graceful stop lets open requests end, for `http.shutdown_seconds` at most.
    pub async fn stop(self, graceful: bool) {
        self.live.stop();
        let (requests, stop) = self.requests;
        stop.cancel();
        for handle in self.handles {
            handle.stop(graceful).await;
        }
        if graceful {
            let _answered = requests.await;
        }
        for task in self.background {
            task.abort();
        }
    }
}

/// Binds both listeners and serves; must be called inside an actix system.
///
/// # Errors
/// Where an address cannot be bound: which one, and why.
pub async fn serve(
    engine: Engine,
    config: &Config,
    prometheus: PrometheusHandle,
) -> std::io::Result<Servers> {
    let live = live_hub::LiveHub::new(&config.live);
    let keys = Arc::new(KeyRing::open(&config.access).map_err(std::io::Error::other)?);
    let (limits, deadline_ms) = (&config.http, config.engine.query_deadline_ms);
    let cores = || std::thread::available_parallelism().map_or(2, usize::from);
    let threads = if limits.workers == 0 { cores() } else { limits.workers };
    let state = state::ApiState {
        engine,
        config: Arc::new(config.clone()),
        keys,
        queries: Arc::default(),
        admission: Arc::new(admission::Admission::new(limits.max_queries_under_way, threads, deadline_ms)),
        bodies: body_room::BodyRoom::new(limits.max_bodies_bytes),
        programs: Arc::new(filter::Programs::new(config.http.compiled_expressions)),
        live: live.clone(),
    };
    let data = web::Data::new(state.clone());
    let public = data.clone();
    let app = move || {
        lag::watch(deadline_ms);
        replies::watch();
        App::new()
            .app_data(public.clone())
            .wrap(from_fn(replies::answer))
            .wrap(from_fn(lag::shed))
            .wrap(from_fn(own_origin::guard_public))
            .wrap(from_fn(access::observe))
            .wrap(from_fn(cors::allow))
            .configure(routes::register_public)
    };
    let builder = Server::build()
        .workers(threads)
        .max_concurrent_connections(limits.max_connections)
        .shutdown_timeout(limits.shutdown_seconds)
        .disable_signals();
    let certificate = Certificate::open(limits.certificate()).map_err(std::io::Error::other)?;
    let admin_certificate = Certificate::open(config.admin.certificate()).map_err(std::io::Error::other)?;
    let (address, shown) = (&limits.address, certificate.clone());
    let listening = Listening { name: "nearline-http", address, limits, certificate: shown };
    let (http, server) = listener::bind(builder, &listening, app)
        .map_err(|error| unbound("http.address", &limits.address, &error))?;

    let rates = Arc::new(overview::Rates::default());
    let admin = match config.admin.enabled {
        true => Some(bind_admin(config, data, rates.clone(), prometheus.clone(), admin_certificate.clone())?),
        false => None,
    };
    let (admin_address, admin_server) = admin.unzip();
    let mut handles = Vec::new();
    for server in std::iter::once(server).chain(admin_server) {
        handles.push(server.handle());
        actix_rt::spawn(server);
    }
    let stop = CancellationToken::new();
    let requests = (actix_rt::spawn(events::requests::answer(state.clone(), stop.clone())), stop);
    let certificates = certificate.into_iter().chain(admin_certificate).collect();
    let background = background(state, certificates, rates, prometheus);
    OperationalEvent::Listening { http, admin: admin_address }.emit();
    Ok(Servers { http, admin: admin_address, handles, background, requests, live })
}

/// What goes on beside requests.
fn background(
    state: state::ApiState,
    certificates: Vec<Arc<Certificate>>,
    rates: Arc<overview::Rates>,
    prometheus: PrometheusHandle,
) -> Vec<JoinHandle<()>> {
    let every = Duration::from_millis(state.config.live.trend_interval_ms);
    let engine = state.engine.clone();
    // Expressions may ask for the hour.
    let trend = state.live.clone().follow_trend(every, move || (engine.basis(), engine.hour()));
    vec![
        actix_rt::spawn(keyed::follow(state.clone())),
        actix_rt::spawn(follow_certificates(certificates)),
        actix_rt::spawn(rates.sample(state)),
        actix_rt::spawn(keep_up(prometheus)),
        actix_rt::spawn(trend),
    ]
}

/// Sweeps the metrics' buffers.
async fn keep_up(prometheus: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        prometheus.run_upkeep();
    }
}

/// Binds the operators' listener.
fn bind_admin(
    config: &Config,
    data: state::State,
    rates: Arc<overview::Rates>,
    prometheus: PrometheusHandle,
    certificate: Option<Arc<Certificate>>,
) -> std::io::Result<(SocketAddr, Server)> {
    let (rates, prometheus) = (web::Data::from(rates), web::Data::new(prometheus));
    let chaos = config.chaos.enabled;
    let (streams, turn) =
        (web::Data::new(admin_stream::Streams::default()), web::Data::new(admin_partition::Turn::default()));
    let audit = web::Data::new(audit::AuditLog::open(&config.admin)?);
    let admin = move || {
        App::new()
            .app_data(data.clone())
            .app_data(rates.clone())
            .app_data(streams.clone())
            .app_data(turn.clone())
            .app_data(audit.clone())
            .app_data(prometheus.clone())
            .wrap(from_fn(keyed::bring_cookie))
            .wrap(from_fn(audit::note))
            .wrap(from_fn(own_origin::guard))
            .wrap(from_fn(access::observe))
            // The console's one origin: what it asks of the API it asks here.
            .configure(routes::register_public)
            .configure(console::register)
            .configure(|config| operator_routes::register(config, chaos))
    };
    let builder = Server::build().workers(1).shutdown_timeout(1).disable_signals();
    let (address, limits) = (&config.admin.address, &config.http);
    let listening = Listening { name: "nearline-admin", address, limits, certificate };
    listener::bind(builder, &listening, admin).map_err(|error| unbound("admin.address", address, &error))
}

fn unbound(key: &str, address: &str, error: &std::io::Error) -> std::io::Error {
    let detail =
        format!("`{key}`: cannot listen on {address}: {error}; free the port or set another address");
    std::io::Error::new(error.kind(), detail)
}
