//! What the engine does when parts of it fail, on both backends.

mod servers;

use crate::bed::{Bed, PARTITIONS, audience_events, eventually, play, run};
use nearline_actors::{EngineSettings, FaultProbe, PartitionState, Source};
use nearline_model::PartitionId;
use nearline_model::identifier::partition_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Panics at the event with the id `bait`, `times` times.
fn panic_at_bait(times: u64) -> FaultProbe {
    let left = AtomicU64::new(times);
    Arc::new(move |_, _, event| {
        if event.is_some_and(|event| event.id == "bait")
            && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
        {
            panic!("injected at the bait");
        }
    })
}

async fn a_panic_is_contained(bed: Bed) {
    let settings = EngineSettings {
        fault_probe: Some(panic_at_bait(2)),
        // How long a rebuild takes is measured elsewhere: two panics print two backtraces here.
        query_deadline_ms: 10_000,
        ..EngineSettings::default()
    };
    let engine = bed.engine(settings.clone()).await;
    bed.append(audience_events(5_000, 300, 1)).await;
    engine.caught_up().await.expect("caught up");
    let hit = partition_of("victim", PARTITIONS);

    let position = bed.append(vec![play("bait", "victim", "t1")]).await;
    let queries: Vec<_> = (0..50)
        .map(|at| {
            let engine = engine.clone();
            actix_rt::spawn(async move {
                let member = if at % 2 == 0 { "victim".to_owned() } else { format!("m{at}") };
                engine.member(&member, false, None).await.expect("no position was asked for").source
            })
        })
        .collect();
    for query in queries {
        let source = query.await.expect("the query ends");
        assert_ne!(source, Source::Popular, "a queued query is answered with the member's own state");
    }
    let answer = engine.member("victim", false, Some(position)).await.expect("the actor was rebuilt in time");
    assert_eq!(answer.source, Source::Live);
    assert_eq!(answer.snapshot.expect("live").history.len(), 1);

    bed.append(audience_events(2_000, 300, 2)).await;
    bed.assert_state_is_fold_of_log(&engine, &settings).await;
    for status in engine.partitions() {
        let expected = if status.partition == hit { 2 } else { 0 };
        assert_eq!(status.restarts, expected, "restarts of {}: {:?}", status.partition, status.last_failure);
    }
    engine.stop().await;
}

#[test]
fn a_panic_in_the_fold_is_contained_and_queued_queries_are_answered_embedded() {
    run(async { a_panic_is_contained(Bed::embedded()).await });
}

#[test]
fn a_panic_in_the_fold_is_contained_and_queued_queries_are_answered_nats_and_redis() {
    run(async { a_panic_is_contained(Bed::cluster().await).await });
}

#[test]
fn a_panic_in_the_fold_is_contained_and_queued_queries_are_answered_with_blocks() {
    run(async { a_panic_is_contained(Bed::cluster_with_blocks().await).await });
}

async fn members_come_back_from_the_store(bed: Bed) {
    let settings = EngineSettings {
        cached_members: 40,
        commit_events: 100,
        commit_members: 50,
        batch_events: 64,
        ..EngineSettings::default()
    };
    let engine = bed.engine(settings.clone()).await;
    bed.append(audience_events(8_000, 500, 3)).await;
    bed.assert_state_is_fold_of_log(&engine, &settings).await;
    eventually("the cache shrinks to its bound", || {
        engine.partitions().iter().all(|status| status.cached_members <= 40 + 2 * 64)
    })
    .await;
    engine.stop().await;
}

#[test]
fn members_that_left_the_cache_come_back_from_the_store_embedded() {
    run(async { members_come_back_from_the_store(Bed::embedded()).await });
}

#[test]
fn members_that_left_the_cache_come_back_from_the_store_nats_and_redis() {
    run(async { members_come_back_from_the_store(Bed::cluster().await).await });
}

#[test]
fn members_that_left_the_cache_come_back_from_the_store_with_blocks() {
    run(async { members_come_back_from_the_store(Bed::cluster_with_blocks().await).await });
}

