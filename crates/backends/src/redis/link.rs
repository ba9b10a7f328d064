//! One connection: to a single server, or to all masters of a Redis Cluster.

use super::RedisSettings;
use crate::tls::{Holds, check_file};
use nearline_ports::PortError;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisFuture,
    RedisResult, TlsCertificates, Value,
};
use std::time::Duration;

const RETRY_DELAY: Duration = Duration::from_millis(20);
const RETRY_DELAY_MAX: Duration = Duration::from_millis(200);
const RECONNECT_ATTEMPTS: usize = 4;
/// What a cluster answers with MOVED, ASK, TRYAGAIN, CLUSTERDOWN or LOADING is asked again by the client:
/// long enough for a slot to change hands, then the caller is told and asks again itself.
const CLUSTER_ATTEMPTS: u32 = 10;

/// Where to connect to.
pub(super) enum Target {
    Server(Box<redis::Client>),
    Cluster(Box<ClusterClient>),
}

impl Target {
    /// What the settings name, and how errors call it.
    pub(super) fn of(settings: &RedisSettings) -> Result<(Self, String), PortError> {
        let misconfigured = |detail: String| {
            PortError::Misconfigured(format!(
                "the URL of Redis cannot be used: {detail}; expected redis://HOST:PORT, or with redis.cluster \
                 several of them separated by commas; rediss:// speaks TLS"
            ))
        };
        let unusable = |error: redis::RedisError| misconfigured(error.to_string());
        let urls: Vec<&str> = settings.url.split(',').map(str::trim).collect();
        let infos: RedisResult<Vec<_>> = urls.iter().map(|url| url.into_connection_info()).collect();
        let infos = infos.map_err(unusable)?;
        let addresses: Vec<String> = infos.iter().map(|info| info.addr().to_string()).collect();
        let addresses = addresses.join(", ");
        let timeout = Duration::from_millis(settings.timeout_ms);
        let certificates = certificates(settings, &infos)?;
        if settings.cluster {
            if infos.iter().any(|info| info.redis_settings().db() != 0) {
                return Err(misconfigured("a Redis Cluster has database 0 only".into()));
            }
            let client = ClusterClient::builder(infos)
                .retries(CLUSTER_ATTEMPTS)
                .min_retry_wait(RETRY_DELAY.as_millis() as u64)
                .max_retry_wait(RETRY_DELAY_MAX.as_millis() as u64)
                .connection_timeout(timeout)
                .response_timeout(timeout)
                .tcp_settings(tcp_settings(timeout));
            let client = match certificates {
                Some(certificates) => client.certs(certificates),
                None => client,
            };
            let client = client.build().map_err(unusable)?;
            return Ok((Self::Cluster(Box::new(client)), format!("Redis Cluster at {addresses}")));
        }
        match <[_; 1]>::try_from(infos) {
            Ok([info]) => {
                let info = info.set_tcp_settings(tcp_settings(timeout));
                let client = match certificates {
                    Some(certificates) => redis::Client::build_with_tls(info, certificates),
                    None => redis::Client::open(info),
                };
                let client = client.map_err(unusable)?;
                Ok((Self::Server(Box::new(client)), format!("Redis at {addresses}")))
            }
            Err(infos) => {
                Err(misconfigured(format!("it names {} servers, but redis.cluster is not set", infos.len())))
            }
        }
    }

    /// A connection that is made anew by itself when it breaks.
    pub(super) async fn connect(&self, timeout: Duration) -> RedisResult<Link> {
        match self {
            Self::Server(client) => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(timeout))
                    .set_response_timeout(Some(timeout))
                    .set_min_delay(RETRY_DELAY)
                    .set_max_delay(RETRY_DELAY_MAX)
                    .set_number_of_retries(RECONNECT_ATTEMPTS);
                let manager = ConnectionManager::new_with_config((**client).clone(), config).await?;
                Ok(Link::Server(manager))
            }
            Self::Cluster(client) => {
                // The client asks node after node; one that hangs must not hold the start up for good.
                let connecting = tokio::time::timeout(timeout * 2, client.get_async_connection());
                let connected = connecting.await.map_err(|_| {
                    std::io::Error::new(std::io::ErrorKind::TimedOut, "no node answered in time")
                })?;
                connected.map(Link::Cluster)
            }
        }
    }
}

/// What TLS is spoken with, where the URLs ask for it.
fn certificates(
    settings: &RedisSettings,
    infos: &[ConnectionInfo],
) -> Result<Option<TlsCertificates>, PortError> {
    let RedisSettings { ca_file, certificate_file, key_file, .. } = settings;
    let misconfigured = |detail: String| Err(PortError::Misconfigured(detail));
    let is_tls = |info: &ConnectionInfo| matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    if !infos.iter().any(is_tls) {
        if [ca_file, certificate_file, key_file].iter().any(|file| !file.is_empty()) {
            return misconfigured(
                "redis.ca_file, redis.certificate_file and redis.key_file are for TLS: write redis.url as \
                 rediss://HOST:PORT"
                    .into(),
            );
        }
        return Ok(None);
    }
    if !infos.iter().all(is_tls) {
        return misconfigured(
            "redis.url names nodes with TLS and without: write all of them as rediss://".into(),
        );
    }
    crate::tls::choose_provider();
    if certificate_file.is_empty() != key_file.is_empty() {
        return misconfigured(
            "redis.certificate_file and redis.key_file belong together: give both or none".into(),
        );
    }
    let read = |key: &str, file: &String, holds| {
        if file.is_empty() {
            return Ok(None);
        }
        let bytes = std::fs::read(file)
            .map_err(|error| PortError::Misconfigured(format!("{key}: {file} cannot be read: {error}")))?;
        check_file(key, file, holds, &bytes).map(|()| Some(bytes))
    };
    let root_cert = read("redis.ca_file", ca_file, Holds::Certificates)?;
    let client_cert = read("redis.certificate_file", certificate_file, Holds::Certificates)?;
    let client_key = read("redis.key_file", key_file, Holds::Key)?;
    let client_tls = client_cert
        .zip(client_key)
        .map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    Ok(Some(TlsCertificates { client_tls, root_cert }))
}

/// A connection that commands are sent on.
#[derive(Clone)]
pub(super) enum Link {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Link {
    /// Whether a single server turns out to be a node of a cluster; false if it does not say.
    pub(super) async fn is_misused_node(&mut self) -> bool {
        match self {
            Self::Server(manager) => {
                let info = redis::cmd("INFO").arg("cluster").query_async::<String>(manager).await;
                info.is_ok_and(|info| info.contains("cluster_enabled:1"))
            }
            Self::Cluster(_) => false,
        }
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(manager) => manager.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(manager) => manager.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(manager) => manager.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// A machine that vanished acknowledges nothing: the connection to it ends after `timeout`, instead of after
/// the quarter of an hour that the system would wait, and the next one goes to whoever took over.
#[cfg_attr(not(target_os = "linux"), allow(unused_variables))]
fn tcp_settings(timeout: Duration) -> TcpSettings {
    let settings = TcpSettings::default();
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(timeout);
    settings
}
