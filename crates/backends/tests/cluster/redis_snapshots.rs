//! What leaves the outbox as snapshots of the sums are stored, and what stays should either be lost.

use crate::redis_trouble::{P1, SETTINGS, commit, operator, outbox_positions, store};
use nearline_backends::redis::RedisStore;
use nearline_model::Position;
use nearline_ports::{AggregatesSnapshot, StateStore};
use nearline_servers::RedisServer;

/// Keys of [`P1`] that tell what is stored of it, and the one of the sums.
const PARTITION_KEYS: [&str; 2] = ["nl:{p01}:meta", "nl:{p01}:outbox"];
const SUMS_KEY: &str = "nl:aggregates";

/// A store with commits of [`P1`] up to 10, 20, 30, 40 and 50.
async fn committed(redis: &RedisServer) -> RedisStore {
    let store = store(redis, 2_000).await;
    let epoch = store.acquire(P1, "log", SETTINGS).await.expect("acquired").epoch;
    for last in (10..=50).step_by(10) {
        store.commit(commit(P1, epoch, Position(last - 10), Position(last))).await.expect("committed");
    }
    store
}

async fn save(store: &RedisStore, position: u64) {
    let positions = [0, position, 0, 0].map(Position).to_vec();
    assert!(
        store
            .save_aggregates(AggregatesSnapshot { positions, bytes: "sums".into() }, 0)
            .await
            .expect("asked"),
        "saved"
    );
}

/// What a key holds, to be put back.
async fn dump(redis: &RedisServer, key: &str) -> Vec<u8> {
    redis::cmd("DUMP").arg(key).query_async(&mut operator(redis).await).await.expect("dumped")
}

async fn put_back(redis: &RedisServer, key: &str, held: &[u8]) {
    let mut restore = redis::cmd("RESTORE");
    restore.arg(key).arg(0).arg(held).arg("REPLACE");
    restore.query_async::<()>(&mut operator(redis).await).await.expect("put back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_latest_snapshot_covers_is_still_in_the_outbox() {
    let redis = RedisServer::start().expect("a Redis server");
    let store = committed(&redis).await;
    for (saved, left) in [(10, 10), (20, 10), (40, 20), (50, 40), (50, 50)] {
        let before = match saved {
            10 => None,
            _ => Some(dump(&redis, SUMS_KEY).await),
        };
        save(&store, saved).await;
        assert_eq!(outbox_positions(&store, P1).await[0], left, "after a snapshot up to {saved}");
        // The node that held the sums is lost, with the last that it was told: what they lack is there.
        if let Some(before) = before {
            let stored = dump(&redis, SUMS_KEY).await;
            put_back(&redis, SUMS_KEY, &before).await;
            let covered = store.aggregates_positions().await.expect("asked").expect("one is stored")[1];
            assert!(covered.0 >= left, "{covered} is covered, the outbox begins at {left}");
            put_back(&redis, SUMS_KEY, &stored).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trim_that_reaches_a_partition_set_back_to_before_the_snapshot_takes_nothing() {
    let redis = RedisServer::start().expect("a Redis server");
    let store = committed(&redis).await;
    save(&store, 10).await;
    let (meta, outbox) = (dump(&redis, PARTITION_KEYS[0]).await, dump(&redis, PARTITION_KEYS[1]).await);
    save(&store, 30).await;
    for (key, held) in PARTITION_KEYS.iter().zip([&meta, &outbox]) {
        put_back(&redis, key, held).await;
    }
    save(&store, 40).await;
    assert_eq!(
        outbox_positions(&store, P1).await,
        [10, 20, 30, 40, 50],
        "it has not heard of the one up to 30"
    );
    save(&store, 50).await;
    assert_eq!(outbox_positions(&store, P1).await, [40, 50], "of the one up to 40 it has");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_was_prepared_before_an_owner_asked_where_the_stored_one_ends_is_not_stored() {
    let redis = RedisServer::start().expect("a Redis server");
    let store = committed(&redis).await;
    let snapshot = |position: u64| AggregatesSnapshot {
        positions: [0, position, 0, 0].map(Position).to_vec(),
        bytes: "sums".into(),
    };
    let end = || async { store.aggregates_end(P1).await.expect("asked") };
    let generation = store.aggregates_generation().await.expect("asked");
    assert_eq!(end().await, None);
    assert!(!store.save_aggregates(snapshot(10), generation).await.expect("asked"), "ignored");
    assert_eq!(store.load_aggregates().await.expect("loaded"), None);
    let generation = store.aggregates_generation().await.expect("asked");
    assert!(store.save_aggregates(snapshot(10), generation).await.expect("asked"), "saved");
    assert!(store.save_aggregates(snapshot(20), generation).await.expect("asked"), "saved");
    assert_eq!(end().await, Some(Position(20)));
    assert!(!store.save_aggregates(snapshot(30), generation).await.expect("asked"), "ignored");
    assert_eq!(store.load_aggregates().await.expect("loaded"), Some(snapshot(20)));

    // Nor where the store was set back in between, and as many asked after that as had before.
    let before = dump(&redis, SUMS_KEY).await;
    assert_eq!(end().await, Some(Position(20)));
    let generation = store.aggregates_generation().await.expect("asked");
    put_back(&redis, SUMS_KEY, &before).await;
    assert_eq!(end().await, Some(Position(20)));
    assert!(!store.save_aggregates(snapshot(40), generation).await.expect("asked"), "ignored");
}
