//! The log, the dead letters, the catalogue and the registry of nodes in NATS JetStream.
//!
//! The clients run on a small runtime of their own, so that no busy actor thread keeps the sockets
//! waiting. One connection publishes and asks; the others only carry what readers read, since one
//! connection is parsed by one task.

mod access;
mod blocks;
mod catalogue;
mod cloud_event;
mod consumer;
mod dead_letters;
mod ends;
mod event_requests;
mod examine;
mod facts;
mod link;
mod log;
mod membership;
mod publisher;
mod remediation_journal;
mod rights;
mod streams;

pub use catalogue::NatsCatalogue;
pub use dead_letters::NatsDeadLetters;
pub use event_requests::NatsEventRequests;
pub use examine::examine;
pub use facts::NatsFacts;
pub use log::NatsLog;
pub use membership::NatsMembership;
pub use remediation_journal::NatsJournal;
pub use streams::Followed;

use link::Links;
use nearline_model::identifier::MAX_PARTITIONS;
use nearline_ports::{PortError, StateStore};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where NATS is and how the streams are laid out.
///
/// `Debug` shows no secret: the URL stands there without user and password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsSettings {
    /// One or more servers, separated by commas, with user and password or a token where these are asked for.
    /// What is no letter or digit in them is best percent-encoded.
    pub url: String,
    /// Name of the log: its streams are `{stream}_p00` and so on, one for each partition. The stream of that name itself
    /// is there where the server does not map the subjects of events.
    pub stream: String,
    /// First token or tokens of all subjects.
    pub subject_prefix: String,
    /// Stream of the dead letters.
    pub dead_letter_stream: String,
    /// Key-value bucket of the catalogue.
    pub catalogue_bucket: String,
    /// Key-value bucket of the nodes.
    pub nodes_bucket: String,
    /// Stream of the remediations.
    pub remediation_stream: String,
    /// Stream of the facts, made when the first one is put.
    pub fact_stream: String,
    /// Largest size of that stream in bytes, when it is made; 0: no limit.
    pub fact_stream_bytes: u64,
    /// Partitions of the events; an existing stream must have as many.
    pub partitions: u16,
    /// Events that one message of the log may hold. An existing log keeps what it was made with.
    pub block_events: u16,
    /// Bytes of an event at most; a header is left out that would make it longer.
    pub event_bytes: usize,
    /// Replicas of each stream, at least.
    pub replicas: usize,
    /// Seconds for which an event's id is remembered, at least.
    pub duplicate_window_seconds: u64,
    /// Largest size of the log in bytes, in equal parts for the partitions; streams that are there may hold more, not less.
    /// 0: no limit.
    pub max_bytes: u64,
    /// Age in seconds after which events are dropped; streams that are there may hold them longer. 0: never.
    pub max_age_seconds: u64,
    /// Connections that readers are spread over.
    pub connections: usize,
    /// Records on their way to each reader at most: bounds its memory.
    pub reader_records: usize,
    /// Milliseconds that one request or acknowledgement may take.
    pub timeout_ms: u64,
    /// File with the JWT and the seed of a user (`nsc generate creds`); empty: none.
    pub credentials_file: String,
    /// File with the seed of an nkey; empty: none.
    pub nkey_file: String,
    /// File with the certificates (PEM) that servers must show, in place of those the system trusts; empty: none.
    pub ca_file: String,
    /// File with the certificate (PEM) that this client shows; empty: none.
    pub certificate_file: String,
    /// File with its key (PEM).
    pub key_file: String,
    /// Whether TLS is spoken from the first byte on, which the server must be configured for.
    pub tls_first: bool,
}

impl std::fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = serde_json::to_value(self).map_err(|_| std::fmt::Error)?;
        shown["url"] = access::shown(&self.url).into();
        write!(f, "NatsSettings {shown}")
    }
}

impl Default for NatsSettings {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".into(),
            stream: "EVENTS".into(),
            subject_prefix: "nearline".into(),
            dead_letter_stream: "DEADLETTERS".into(),
            catalogue_bucket: "nearline-titles".into(),
            nodes_bucket: "nearline-nodes".into(),
            remediation_stream: "REMEDIATIONS".into(),
            fact_stream: "FACTS".into(),
            fact_stream_bytes: 1 << 30,
            partitions: 16,
            block_events: 1,
            event_bytes: 65_536,
            replicas: 1,
            duplicate_window_seconds: 120,
            max_bytes: 0,
            max_age_seconds: 0,
            connections: 2,
            reader_records: 8_192,
            timeout_ms: 5_000,
            credentials_file: String::new(),
            nkey_file: String::new(),
            ca_file: String::new(),
            certificate_file: String::new(),
            key_file: String::new(),
            tls_first: false,
        }
    }
}

/// The ports that NATS provides, over the same connections.
pub struct NatsPorts {
    /// The log of events.
    pub log: NatsLog,
    /// Where requests to publish come in.
    pub event_requests: NatsEventRequests,
    /// Refused events.
    pub dead_letters: NatsDeadLetters,
    /// The catalogue.
    pub catalogue: NatsCatalogue,
    /// The registry of nodes.
    pub membership: NatsMembership,
    /// The journal of remediations.
    pub remediations: NatsJournal,
    /// The stream of facts.
    pub facts: NatsFacts,
}

/// Connects, and creates the streams or checks those that are there.
///
/// # Errors
/// [`PortError::Unavailable`] if no server answers, [`PortError::Misconfigured`] if an existing
/// stream does not fit the settings.
pub async fn connect(settings: NatsSettings) -> Result<NatsPorts, PortError> {
    connect_following(settings, Followed::default(), None).await
}

/// The same for a store that may have folded a log before: that log must be there, and takes no events where it ends before what
/// the store has committed.
///
/// # Errors
/// As [`connect`]; [`PortError::Misconfigured`] also if the log is gone, or another one.
pub async fn connect_following(
    settings: NatsSettings,
    followed: Followed,
    store: Option<Arc<dyn StateStore>>,
) -> Result<NatsPorts, PortError> {
    if settings.partitions == 0 || settings.partitions > MAX_PARTITIONS {
        return Err(PortError::Misconfigured(format!(
            "partitions is {}; expected 1 to {MAX_PARTITIONS}",
            settings.partitions
        )));
    }
    let settings = Arc::new(settings);
    let links = Arc::new(Links::connect(settings.clone()).await?);
    let ready = links.clone();
    // On the links' own runtime too: what the client library spawns stays there.
    let streams = links.runtime().spawn(async move { streams::prepare_all(&ready, &followed).await });
    let identity = streams.await.map_err(|error| links.unavailable("preparing the streams", error))??;
    Ok(NatsPorts {
        log: NatsLog::new(links.clone(), &identity, store),
        event_requests: NatsEventRequests::new(links.clone()),
        dead_letters: NatsDeadLetters::new(links.clone()),
        catalogue: NatsCatalogue::new(links.clone()),
        membership: NatsMembership::new(links.clone()),
        facts: NatsFacts::new(links.clone(), &identity),
        remediations: NatsJournal::new(links),
    })
}
