//! The registry of nodes: a key-value bucket, one node a key, and questions by request and reply.
//!
//! A key is only ever written over the revision that its writer wrote or read last, so that two
//! processes under one name notice each other. The bucket keeps the last announcements of
//! each node for watchers that are behind (they must see every node's in the order of all), and forgets
//! those of dead nodes after two minutes. Whether a node is alive is not the bucket's to say.

use super::consumer::{Delivered, StreamConsumer};
use super::link::{Links, is_inbox};
use super::streams::restore_nodes_bucket;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::kv;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use nearline_model::control::assignment::NodeId;
use nearline_ports::{Announced, Announcement, Membership, MembershipEvent, PortError, Question};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{OnceCell, mpsc, oneshot};

const BATCH: usize = 256;
const WATCHER_EVENTS: usize = 1_024;
const QUESTIONS: usize = 256;
/// Attempts to write a key that somebody else writes, too.
const ATTEMPTS: usize = 4;

/// A node's key as this process wrote or read it last.
#[derive(Debug, Clone, Copy)]
struct Written {
    incarnation: u64,
    revision: u64,
}

/// The registry in a JetStream key-value bucket.
pub struct NatsMembership {
    links: Arc<Links>,
    bucket: OnceCell<kv::Store>,
    written: Mutex<BTreeMap<NodeId, Written>>,
}

impl NatsMembership {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { links, bucket: OnceCell::new(), written: Mutex::default() }
    }

    async fn bucket(&self) -> Result<&kv::Store, PortError> {
        let open = || async {
            let bucket = &self.links.settings.nodes_bucket;
            let opened = self.links.main().jetstream.get_key_value(bucket.as_str()).await;
            opened.map_err(|error| self.links.unavailable("opening the registry of nodes", error))
        };
        self.bucket.get_or_try_init(open).await
    }

    /// What the bucket holds of a node: its revision (0: never written) and, unless it withdrew, the
    /// incarnation that wrote it.
    async fn found(&self, node: &NodeId) -> Result<(u64, Option<u64>), PortError> {
        let entry = self.bucket().await?.entry(node.as_str()).await;
        let entry = entry.map_err(|error| self.links.unavailable("reading the registry of nodes", error))?;
        Ok(entry.map_or((0, None), |entry| {
            let announcement: Option<Announcement> = serde_json::from_slice(&entry.value).ok();
            let is_there = entry.operation == kv::Operation::Put;
            let incarnation = announcement.filter(|_| is_there).map(|found| found.beat.incarnation);
            (entry.revision, incarnation)
        }))
    }

    /// Writes this node's key over what it wrote last.
    async fn write(&self, announcement: &Announcement) -> Result<Announced, PortError> {
        let (node, incarnation) = (&announcement.beat.node, announcement.beat.incarnation);
        let value = Bytes::from(serde_json::to_vec(announcement).expect("an announcement is plain data"));
        for _ in 0..ATTEMPTS {
            let known =
                self.written.lock().get(node).copied().filter(|known| known.incarnation == incarnation);
            let revision = match known {
                Some(known) => known.revision,
                None => self.found(node).await?.0,
            };
            match self.bucket().await?.update(node.as_str(), value.clone(), revision).await {
                Ok(revision) => {
                    self.written.lock().insert(node.clone(), Written { incarnation, revision });
                    return Ok(Announced::Done);
                }
                Err(error) if error.kind() == kv::UpdateErrorKind::WrongLastRevision => {
                    let (revision, by) = self.found(node).await?;
                    // An own write whose acknowledgement was lost, or a key that aged away, is no rival; nor is what
                    // was written before this node's own: an earlier life, in a bucket that was set back.
                    let is_later = known.is_some_and(|known| revision > known.revision);
                    if is_later && by.is_some_and(|by| by != incarnation) {
                        return Ok(Announced::Replaced);
                    }
                    if known.is_some() {
                        self.written.lock().insert(node.clone(), Written { incarnation, revision });
                    }
                }
                Err(error) => return Err(self.links.unavailable("announcing this node", error)),
            }
        }
        Err(self.links.unavailable("announcing this node", "others write its key all the time"))
    }

    fn subject(&self, node: &NodeId) -> String {
        format!("{}.queries.{node}", self.links.settings.subject_prefix)
    }
}

