//! Redis restarts, loses replies, runs out of memory, holds what is not ours.

use crate::{DEADLINE, RETRY, soon, until_available, until_written};
use nearline_backends::redis::{RedisSettings, RedisStore};
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::quarantine::Quarantined;
use nearline_model::symbols::Symbol;
use nearline_model::{Commit, Delta, PartitionId};
use nearline_ports::{
    AggregatesSnapshot, OutboxEntry, PartitionFaults, PortError, QuarantineStore, StateStore,
};
use nearline_servers::RedisServer;
use std::sync::Arc;
use std::time::Instant;

pub const P1: PartitionId = PartitionId(1);
pub const SETTINGS: &str = "{\"s\":1}";

pub async fn store(redis: &RedisServer, timeout_ms: u64) -> RedisStore {
    let settings = RedisSettings { url: redis.url(), timeout_ms, ..RedisSettings::default() };
    nearline_backends::redis::connect(settings, 4).await.expect("connected")
}

/// A connection as an operator has it.
pub async fn operator(redis: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(redis.url()).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("connected")
}

async fn command(connection: &mut redis::aio::MultiplexedConnection, words: &str) -> redis::Value {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    for word in words {
        command.arg(word);
    }
    command.query_async(connection).await.expect("Redis does it")
}

pub fn commit(
    partition: PartitionId,
    epoch: OwnerEpoch,
    expected: Position,
    position: Position,
) -> Arc<Commit> {
    let delta = Delta { partition, after: expected, position, ..Delta::default() };
    Arc::new(Commit {
        partition,
        epoch,
        expected,
        position,
        mark: None,
        members: vec![("ann".into(), format!("ann at {position}").into())],
        first_symbol: if expected.is_start() { 1 } else { 2 },
        symbols: if expected.is_start() { vec!["first".into()] } else { Vec::new() },
        fold_state: Vec::new(),
        stepped_over: Vec::new(),
        facts: Vec::new(),
        delta: Arc::new(delta),
        delta_bytes: format!("delta {position}").into(),
    })
}

pub async fn outbox_positions(store: &RedisStore, partition: PartitionId) -> Vec<u64> {
    let entries: Vec<OutboxEntry> = store.outbox(partition, Position::START, 100).await.expect("the outbox");
    entries.iter().map(|entry| entry.position.0).collect()
}

