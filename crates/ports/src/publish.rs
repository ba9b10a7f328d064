//! Publishing: one piece of code, whoever brings the events.

use crate::{Appended, EventLog, NewEvent, PortError, trace};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use nearline_model::{Event, Reject};

/// Records that are read back at the same time to be compared.
const COMPARED_AT_ONCE: usize = 64;

/// What became of one event.
#[derive(Debug, Clone)]
pub enum Published {
    /// It is in the log.
    Accepted(Appended),
    /// Its id was in the log already: nothing was stored. The place is that of the first one.
    Duplicate(Appended),
    /// The member has another event of this id in the log, which stands: nothing was stored. The place is that of the
    /// other one.
    Conflict(Appended),
    /// It is not valid and was not stored: sending it again does not help.
    Rejected(Reject),
    /// The log did not acknowledge it: it may be stored or not. Send it again with the same id.
    Unavailable(PortError),
}

impl Published {
    /// What it is called in metrics and answers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Duplicate(_) => "duplicate",
            Self::Conflict(_) => "conflict",
            Self::Rejected(_) => "rejected",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// Validates events and appends the valid ones in order; answers when the log has acknowledged them, one
/// outcome for each, in order. Events of more than `event_bytes` bytes are refused.
///
/// ```
/// use nearline_model::Position;
/// use nearline_ports::publish::{Published, publish};
/// # use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
/// # use nearline_model::{LogRecord, PartitionId};
/// # /// Knows ids, and keeps nothing else.
/// # #[derive(Default)]
/// # struct Log(std::sync::Mutex<Vec<String>>);
/// # #[async_trait::async_trait]
/// # impl EventLog for Log {
/// #     fn partitions(&self) -> u16 { 1 }
/// #     async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
/// #         let mut ids = self.0.lock().expect("nobody panics");
/// #         let append = |event: NewEvent| {
/// #             let known = ids.iter().position(|id| *id == event.id);
/// #             let place = known.unwrap_or_else(|| { ids.push(event.id); ids.len() - 1 });
/// #             Ok(Appended { partition: PartitionId(0), position: Position(place as u64 + 1), duplicate: known.is_some() })
/// #         };
/// #         events.into_iter().map(append).collect()
/// #     }
/// #     fn identity(&self) -> &str { "" }
/// #     async fn record(&self, _: PartitionId, _: Position) -> Result<Option<LogRecord>, PortError> { Ok(None) }
/// #     async fn open_reader(&self, _: PartitionId, _: Position) -> Result<Box<dyn LogReader>, PortError> { unimplemented!() }
/// #     async fn bounds(&self, _: PartitionId) -> Result<LogBounds, PortError> { unimplemented!() }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let log = Log::default();
/// let play = r#"{"id":"e1","type":"play","member":"ana","title":"alien","at":"2026-03-01T20:15:00Z"}"#;
/// let yawn = r#"{"id":"e2","type":"yawn","member":"ana","title":"alien","at":"2026-03-01T20:15:00Z"}"#;
/// // `log` is any adapter's; `Ports::log` of a running engine.
/// let published = publish(&log, vec![play.into(), yawn.into(), play.into()], 65_536).await;
///
/// assert!(matches!(published[0], Published::Accepted(place) if place.position == Position(1)));
/// assert!(matches!(&published[1], Published::Rejected(reject) if reject.reason.code() == "unknown-type"));
/// assert!(matches!(published[2], Published::Duplicate(first) if first.position == Position(1)));
/// # }
/// ```
pub async fn publish(log: &dyn EventLog, payloads: Vec<Bytes>, event_bytes: usize) -> Vec<Published> {
    let (mut span, traced) = trace::append_span();
    let mut checked = Vec::with_capacity(payloads.len());
    let mut events = Vec::with_capacity(payloads.len());
    for payload in payloads {
        match Event::parse(&payload, event_bytes) {
            Ok(event) => {
                let (member, id) = (event.member.clone().into_owned(), event.id.clone().into_owned());
                let payload = match traced {
                    Some(context) => trace::carrying(payload.clone(), context, event_bytes),
                    None => payload.clone(),
                };
                checked.push(Ok(payload.clone()));
                events.push(NewEvent { member, id, payload });
            }
            Err(reject) => checked.push(Err(reject)),
        }
    }
    span.set("messaging.batch.message_count", events.len() as u64);
    let appended = if events.is_empty() { Vec::new() } else { log.append(events).await };
    if let Some(error) = appended.iter().find_map(|appended| appended.as_ref().err()) {
        span.fail(error);
    }
    drop(span);
    let mut appended = appended.into_iter();
    let outcome = |checked: Result<Bytes, Reject>| {
        let appended = checked.map(|payload| (payload, appended.next().unwrap_or_else(|| Err(no_answer()))));
        async move {
            match appended {
                Err(reject) => Published::Rejected(reject),
                Ok((_, Err(error))) => Published::Unavailable(error),
                Ok((payload, Ok(appended))) if appended.duplicate => known(log, appended, &payload).await,
                Ok((_, Ok(appended))) => Published::Accepted(appended),
            }
        }
    };
    // One by one in the order of the events, which the log's outcomes are in, and then waited for together.
    let outcomes: Vec<_> = checked.into_iter().map(outcome).collect();
    let published: Vec<Published> = stream::iter(outcomes).buffered(COMPARED_AT_ONCE).collect().await;
    count(&published);
    published
}

/// Whether an event whose id the log knows is the one that it has. Where that cannot be found out any more, the id
/// alone tells.
async fn known(log: &dyn EventLog, first: Appended, payload: &Bytes) -> Published {
    match log.record(first.partition, first.position).await {
        Ok(Some(record)) if !same_event(&record.payload, payload) => Published::Conflict(first),
        Ok(_) => Published::Duplicate(first),
        Err(error) => Published::Unavailable(error),
    }
}

/// Whether both say the same, however they are written down: whoever sends an event again does so in another trace.
fn same_event(one: &[u8], other: &[u8]) -> bool {
    let value = |bytes: &[u8]| {
        let mut value = serde_json::from_slice::<serde_json::Value>(bytes).ok()?;
        value.as_object_mut().map(|fields| fields.remove("traceparent"));
        Some(value)
    };
    one == other || value(one).is_some_and(|one| Some(one) == value(other))
}

/// Appends one event that the program itself makes.
///
/// # Errors
/// The log's: the event may be stored or not.
pub async fn append_one(log: &dyn EventLog, event: NewEvent) -> Result<Appended, PortError> {
    let appended = log.append(vec![event]).await.into_iter().next();
    appended.unwrap_or_else(|| Err(no_answer()))
}

fn no_answer() -> PortError {
    PortError::Unavailable { what: "the log".to_owned(), detail: "it gave no answer".to_owned() }
}

fn count(published: &[Published]) {
    for outcome in ["accepted", "duplicate", "conflict", "rejected", "unavailable"] {
        let events = published.iter().filter(|published| published.name() == outcome).count();
        if events > 0 {
            metrics::counter!("nearline_publish_events_total", "outcome" => outcome).increment(events as u64);
        }
    }
}
