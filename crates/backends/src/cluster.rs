//! The clustered backend: the log, dead letters, catalogue and nodes in NATS JetStream, state in Redis.

use crate::nats::Followed;
use crate::nats::NatsSettings;
use crate::redis::RedisSettings;
use crate::threads::SystemThreads;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use nearline_model::{PartitionId, Position};
use nearline_ports::finding::{Finding, Verdict};
use nearline_ports::{EventLog, PortError, Ports, StateStore, SystemClock};
use std::sync::Arc;

/// Partitions whose state is asked for at the same time.
const PARTITIONS_AT_ONCE: usize = 32;

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
        let store = Arc::new(crate::redis::connect(redis, partitions).await?);
        let followed = followed(&*store, partitions).await?;
        let folded = followed.identity.clone();
        let nats = crate::nats::connect_following(nats, followed, Some(store.clone())).await?;
        if let Some(folded) = folded
            && folded != nats.log.identity()
        {
            let log = nats.log.identity();
            return Err(PortError::foreign_log("Redis", PartitionId(0), &folded, log));
        }
        Ok(Ports {
            clock: Arc::new(SystemClock),
            threads: Arc::new(SystemThreads),
            log: Arc::new(nats.log),
            event_requests: Some(Arc::new(nats.event_requests)),
            store: store.clone(),
            dead_letters: Arc::new(nats.dead_letters),
            facts: Arc::new(nats.facts),
            catalogue: Arc::new(nats.catalogue),
            membership: Arc::new(nats.membership),
            quarantine: store,
            remediations: Arc::new(nats.remediations),
        })
    })
}

/// Looks at both servers, without changing anything. Where everything fits and there is state, also how the engine would start
/// with it: the ports to look further, if it would.
pub async fn examine(
    nats: NatsSettings,
    redis: RedisSettings,
    event_bytes: usize,
) -> (Vec<Finding>, Option<Ports>) {
    let partitions = nats.partitions;
    let looking =
        (crate::nats::examine(nats.clone(), event_bytes), crate::redis::examine(redis.clone(), partitions));
    let ((mut findings, missing), more) = futures_util::future::join(looking.0, looking.1).await;
    findings.extend(more);
    if findings.iter().any(|finding| finding.verdict == Verdict::Fail) {
        return (findings, None);
    }
    // Where nothing is folded yet, a start makes what is missing.
    let stored = match crate::redis::connect(redis.clone(), partitions).await {
        Ok(store) => followed(&store, partitions).await,
        Err(error) => Err(error),
    };
    let ports = match stored {
        Ok(Followed { identity: None, .. }) => return (findings, None),
        // A start would make it, or refuse to: not this.
        Ok(_) if !missing.is_empty() => Err(PortError::Misconfigured(format!(
            "Redis holds state, and {} is gone from NATS: restore it, or give the engines an empty store (another redis.key_prefix)",
            missing.join(", ")
        ))),
        Ok(_) => connect_cluster(nats, redis).await,
        Err(error) => Err(error),
    };
    let advice = "do what the message says: until then the engine does not start";
    match ports {
        Ok(ports) => (findings, Some(ports)),
        Err(error) => {
            findings.push(Finding::fail("start", error.to_string(), advice));
            (findings, None)
        }
    }
}

/// What the store has of the log that it was folded from.
async fn followed(store: &impl StateStore, partitions: u16) -> Result<Followed, PortError> {
    let row = |partition| async move {
        let partition = PartitionId(partition);
        Ok::<_, PortError>((store.folded_log(partition).await?, store.position(partition).await?))
    };
    let rows: Vec<_> = (0..partitions).map(row).collect();
    let rows: Vec<(Option<String>, Position)> =
        stream::iter(rows).buffered(PARTITIONS_AT_ONCE).try_collect().await?;
    let identity = rows.iter().find_map(|(identity, _)| identity.clone());
    if let Some((partition, (Some(other), _))) =
        (0..).map(PartitionId).zip(&rows).find(|(_, (folded, _))| folded.is_some() && *folded != identity)
    {
        return Err(PortError::foreign_log(
            "Redis",
            partition,
            other,
            identity.as_deref().unwrap_or_default(),
        ));
    }
    Ok(Followed { identity, positions: rows.into_iter().map(|(_, position)| position).collect() })
}
