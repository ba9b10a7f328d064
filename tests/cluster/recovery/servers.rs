//! Redis full, Redis set back, the log purged: what an engine does about each.

use crate::bed::{Bed, audience_events, copy, eventually, play, run};
use nearline_actors::{Engine, EngineSettings, PartitionState, Source};
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::identifier::sequence_of;
use nearline_servers::RedisServer;
use std::time::Instant;
use tempfile::TempDir;

/// Refused commits after which a partition that crashed on them would long have been restarted.
const REFUSALS: u64 = 60;

fn settings() -> EngineSettings {
    EngineSettings {
        commit_interval_ms: 50,
        snapshot_interval_ms: 200,
        query_deadline_ms: 200,
        ..EngineSettings::default()
    }
}

async fn operator(redis: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(redis.url()).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("connected")
}

async fn limit_memory(redis: &RedisServer, bytes: &str) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxmemory").arg(bytes).arg("maxmemory-policy").arg("noeviction");
    set.exec_async(&mut operator(redis).await).await.expect("set");
}

/// Commands that Redis refused for want of memory.
async fn refusals(operator: &mut redis::aio::MultiplexedConnection) -> u64 {
    let stats: String = redis::cmd("INFO").arg("errorstats").query_async(operator).await.expect("INFO");
    let of_memory = stats.lines().find_map(|line| line.strip_prefix("errorstat_OOM:count="));
    of_memory.map_or(0, |count| count.trim().parse().expect("a number"))
}

fn all_are(engine: &Engine, state: PartitionState) -> bool {
    engine.partitions().iter().all(|status| status.state == state)
}

async fn all_is_committed(engine: &Engine) {
    engine.caught_up().await.expect("caught up");
    let is_committed =
        || engine.partitions().iter().all(|status| status.lag == 0 && status.committed == status.folded);
    eventually("everything is committed", is_committed).await;
}

#[test]
fn while_redis_is_full_partitions_hold_and_afterwards_nothing_is_missing() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(settings()).await;
        bed.append(audience_events(2_000, 100, 21)).await;
        all_is_committed(&engine).await;
        let committed = |engine: &Engine| -> Vec<Position> {
            engine.partitions().iter().map(|status| status.committed).collect()
        };
        let before = committed(&engine);

        let redis = &bed.servers.as_ref().expect("servers").1;
        let mut operator = operator(redis).await;
        limit_memory(redis, "1mb").await;
        bed.append(audience_events(2_000, 100, 22)).await;
        eventually("all partitions hold", || all_are(&engine, PartitionState::Holding)).await;
        let begun = Instant::now();
        while refusals(&mut operator).await < REFUSALS {
            assert!(begun.elapsed() < crate::bed::DEADLINE, "commits are not tried again");
            for member in ["m1", "m2", "never-seen"] {
                engine.member(member, false, None).await.expect("answered, whatever is full");
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(all_are(&engine, PartitionState::Holding), "{:?}", engine.partitions());
        assert_eq!(committed(&engine), before, "nothing was written");
        assert_eq!(engine.member("m1", false, None).await.expect("answered").source, Source::Live);

        limit_memory(redis, "0").await;
        bed.assert_state_is_fold_of_log(&engine, &settings()).await;
        eventually("all partitions go on by themselves", || all_are(&engine, PartitionState::Live)).await;
        assert!(engine.partitions().iter().all(|status| status.restarts == 0), "held, not crashed");
        engine.stop().await;
    });
}

/// Redis as it is now, to be put back later; it is started again.
fn keep(bed: &mut Bed) -> TempDir {
    let older = tempfile::tempdir().expect("a directory");
    let redis = &mut bed.servers.as_mut().expect("servers").1;
    redis.stop();
    copy(&redis.directory().join("appendonlydir"), older.path());
    redis.restart().expect("redis restarts");
    older
}

/// Redis is as it was kept.
fn set_back(bed: &mut Bed, older: &TempDir) {
    let redis = &mut bed.servers.as_mut().expect("servers").1;
    let append_only = redis.directory().join("appendonlydir");
    redis.stop();
    std::fs::remove_dir_all(&append_only).expect("removed");
    copy(older.path(), &append_only);
    redis.restart().expect("redis restarts from the older file");
}

