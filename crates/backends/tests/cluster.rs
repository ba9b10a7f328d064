//! What only real servers can show: outages, restarts, gaps, clients that are not ours.

#[path = "cluster/access.rs"]
mod access;
#[path = "cluster/authority.rs"]
mod authority;
#[path = "cluster/blocks.rs"]
mod blocks;
#[path = "cluster/cloud_events.rs"]
mod cloud_events;
#[path = "cluster/configured_servers.rs"]
mod configured_servers;
#[path = "cluster/forged_letters.rs"]
mod forged_letters;
#[path = "cluster/gaps.rs"]
mod gaps;
#[path = "cluster/log_identity.rs"]
mod log_identity;
#[path = "cluster/nats_cluster.rs"]
mod nats_cluster;
#[path = "cluster/nats_outage.rs"]
mod nats_outage;
#[path = "cluster/processes.rs"]
mod processes;
#[path = "cluster/redis_slots.rs"]
mod redis_slots;
#[path = "cluster/redis_snapshots.rs"]
mod redis_snapshots;
#[path = "cluster/redis_trouble.rs"]
mod redis_trouble;
#[path = "cluster/rights.rs"]
mod rights;
#[path = "cluster/rivals.rs"]
mod rivals;
#[path = "cluster/stream.rs"]
mod stream;

use bytes::Bytes;
use nearline_backends::nats::{NatsLog, NatsSettings};
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogReader, NewEvent, PortError};
use nearline_servers::NatsServer;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything that must happen may take.
const DEADLINE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(10);
const PARTITIONS: u16 = 4;
const TIMEOUT_MS: u64 = 1_500;

fn settings(nats: &NatsServer) -> NatsSettings {
    NatsSettings {
        url: nats.url(),
        partitions: PARTITIONS,
        timeout_ms: TIMEOUT_MS,
        ..NatsSettings::default()
    }
}

async fn connect(nats: &NatsServer) -> NatsLog {
    nearline_backends::nats::connect(settings(nats)).await.expect("connected").log
}

/// JetStream as a client that knows nothing of Nearline uses it.
async fn stock_client(nats: &NatsServer) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(nats.url()).await.expect("a stock client"))
}

/// The outcome of `future`, which must come before the deadline.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("no {what} after {DEADLINE:?}"),
    }
}

/// Tries until it is there again; any other failure than an absence is one.
async fn until_available<T, F>(what: &str, mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, PortError>>,
{
    let deadline = Instant::now() + DEADLINE;
    loop {
        match attempt().await {
            Ok(outcome) => return outcome,
            Err(error) => {
                assert!(error.is_transient(), "{what}: {error}");
                assert!(Instant::now() < deadline, "{what}: still {error}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn events(prefix: &str, count: usize) -> Vec<NewEvent> {
    let event = |n| {
        let (id, member) = (format!("{prefix}{n}"), format!("m{}", n % 97));
        let payload = Bytes::from(format!("{{\"id\":\"{id}\",\"member\":\"{member}\"}}"));
        NewEvent { member, id, payload }
    };
    (0..count).map(event).collect()
}

/// Appends until all are acknowledged; what failed is tried again.
async fn append(log: &NatsLog, events: Vec<NewEvent>) -> Vec<Appended> {
    until_available("append", || async {
        let outcomes = log.append(events.clone()).await;
        outcomes.into_iter().collect()
    })
    .await
}

async fn open(log: &NatsLog, partition: PartitionId, after: Position) -> Box<dyn LogReader> {
    until_available("reader", || log.open_reader(partition, after)).await
}

/// Reads until `last` has come.
async fn read_to(reader: &mut dyn LogReader, last: Position) -> Vec<LogRecord> {
    try_to_read_to(reader, last).await.expect("a batch")
}

async fn try_to_read_to(reader: &mut dyn LogReader, last: Position) -> Result<Vec<LogRecord>, PortError> {
    let mut records: Vec<LogRecord> = Vec::new();
    while records.last().is_none_or(|record| record.position < last) {
        records.extend(soon("records", reader.next_batch(64)).await?);
    }
    Ok(records)
}

/// All that the log holds, partition by partition. While a stream has no leader its server answers that nobody is there, and a
/// reader ends: an engine opens another one, too.
async fn everything(log: &NatsLog) -> Vec<LogRecord> {
    let mut records = Vec::new();
    for partition in (0..PARTITIONS).map(PartitionId) {
        let read = until_available("records", || async {
            let last = log.bounds(partition).await?.last;
            if last.is_start() {
                return Ok(Vec::new());
            }
            try_to_read_to(log.open_reader(partition, Position::START).await?.as_mut(), last).await
        });
        records.extend(read.await);
    }
    records
}

fn payloads<'a>(of: impl Iterator<Item = &'a Bytes>) -> Vec<Bytes> {
    let mut payloads: Vec<Bytes> = of.cloned().collect();
    payloads.sort();
    payloads
}

/// Waits until Redis has written its append-only file up to its last command; gives what it says of it.
async fn until_written(operator: &mut redis::aio::MultiplexedConnection) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let info: String = redis::cmd("INFO").arg("persistence").query_async(operator).await.expect("INFO");
        let is_on_disk = ["aof_buffer_length:0", "aof_pending_bio_fsync:0"];
        if is_on_disk.iter().all(|line| info.lines().any(|found| found.trim() == *line)) {
            return info;
        }
        assert!(Instant::now() < deadline, "{info}");
        tokio::time::sleep(RETRY).await;
    }
}
