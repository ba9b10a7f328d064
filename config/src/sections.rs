//! Sections of the configuration. What a room takes as settings has its default there; what belongs to the
//! program alone has it here. Each key is described in `config/default.toml`.

use super::SecretUrl;
use nearline_actors::EngineSettings;
use nearline_backends::embedded::EmbeddedSettings;
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use serde::{Deserialize, Serialize};

/// `[engine]`: partitions, commits, caches, deadlines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// Partitions of the log; fixed for the life of the log.
    pub partitions: u16,
    /// Threads that fold; 0: one per core.
    pub workers: usize,
    /// Events folded after which a partition commits.
    pub commit_events: u64,
    /// Milliseconds after which a partition with something to commit commits.
    pub commit_interval_ms: u64,
    /// Changed members after which a partition commits.
    pub commit_members: usize,
    /// Members kept in memory, all partitions together.
    pub cached_members: usize,
    /// Titles between which the ranking solves weights: those played most.
    pub solved_titles: usize,
    /// Events folded in one go at most.
    pub batch_events: usize,
    /// Milliseconds between snapshots of the aggregates.
    pub snapshot_interval_ms: u64,
    /// Nodes that add every delta to their sums; further ones take over the stored snapshots.
    pub adding_nodes: usize,
    /// Milliseconds that the start waits for the catalogue; then the engine goes on, and offers nothing in a
    /// country until it is there.
    pub catalogue_wait_ms: u64,
    /// Whether titles that are not in the catalogue are offered to nobody.
    pub only_catalogued: bool,
    /// Milliseconds within which a query is answered, from whatever source.
    pub query_deadline_ms: u64,
    /// Milliseconds after which the store is asked, too, if the partition's owner has not answered.
    pub query_hedge_ms: u64,
    /// Milliseconds before the first restart of a failed partition; doubles each time.
    pub restart_backoff_ms: u64,
    /// Milliseconds before a restart at most.
    pub restart_backoff_max_ms: u64,
}

impl Default for EngineSection {
    fn default() -> Self {
        let EngineSettings {
            commit_events,
            commit_interval_ms,
            commit_members,
            cached_members,
            solved_titles,
            batch_events,
            snapshot_interval_ms,
            adding_nodes,
            catalogue_wait_ms,
            only_catalogued,
            query_deadline_ms,
            query_hedge_ms,
            remediation,
            ..
        } = EngineSettings::default();
        Self {
            partitions: NatsSettings::default().partitions,
            workers: 0,
            commit_events,
            commit_interval_ms,
            commit_members,
            cached_members,
            solved_titles,
            batch_events,
            snapshot_interval_ms,
            adding_nodes,
            catalogue_wait_ms,
            only_catalogued,
            query_deadline_ms,
            query_hedge_ms,
            restart_backoff_ms: remediation.restart_backoff_ms,
            restart_backoff_max_ms: remediation.restart_backoff_max_ms,
        }
    }
}

/// `[node]`: this node among others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeSection {
    /// Its name, unique in the cluster; empty: the host's and the port of `http.address`.
    pub name: String,
    /// Where its API is reached, shown to operators; empty: `http.address`.
    pub advertise: String,
    /// Milliseconds of silence after which a node counts as dead.
    pub lease_ms: u64,
}

impl Default for NodeSection {
    fn default() -> Self {
        Self { name: String::new(), advertise: String::new(), lease_ms: EngineSettings::default().lease_ms }
    }
}

/// Which backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// One directory on disk, no server.
    #[default]
    Embedded,
    /// NATS JetStream and Redis.
    Cluster,
}

/// `[backend]`: which backend everything stands on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackendSection {
    /// The backend.
    pub kind: BackendKind,
}

/// When the embedded backend is on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncPolicy {
    /// Synced before each batch is acknowledged: survives power loss.
    #[default]
    EachBatch,
    /// Left to the operating system: survives the end of the process.
    Os,
}

/// `[embedded]`: the embedded backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddedSection {
    /// The directory; made if it is not there.
    pub directory: String,
    /// When an append is durable.
    pub sync: SyncPolicy,
    /// Seconds for which the log knows an event id again.
    pub duplicate_window_seconds: u64,
    /// Event ids that the log remembers at most.
    pub duplicate_window_ids: usize,
    /// Newest events that the log keeps; 0: all. What is not committed is kept whatever its age.
    pub retention_events: u64,
}

