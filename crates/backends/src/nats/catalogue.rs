//! The catalogue: a key-value bucket, one title a key.

use super::consumer::{Delivered, StreamConsumer};
use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::Title;
use nearline_model::catalogue::CatalogueEntry;
use nearline_model::identifier::id_problem;
use nearline_ports::{CatalogueStore, PortError};
use std::sync::Arc;
use tokio::sync::mpsc;

const BATCH_TITLES: usize = 1_024;
const WATCH_BATCHES: usize = 16;

/// The catalogue in a JetStream key-value bucket.
pub struct NatsCatalogue {
    links: Arc<Links>,
    publisher: Publisher,
}

impl NatsCatalogue {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { publisher: Publisher::new(links.clone()), links }
    }

    fn outgoing(&self, title: &Title) -> Outgoing {
        Outgoing {
            subject: format!("$KV.{}.{}", self.links.settings.catalogue_bucket, title.id),
            headers: None,
            payload: Bytes::from(serde_json::to_vec(title).expect("a title is always JSON")),
        }
    }
}

#[async_trait]
impl CatalogueStore for NatsCatalogue {
    async fn put(&self, titles: Vec<Title>) -> Result<Vec<u64>, PortError> {
        let outgoing = titles.iter().map(|title| self.outgoing(title)).collect();
        let acks = self.publisher.publish(outgoing).await.into_iter();
        acks.map(|ack| ack.map(|ack| ack.sequence)).collect()
    }

    async fn replace(&self, title: Title, revision: u64) -> Result<Option<u64>, PortError> {
        let acked = self.publisher.publish_if_last(self.outgoing(&title), revision).await?;
        Ok(acked.map(|ack| ack.sequence))
    }

    async fn watch(&self) -> Result<mpsc::Receiver<Vec<CatalogueEntry>>, PortError> {
        let bucket = &self.links.settings.catalogue_bucket;
        let (stream, subject) = (format!("KV_{bucket}"), format!("$KV.{bucket}.>"));
        let mut consumer =
            StreamConsumer::open(&self.links, &stream, Some(subject), DeliverPolicy::LastPerSubject).await?;
        let (sender, receiver) = mpsc::channel(WATCH_BATCHES);
        self.links.runtime().spawn(async move {
            tokio::select! {
                broken = forward(&mut consumer, &sender) => if let Err(error) = broken {
                    tracing::warn!(%error, "the watch of the catalogue broke");
                },
                () = sender.closed() => {}
            }
        });
        Ok(receiver)
    }
}

/// Sends what is there as one batch, then what comes; ends when the receiver is gone.
async fn forward(
    consumer: &mut StreamConsumer,
    sender: &mpsc::Sender<Vec<CatalogueEntry>>,
) -> Result<(), PortError> {
    let mut existing = consumer.pending_at_open();
    let mut first = Vec::new();
    while existing > 0 {
        let batch = consumer.next_batch(BATCH_TITLES).await?;
        existing = batch.last().map_or(existing, |last| last.place.pending);
        first.extend(batch.iter().filter_map(entry));
    }
    if sender.send(first).await.is_err() {
        return Ok(());
    }
    loop {
        let batch = consumer.next_batch(BATCH_TITLES).await?;
        if sender.send(batch.iter().filter_map(entry).collect()).await.is_err() {
            return Ok(());
        }
    }
}

/// Bytes of a title that was put, of those that the API takes (64 KiB) and what its form here adds.
const MAX_TITLE_BYTES: usize = 128 << 10;

/// A title as this adapter puts it: an object, of a size that is taken, under the key that it names.
fn title_of(subject: &str, payload: &[u8]) -> Result<Title, String> {
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is no object".to_owned());
    }
    let title: Title = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if let Some(problem) = id_problem(&title.id) {
        return Err(format!("its id {problem}"));
    }
    if subject.splitn(3, '.').nth(2) != Some(title.id.as_str()) {
        return Err(format!("its id is {}", title.id));
    }
    if payload.len() > MAX_TITLE_BYTES {
        return Err(format!("it has {} bytes; at most {MAX_TITLE_BYTES} are taken", payload.len()));
    }
    // An earlier version may have put it, under other rules.
    if let Err(reject) = title.validate() {
        tracing::warn!(
            subject,
            detail = reject.detail,
            "a title is not as it would be taken now; put it again"
        );
    }
    Ok(title)
}

/// The title of a message; what others put into the bucket (and deletions) is left out.
fn entry(delivered: &Delivered) -> Option<CatalogueEntry> {
    let payload = &delivered.message.payload;
    if payload.is_empty() {
        return None;
    }
    match title_of(&delivered.message.subject, payload) {
        Ok(title) => Some(CatalogueEntry { revision: delivered.place.sequence, title }),
        Err(error) => {
            metrics::counter!("nearline_catalogue_unreadable_titles_total").increment(1);
            tracing::warn!(subject = %delivered.message.subject, %error, "a title cannot be read; put it again");
            None
        }
    }
}