#[async_trait]
impl Membership for NatsMembership {
    async fn announce(&self, announcement: &Announcement) -> Result<Announced, PortError> {
        match self.write(announcement).await {
            // Whoever notices first that the bucket is gone makes it anew; every node's next beat fills it again.
            Err(_) if restore_nodes_bucket(&self.links).await? => {
                metrics::counter!("nearline_registry_restored_total").increment(1);
                tracing::warn!(bucket = %self.links.settings.nodes_bucket, "the registry of nodes was gone; it was made anew");
                self.write(announcement).await
            }
            outcome => outcome,
        }
    }

    async fn withdraw(&self, node: &NodeId, incarnation: u64) -> Result<(), PortError> {
        let (revision, by) = self.found(node).await?;
        if by != Some(incarnation) {
            return Ok(());
        }
        let deleted = self.bucket().await?.delete_expect_revision(node.as_str(), Some(revision)).await;
        deleted.map_err(|error| self.links.unavailable("withdrawing this node", error))
    }

    async fn watch(&self) -> Result<mpsc::Receiver<MembershipEvent>, PortError> {
        let bucket = &self.links.settings.nodes_bucket;
        let (stream, subject) = (format!("KV_{bucket}"), format!("$KV.{bucket}.>"));
        let mut consumer =
            StreamConsumer::open(&self.links, &stream, Some(subject), DeliverPolicy::LastPerSubject).await?;
        let (sender, receiver) = mpsc::channel(WATCHER_EVENTS);
        self.links.runtime().spawn(async move {
            tokio::select! {
                broken = forward(&mut consumer, &sender) => if let Err(error) = broken {
                    tracing::warn!(%error, "the watch of the nodes broke");
                },
                () = sender.closed() => {}
            }
        });
        Ok(receiver)
    }

    async fn listen(&self, node: &NodeId) -> Result<mpsc::Receiver<Question>, PortError> {
        let client = self.links.main().client.clone();
        let mut requests = client
            .subscribe(self.subject(node))
            .await
            .map_err(|error| self.links.unavailable("listening to other nodes", error))?;
        // Whoever asks right after this call must be heard.
        client.flush().await.map_err(|error| self.links.unavailable("listening to other nodes", error))?;
        let (sender, receiver) = mpsc::channel(QUESTIONS);
        self.links.runtime().spawn(async move {
            loop {
                let request = tokio::select! {
                    request = requests.next() => request,
                    () = sender.closed() => None,
                };
                let Some(request) = request else { return };
                let Some(inbox) = request.reply.filter(|reply| is_inbox(reply)) else { continue };
                let (reply, answer) = oneshot::channel();
                // A full queue answers nothing: whoever asks goes to the store instead.
                if sender.try_send(Question { body: request.payload, reply }).is_err() {
                    metrics::counter!("nearline_peer_questions_dropped_total").increment(1);
                    continue;
                }
                let client = client.clone();
                tokio::spawn(async move {
                    if let Ok(answer) = answer.await
                        && let Err(error) = client.publish(inbox, answer).await
                    {
                        tracing::debug!(%error, "an answer to another node was not sent");
                    }
                });
            }
        });
        Ok(receiver)
    }

    async fn ask(&self, node: &NodeId, body: Bytes) -> Result<Bytes, PortError> {
        let asked = self.links.main().client.request(self.subject(node), body).await;
        let answer = asked.map_err(|error| self.links.unavailable(&format!("asking node {node}"), error))?;
        Ok(answer.payload)
    }
}

async fn forward(
    consumer: &mut StreamConsumer,
    sender: &mpsc::Sender<MembershipEvent>,
) -> Result<(), PortError> {
    loop {
        for delivered in consumer.next_batch(BATCH).await? {
            if let Some(event) = event(&delivered)
                && sender.send(event).await.is_err()
            {
                return Ok(());
            }
        }
    }
}

/// What a message of the bucket says; others' scribbles are left out.
fn event(delivered: &Delivered) -> Option<MembershipEvent> {
    let message = &delivered.message;
    if message.payload.is_empty() {
        let node = message.subject.rsplit('.').next().unwrap_or_default();
        return Some(MembershipEvent::Withdrawn(NodeId::new(node)));
    }
    match serde_json::from_slice(&message.payload) {
        Ok(announcement) => Some(MembershipEvent::Announced(announcement)),
        Err(error) => {
            tracing::warn!(subject = %message.subject, %error, "an announcement cannot be read");
            None
        }
    }
}