impl Default for EmbeddedSection {
    fn default() -> Self {
        let directory = "nearline-data".to_owned();
        let EmbeddedSettings { duplicate_window_seconds, duplicate_window_ids, retention_events, .. } =
            EmbeddedSettings::in_directory(&directory);
        Self {
            directory,
            sync: SyncPolicy::EachBatch,
            duplicate_window_seconds,
            duplicate_window_ids,
            retention_events,
        }
    }
}

/// `[nats]`: the log of the cluster backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsSection {
    /// URL, or several separated by commas.
    pub url: SecretUrl,
    /// The stream of events.
    pub stream: String,
    /// Start of all subjects: one or more tokens, separated by dots.
    pub subject_prefix: String,
    /// The stream of dead letters.
    pub dead_letter_stream: String,
    /// The key-value bucket of the catalogue.
    pub catalogue_bucket: String,
    /// The key-value bucket of the nodes.
    pub nodes_bucket: String,
    /// Stream of the remediations.
    pub remediation_stream: String,
    /// Stream of the facts; made when the first one is put.
    pub fact_stream: String,
    /// Connections that readers share.
    pub connections: usize,
    /// Replicas of a stream that is created.
    pub replicas: usize,
    /// Seconds for which the log knows an event id again.
    pub duplicate_window_seconds: u64,
    /// Seconds after which events leave the log; 0: never.
    pub max_age_seconds: u64,
    /// Bytes of the stream at most; 0: no limit.
    pub max_bytes: u64,
    /// Events that one message of the log may hold.
    pub block_events: u16,
    /// Records on their way to each reader at most.
    pub reader_records: usize,
    /// Milliseconds that one request or acknowledgement may take.
    pub timeout_ms: u64,
    /// File with the JWT and the seed of a user; empty: none.
    pub credentials_file: String,
    /// File with the seed of an nkey; empty: none.
    pub nkey_file: String,
    /// File with the certificates that servers must show; empty: those that the system trusts.
    pub ca_file: String,
    /// File with the certificate that this client shows, and its key; empty: none.
    pub certificate_file: String,
    /// File with the key of the certificate.
    pub key_file: String,
    /// Whether TLS is spoken from the first byte on.
    pub tls_first: bool,
}

impl Default for NatsSection {
    fn default() -> Self {
        let settings = NatsSettings::default();
        Self {
            url: SecretUrl::new(settings.url),
            stream: settings.stream,
            subject_prefix: settings.subject_prefix,
            dead_letter_stream: settings.dead_letter_stream,
            catalogue_bucket: settings.catalogue_bucket,
            nodes_bucket: settings.nodes_bucket,
            remediation_stream: settings.remediation_stream,
            fact_stream: settings.fact_stream,
            connections: settings.connections,
            replicas: settings.replicas,
            duplicate_window_seconds: settings.duplicate_window_seconds,
            max_age_seconds: settings.max_age_seconds,
            max_bytes: settings.max_bytes,
            block_events: settings.block_events,
            reader_records: settings.reader_records,
            timeout_ms: settings.timeout_ms,
            credentials_file: settings.credentials_file,
            nkey_file: settings.nkey_file,
            ca_file: settings.ca_file,
            certificate_file: settings.certificate_file,
            key_file: settings.key_file,
            tls_first: settings.tls_first,
        }
    }
}

/// `[redis]`: the store of the cluster backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSection {
    /// URL; of a cluster, that of one node or of several, separated by commas.
    pub url: SecretUrl,
    /// Whether it is a Redis Cluster.
    pub cluster: bool,
    /// Start of all keys.
    pub key_prefix: String,
    /// Milliseconds after which a command counts as failed.
    pub timeout_ms: u64,
    /// File with the certificates that the server must show; empty: those that the system trusts.
    pub ca_file: String,
    /// File with the certificate that this client shows; empty: none.
    pub certificate_file: String,
    /// File with the key of the certificate.
    pub key_file: String,
}