/// Redis comes back from an append-only file of a while ago: positions, members, symbols, outbox and
/// snapshot of an earlier time, all of one moment. `is_running`: under an engine, or between two.
async fn redis_is_set_back(is_running: bool) {
    let mut bed = Bed::cluster().await;
    let mut engine = bed.engine(settings()).await;
    bed.append(audience_events(2_000, 100, 31)).await;
    all_is_committed(&engine).await;

    let older = keep(&mut bed);
    bed.append(audience_events(3_000, 150, 32)).await;
    all_is_committed(&engine).await;

    if !is_running {
        engine.stop().await;
    }
    set_back(&mut bed, &older);
    if !is_running {
        // A new process connects anew; these handles have yet to notice that theirs are broken.
        let begun = Instant::now();
        while let Err(error) = bed.ports.store.load_aggregates().await {
            assert!(begun.elapsed() < crate::bed::DEADLINE, "still {error}");
        }
        engine = bed.engine(settings()).await;
    }
    bed.append(audience_events(1_000, 100, 33)).await;
    bed.assert_state_is_fold_of_log(&engine, &settings()).await;
    eventually("all partitions are live", || all_are(&engine, PartitionState::Live)).await;
    engine.stop().await;
}

#[test]
fn state_is_right_again_after_redis_was_set_back_under_an_engine() {
    run(redis_is_set_back(true));
}

#[test]
fn state_is_right_again_after_redis_was_set_back_between_two_engines() {
    run(redis_is_set_back(false));
}

