//! A Redis Cluster: slots move, masters die.

use crate::{DEADLINE, RETRY, soon, until_available, until_written};
use nearline_backends::redis::{RedisSettings, RedisStore};
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::quarantine::Quarantined;
use nearline_model::{Commit, Delta, PartitionId};
use nearline_ports::{PortError, QuarantineStore, StateStore};
use nearline_servers::{RedisCluster, RedisServer};
use redis::aio::MultiplexedConnection;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

const P1: PartitionId = PartitionId(1);
const MASTERS: usize = 3;

fn settings(url: String, cluster: bool) -> RedisSettings {
    RedisSettings { url, cluster, timeout_ms: 2_000, ..RedisSettings::default() }
}

async fn store(redis: &RedisCluster) -> RedisStore {
    nearline_backends::redis::connect(settings(redis.url(), true), 4).await.expect("connected")
}

/// Each commit writes one member of its own, one that all commits write, and a symbol.
fn commit(epoch: OwnerEpoch, position: u64) -> Arc<Commit> {
    let expected = position - 1;
    let (own, form) = (format!("member-{position}"), position.to_string().into_bytes());
    Arc::new(Commit {
        partition: P1,
        epoch,
        expected: Position(expected),
        position: Position(position),
        mark: None,
        members: vec![("all".into(), form.clone().into()), (own.into(), form.into())],
        first_symbol: u32::try_from(position).expect("few commits"),
        symbols: vec![format!("symbol-{position}").into()],
        fold_state: Vec::new(),
        stepped_over: Vec::new(),
        facts: Vec::new(),
        delta: Arc::new(Delta {
            partition: P1,
            after: Position(expected),
            position: Position(position),
            ..Delta::default()
        }),
        delta_bytes: format!("delta {position}").into(),
    })
}

/// A node as CLUSTER SLOTS has it: address, port, id, and what else there is.
type Node = (String, u16, String, redis::Value);

/// The masters as an operator sees them.
struct Operator {
    masters: Vec<MultiplexedConnection>,
    ids: Vec<String>,
    ports: Vec<u16>,
    slot: u16,
}

impl Operator {
    async fn of(redis: &RedisCluster) -> Self {
        let (mut masters, mut ids) = (Vec::new(), Vec::new());
        for number in 0..MASTERS {
            let client = redis::Client::open(redis.master_url(number)).expect("a URL");
            let mut master = client.get_multiplexed_async_connection().await.expect("connected");
            ids.push(ask(&mut master, &["CLUSTER", "MYID"]).await);
            masters.push(master);
        }
        let key = format!("nl:{{{P1}}}:meta");
        let slot = ask(&mut masters[0], &["CLUSTER", "KEYSLOT", &key]).await;
        let ports = (0..MASTERS).map(|number| redis.port(number)).collect();
        Self { masters, ids, ports, slot }
    }

    /// The master that has the partition's slot.
    async fn owner(&mut self) -> usize {
        let slots: Vec<(u16, u16, Node)> = ask(&mut self.masters[0], &["CLUSTER", "SLOTS"]).await;
        let found = slots.iter().find(|(first, last, _)| (*first..=*last).contains(&self.slot));
        let id = &found.expect("every slot is served").2.2;
        self.ids.iter().position(|other| other == id).expect("one of ours")
    }

    /// Moves the partition's slot, key by key, as `redis-cli --cluster reshard` does. While it is under
    /// way, waits until `between` says that enough has happened.
    async fn move_slot(&mut self, from: usize, to: usize, between: impl AsyncFn()) {
        let slot = self.slot.to_string();
        let (from_id, to_id) = (self.ids[from].clone(), self.ids[to].clone());
        let set = |state: &str, id: &str| ["CLUSTER", "SETSLOT", &slot, state, id].map(String::from);
        let importing = set("IMPORTING", &from_id);
        let migrating = set("MIGRATING", &to_id);
        let node = set("NODE", &to_id);
        done(&mut self.masters[to], &importing).await;
        done(&mut self.masters[from], &migrating).await;
        between().await;
        loop {
            let keys: Vec<String> =
                ask(&mut self.masters[from], &["CLUSTER", "GETKEYSINSLOT", &slot, "1"]).await;
            let Some(key) = keys.first() else { break };
            let port = self.ports[to].to_string();
            let migrate = ["MIGRATE", "127.0.0.1", &port, key, "0", "5000"].map(String::from);
            done(&mut self.masters[from], &migrate).await;
            // Keys on both sides: what needs several of them has to wait.
            tokio::time::sleep(RETRY).await;
        }
        let others = (0..MASTERS).filter(|number| ![from, to].contains(number));
        for number in [to, from].into_iter().chain(others) {
            done(&mut self.masters[number], &node).await;
        }
    }
}