impl Default for RedisSection {
    fn default() -> Self {
        let RedisSettings { url, cluster, key_prefix, timeout_ms, ca_file, certificate_file, key_file } =
            RedisSettings::default();
        Self {
            url: SecretUrl::new(url),
            cluster,
            key_prefix,
            timeout_ms,
            ca_file,
            certificate_file,
            key_file,
        }
    }
}

/// `[http]`: the public listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSection {
    /// IP address and port; port 0: any free one.
    pub address: String,
    /// Threads that serve; 0: one per core.
    pub workers: usize,
    /// Bytes of a request's body at most.
    pub max_body_bytes: usize,
    /// Bytes of all bodies that are being received or worked on at most; more are turned away with 429.
    pub max_bodies_bytes: usize,
    /// Events or titles of one request at most.
    pub max_events_per_request: usize,
    /// Titles of one answer at most.
    pub max_limit: usize,
    /// Titles of one answer, if the caller does not say.
    pub default_limit: usize,
    /// Connections per thread at most; more wait.
    pub max_connections: usize,
    /// Milliseconds for a request's head to arrive.
    pub head_timeout_ms: u64,
    /// Milliseconds for a request's body to arrive.
    pub body_timeout_ms: u64,
    /// Seconds for which an idle connection is kept, and one whose client takes nothing of its answer.
    pub keep_alive_seconds: u64,
    /// Queries of members answered at once; more are turned away with 429.
    pub max_queries_under_way: usize,
    /// Seconds for open requests to end when the program stops.
    pub shutdown_seconds: u64,
    /// Titles that one paging session gives at most.
    pub session_titles: usize,
    /// Seconds after which a paging session's cursors are refused.
    pub session_seconds: u64,
    /// Evaluation steps that the filter and the boost of one request may take together.
    pub expression_steps: u64,
    /// Compiled filters and boosts that are kept.
    pub compiled_expressions: usize,
    /// Origins of pages that may call from a browser (CORS), separated by commas; empty: none.
    pub cors_origins: String,
    /// Names under which it may be called, separated by commas, beside localhost and any address, where it is on loopback and no
    /// keys are asked for.
    pub hosts: String,
    /// PEM file of the certificate, followed by those that it was signed with; empty: plain HTTP.
    pub certificate_file: String,
    /// PEM file of its key.
    pub key_file: String,
}

impl HttpSection {
    /// The origins that may call from a browser.
    pub fn named_origins(&self) -> impl Iterator<Item = &str> {
        self.cors_origins.split(',').map(str::trim).filter(|origin| !origin.is_empty())
    }
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:7700".to_owned(),
            workers: 0,
            max_body_bytes: 8 * 1_024 * 1_024,
            max_bodies_bytes: 128 * 1_024 * 1_024,
            max_events_per_request: 10_000,
            max_limit: 200,
            default_limit: 20,
            max_connections: 10_000,
            head_timeout_ms: 5_000,
            body_timeout_ms: 15_000,
            keep_alive_seconds: 60,
            max_queries_under_way: 1_024,
            shutdown_seconds: 10,
            session_titles: 1_000,
            session_seconds: 3_600,
            expression_steps: 2_000_000,
            compiled_expressions: 256,
            cors_origins: String::new(),
            hosts: String::new(),
            certificate_file: String::new(),
            key_file: String::new(),
        }
    }
}

/// `[admin]`: the operators' listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSection {
    /// Whether there is one.
    pub enabled: bool,
    /// IP address and port; port 0: any free one.
    pub address: String,
    /// Names under which it may be called, separated by commas, beside localhost and any address.
    pub hosts: String,
    /// File of the audit log; empty: memory and log lines alone.
    pub audit_file: String,
    /// Bytes of that file and the one before, at most.
    pub audit_bytes: u64,
    /// PEM file of the certificate, followed by those that it was signed with; empty: plain HTTP.
    pub certificate_file: String,
    /// PEM file of its key.
    pub key_file: String,
}

impl Default for AdminSection {
    fn default() -> Self {
        Self {
            enabled: true,
            address: "127.0.0.1:7701".to_owned(),
            hosts: String::new(),
            audit_file: String::new(),
            audit_bytes: 10 * 1_024 * 1_024,
            certificate_file: String::new(),
            key_file: String::new(),
        }
    }
}