async fn ann(store: &RedisStore, partition: PartitionId) -> Option<String> {
    let found =
        until_available("ann", || async { store.load_members(partition, &["ann".into()]).await }).await;
    found[0].as_ref().map(|form| String::from_utf8_lossy(form).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_serves_what_it_acknowledged_after_a_restart_and_the_same_handle_commits_on() {
    let mut redis = RedisServer::start().expect("a Redis server");
    let store = store(&redis, 2_000).await;
    let epoch = store.acquire(P1, "log", SETTINGS).await.expect("acquired").epoch;
    store.commit(commit(P1, epoch, Position::START, Position(10))).await.expect("committed");
    let mut operator = operator(&redis).await;
    until_written(&mut operator).await;
    redis.stop();
    let away = soon("answer", store.commit(commit(P1, epoch, Position(10), Position(20)))).await;
    assert!(away.as_ref().is_err_and(PortError::is_transient), "{away:?}");
    redis.restart().expect("Redis is back");
    assert_eq!(ann(&store, P1).await.as_deref(), Some("ann at 10"));
    until_available("commit", || store.commit(commit(P1, epoch, Position(10), Position(20)))).await;
    assert_eq!(ann(&store, P1).await.as_deref(), Some("ann at 20"));
    assert_eq!(outbox_positions(&store, P1).await, [10, 20]);
    let acquired = store.acquire(P1, "log", "{}").await.expect("acquired");
    assert!(acquired.epoch > epoch && acquired.position == Position(20), "{acquired:?}");
    assert_eq!(acquired.settings.as_deref(), Some(SETTINGS));
    assert_eq!(acquired.symbols, [Arc::<str>::from("first")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_reply_was_lost_is_a_success_when_repeated() {
    let redis = RedisServer::start().expect("a Redis server");
    let store = store(&redis, 300).await;
    let epoch = store.acquire(P1, "log", SETTINGS).await.expect("acquired").epoch;
    // The script is loaded with the first commit; a request to load it would do nothing if it came late.
    store.commit(commit(P1, epoch, Position::START, Position(10))).await.expect("committed");
    let (mut operator, mut asking) = (operator(&redis).await, operator(&redis).await);
    // Redis does nothing else for a while: commands wait in their sockets, also those given up on.
    let busy = tokio::spawn(async move {
        const BUSY: &str =
            "local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
            local from = now() while now() < from + 1500 do end";
        redis::cmd("EVAL").arg(BUSY).arg(0).query_async::<()>(&mut operator).await
    });
    let deadline = Instant::now() + DEADLINE;
    while tokio::time::timeout(5 * RETRY, command(&mut asking, "PING")).await.is_ok() {
        assert!(Instant::now() < deadline, "Redis is never busy");
    }
    let lost = store.commit(commit(P1, epoch, Position(10), Position(20))).await;
    assert!(lost.as_ref().is_err_and(PortError::is_transient), "{lost:?}");
    // Its own reply may have been lost too.
    let _ = busy.await.expect("no panic");
    // It is carried out later, when nobody waits for it any more.
    while until_available("position", || store.position(P1)).await != Position(20) {
        assert!(Instant::now() < deadline, "the commit was not carried out");
        tokio::time::sleep(RETRY).await;
    }
    until_available("repeated commit", || store.commit(commit(P1, epoch, Position(10), Position(20)))).await;
    store.commit(commit(P1, epoch, Position(20), Position(30))).await.expect("the next commit");
    assert_eq!(outbox_positions(&store, P1).await, [10, 20, 30]);
    assert_eq!(store.symbols(P1).await.expect("symbols"), [Arc::<str>::from("first")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_without_memory_is_unavailable_and_nothing_is_half_written() {
    let redis = RedisServer::start().expect("a Redis server");
    let store = store(&redis, 2_000).await;
    let epoch = store.acquire(P1, "log", SETTINGS).await.expect("acquired").epoch;
    store.commit(commit(P1, epoch, Position::START, Position(10))).await.expect("committed");
    let mut operator = operator(&redis).await;
    command(&mut operator, "CONFIG SET maxmemory-policy noeviction").await;
    command(&mut operator, "CONFIG SET maxmemory 1mb").await;
    let full = store.commit(commit(P1, epoch, Position(10), Position(20))).await;
    match &full {
        Err(PortError::Unavailable { what, detail }) => {
            assert!(what.contains("Redis at 127.0.0.1:") && detail.contains("OOM"), "{what}: {detail}");
        }
        other => panic!("{other:?}"),
    }
    let acquired = store.acquire(P1, "log", SETTINGS).await;
    assert!(acquired.as_ref().is_err_and(PortError::is_transient), "{acquired:?}");
    let crash = Quarantined::new(Position(30), 3, "crash", 1);
    let snapshot = || AggregatesSnapshot {
        positions: vec![Position::START, Position(5), Position::START, Position::START],
        bytes: "sums".into(),
    };
    let saved = store.save_aggregates(snapshot(), 0).await.map(drop);
    for refused in [store.quarantine(P1, epoch, &crash).await, saved] {
        assert!(refused.as_ref().is_err_and(PortError::is_transient), "{refused:?}");
    }
    assert_eq!(ann(&store, P1).await.as_deref(), Some("ann at 10"), "reads go on");
    assert_eq!(outbox_positions(&store, P1).await, [10]);
    assert_eq!(store.load_aggregates().await.expect("loaded"), None);
    assert_eq!(store.troubles(P1).await.expect("read"), PartitionFaults::default());
    command(&mut operator, "CONFIG SET maxmemory 0").await;
    store.quarantine(P1, epoch, &crash).await.expect("there is room again");
    store.save_aggregates(snapshot(), 0).await.expect("there is room again");
    store.commit(commit(P1, epoch, Position(10), Position(20))).await.expect("there is room again");
    assert_eq!(ann(&store, P1).await.as_deref(), Some("ann at 20"));
    assert_eq!(outbox_positions(&store, P1).await, [10, 20]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fills_the_last_memory_is_stored_whole_or_not_at_all() {
    let redis = RedisServer::start().expect("a Redis server");
    let store = store(&redis, 2_000).await;
    let epoch = store.acquire(P1, "log", SETTINGS).await.expect("acquired").epoch;
    store.commit(commit(P1, epoch, Position::START, Position(10))).await.expect("committed");
    let mut operator = operator(&redis).await;
    command(&mut operator, "CONFIG SET maxmemory-policy noeviction").await;
    let names: Vec<Box<str>> = (0..5_000).map(|n| format!("member-{n}").into()).collect();
    // From no room at all to more than enough, in steps smaller than the commit.
    for (step, room) in (0..=12_u64).map(|step| (step, step * 512 * 1024)) {
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut operator).await.expect("INFO");
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("told");
        let limit = used.trim().parse::<u64>().expect("a number") + room;
        command(&mut operator, &format!("CONFIG SET maxmemory {limit}")).await;
        let expected = store.position(P1).await.expect("peeked");
        let mut large = Arc::unwrap_or_clone(commit(P1, epoch, expected, expected.further(10)));
        let form = vec![b'a' + u8::try_from(step).expect("few"); 600];
        large.members = names.iter().map(|name| (name.clone(), form.clone().into())).collect();
        let outcome = store.commit(Arc::new(large)).await;
        let found = store.load_members(P1, &names).await.expect("loaded");
        let of_this = found.iter().flatten().filter(|stored| stored[..] == form[..]).count();
        let position = store.position(P1).await.expect("peeked");
        match outcome {
            Ok(()) => assert_eq!((position, of_this), (expected.further(10), names.len())),
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                assert_eq!((position, of_this), (expected, 0), "{error}");
            }
        }
    }
    let position = store.position(P1).await.expect("peeked");
    assert!(position > Position(10), "with room enough it is stored");
    assert_eq!(outbox_positions(&store, P1).await.last(), Some(&position.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_type_is_reported_as_damage_with_its_name() {
    let redis = RedisServer::start().expect("a Redis server");
    let store = store(&redis, 2_000).await;
    let mut operator = operator(&redis).await;
    fn names<T>(outcome: Result<T, PortError>, key: &str, doing: &str) {
        match outcome.map(|_| ()) {
            Err(error @ PortError::Damaged { .. }) => {
                let text = error.to_string();
                assert!(text.contains(&format!("key {key} is a string")), "{doing}: {text}");
                assert_eq!(text.matches(" is a ").count(), 1, "{doing} blames others: {text}");
            }
            other => panic!("{doing} with {key} misused: {other:?}"),
        }
    }
    for (number, part) in ["meta", "members", "symbols", "outbox"].into_iter().enumerate() {
        let partition = PartitionId(number as u16);
        let epoch = store.acquire(partition, "log", SETTINGS).await.expect("acquired").epoch;
        store.commit(commit(partition, epoch, Position::START, Position(10))).await.expect("committed");
        let key = format!("nl:{{{partition}}}:{part}");
        command(&mut operator, &format!("SET {key} something")).await;
        names(store.commit(commit(partition, epoch, Position(10), Position(20))).await, &key, "commit");
        match part {
            "meta" => {
                names(store.acquire(partition, "log", SETTINGS).await, &key, "acquire");
                names(store.position(partition).await, &key, "position");
            }
            "symbols" => {
                names(store.acquire(partition, "log", SETTINGS).await, &key, "acquire");
                names(store.symbols(partition).await, &key, "symbols");
                names(store.names(partition, &[Symbol(1)]).await, &key, "names");
            }
            "members" => {
                names(store.load_members(partition, &["ann".into()]).await, &key, "load");
                names(store.scan_members(partition, 0).await, &key, "scan");
            }
            _ => names(store.outbox(partition, Position::START, 10).await, &key, "outbox"),
        }
        if part != "meta" {
            let position: String = redis::cmd("HGET")
                .arg(format!("nl:{{{partition}}}:meta"))
                .arg("position")
                .query_async(&mut operator)
                .await
                .expect("the position");
            assert_eq!(position, "10", "nothing of the refused commit is written");
        }
    }
    command(&mut operator, "SET nl:aggregates something").await;
    names(store.load_aggregates().await, "nl:aggregates", "aggregates");
}
