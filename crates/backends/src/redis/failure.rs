//! What an error of Redis means for whoever asked.

use super::link::Link;
use nearline_ports::PortError;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

/// What Redis says of a stream's entry that lies before its last one.
const OUT_OF_ORDER: &str = "ID specified in XADD";
/// What it says where a script does what its user may not: 7 and newer, and 6.
const DENIED_IN_A_SCRIPT: [&str; 2] = ["ACL failure in script", "The user executing the script can't"];

/// An error of Redis; if it is that a key is of another type than it should be, which one.
pub(super) struct Failure {
    error: RedisError,
    misused: Option<String>,
    /// Whether a cluster was asked, which moves keys by design.
    in_cluster: bool,
}

impl Failure {
    /// An answer that cannot be read.
    pub(super) fn of(error: RedisError) -> Self {
        Self { error, misused: None, in_cluster: false }
    }

    /// The port's error for it, of `doing` something to `what`.
    pub(super) fn describe(&self, what: &str, doing: &str) -> PortError {
        let Self { error, misused, in_cluster } = self;
        let (what, detail) = (what.to_owned(), format!("{doing}: {error}"));
        if let Some(misused) = misused {
            let detail = format!("{detail}; {misused}: written by another program? Name another key prefix");
            return PortError::Damaged { what, detail };
        }
        match error.kind() {
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => PortError::Damaged { what, detail },
            ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => {
                PortError::Misconfigured(format!("{what} refuses the configured access: {detail}"))
            }
            ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::CrossSlot) => {
                PortError::Misconfigured(format!("{what} refuses what Nearline does: {detail}"))
            }
            _ if DENIED_IN_A_SCRIPT.iter().any(|sign| error.to_string().contains(sign)) => {
                PortError::Misconfigured(format!("{what} refuses what Nearline does: {detail}"))
            }
            ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) if !in_cluster => {
                node_of_a_cluster(&what)
            }
            ErrorKind::Server(ServerErrorKind::ResponseError) if error.to_string().contains(OUT_OF_ORDER) => {
                let detail = format!(
                    "{detail}: the outbox is further than the partition's position, as where single keys were removed or \
                     restored; fold the log anew (`nearline refold`, every node stopped)"
                );
                PortError::Damaged { what, detail }
            }
            _ if error.to_string().contains("NOAUTH") => PortError::Misconfigured(format!(
                "{what} asks for a password, and redis.url has none: {detail}"
            )),
            // Out of memory, read only, loading, failing over, a slot on its way, slow, away: all pass.
            _ => PortError::Unavailable { what, detail },
        }
    }
}

/// A single server is configured, but there is a cluster.
pub(super) fn node_of_a_cluster(what: &str) -> PortError {
    PortError::Misconfigured(format!("{what} is a node of a Redis Cluster; set redis.cluster = true"))
}

/// Why connecting to `what` failed.
pub(super) fn not_connected(what: &str, error: &RedisError) -> PortError {
    let text = error.to_string();
    if text.contains("cluster support disabled") {
        return PortError::Misconfigured(format!(
            "{what} is no Redis Cluster but a single server; set redis.cluster = false"
        ));
    }
    if error.kind() == ErrorKind::AuthenticationFailed
        || ["NOAUTH", "WRONGPASS", "AuthenticationFailed"].iter().any(|sign| text.contains(sign))
    {
        return PortError::Misconfigured(format!(
            "{what} does not let this client in ({text}): correct user and password in redis.url"
        ));
    }
    PortError::Unavailable {
        what: what.to_owned(),
        detail: format!("connecting: {text}{}", crate::tls::hint("redis", &text)),
    }
}

/// Asks for the types of `keys` if one of them is of another type than the command needs: Redis does
/// not say which.
pub(super) async fn explain(
    outcome: Result<Value, RedisError>,
    mut link: Link,
    keys: impl FnOnce() -> Vec<String>,
) -> Result<Value, Failure> {
    let in_cluster = matches!(link, Link::Cluster(_));
    let error = match outcome {
        Ok(answer) => return Ok(answer),
        Err(error) if !error.to_string().contains("WRONGTYPE") => {
            return Err(Failure { error, misused: None, in_cluster });
        }
        Err(error) => error,
    };
    let mut misused = Vec::new();
    for key in keys() {
        let found: String = redis::cmd("TYPE").arg(&key).query_async(&mut link).await.unwrap_or_default();
        let expected = type_of(&key);
        if found != "none" && found != expected {
            misused.push(format!("key {key} is a {found}, not a {expected}"));
        }
    }
    Err(Failure { error, misused: Some(misused.join(", ")), in_cluster })
}

/// Type of the values that the adapter stores under `key`.
fn type_of(key: &str) -> &'static str {
    match key.rsplit(':').next() {
        Some("symbols") => "list",
        Some("outbox") => "stream",
        Some("tuning") => "string",
        _ => "hash",
    }
}