#[test]
fn a_partition_into_which_nothing_is_published_notices_that_redis_was_set_back() {
    run(async {
        let mut bed = Bed::cluster().await;
        let engine = bed.engine(settings()).await;
        bed.append(audience_events(2_000, 100, 61)).await;
        all_is_committed(&engine).await;
        let older = keep(&mut bed);
        bed.append(audience_events(1_000, 100, 62)).await;
        all_is_committed(&engine).await;
        set_back(&mut bed, &older);
        let begun = Instant::now();
        for partition in (0..bed.ports.log.partitions()).map(PartitionId) {
            let last = bed.ports.log.bounds(partition).await.expect("bounds").last;
            while !matches!(bed.ports.store.position(partition).await, Ok(stored) if stored == last) {
                assert!(begun.elapsed() < crate::bed::DEADLINE, "{partition}: {:#?}", engine.partitions());
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        bed.assert_state_is_fold_of_log(&engine, &settings()).await;
        engine.stop().await;
    });
}

/// What Redis holds of partitions, without the sums: those may be on another node of a cluster.
async fn dump_partitions(redis: &RedisServer) -> Vec<(String, Vec<u8>)> {
    let mut operator = operator(redis).await;
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("nl:{*").query_async(&mut operator).await.expect("the keys");
    let mut dumped = Vec::new();
    for key in keys {
        let held = redis::cmd("DUMP").arg(&key).query_async(&mut operator).await.expect("dumped");
        dumped.push((key, held));
    }
    dumped
}

async fn put_back(redis: &RedisServer, dumped: &[(String, Vec<u8>)]) {
    let mut operator = operator(redis).await;
    for (key, held) in dumped {
        let mut restore = redis::cmd("RESTORE");
        restore.arg(key).arg(0).arg(&held[..]).arg("REPLACE");
        restore.query_async::<()>(&mut operator).await.expect("put back");
    }
}

/// Partitions come back without their last commits, and the sums with them: as nodes of a Redis Cluster do, of which
/// one died before its replica had all.
async fn commits_are_lost_without_the_sums(is_running: bool) {
    let bed = Bed::cluster().await;
    let mut engine = bed.engine(settings()).await;
    bed.append(audience_events(2_000, 100, 51)).await;
    all_is_committed(&engine).await;
    let redis = &bed.servers.as_ref().expect("servers").1;
    let dumped = dump_partitions(redis).await;
    assert!(dumped.len() >= 16, "of each partition at least four keys: {}", dumped.len());
    bed.append(audience_events(3_000, 150, 52)).await;
    all_is_committed(&engine).await;
    let begun = Instant::now();
    let committed: Vec<Position> = engine.partitions().iter().map(|status| status.committed).collect();
    while bed.ports.store.aggregates_positions().await.expect("asked").as_ref() != Some(&committed) {
        assert!(begun.elapsed() < crate::bed::DEADLINE, "the sums are not stored");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    if !is_running {
        engine.stop().await;
    }
    put_back(redis, &dumped).await;
    // More than was there, so that what is read again does not end where it did.
    bed.append(audience_events(1_000, 100, 53)).await;
    let settings = EngineSettings { commit_events: 97, ..settings() };
    if !is_running {
        engine = bed.engine(settings.clone()).await;
    }
    bed.assert_state_is_fold_of_log(&engine, &settings).await;
    eventually("all partitions are live", || all_are(&engine, PartitionState::Live)).await;
    engine.stop().await;
}

#[test]
fn sums_are_learned_on_after_a_running_engine_lost_the_commits_that_they_reflect() {
    run(commits_are_lost_without_the_sums(true));
}

#[test]
fn sums_are_learned_on_after_commits_that_they_reflect_were_lost_between_two_engines() {
    run(commits_are_lost_without_the_sums(false));
}

/// Removes each partition's records up to the position that `position` names.
async fn purge_up_to(bed: &Bed, position: impl Fn(usize) -> Position) {
    let url = bed.servers.as_ref().expect("servers").0.url();
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await.expect("connected"));
    for partition in (0..bed.ports.log.partitions()).map(PartitionId) {
        let stream = jetstream.get_stream(format!("EVENTS_{partition}")).await.expect("the stream");
        let position = position(usize::from(partition.0));
        let last = sequence_of(position, partition, bed.ports.log.partitions()).expect("its own");
        stream.purge().sequence(last + 1).await.expect("purged");
    }
}

#[test]
fn a_log_purged_up_to_what_is_committed_is_none_the_worse() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(settings()).await;
        bed.append(audience_events(2_000, 100, 41)).await;
        all_is_committed(&engine).await;
        let committed: Vec<Position> = engine.partitions().iter().map(|status| status.committed).collect();
        purge_up_to(&bed, |partition| committed[partition]).await;
        bed.append(audience_events(500, 100, 42)).await;
        all_is_committed(&engine).await;
        assert!(engine.partitions().iter().all(|status| status.restarts == 0));
        engine.stop().await;

        let next = bed.engine(settings()).await;
        let position = bed.append(vec![play("last", "victim", "t1")]).await;
        let answer = next.member("victim", false, Some(position)).await.expect("up to date");
        assert_eq!(answer.source, Source::Live);
        next.stop().await;
    });
}

#[test]
fn a_log_purged_beyond_what_is_committed_is_told_and_never_passed_over() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(settings()).await;
        bed.append(audience_events(2_000, 100, 51)).await;
        all_is_committed(&engine).await;
        let before: Vec<Position> = engine.partitions().iter().map(|status| status.committed).collect();
        engine.stop().await;
        bed.append(audience_events(2_000, 100, 52)).await;
        let partitions = u64::from(bed.ports.log.partitions());
        purge_up_to(&bed, |partition| before[partition].further(10 * partitions)).await;

        let engine = Engine::start(bed.ports.clone(), settings()).await.expect("the engine starts");
        let tells = |failure: &Option<String>| {
            failure.as_ref().is_some_and(|text| text.contains("are gone from the log"))
        };
        eventually("every partition holds and says why", || {
            engine.partitions().iter().all(|status| tells(&status.last_failure))
        })
        .await;
        assert!(!engine.is_ready(), "nothing is served as if it were complete");
        let answer = engine.member("m1", false, None).await.expect("answered from what is there");
        assert_ne!(answer.source, Source::Popular, "the stored state still answers");
        let now: Vec<Position> = engine.partitions().iter().map(|status| status.committed).collect();
        assert!(now.iter().zip(&before).all(|(now, before)| now <= before), "nothing is folded: {now:?}");
        engine.stop().await;
    });
}
