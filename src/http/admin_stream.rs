//! `GET /admin/stream`: what the console shows, as server-sent events, once a second.
//!
//! Named events, each with one JSON document. `overview`, `nodes` and `partitions` are how things stand: the latter two are sent
//! where they differ from what this stream was sent before. `remediations` (those that are new or have come further) and
//! `dead_letters` (`added`, `removed`) happen: they have ids, and whoever comes back with the last of them, in `Last-Event-ID` or
//! in `after`, which a page can set, is told what came meanwhile. Where that is not known any more, or at first, there is a
//! `snapshot` with the reason, followed by all of them.

mod history;

use super::overview::{self, Rates};
use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, ApiState, State};
use super::{admin_dead_letters, admin_nodes, event_stream, keyed};
use actix_web::http::Method;
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use history::{History, Sent, event};
use nearline_api::operators::NodesDocument;
use nearline_config::Scope;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

/// Streams open at a time.
const MOST_STREAMS: usize = 64;
/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Time between two looks at what all streams share, a little less: each stream finds the other's look or makes its own.
const SHARED_EVERY: Duration = Duration::from_millis(900);
/// Remediations looked at: the newest.
const REMEDIATIONS: usize = 200;
/// Longest time that a look at the letters may take: how things stand is told whatever keeps them.
const LETTERS_WITHIN: Duration = Duration::from_secs(1);
/// How much longer nobody looks at the letters than looking took: many letters cost a twentieth of a core at most.
const REST: u32 = 20;

/// What all streams share: their seats, and what happened.
#[derive(Clone)]
pub(super) struct Streams {
    seats: Arc<Semaphore>,
    looker: Arc<Mutex<Looker>>,
}

impl Default for Streams {
    fn default() -> Self {
        let life = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let looker = Looker { history: History::new(life), looked: None, letters_due: None };
        Self { seats: Arc::new(Semaphore::new(MOST_STREAMS)), looker: Arc::new(Mutex::new(looker)) }
    }
}

/// Looks at what happened, for all streams.
struct Looker {
    history: History,
    looked: Option<Instant>,
    letters_due: Option<Instant>,
}

impl Looker {
    async fn look(&mut self, state: &ApiState) {
        let now = Instant::now();
        if self.looked.is_some_and(|looked| now - looked < SHARED_EVERY) {
            return;
        }
        self.history.see_remediations(state.engine.remediations().list(REMEDIATIONS).await);
        if self.letters_due.is_none_or(|due| due <= Instant::now()) {
            let began = Instant::now();
            // While they cannot be read, nothing is said of them.
            let headings = timeout(LETTERS_WITHIN, admin_dead_letters::headings(state)).await;
            if let Ok(Ok((letters, all))) = headings {
                self.history.see_letters(letters, all);
            }
            self.letters_due = Some(Instant::now() + began.elapsed() * REST);
        }
        self.looked = Some(now);
    }
}

/// Opens a stream.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/stream", tag = "nodes", operation_id = "follow_node", summary = "What the console shows, once a second",
    description = "Server-sent events with one JSON document each: `overview`, `nodes`, `partitions` (those that differ from what was sent before), `remediations` (new, or further along), `dead_letters` and `snapshot`; their shapes are `Overview`, `NodesDocument`, lists of `PartitionDocument` and `RemediationDocument`, `LettersChange` and `SnapshotDocument`. Whoever comes back with the id of the last one is told what came meanwhile.",
    params(
        ("after" = Option<String>, Query, description = "Id of the last event received"),
        ("Last-Event-ID" = Option<String>, Header, description = "The same, as browsers send it; it goes before"),
    ),
    responses(
        (status = 200, description = "Events, for as long as the key is good", body = String, content_type = "text/event-stream"),
        (status = 400, description = "A parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "As many consoles are open as may be", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn open(
    request: HttpRequest,
    state: State,
    rates: web::Data<Rates>,
    streams: web::Data<Streams>,
) -> Answer {
    let parameters = Parameters::read(&request, &["after"])?;
    let mut response = event_stream::head();
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let Ok(seat) = streams.seats.clone().try_acquire_owned() else {
        let detail = format!("{MOST_STREAMS} consoles are open, as many as may be; close one");
        return Err(Problem::new(ProblemKind::TooManySubscribers, detail));
    };
    // The header is the browser's own, and newer than the address that it was given.
    let header = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let last = header.or(parameters.raw("after")).unwrap_or_default();
    let seen = streams.looker.lock().await.history.place_of(last);
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed {
        key: keyed::shown(&request).map(str::to_owned),
        state,
        rates,
        looks,
        is_first: true,
        partitions: Sent::default(),
        nodes: None,
        looker: streams.looker.clone(),
        seen,
        why: if last.is_empty() { "this is the first look" } else { "what came meanwhile is not known here" },
        _seat: seat,
    };
    let events = futures_util::stream::unfold(feed, |mut feed| async move {
        let text = feed.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), feed))
    });
    Ok(response.streaming(events))
}

/// What one console is sent.
struct Feed {
    /// The key that it was opened with.
    key: Option<String>,
    state: State,
    rates: web::Data<Rates>,
    looks: Interval,
    is_first: bool,
    partitions: Sent,
    nodes: Option<NodesDocument>,
    looker: Arc<Mutex<Looker>>,
    /// Number of the last event of the history that was sent.
    seen: Option<u64>,
    /// Why all of the history is sent, if it is.
    why: &'static str,
    _seat: OwnedSemaphorePermit,
}

impl Feed {
    /// None: the key is not good any more.
    async fn next(&mut self) -> Option<String> {
        self.looks.tick().await;
        if !self.state.keys.is_still_good(self.key.as_deref(), &[Scope::View], self.state.now_ms()) {
            return None;
        }
        let mut text = String::new();
        if std::mem::take(&mut self.is_first) {
            text.push_str("retry: 1000\n\n");
        }
        text.push_str(&event("overview", &overview::overview(&self.state, &self.rates).await, None));
        let partitions = self.partitions.changed(self.state.engine.partitions(), "partition");
        if !partitions.is_empty() {
            text.push_str(&event("partitions", &partitions, None));
        }
        let nodes = admin_nodes::document(&self.state);
        if self.nodes.as_ref() != Some(&nodes) {
            text.push_str(&event("nodes", &nodes, None));
            self.nodes = Some(nodes);
        }
        let mut looker = self.looker.lock().await;
        looker.look(&self.state).await;
        looker.history.tell(&mut text, &mut self.seen, self.why);
        Some(text)
    }
}
