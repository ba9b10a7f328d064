//! Member state, offsets, symbols, the outbox and snapshots of the aggregates in Redis.
//!
//! All keys of a partition share the hash tag `{p07}`, so they lie in one slot of a Redis Cluster and a
//! commit is one script; the only other keys, of the aggregates and of what was chosen for the ranking, are each used alone. A script is atomic
//! and checks everything before its first write.

mod aggregates;
mod connection;
mod examine;
mod failure;
mod link;
mod quarantine;
mod scripts;
mod store;

pub use examine::examine;
pub use store::RedisStore;

use nearline_ports::PortError;
use serde::{Deserialize, Serialize};

/// Where Redis is and how its keys begin.
///
/// `Debug` shows no secret: the URL stands there without user and password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    /// The server, such as `redis://127.0.0.1:6379/0`; of a cluster one or more nodes, separated by
    /// commas: the others are found. `rediss://` speaks TLS.
    pub url: String,
    /// Whether it is a Redis Cluster.
    pub cluster: bool,
    /// First part of every key.
    pub key_prefix: String,
    /// Milliseconds that one command may take.
    pub timeout_ms: u64,
    /// File with the certificates (PEM) that the server must show, in place of those the system trusts; empty: none.
    pub ca_file: String,
    /// File with the certificate (PEM) that this client shows; empty: none.
    pub certificate_file: String,
    /// File with its key (PEM).
    pub key_file: String,
}

impl std::fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = serde_json::to_value(self).map_err(|_| std::fmt::Error)?;
        let hosts = self.url.split(',').map(|url| url.rsplit('@').next().unwrap_or_default().trim());
        shown["url"] = hosts.collect::<Vec<_>>().join(", ").into();
        write!(f, "RedisSettings {shown}")
    }
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".into(),
            cluster: false,
            key_prefix: "nl".into(),
            timeout_ms: 5_000,
            ca_file: String::new(),
            certificate_file: String::new(),
            key_file: String::new(),
        }
    }
}

/// Connects.
///
/// # Errors
/// [`PortError::Unavailable`] if the server cannot be reached, [`PortError::Misconfigured`] if the
/// URL cannot be used.
pub async fn connect(settings: RedisSettings, partitions: u16) -> Result<RedisStore, PortError> {
    RedisStore::connect(settings, partitions).await
}
