//! The clustered backend: the log, dead letters, catalogue and nodes in NATS JetStream, state in Redis.

use crate::nats::NatsSettings;
use crate::redis::RedisSettings;
use futures_util::future::BoxFuture;
use nearline_ports::{PortError, Ports, SystemClock};
use std::sync::Arc;

/// Connects to both servers and gives all ports of the engine. The future is boxed, so that both clients are
/// compiled into this crate alone.
///
/// # Errors
/// [`PortError::Unavailable`] if a server cannot be reached, [`PortError::Misconfigured`] if what is
/// there does not fit the settings.
pub fn connect_cluster(
    nats: NatsSettings,
    redis: RedisSettings,
) -> BoxFuture<'static, Result<Ports, PortError>> {
    Box::pin(async move {
        let partitions = nats.partitions;
        let nats = crate::nats::connect(nats).await?;
        let store = Arc::new(crate::redis::connect(redis, partitions).await?);
        Ok(Ports {
            clock: Arc::new(SystemClock),
            log: Arc::new(nats.log),
            store: store.clone(),
            dead_letters: Arc::new(nats.dead_letters),
            catalogue: Arc::new(nats.catalogue),
            membership: Arc::new(nats.membership),
            quarantine: store,
            remediations: Arc::new(nats.remediations),
        })
    })
}
