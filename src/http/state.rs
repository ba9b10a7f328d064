//! What all handlers share.

use super::admission::Admission;
use super::body_room::BodyRoom;
use super::filter::Programs;
use super::live_hub::LiveHub;
use super::problem::Problem;
use crate::keys::KeyRing;
use actix_web::{HttpResponse, web};
use nearline_actors::{Engine, Source};
use nearline_config::Config;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Queries answered since the start, by source.
#[derive(Debug, Default)]
pub struct QueryCounts {
    live: AtomicU64,
    store: AtomicU64,
    popular: AtomicU64,
}

impl QueryCounts {
    /// Counts one answer.
    pub fn count(&self, source: Source) {
        let counter = match source {
            Source::Live => &self.live,
            Source::Store => &self.store,
            Source::Popular => &self.popular,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Live, store, popular.
    pub fn read(&self) -> [u64; 3] {
        [self.live.load(Relaxed), self.store.load(Relaxed), self.popular.load(Relaxed)]
    }
}

/// What all handlers share.
#[derive(Clone)]
pub struct ApiState {
    /// The engine.
    pub engine: Engine,
    /// The configuration.
    pub config: Arc<Config>,
    /// Who may call.
    pub keys: Arc<KeyRing>,
    /// Queries answered.
    pub queries: Arc<QueryCounts>,
    /// Queries let in at once.
    pub admission: Arc<Admission>,
    /// The room that request bodies take.
    pub bodies: Arc<BodyRoom>,
    /// Compiled filters and boosts.
    pub programs: Arc<Programs>,
    /// What live rows share.
    pub live: Arc<LiveHub>,
}

impl ApiState {
    /// Counts an answer, and the time that it took.
    pub fn answered(&self, route: &'static str, source: Source, started: Instant) {
        self.queries.count(source);
        metrics::histogram!("nearline_query_duration_seconds", "route" => route, "source" => source.name())
            .record(started.elapsed());
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.engine.ports().clock.now_ms()
    }

    /// Seconds since 1970.
    pub fn now_s(&self) -> u64 {
        self.now_ms().max(0) as u64 / 1_000
    }
}

/// The state as handlers get it.
pub type State = web::Data<ApiState>;

/// A handler's answer.
pub type Answer = Result<HttpResponse, Problem>;

/// 200 with `body` as JSON.
pub fn ok(body: &impl Serialize) -> Answer {
    Ok(HttpResponse::Ok().json(body))
}
