//! A consumer of a stream, or of one subject in it, read in order and in batches.
//!
//! It asks for records ahead of their use, a bounded number at a time (so a slow reader holds little
//! memory), takes what has arrived without waiting per record, and knows when it is dead: a gap in
//! the consumer's own numbering, a lost connection, or no sign of life for [`SILENCE`] ends it. There
//! are no acknowledgements: who reads remembers the position and opens a new one after it.

use super::link::Links;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use nearline_ports::PortError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

const HEARTBEAT: Duration = Duration::from_millis(500);
/// Without a message or a heartbeat for this long, the consumer counts as dead.
const SILENCE: Duration = Duration::from_millis(1_500);
const REQUEST_LIFE: Duration = Duration::from_secs(30);
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(60);

/// A message of a stream with its place in it.
pub(super) struct Delivered {
    pub(super) message: Message,
    pub(super) place: Place,
}

/// Where a message stands, as its reply subject tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Its number in the stream.
    pub(super) sequence: u64,
    pub(super) consumer_sequence: u64,
    pub(super) log_nanos: i64,
    /// Messages behind this one that are not yet delivered.
    pub(super) pending: u64,
}

impl Place {
    /// Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<nanos>.<pending>`, or the
    /// form with domain and account before the stream (and more behind).
    fn parse(reply: &str) -> Option<Self> {
        let tokens = reply.bytes().filter(|byte| *byte == b'.').count() + 1;
        let skip = match tokens {
            9 => 5,
            11.. => 7,
            _ => return None,
        };
        let mut rest = reply.strip_prefix("$JS.ACK.")?.split('.').skip(skip - 2);
        Some(Self {
            sequence: rest.next()?.parse().ok()?,
            consumer_sequence: rest.next()?.parse().ok()?,
            log_nanos: rest.next()?.parse().ok()?,
            pending: rest.next()?.parse().ok()?,
        })
    }
}

/// A live consumer.
pub(super) struct StreamConsumer {
    links: Arc<Links>,
    subject: String,
    client: async_nats::Client,
    subscriber: Subscriber,
    inbox: String,
    stream: String,
    name: String,
    request_subject: String,
    request_bytes: usize,
    window: usize,
    /// Records asked for that have not come.
    asked: usize,
    sequence: u64,
    pending_at_open: u64,
    disconnects: watch::Receiver<u64>,
    waiting_since: Option<Instant>,
}

impl StreamConsumer {
    /// Opens a consumer of `stream`, of one subject in it where one is given.
    pub(super) async fn open(
        links: &Arc<Links>,
        stream: &str,
        subject: Option<String>,
        deliver_policy: DeliverPolicy,
    ) -> Result<Self, PortError> {
        let link = links.reader();
        if !link.is_connected() {
            return Err(links.unavailable("opening a reader", "not connected"));
        }
        let mut disconnects = link.disconnects.clone();
        disconnects.mark_unchanged();
        let config = pull::Config {
            deliver_policy,
            ack_policy: AckPolicy::None,
            filter_subject: subject.clone().unwrap_or_default(),
            inactive_threshold: INACTIVE_THRESHOLD,
            num_replicas: 1,
            memory_storage: true,
            ..Default::default()
        };
        let subject = subject.unwrap_or_else(|| format!("stream {stream}"));
        let doing = format!("opening a reader of {subject}");
        let consumer = link.jetstream.create_consumer_on_stream(config, stream).await;
        let consumer = consumer.map_err(|error| links.unavailable(&doing, error))?;
        let info = consumer.cached_info();
        let inbox = link.client.new_inbox();
        let subscriber = link.client.subscribe(inbox.clone()).await;
        let subscriber = subscriber.map_err(|error| links.unavailable(&doing, error))?;
        let mut opened = Self {
            subject,
            request_subject: format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{}", info.name),
            request_bytes: (8 << 20).max(2 * link.client.max_payload()),
            stream: stream.to_owned(),
            name: info.name.clone(),
            pending_at_open: info.num_pending,
            client: link.client.clone(),
            subscriber,
            inbox,
            window: (links.settings.reader_records / usize::from(links.settings.block_events.max(1))).max(2),
            links: links.clone(),
            asked: 0,
            sequence: 0,
            disconnects,
            waiting_since: None,
        };
        opened.ask().await?;
        Ok(opened)
    }

    /// Messages that were there when it was opened.
    pub(super) fn pending_at_open(&self) -> u64 {
        self.pending_at_open
    }

