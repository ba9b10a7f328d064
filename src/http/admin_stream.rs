//! `GET /admin/stream`: what the console shows, as server-sent events, once a second.
//!
//! Named events, each with one JSON document: `overview`; `partitions`, those that differ from what was sent before;
//! `remediations`, those that are new or have come further. A stream that is opened again begins with all of it, so
//! nothing is asked of `Last-Event-ID` but that it may be there.

use super::overview::{self, Rates};
use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, State};
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Streams open at a time.
const MOST_STREAMS: usize = 64;
/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Remediations looked at: the newest.
const REMEDIATIONS: usize = 200;

/// Seats of the streams.
#[derive(Debug, Clone)]
pub(super) struct Seats(Arc<Semaphore>);

impl Default for Seats {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_STREAMS)))
    }
}

/// Opens a stream.
pub(super) async fn open(
    request: HttpRequest,
    state: State,
    rates: web::Data<Rates>,
    seats: web::Data<Seats>,
) -> Answer {
    Parameters::read(&request, &[])?;
    let Ok(seat) = seats.0.clone().try_acquire_owned() else {
        let detail = format!("{MOST_STREAMS} consoles are open, as many as may be; close one");
        return Err(Problem::new(ProblemKind::TooManySubscribers, detail));
    };
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed {
        state,
        rates,
        looks,
        number: 0,
        partitions: Sent::default(),
        remediations: Sent::default(),
        _seat: seat,
    };
    let events = futures_util::stream::unfold(feed, |mut feed| async move {
        let text = feed.next().await;
        Some((Ok::<_, Infallible>(Bytes::from(text)), feed))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(events))
}

/// What one console is sent.
struct Feed {
    state: State,
    rates: web::Data<Rates>,
    looks: Interval,
    number: u64,
    partitions: Sent,
    remediations: Sent,
    _seat: OwnedSemaphorePermit,
}

impl Feed {
    async fn next(&mut self) -> String {
        self.looks.tick().await;
        let mut text = String::new();
        if self.number == 0 {
            text.push_str("retry: 1000\n\n");
        }
        let overview = overview::overview(&self.state, &self.rates).await;
        self.event(&mut text, "overview", &overview);
        let partitions = self.partitions.changed(self.state.engine.partitions(), "partition");
        if !partitions.is_empty() {
            self.event(&mut text, "partitions", &partitions);
        }
        let newest = self.state.engine.remediations().list(REMEDIATIONS).await;
        let remediations = self.remediations.changed(newest, "id");
        if !remediations.is_empty() {
            self.event(&mut text, "remediations", &remediations);
        }
        text
    }

    fn event(&mut self, text: &mut String, name: &str, data: &impl Serialize) {
        self.number += 1;
        // JSON as it is made here has no line breaks; writing to a string cannot fail.
        let data = serde_json::to_string(data).unwrap_or_default();
        let _infallible = write!(text, "event: {name}\nid: {}\ndata: {data}\n\n", self.number);
    }
}

/// Documents as they were sent last, by what names them.
#[derive(Default)]
struct Sent(HashMap<String, Value>);

impl Sent {
    /// Those that differ from what was sent before. What is not among `now` any more is forgotten.
    fn changed(&mut self, now: Vec<impl Serialize>, name: &str) -> Vec<Value> {
        let mut known = HashMap::with_capacity(now.len());
        let mut changed = Vec::new();
        for document in now.into_iter().filter_map(|document| serde_json::to_value(document).ok()) {
            let key = document[name].to_string();
            if self.0.get(&key) != Some(&document) {
                changed.push(document.clone());
            }
            known.insert(key, document);
        }
        self.0 = known;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::Sent;
    use serde_json::json;

    #[test]
    fn only_what_differs_from_before_is_sent_again() {
        let mut sent = Sent::default();
        let one = |lag| json!({ "partition": 1, "lag": lag });
        let two = json!({ "partition": 2, "lag": 0 });
        assert_eq!(sent.changed(vec![one(0), two.clone()], "partition").len(), 2);
        assert_eq!(sent.changed(vec![one(0), two.clone()], "partition"), Vec::<serde_json::Value>::new());
        assert_eq!(sent.changed(vec![one(7), two.clone()], "partition"), [one(7)]);
        assert!(sent.changed(vec![two], "partition").is_empty());
        assert_eq!(sent.changed(vec![one(7)], "partition"), [one(7)], "it had gone meanwhile");
    }
}
