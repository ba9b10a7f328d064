//! The fact stream: one JetStream stream for all partitions, made when the first fact is put. Facts of members carry an id
//! that a replay repeats, so that the server drops what it has just seen.

use super::consumer::StreamConsumer;
use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use super::streams;
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::{Fact, FactEntry, MemberFacts};
use nearline_ports::{FactStream, PortError, StreamedFacts};
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

/// Room for the headers of a message.
const HEADER_ROOM_BYTES: usize = 2_048;
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The fact stream in JetStream.
pub struct NatsFacts {
    links: Arc<Links>,
    publisher: Publisher,
    /// The log's identity: what is put of another log is something else.
    log: String,
    /// The stream's identity, once it is known to be there.
    identity: OnceCell<String>,
    /// A reader with the number that it has come to.
    reader: Mutex<Option<(u64, StreamConsumer)>>,
}

impl NatsFacts {
    pub(super) fn new(links: Arc<Links>, log: &str) -> Self {
        Self {
            publisher: Publisher::new(links.clone()),
            links,
            log: log.to_owned(),
            identity: OnceCell::new(),
            reader: Mutex::default(),
        }
    }

    /// The stream's identity; it is made where it is not there.
    async fn made(&self) -> Result<&str, PortError> {
        let make = || async {
            let links = self.links.clone();
            let making = self.links.runtime().spawn(async move { streams::prepare_facts(&links).await });
            making.await.map_err(|error| self.links.unavailable("making the stream of facts", error))?
        };
        self.identity.get_or_try_init(make).await.map(String::as_str)
    }

    async fn publish(&self, messages: Vec<Outgoing>) -> Result<(), PortError> {
        self.made().await?;
        for ack in self.publisher.publish(messages).await {
            ack?;
        }
        Ok(())
    }

    fn message_bytes(&self) -> usize {
        self.links.main().client.max_payload().saturating_sub(HEADER_ROOM_BYTES)
    }

    fn outgoing(&self, token: &str, id: &str, entry: &FactEntry) -> Outgoing {
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_ID, id);
        let subject = format!("{}.facts.{token}", self.links.settings.subject_prefix);
        Outgoing { subject, headers: Some(headers), payload: Bytes::from(entry.encode()) }
    }

    async fn next(&self, after: u64, most: usize) -> Result<Vec<StreamedFacts>, PortError> {
        let stream = &self.links.settings.fact_stream;
        let Some(last) = streams::last_fact(&self.links).await? else { return Ok(Vec::new()) };
        if last <= after {
            return Ok(Vec::new());
        }
        let mut held = self.reader.lock().await;
        let mut consumer = match held.take() {
            Some((at, consumer)) if at == after => consumer,
            _ => {
                let from = DeliverPolicy::ByStartSequence { start_sequence: after + 1 };
                let opened = StreamConsumer::open(&self.links, stream, None, from).await?;
                // All that follow were removed since.
                if opened.pending_at_open() == 0 {
                    return Ok(Vec::new());
                }
                opened
            }
        };
        let mut entries = Vec::new();
        for delivered in consumer.next_batch(most).await? {
            let sequence = delivered.place.sequence;
            let entry =
                FactEntry::decode(&delivered.message.payload).map_err(|error| PortError::Damaged {
                    what: format!("message {sequence} of stream {stream}"),
                    detail: error.to_string(),
                })?;
            entries.push(StreamedFacts { sequence, entry });
        }
        *held = entries.last().map(|entry| (entry.sequence, consumer));
        Ok(entries)
    }
}

#[async_trait]
impl FactStream for NatsFacts {
    async fn identity(&self) -> Result<String, PortError> {
        Ok(streams::fact_identity(&self.links).await?.unwrap_or_default())
    }

    async fn put(&self, facts: MemberFacts) -> Result<(), PortError> {
        let parts = facts.split(self.message_bytes());
        let message = |part: MemberFacts| {
            let token = format!("members.{}", part.partition.0);
            let id = format!("{}-{}-{}-{}", self.log, part.partition.0, part.after, part.position);
            self.outgoing(&token, &id, &FactEntry::Members(part))
        };
        self.publish(parts.into_iter().map(message).collect()).await
    }

    async fn put_decisions(&self, decisions: Vec<Fact>) -> Result<(), PortError> {
        if decisions.is_empty() {
            return Ok(());
        }
        let most_bytes = self.message_bytes();
        let (mut parts, mut size) = (vec![Vec::new()], 0);
        for decision in decisions {
            let bytes = decision.member.len() + decision.payload.len() + 64;
            if size > 0 && size + bytes > most_bytes {
                parts.push(Vec::new());
                size = 0;
            }
            size += bytes;
            if let Some(part) = parts.last_mut() {
                part.push(decision);
            }
        }
        let message = |part: Vec<Fact>| {
            // Never repeated but by the client: any id that is nobody else's.
            let id = format!("decisions-{:032x}", rand::random::<u128>());
            self.outgoing("decisions", &id, &FactEntry::Decisions(part))
        };
        self.publish(parts.into_iter().map(message).collect()).await
    }

    async fn last(&self) -> Result<u64, PortError> {
        Ok(streams::last_fact(&self.links).await?.unwrap_or(0))
    }

    async fn read(&self, after: u64, most: usize) -> Result<Vec<StreamedFacts>, PortError> {
        self.next(after, most.max(1)).await
    }
}
