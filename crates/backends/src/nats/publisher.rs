//! Acknowledged publishes, pipelined: many are on their way before the first is acknowledged.

use super::link::Links;
use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use nearline_ports::PortError;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Publishes of one adapter that may wait for their acknowledgement: below what the client library
/// (5,000) and the server's queue of a stream (10,000) take.
const OUTSTANDING: usize = 4_000;
const CHUNK: usize = 250;
const OUTSTANDING_PER_CALL: usize = 2_000;
const DOING: &str = "waiting for an acknowledgement";

/// A message to publish.
pub(super) struct Outgoing {
    pub(super) subject: String,
    pub(super) headers: Option<HeaderMap>,
    pub(super) payload: Bytes,
}

/// Publishes to streams.
#[derive(Clone)]
pub(super) struct Publisher {
    links: Arc<Links>,
    permits: Arc<Semaphore>,
}

struct Chunk {
    acks: Vec<Result<PublishAckFuture, PortError>>,
    /// For all of it: message by message, a lost connection would cost the time-out as often.
    deadline: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Publisher {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { links, permits: Arc::new(Semaphore::new(OUTSTANDING)) }
    }

    /// Publishes in order; one outcome each, in order, once acknowledged.
    pub(super) async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<PublishAck, PortError>> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut chunks: VecDeque<Chunk> = VecDeque::new();
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            if !self.links.main().is_connected() {
                // Not handed to the client at all: it would keep them until it is connected again.
                break;
            }
            if chunks.len() >= OUTSTANDING_PER_CALL / CHUNK {
                self.settle(chunks.pop_front(), &mut outcomes).await;
            }
            let permit = self.permit(&mut chunks, &mut outcomes).await;
            let deadline = Instant::now() + Duration::from_millis(self.links.settings.timeout_ms);
            let mut acks = Vec::with_capacity(CHUNK);
            for message in messages.by_ref().take(CHUNK) {
                // The client takes a bounded number of messages while it is not connected.
                let sent = timeout_at(deadline, self.send(message)).await;
                acks.push(
                    sent.unwrap_or_else(|_| Err(self.links.unavailable("publishing", "no room in time"))),
                );
            }
            chunks.push_back(Chunk { acks, deadline, _permit: permit });
        }
        while !chunks.is_empty() {
            self.settle(chunks.pop_front(), &mut outcomes).await;
        }
        outcomes.extend(messages.map(|_| Err(self.links.unavailable("publishing", "not connected"))));
        outcomes
    }

    /// Publishes one message where the last one of its subject still has the number `last`; `None` where it has not.
    pub(super) async fn publish_if_last(
        &self,
        message: Outgoing,
        last: u64,
    ) -> Result<Option<PublishAck>, PortError> {
        if !self.links.main().is_connected() {
            return Err(self.links.unavailable("publishing", "not connected"));
        }
        let publish = PublishMessage::build().payload(message.payload).expected_last_subject_sequence(last);
        let acked = async {
            let sent = self.links.main().jetstream.send_publish(message.subject, publish).await;
            match sent {
                Ok(ack) => ack.await,
                Err(error) => Err(error),
            }
        };
        match timeout(Duration::from_millis(self.links.settings.timeout_ms), acked).await {
            Ok(Ok(ack)) => Ok(Some(ack)),
            Ok(Err(error)) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(None),
            Ok(Err(error)) => Err(self.links.unavailable(DOING, error)),
            Err(_) => Err(self.links.unavailable(DOING, "none in time")),
        }
    }

    /// Room for one chunk. Never waits while holding chunks of its own: callers would block each other.
    async fn permit(
        &self,
        chunks: &mut VecDeque<Chunk>,
        outcomes: &mut Vec<Result<PublishAck, PortError>>,
    ) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = self.permits.clone().try_acquire_many_owned(CHUNK as u32) {
                return permit;
            }
            if chunks.is_empty() {
                let permit = self.permits.clone().acquire_many_owned(CHUNK as u32).await;
                return permit.expect("the semaphore is never closed");
            }
            self.settle(chunks.pop_front(), outcomes).await;
        }
    }

    async fn send(&self, message: Outgoing) -> Result<PublishAckFuture, PortError> {
        let mut publish = PublishMessage::build().payload(message.payload);
        if let Some(headers) = message.headers {
            publish = publish.headers(headers);
        }
        self.links.main().jetstream.send_publish(message.subject, publish).await.map_err(|error| match error
            .kind()
        {
            PublishErrorKind::MaxPayloadExceeded => PortError::Misconfigured(format!(
                "a message is too large for NATS ({error}); raise max_payload of the server"
            )),
            _ => self.links.unavailable("publishing", error),
        })
    }

    async fn settle(&self, chunk: Option<Chunk>, outcomes: &mut Vec<Result<PublishAck, PortError>>) {
        let Some(chunk) = chunk else { return };
        for ack in chunk.acks {
            outcomes.push(match ack {
                Ok(ack) => match timeout_at(chunk.deadline, ack.into_future()).await {
                    Ok(acked) => acked.map_err(|error| self.links.unavailable(DOING, error)),
                    Err(_) => Err(self.links.unavailable(DOING, "none in time")),
                },
                Err(error) => Err(error),
            });
        }
    }
}