async fn ask<T: redis::FromRedisValue>(master: &mut MultiplexedConnection, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).query_async(master).await.expect("Redis answers")
}

async fn done(master: &mut MultiplexedConnection, words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    ask::<String>(master, &words).await;
}

async fn everything(store: &RedisStore) -> BTreeMap<String, String> {
    let (mut members, mut cursor) = (BTreeMap::new(), 0);
    loop {
        let (next, some) = store.scan_members(P1, cursor).await.expect("scanned");
        let text = |form: bytes::Bytes| String::from_utf8(form.to_vec()).expect("text");
        members.extend(some.into_iter().map(|(name, form)| (String::from(name), text(form))));
        cursor = next;
        if cursor == 0 {
            return members;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_go_on_while_the_slot_moves_and_nothing_is_lost_or_doubled() {
    let redis = RedisCluster::start(MASTERS).expect("a Redis Cluster");
    let store = Arc::new(store(&redis).await);
    let epoch = store.acquire(P1, "log", "{}").await.expect("acquired").epoch;
    let committed = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let owner = {
        let (store, committed, stop) = (store.clone(), committed.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(SeqCst) {
                let position = committed.load(SeqCst) + 1;
                let commit = || store.commit(commit(epoch, position));
                until_available("commit", commit).await;
                committed.store(position, SeqCst);
            }
        })
    };
    let some_commits = async || {
        let (from, begun) = (committed.load(SeqCst), Instant::now());
        while committed.load(SeqCst) < from + 20 {
            assert!(begun.elapsed() < DEADLINE, "commits do not go on");
            tokio::time::sleep(RETRY).await;
        }
    };
    let mut operator = Operator::of(&redis).await;
    for _ in 0..2 * MASTERS {
        some_commits().await;
        let from = operator.owner().await;
        operator.move_slot(from, (from + 1) % MASTERS, &some_commits).await;
        assert_eq!(operator.owner().await, (from + 1) % MASTERS);
    }
    some_commits().await;
    stop.store(true, SeqCst);
    soon("end of the commits", owner).await.expect("no commit failed for good");

    let last = committed.load(SeqCst);
    let position = store.position(P1).await.expect("a position");
    let symbols = store.symbols(P1).await.expect("symbols");
    assert_eq!((position, symbols.len() as u64), (Position(last), last));
    assert!(symbols.iter().zip(1..).all(|(symbol, n)| **symbol == *format!("symbol-{n}")));
    let outbox =
        store.outbox(P1, Position::START, usize::try_from(last).expect("few") + 1).await.expect("entries");
    let told: Vec<u64> = outbox.iter().map(|entry| entry.position.0).collect();
    assert_eq!(told, (1..=last).collect::<Vec<_>>());
    let mut expected: BTreeMap<String, String> =
        (1..=last).map(|n| (format!("member-{n}"), n.to_string())).collect();
    expected.insert("all".into(), last.to_string());
    assert_eq!(everything(&store).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_grow_and_fence_on_whichever_master_the_slot_is() {
    let redis = RedisCluster::start(MASTERS).expect("a Redis Cluster");
    let (ours, theirs) = (store(&redis).await, store(&redis).await);
    let mut operator = Operator::of(&redis).await;
    let mut epochs = vec![ours.acquire(P1, "log", "{}").await.expect("acquired").epoch];
    for position in 1..=MASTERS as u64 {
        let epoch = *epochs.last().expect("one");
        until_available("commit", || ours.commit(commit(epoch, position))).await;
        let from = operator.owner().await;
        operator.move_slot(from, (from + 1) % MASTERS, async || {}).await;
        // Another process takes over, on another master, which has none of the scripts.
        let acquired = until_available("epoch", || theirs.acquire(P1, "log", "{}")).await;
        assert_eq!(acquired.position, Position(position));
        epochs.push(acquired.epoch);
        let crash = Quarantined::new(Position(9), 3, "crash", 1);
        for refused in [
            until_answered(|| ours.commit(commit(epoch, position + 1))).await,
            until_answered(|| ours.commit(commit(epoch, position))).await,
            until_answered(|| ours.quarantine(P1, epoch, &crash)).await,
        ] {
            assert!(matches!(refused, Err(PortError::Fenced { .. })), "{refused:?}");
        }
    }
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
}

/// The first outcome that is not an absence.
async fn until_answered<F>(mut attempt: impl FnMut() -> F) -> Result<(), PortError>
where
    F: Future<Output = Result<(), PortError>>,
{
    let begun = Instant::now();
    loop {
        match attempt().await {
            Err(error) if error.is_transient() => {
                assert!(begun.elapsed() < DEADLINE, "still {error}");
                tokio::time::sleep(RETRY).await;
            }
            answer => return answer,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_master_is_away_its_partition_is_unavailable_and_goes_on_afterwards() {
    let mut redis = RedisCluster::start(MASTERS).expect("a Redis Cluster");
    let store = store(&redis).await;
    let epoch = store.acquire(P1, "log", "{}").await.expect("acquired").epoch;
    store.commit(commit(epoch, 1)).await.expect("committed");
    let mut operator = Operator::of(&redis).await;
    let owner = operator.owner().await;
    until_written(&mut operator.masters[owner]).await;
    redis.stop(owner);
    // At first nobody answers; when the others have noticed, they say CLUSTERDOWN.
    let begun = Instant::now();
    loop {
        let away = soon("answer", store.commit(commit(epoch, 2))).await;
        match &away {
            Err(PortError::Unavailable { what, .. }) => {
                assert!(what.starts_with("Redis Cluster at 127.0.0.1:"), "{what}");
            }
            other => panic!("{other:?}"),
        }
        if away.is_err_and(|error| error.to_string().to_lowercase().contains("cluster is down")) {
            break;
        }
        assert!(begun.elapsed() < DEADLINE, "the others never notice");
    }
    redis.restart(owner).expect("the master is back");
    until_available("commit", || store.commit(commit(epoch, 2))).await;
    let expected = [("all", "2"), ("member-1", "1"), ("member-2", "2")];
    let expected = expected.map(|(name, form)| (name.to_owned(), form.to_owned()));
    assert_eq!(everything(&store).await, BTreeMap::from(expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_taken_for_one_server_and_the_reverse_are_told_apart() {
    let (cluster, single) =
        (RedisCluster::start(MASTERS).expect("a Redis Cluster"), RedisServer::start().expect("a server"));
    let refused =
        async |url: String, cluster: bool| match nearline_backends::redis::connect(settings(url, cluster), 4)
            .await
        {
            Err(PortError::Misconfigured(text)) => text,
            other => panic!("{:?}", other.map(|_| ())),
        };
    let text = refused(cluster.master_url(0), false).await;
    assert!(text.contains("set redis.cluster = true"), "{text}");
    let text = refused(single.url(), true).await;
    assert!(text.contains("set redis.cluster = false"), "{text}");
    let text = refused(cluster.url(), false).await;
    assert!(text.contains("names 3 servers, but redis.cluster is not set"), "{text}");
    let text = refused(format!("{}/1", cluster.master_url(0)), true).await;
    assert!(text.contains("database 0 only"), "{text}");
    // One node is enough to find the others.
    let found = nearline_backends::redis::connect(settings(cluster.master_url(2), true), 4).await;
    let found = found.expect("connected");
    for partition in (0..4).map(PartitionId) {
        found.acquire(partition, "log", "{}").await.expect("acquired");
    }
}