async fn an_engine_goes_on_where_another_stopped(bed: Bed) {
    let settings = EngineSettings::default();
    let first = bed.engine(settings.clone()).await;
    bed.append(audience_events(3_000, 200, 4)).await;
    first.caught_up().await.expect("caught up");
    first.stop().await;
    bed.append(audience_events(3_000, 200, 5)).await;
    let second = bed.engine(settings.clone()).await;
    bed.assert_state_is_fold_of_log(&second, &settings).await;
    let folded: u64 = second.partitions().iter().map(|status| status.events).sum();
    assert_eq!(folded, 3_000, "what was committed before is not folded again");
    second.stop().await;
}

#[test]
fn an_engine_goes_on_where_another_stopped_embedded() {
    run(async { an_engine_goes_on_where_another_stopped(Bed::embedded()).await });
}

#[test]
fn an_engine_goes_on_where_another_stopped_nats_and_redis() {
    run(async { an_engine_goes_on_where_another_stopped(Bed::cluster().await).await });
}

#[test]
fn an_engine_goes_on_where_another_stopped_with_blocks() {
    run(async { an_engine_goes_on_where_another_stopped(Bed::cluster_with_blocks().await).await });
}

#[test]
fn an_owner_that_was_superseded_stops_and_commits_nothing() {
    run(async {
        let bed = Bed::embedded();
        let settings = EngineSettings::default();
        let engine = bed.engine(settings.clone()).await;
        bed.append(vec![play("e1", "victim", "t1")]).await;
        engine.caught_up().await.expect("caught up");
        let hit = partition_of("victim", PARTITIONS);
        let fold = serde_json::to_string(&settings.fold).expect("JSON");
        let taken = bed.ports.store.acquire(hit, bed.ports.log.identity(), &fold).await.expect("taken over");
        bed.append(vec![play("e2", "victim", "t2")]).await;
        let stopped = |partition: PartitionId| {
            engine
                .partitions()
                .iter()
                .any(|status| status.partition == partition && status.state == PartitionState::Stopped)
        };
        eventually("the superseded owner stops", || stopped(hit)).await;
        let position = bed.ports.store.position(hit).await.expect("the store answers");
        assert_eq!(position, taken.position, "I5: an older epoch's commit never succeeds");
        engine.stop().await;
    });
}

#[test]
fn while_redis_is_away_queries_are_answered_and_afterwards_nothing_is_missing() {
    run(async {
        let mut bed = Bed::cluster().await;
        let settings = EngineSettings { query_deadline_ms: 200, ..EngineSettings::default() };
        let engine = bed.engine(settings.clone()).await;
        bed.append(audience_events(2_000, 100, 6)).await;
        engine.caught_up().await.expect("caught up");
        bed.servers.as_mut().expect("servers").1.stop();
        bed.append(audience_events(2_000, 100, 7)).await;
        for member in ["m1", "m2", "never-seen"] {
            engine.member(member, false, None).await.expect("answered, whatever is away");
        }
        bed.servers.as_mut().expect("servers").1.restart().expect("redis restarts");
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        assert!(engine.partitions().iter().all(|status| status.restarts == 0), "held, not crashed");
        engine.stop().await;
    });
}

#[test]
fn when_nats_comes_back_folding_goes_on_without_a_gap() {
    run(async {
        let mut bed = Bed::cluster().await;
        let settings = EngineSettings::default();
        let engine = bed.engine(settings.clone()).await;
        bed.append(audience_events(2_000, 100, 8)).await;
        bed.servers.as_mut().expect("servers").0.restart().expect("nats restarts");
        let log = bed.ports.log.clone();
        let started = std::time::Instant::now();
        for event in audience_events(500, 100, 9) {
            // Publishers retry under the same id: an append whose outcome is unknown is not doubled.
            while let Err(error) = log.append(vec![event.clone()]).await.remove(0) {
                assert!(started.elapsed() < crate::bed::DEADLINE, "still not acknowledged: {error}");
            }
        }
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        engine.stop().await;
    });
}