    /// Waits for a message, then gives those that are there, up to `max`, in order, none left out.
    /// Cancel-safe. After an error it is spent.
    pub(super) async fn next_batch(&mut self, max: usize) -> Result<Vec<Delivered>, PortError> {
        let mut batch = Vec::new();
        loop {
            if self.disconnects.has_changed().unwrap_or(true) {
                return Err(self.broken("the connection was lost"));
            }
            if self.asked <= self.window / 2 {
                self.ask().await?;
            }
            // No await from here to the return of a batch, so that a dropped call loses nothing.
            self.take_ready(max.max(1), &mut batch)?;
            if !batch.is_empty() {
                self.waiting_since = None;
                if self.asked <= self.window / 2 {
                    // Ask ahead while the caller works; if the client is busy, the next call asks.
                    if let Some(Err(error)) = self.ask().now_or_never() {
                        tracing::debug!(%error, "asking ahead");
                    }
                }
                return Ok(batch);
            }
            if self.asked <= self.window / 2 {
                continue;
            }
            let since = *self.waiting_since.get_or_insert_with(Instant::now);
            tokio::select! {
                biased;
                message = self.subscriber.next() => match message {
                    Some(message) => {
                        self.waiting_since = None;
                        self.accept(message, &mut batch)?;
                        // At most one message and no await: what else is there comes along.
                        self.take_ready(max.max(1), &mut batch)?;
                        if !batch.is_empty() {
                            return Ok(batch);
                        }
                    }
                    None => return Err(self.broken("the subscription ended")),
                },
                _ = self.disconnects.changed() => return Err(self.broken("the connection was lost")),
                () = tokio::time::sleep_until(since + SILENCE) => {
                    return Err(self.broken("no sign of life from the consumer"));
                }
            }
        }
    }

    /// Takes what has arrived without waiting.
    fn take_ready(&mut self, max: usize, batch: &mut Vec<Delivered>) -> Result<(), PortError> {
        while batch.len() < max {
            // Unconstrained: tokio would otherwise pretend after 128 messages that there are no more.
            match tokio::task::unconstrained(self.subscriber.next()).now_or_never() {
                Some(Some(message)) => {
                    self.waiting_since = None;
                    self.accept(message, batch)?;
                }
                Some(None) => return Err(self.broken("the subscription ended")),
                None => break,
            }
        }
        Ok(())
    }

    fn accept(&mut self, message: Message, batch: &mut Vec<Delivered>) -> Result<(), PortError> {
        let Some(status) = message.status else {
            let place = message.reply.as_deref().and_then(Place::parse);
            let Some(place) = place else {
                let detail = format!("a message without its place: reply {:?}", message.reply);
                return Err(PortError::Damaged { what: format!("stream {}", self.stream), detail });
            };
            if place.consumer_sequence != self.sequence + 1 {
                return Err(self.broken("messages were lost on the way"));
            }
            self.sequence = place.consumer_sequence;
            self.asked = self.asked.saturating_sub(1);
            batch.push(Delivered { message, place });
            return Ok(());
        };
        let header = |name: &str| {
            let headers = message.headers.as_ref()?;
            headers.get(name)?.as_str().trim().parse::<u64>().ok()
        };
        match status {
            StatusCode::IDLE_HEARTBEAT => match header("Nats-Last-Consumer") {
                Some(last) if last != self.sequence => Err(self.broken("messages were lost on the way")),
                _ => Ok(()),
            },
            // The request is over (its time, its bytes): what it still owed is asked for again.
            StatusCode::TIMEOUT => self.request_over(header("Nats-Pending-Messages")),
            status if status.as_u16() == 409 && header("Nats-Pending-Messages").is_some() => {
                self.request_over(header("Nats-Pending-Messages"))
            }
            status => {
                let description = message.description.unwrap_or_default();
                Err(self.broken(&format!("the server ended it: {status} {description}")))
            }
        }
    }

    fn request_over(&mut self, owed: Option<u64>) -> Result<(), PortError> {
        match owed {
            Some(owed) => self.asked = self.asked.saturating_sub(usize::try_from(owed).unwrap_or(usize::MAX)),
            None => self.asked = 0,
        }
        Ok(())
    }

    /// Asks for as many messages as the window has room for.
    async fn ask(&mut self) -> Result<(), PortError> {
        let count = self.window - self.asked.min(self.window);
        let request = format!(
            r#"{{"batch":{count},"max_bytes":{},"expires":{},"idle_heartbeat":{}}}"#,
            self.request_bytes,
            REQUEST_LIFE.as_nanos(),
            HEARTBEAT.as_nanos()
        );
        let subject = self.request_subject.clone();
        let asked = self.client.publish_with_reply(subject, self.inbox.clone(), Bytes::from(request)).await;
        asked.map_err(|error| self.broken(&error.to_string()))?;
        self.asked += count;
        Ok(())
    }

    fn broken(&self, why: &str) -> PortError {
        metrics::counter!("nearline_nats_readers_broken_total").increment(1);
        self.links.unavailable(&format!("reading {}", self.subject), why)
    }
}

impl Drop for StreamConsumer {
    fn drop(&mut self) {
        // Best effort: the server drops an unused consumer by itself after a while.
        let subject = format!("$JS.API.CONSUMER.DELETE.{}.{}", self.stream, self.name);
        let client = self.client.clone();
        self.links.runtime().spawn(async move { client.publish(subject, Bytes::new()).await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_read_from_every_form_of_reply() {
        let place =
            Place { sequence: 42, consumer_sequence: 7, log_nanos: 1_700_000_000_000_000_123, pending: 5 };
        for reply in [
            "$JS.ACK.EVENTS.c1.1.42.7.1700000000000000123.5",
            "$JS.ACK.hub.ACC.EVENTS.c1.1.42.7.1700000000000000123.5",
            "$JS.ACK._.ACC.EVENTS.c1.1.42.7.1700000000000000123.5.rnd",
        ] {
            assert_eq!(Place::parse(reply), Some(place), "{reply}");
        }
        assert_eq!(Place::parse("_INBOX.abc"), None);
    }
}
