//! One connection: to a single server, or to all masters of a Redis Cluster.

use super::RedisSettings;
use nearline_ports::PortError;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{Cmd, IntoConnectionInfo, Pipeline, RedisFuture, RedisResult, Value};
use std::time::Duration;

const RETRY_DELAY: Duration = Duration::from_millis(20);
const RETRY_DELAY_MAX: Duration = Duration::from_millis(200);
const RECONNECT_ATTEMPTS: usize = 4;
/// What a cluster answers with MOVED, ASK, TRYAGAIN, CLUSTERDOWN or LOADING is asked again by the client:
/// long enough for a slot to change hands, then the caller is told and asks again itself.
const CLUSTER_ATTEMPTS: u32 = 10;

/// Where to connect to.
pub(super) enum Target {
    Server(redis::Client),
    Cluster(Box<ClusterClient>),
}

impl Target {
    /// What the settings name, and how errors call it.
    pub(super) fn of(settings: &RedisSettings) -> Result<(Self, String), PortError> {
        let misconfigured = |detail: String| {
            PortError::Misconfigured(format!(
                "the URL of Redis cannot be used: {detail}; expected redis://HOST:PORT, or with redis.cluster \
                 several of them separated by commas"
            ))
        };
        let unusable = |error: redis::RedisError| misconfigured(error.to_string());
        let urls: Vec<&str> = settings.url.split(',').map(str::trim).collect();
        let infos: RedisResult<Vec<_>> = urls.iter().map(|url| url.into_connection_info()).collect();
        let infos = infos.map_err(unusable)?;
        let addresses: Vec<String> = infos.iter().map(|info| info.addr().to_string()).collect();
        let addresses = addresses.join(", ");
        let timeout = Duration::from_millis(settings.timeout_ms);
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
                .tcp_settings(tcp_settings(timeout))
                .build();
            let client = client.map_err(unusable)?;
            return Ok((Self::Cluster(Box::new(client)), format!("Redis Cluster at {addresses}")));
        }
        match <[_; 1]>::try_from(infos) {
            Ok([info]) => {
                let info = info.set_tcp_settings(tcp_settings(timeout));
                let client = redis::Client::open(info).map_err(unusable)?;
                Ok((Self::Server(client), format!("Redis at {addresses}")))
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
                let manager = ConnectionManager::new_with_config(client.clone(), config).await?;
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
