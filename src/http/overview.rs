//! What the console shows at a glance: rates, lag, sizes, what trends.

use super::state::ApiState;
use nearline_actors::{PartitionState, TrendQuestion};
use nearline_api::trending::{TrendingAnswer, TrendingTitle};
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Seconds of rates kept.
const SAMPLES: usize = 120;
/// Titles of the trend shown.
const TRENDING: usize = 10;

/// Rates of one second.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Sample {
    events_per_s: f64,
    queries_per_s: f64,
}

/// Rates of the last two minutes.
#[derive(Debug, Default)]
pub struct Rates {
    samples: Mutex<VecDeque<Sample>>,
}

impl Rates {
    /// Samples once a second, for good.
    pub(super) async fn sample(self: std::sync::Arc<Self>, state: ApiState) {
        let mut before = (Instant::now(), events(&state), queries(&state));
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = (Instant::now(), events(&state), queries(&state));
            let seconds = (now.0 - before.0).as_secs_f64().max(1e-3);
            let sample = Sample {
                events_per_s: now.1.saturating_sub(before.1) as f64 / seconds,
                queries_per_s: now.2.saturating_sub(before.2) as f64 / seconds,
            };
            before = now;
            let mut samples = self.samples.lock();
            if samples.len() == SAMPLES {
                samples.pop_front();
            }
            samples.push_back(sample);
        }
    }
}

fn events(state: &ApiState) -> u64 {
    state.engine.partitions().iter().map(|partition| partition.events).sum()
}

fn queries(state: &ApiState) -> u64 {
    state.queries.read().iter().sum()
}

/// Queries answered since the start, by source.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct QueriesDocument {
    live: u64,
    store: u64,
    popular: u64,
}

/// What the console shows at a glance.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Overview {
    ready: bool,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    backend: nearline_config::BackendKind,
    version: &'static str,
    /// This node, as others know it.
    node: String,
    /// Whether faults may be made on purpose.
    chaos: bool,
    /// Partitions of the log.
    partitions: u16,
    /// Partitions that are live on this node, and those that others own.
    live: usize,
    elsewhere: usize,
    /// Milliseconds that the oldest event not folded here may have waited.
    lag_ms: u64,
    events_per_s: f64,
    queries_per_s: f64,
    /// Events per second over the last two minutes, oldest first.
    events_per_s_history: Vec<f64>,
    events: u64,
    lag: u64,
    restarts: u64,
    cached_members: usize,
    titles: usize,
    catalogue_titles: usize,
    transitions: usize,
    /// How full the tables of the sums are.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<nearline_api::operators::shapes::TableDocument>))]
    tables: Vec<nearline_model::aggregates::TableSize>,
    queries: QueriesDocument,
    trending: Vec<TrendingTitle>,
}

/// The overview now.
pub(super) async fn overview(state: &ApiState, rates: &Rates) -> Overview {
    let partitions = state.engine.partitions();
    let samples: Vec<Sample> = rates.samples.lock().iter().copied().collect();
    let last = samples.last().copied().unwrap_or_default();
    let [live, store, popular] = state.queries.read();
    let in_state = |wanted| partitions.iter().filter(|partition| partition.state == wanted).count();
    let sizes = state.engine.sizes();
    let question = TrendQuestion { limit: TRENDING, ..TrendQuestion::default() };
    let trending = state.engine.trending(&question).await;
    Overview {
        ready: state.engine.is_ready(),
        backend: state.config.backend.kind,
        version: env!("CARGO_PKG_VERSION"),
        node: state.engine.node().to_string(),
        chaos: state.config.chaos.enabled,
        partitions: state.engine.partition_count(),
        live: in_state(PartitionState::Live),
        elsewhere: in_state(PartitionState::Elsewhere),
        lag_ms: partitions.iter().map(|partition| partition.lag_ms).max().unwrap_or(0),
        events_per_s: last.events_per_s,
        queries_per_s: last.queries_per_s,
        events_per_s_history: samples.iter().map(|sample| sample.events_per_s).collect(),
        events: partitions.iter().map(|partition| partition.events).sum(),
        lag: partitions.iter().map(|partition| partition.lag).max().unwrap_or(0),
        restarts: partitions.iter().map(|partition| partition.restarts).sum(),
        cached_members: partitions.iter().map(|partition| partition.cached_members).sum(),
        titles: sizes.titles,
        catalogue_titles: sizes.catalogue_titles,
        transitions: sizes.transitions,
        tables: state.engine.tables(),
        queries: QueriesDocument { live, store, popular },
        trending: trending.map(|trends| TrendingAnswer::from(trends).titles).unwrap_or_default(),
    }
}
