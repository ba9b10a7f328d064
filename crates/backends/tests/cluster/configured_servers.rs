//! `config/nats.conf` and `config/redis.conf` are what they say.

use crate::{append, events, settings, stock_client};
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_model::Position;
use nearline_model::identifier::sequence_of;
use nearline_model::{Commit, Delta, PartitionId};
use nearline_ports::{EventLog, StateStore};
use nearline_servers::{NatsServer, RedisServer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const P0: PartitionId = PartitionId(0);

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_with_the_shipped_file_keeps_what_it_acknowledged() {
    let mut nats = NatsServer::start_with_file(&file("nats.conf")).expect("NATS takes the file");
    // As many partitions as the file's mapping has.
    let settings = NatsSettings { partitions: NatsSettings::default().partitions, ..settings(&nats) };
    let log = nearline_backends::nats::connect(settings).await.expect("connected").log;
    append(&log, events("e", 50)).await;
    nats.restart().expect("NATS is back");
    append(&log, events("more", 50)).await;
    let mut found = 0;
    for partition in (0..log.partitions()).map(PartitionId) {
        let last = log.bounds(partition).await.expect("bounds").last;
        found += sequence_of(last, partition, log.partitions()).unwrap_or(0);
    }
    assert_eq!(found, 100);
    let client = async_nats::connect(nats.url()).await.expect("a stock client");
    assert_eq!(client.server_info().max_payload, 1 << 20, "as the file says");
    let mut stream = stock_client(&nats).await.get_stream("EVENTS_p00").await.expect("the stream");
    let config = &stream.info().await.expect("its description").config;
    assert_eq!(config.storage, async_nats::jetstream::stream::StorageType::File);
    assert!(config.sources.is_none(), "the file's mapping leads straight into the log");
    assert!(stock_client(&nats).await.get_stream("EVENTS").await.is_err(), "and nothing is written twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_with_the_shipped_file_keeps_what_it_committed() {
    let mut redis = RedisServer::start_with_file(&file("redis.conf")).expect("Redis takes the file");
    let settings = RedisSettings { url: redis.url(), ..RedisSettings::default() };
    let store = nearline_backends::redis::connect(settings, 4).await.expect("connected");
    let epoch = store.acquire(P0, "log", "{}").await.expect("acquired").epoch;
    let commit = Commit {
        partition: P0,
        epoch,
        expected: Position::START,
        position: Position(7),
        mark: None,
        members: vec![("ann".into(), "ann at 7".into())],
        first_symbol: 1,
        symbols: vec!["first".into()],
        fold_state: Vec::new(),
        stepped_over: Vec::new(),
        facts: Vec::new(),
        delta: Arc::new(Delta {
            partition: P0,
            after: Position::START,
            position: Position(7),
            ..Delta::default()
        }),
        delta_bytes: "delta 7".into(),
    };
    store.commit(Arc::new(commit)).await.expect("committed");
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut operator = client.get_multiplexed_async_connection().await.expect("connected");
    for (name, expected) in [
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("aof-use-rdb-preamble", "yes"),
        ("aof-load-truncated", "yes"),
        ("maxmemory-policy", "noeviction"),
        ("save", ""),
    ] {
        let found: (String, String) = redis::cmd("CONFIG")
            .arg("GET")
            .arg(name)
            .query_async(&mut operator)
            .await
            .expect("Redis tells its configuration");
        assert_eq!(found, (name.to_owned(), expected.to_owned()));
    }
    // What is written is not lost with the process.
    let info = crate::until_written(&mut operator).await;
    redis.restart().expect("Redis is back");
    let kept = crate::until_available("position", || store.position(P0)).await;
    let symbols = crate::until_available("symbols", || store.symbols(P0)).await;
    assert_eq!((kept, symbols), (Position(7), vec![Arc::from("first")]), "{info}");
}
