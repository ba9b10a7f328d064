//! Faults on purpose, and what the engine does about them by itself, on both backends.

use crate::bed::{Bed, DEADLINE, PARTITIONS, audience_events, eventually, play, run};
use nearline_actors::{Engine, EngineSettings, FaultProbe, PartitionState, PartitionStatus, Source};
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::control::remediation::{Remediation, RemediationSettings};
use nearline_model::identifier::partition_of;
use nearline_ports::redrive::{RedriveError, redrive};
use nearline_ports::{NewEvent, Redrive};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

fn chaos() -> EngineSettings {
    EngineSettings { chaos: true, ..EngineSettings::default() }
}

fn hit() -> PartitionId {
    partition_of("victim", PARTITIONS)
}

fn status(engine: &Engine) -> PartitionStatus {
    engine.partitions().swap_remove(usize::from(hit().0))
}

/// `count` plays of one member, the ids `<start><number>`.
fn plays(start: &str, count: usize) -> Vec<NewEvent> {
    (0..count).map(|at| play(&format!("{start}{at}"), "victim", &format!("{start}t{at}"))).collect()
}

async fn history(engine: &Engine) -> Vec<String> {
    let answer = engine.member("victim", false, None).await.expect("no position was asked for");
    let history = answer.snapshot.expect("the member's own state").history;
    history.iter().map(|watched| watched.title.to_string()).collect()
}

async fn remediations(engine: &Engine, action: &str) -> Vec<Remediation> {
    let all = engine.remediations().list(1_000).await;
    all.into_iter().filter(|remediation| remediation.action == action).collect()
}

/// Two poisonous events in the middle of one batch: both stepped over, every neighbour folded.
async fn poison_is_found_within_a_batch(bed: Bed) {
    let settings = chaos();
    let engine = bed.engine(settings.clone()).await;
    engine.faults().expect("allowed").poison("bait-*").expect("armed");
    bed.append(audience_events(500, 50, 1)).await;
    let mut events = plays("before-", 20);
    events.push(play("bait-1", "victim", "baited-1"));
    events.extend(plays("between-", 20));
    events.push(play("bait-2", "victim", "baited-2"));
    events.extend(plays("behind-", 20));
    bed.append(events).await;
    bed.assert_state_is_fold_of_log(&engine, &settings).await;

    let watched = history(&engine).await;
    let expected: Vec<String> = ["before-", "between-", "behind-"]
        .iter()
        .flat_map(|start| (0..20).map(move |at| format!("{start}t{at}")))
        .collect();
    assert_eq!(watched, expected, "every neighbour is folded, in order, and the poison is not");
    let letters = bed.ports.dead_letters.list(Position::START, 10).await.expect("listed");
    let baits: Vec<&str> = letters
        .iter()
        .map(|letter| {
            assert_eq!((letter.reason.as_str(), letter.partition), ("poison", hit()));
            assert!(letter.detail.contains("crashed the fold 3 times"), "{}", letter.detail);
            assert!(letter.detail.contains("is poisonous"), "the panic's message: {}", letter.detail);
            let payload = std::str::from_utf8(&letter.payload).expect("as published");
            if payload.contains("\"bait-1\"") { "bait-1" } else { payload }
        })
        .collect();
    assert_eq!(baits.len(), 2, "{baits:?}");
    assert_eq!(baits[0], "bait-1");
    for other in engine.partitions() {
        let expected = if other.partition == hit() { 6 } else { 0 };
        assert_eq!(other.restarts, expected, "three crashes each, of this partition alone");
    }
    let quarantined = remediations(&engine, "quarantine").await;
    let positions: Vec<_> = quarantined.iter().rev().map(|kept| kept.position).collect();
    assert_eq!(positions, [Some(letters[0].position), Some(letters[1].position)]);
    for kept in &quarantined {
        let after = kept.after.as_ref().expect("it has come to its end");
        assert!(after.epoch > kept.before.epoch && after.state == "live", "{kept:?}");
    }
    engine.stop().await;

    // The next process steps over them as well, without a single crash, poisonous or not.
    let again = bed.engine(settings.clone()).await;
    bed.append(plays("later-", 3)).await;
    bed.assert_state_is_fold_of_log(&again, &settings).await;
    assert!(again.partitions().iter().all(|status| status.restarts == 0));
    let kept = again.remediations().list(1_000).await;
    assert!(kept.iter().any(|kept| kept.action == "quarantine"), "the journal outlives the process");
    again.stop().await;
}

#[test]
fn poison_in_the_middle_of_a_batch_is_stepped_over_and_its_neighbours_are_folded_embedded() {
    run(async { poison_is_found_within_a_batch(Bed::embedded()).await });
}

#[test]
fn poison_in_the_middle_of_a_batch_is_stepped_over_and_its_neighbours_are_folded_nats_and_redis() {
    run(async { poison_is_found_within_a_batch(Bed::cluster().await).await });
}

#[test]
fn poison_in_the_middle_of_a_batch_is_stepped_over_and_its_neighbours_are_folded_with_blocks() {
    run(async { poison_is_found_within_a_batch(Bed::cluster_with_blocks().await).await });
}

/// Panics at the event `bait` and counts how often.
fn counting_bait() -> (FaultProbe, Arc<AtomicU64>) {
    let crashes = Arc::new(AtomicU64::new(0));
    let counted = crashes.clone();
    let probe: FaultProbe = Arc::new(move |_, _, event| {
        if event.is_some_and(|event| event.id == "bait") {
            counted.fetch_add(1, SeqCst);
            panic!("injected at the bait");
        }
    });
    (probe, crashes)
}

#[test]
fn crashes_on_one_event_are_remembered_from_one_process_to_the_next() {
    run(async {
        let bed = Bed::embedded();
        let (probe, crashes) = counting_bait();
        // Long waits: each engine gets one attempt, then it ends like a process.
        let remediation = RemediationSettings {
            restart_backoff_ms: 60_000,
            restart_backoff_max_ms: 60_000,
            ..RemediationSettings::default()
        };
        let slow = EngineSettings { fault_probe: Some(probe.clone()), remediation, ..chaos() };
        bed.append(plays("before-", 5)).await;
        bed.append(vec![play("bait", "victim", "baited")]).await;
        bed.append(plays("behind-", 5)).await;
        for attempt in 1..=2 {
            let engine = Engine::start(bed.ports.clone(), slow.clone()).await.expect("started");
            eventually("it crashes", || crashes.load(SeqCst) == attempt).await;
            let known = async || {
                let troubles = bed.ports.quarantine.troubles(hit()).await.expect("read");
                troubles.suspects.iter().map(|suspect| u64::from(suspect.crashes)).sum::<u64>()
            };
            let started = Instant::now();
            while known().await < attempt {
                assert!(started.elapsed() < DEADLINE, "crash {attempt} was not remembered");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            engine.stop().await;
        }
        let settings = EngineSettings { fault_probe: Some(probe), ..chaos() };
        let engine = bed.engine(settings.clone()).await;
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        assert_eq!(crashes.load(SeqCst), 3, "the third process needs one crash, not three");
        assert_eq!(history(&engine).await.len(), 10);
        engine.stop().await;
    });
}

#[test]
fn an_actor_that_blocks_its_thread_is_replaced_within_a_second_and_its_zombie_changes_nothing() {
    run(async {
        let bed = Bed::embedded();
        let (blocked, released) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (probe_blocked, probe_released) = (blocked.clone(), released.clone());
        let probe: FaultProbe = Arc::new(move |_, _, event| {
            if event.is_some_and(|event| event.id == "bait") && !probe_blocked.swap(true, SeqCst) {
                while !probe_released.load(SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let settings = EngineSettings { fault_probe: Some(probe), workers: 2, ..chaos() };
        let engine = bed.engine(settings.clone()).await;
        bed.append(plays("before-", 5)).await;
        engine.caught_up().await.expect("caught up");
        let before = status(&engine);

        bed.append(vec![play("bait", "victim", "baited")]).await;
        eventually("the actor blocks its thread", || blocked.load(SeqCst)).await;
        let since = Instant::now();
        let position = bed.append(plays("behind-", 5)).await;
        // Asked while nobody answers there: from the store, and live once another has taken over.
        let stale = engine.member("victim", false, None).await.expect("answered");
        assert_ne!(stale.source, Source::Popular);
        eventually("another actor folds on", || status(&engine).folded >= position).await;
        let took = since.elapsed();
        assert!(took < Duration::from_millis(1_500), "noticed within 1 s, rebuilt at once: {took:?}");
        let after = status(&engine);
        assert!(after.epoch > before.epoch);
        assert_eq!(after.restarts, 1);
        let replaced = remediations(&engine, "replace").await;
        assert!(replaced.iter().any(|kept| kept.fault == "blocked" && kept.partition == hit()));

        // The zombie wakes up behind the replacement: what it folds and shares is nobody's.
        bed.append(plays("later-", 5)).await;
        engine.caught_up().await.expect("caught up");
        let settled = status(&engine);
        released.store(true, SeqCst);
        let stored = bed.ports.store.position(hit()).await.expect("read");
        bed.append(audience_events(500, 50, 1)).await;
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        let end = status(&engine);
        assert_eq!(end.epoch, settled.epoch, "nobody was fenced but the zombie");
        assert!(end.committed >= stored && end.restarts == 1 && end.state == PartitionState::Live, "{end:?}");
        assert_eq!(history(&engine).await[..6].last().map(String::as_str), Some("baited"));
        engine.stop().await;
    });
}

/// A zombie that holds folded but uncommitted events, and whose commit is due when it wakes up.
async fn a_zombie_commits_nothing(bed: Bed) {
    let settings = EngineSettings { commit_interval_ms: 400, ..chaos() };
    let engine = bed.engine(settings.clone()).await;
    bed.append(audience_events(500, 50, 1)).await;
    engine.caught_up().await.expect("caught up");
    let before = status(&engine);
    let position = bed.append(plays("uncommitted-", 5)).await;
    eventually("it is folded", || status(&engine).folded >= position).await;
    engine.inject_hang(hit(), Duration::from_secs(4)).expect("injected");
    eventually("another actor has taken over", || {
        let now = status(&engine);
        now.epoch > before.epoch && now.state == PartitionState::Live && now.folded >= position
    })
    .await;
    assert_eq!(engine.leaked_threads(), 1);
    let taken_over = status(&engine).epoch;
    eventually("the zombie wakes up and its thread is let go", || engine.leaked_threads() == 0).await;
    bed.append(plays("later-", 5)).await;
    bed.assert_state_is_fold_of_log(&engine, &settings).await;
    let end = status(&engine);
    assert_eq!(
        (end.epoch, end.state, end.restarts),
        (taken_over, PartitionState::Live, 1),
        "{:?}",
        end.last_failure
    );
    assert_eq!(history(&engine).await.len(), 10);
    engine.stop().await;
}

#[test]
fn a_zombie_that_wakes_up_with_uncommitted_events_commits_nothing_embedded() {
    run(async { a_zombie_commits_nothing(Bed::embedded()).await });
}

#[test]
fn a_zombie_that_wakes_up_with_uncommitted_events_commits_nothing_nats_and_redis() {
    run(async { a_zombie_commits_nothing(Bed::cluster().await).await });
}

#[test]
fn a_node_with_too_many_stuck_threads_asks_to_be_started_anew_and_goes_on_until_then() {
    run(async {
        let bed = Bed::embedded();
        let remediation = RemediationSettings {
            leaked_threads: 0,
            restart_backoff_max_ms: 50,
            ..RemediationSettings::default()
        };
        let settings = EngineSettings { remediation, ..chaos() };
        let engine = bed.engine(settings.clone()).await;
        engine.inject_hang(hit(), Duration::from_secs(3)).expect("injected");
        let reason = tokio::time::timeout(DEADLINE, engine.exit_demanded()).await.expect("demanded");
        assert!(reason.contains("1 threads are left behind"), "{reason}");
        bed.append(plays("behind-", 5)).await;
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        engine.stop().await;
    });
}

async fn a_stalled_reader_is_recreated(bed: Bed) {
    let settings = EngineSettings { reader_stall_ms: 500, ..chaos() };
    let engine = bed.engine(settings.clone()).await;
    bed.append(plays("before-", 5)).await;
    engine.caught_up().await.expect("caught up");
    engine.inject_reader_stall(hit()).expect("injected");
    // It stalls within one of its looks; what it had read by then is folded.
    tokio::time::timeout(DEADLINE, async {
        let mut round = 0;
        while remediations(&engine, "recreate-reader").await.is_empty() {
            round += 1;
            bed.append(plays(&format!("behind-{round}-"), 2)).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the stall is noticed");
    bed.append(plays("later-", 5)).await;
    bed.assert_state_is_fold_of_log(&engine, &settings).await;
    assert!(engine.partitions().iter().all(|status| status.restarts == 0), "the actors lived on");
    let started = Instant::now();
    loop {
        let kept = remediations(&engine, "recreate-reader").await;
        if let Some(after) = &kept[0].after {
            assert!(after.folded > kept[0].before.folded, "{kept:?}");
            break;
        }
        assert!(started.elapsed() < DEADLINE, "{kept:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    engine.stop().await;
}

#[test]
fn a_stalled_reader_is_recreated_and_nothing_is_lost_embedded() {
    run(async { a_stalled_reader_is_recreated(Bed::embedded()).await });
}

#[test]
fn a_stalled_reader_is_recreated_and_nothing_is_lost_nats_and_redis() {
    run(async { a_stalled_reader_is_recreated(Bed::cluster().await).await });
}

#[test]
fn a_stalled_reader_is_recreated_and_nothing_is_lost_with_blocks() {
    run(async { a_stalled_reader_is_recreated(Bed::cluster_with_blocks().await).await });
}

#[test]
fn while_redis_is_killed_partitions_hold_and_answer_and_they_resume_by_themselves() {
    run(async {
        let mut bed = Bed::cluster().await;
        let settings = EngineSettings { query_deadline_ms: 200, ..chaos() };
        let engine = bed.engine(settings.clone()).await;
        bed.append(plays("before-", 5)).await;
        engine.caught_up().await.expect("caught up");
        bed.servers.as_mut().expect("servers").1.stop();
        bed.append(plays("behind-", 5)).await;
        eventually("the partition holds", || status(&engine).state == PartitionState::Holding).await;
        let answer = engine.member("victim", false, None).await.expect("answered");
        assert_eq!(answer.source, Source::Live, "what is in memory is answered while holding");
        assert_eq!(answer.snapshot.expect("live").history.len(), 10, "and folding goes on");
        // An actor that dies meanwhile cannot be rebuilt: it holds, too, and is no crash loop.
        engine.inject_panic(hit()).expect("injected");
        eventually("it is to be rebuilt", || status(&engine).restarts == 1).await;
        bed.servers.as_mut().expect("servers").1.restart().expect("redis restarts");
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        let end = status(&engine);
        assert_eq!((end.state, end.restarts), (PartitionState::Live, 1), "{:?}", end.last_failure);
        let holds = remediations(&engine, "hold").await;
        assert!(holds.iter().any(|kept| kept.fault == "unavailable" && kept.partition == hit()));
        engine.stop().await;
    });
}

#[test]
fn a_store_that_does_not_answer_is_a_hold_within_a_second_and_no_hung_actor() {
    run(async {
        let bed = Bed::cluster().await;
        let settings = chaos();
        let engine = bed.engine(settings.clone()).await;
        bed.append(plays("before-", 5)).await;
        engine.caught_up().await.expect("caught up");
        let pause = bed.servers.as_ref().expect("servers").1.pause().expect("stopped by a signal");
        bed.append(plays("behind-", 5)).await;
        let since = Instant::now();
        eventually("the partition holds", || status(&engine).state == PartitionState::Holding).await;
        // The commit begins within its interval; then silence is noticed long before the time-out.
        assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
        drop(pause);
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        eventually("it is live again", || status(&engine).state == PartitionState::Live).await;
        assert!(engine.partitions().iter().all(|status| status.restarts == 0), "nobody was replaced for it");
        engine.stop().await;
    });
}

async fn poisoned_event_is_redriven_once(bed: Bed) {
    let settings = chaos();
    let engine = bed.engine(settings.clone()).await;
    engine.faults().expect("allowed").poison("bait").expect("armed");
    bed.append(vec![play("bait", "victim", "baited")]).await;
    bed.append(plays("behind-", 3)).await;
    bed.assert_state_is_fold_of_log(&engine, &settings).await;
    let letter = bed.ports.dead_letters.list(Position::START, 1).await.expect("listed").remove(0);
    let limit = settings.fold.event_bytes;

    // The mistake is mended: the event is published again, though the log still knows its id.
    assert_eq!(engine.faults().expect("allowed").clear_poison(), 1);
    let first = redrive(&bed.ports, letter.position, limit).await.expect("published");
    assert!(!first.already && first.position > letter.position);
    let second = redrive(&bed.ports, letter.position, limit).await.expect("known");
    assert!(second.already && second.position == first.position);

    // A redrive that broke off between publishing and noting it, long ago: found, not doubled.
    let noted = bed.ports.dead_letters.redrive(letter.position).await.expect("read").expect("noted");
    let broken_off = Redrive { position: None, ..noted };
    bed.ports.dead_letters.put_redrive(letter.position, broken_off).await.expect("put");
    let third = redrive(&bed.ports, letter.position, limit).await.expect("found");
    assert!(third.already && third.position == first.position);

    bed.assert_state_is_fold_of_log(&engine, &settings).await;
    let watched = history(&engine).await;
    assert_eq!(watched.iter().filter(|title| *title == "baited").count(), 1, "{watched:?}");
    let last = bed.ports.log.bounds(hit()).await.expect("bounds").last;
    assert_eq!(last, first.position, "it was appended once");
    let missing = redrive(&bed.ports, Position(999_999), limit).await;
    assert!(matches!(missing, Err(RedriveError::NoLetter(Position(999_999)))));
    engine.stop().await;
}

#[test]
fn a_poisoned_event_is_redriven_once_wherever_a_redrive_breaks_off_embedded() {
    run(async { poisoned_event_is_redriven_once(Bed::embedded()).await });
}

#[test]
fn a_poisoned_event_is_redriven_once_wherever_a_redrive_breaks_off_nats_and_redis() {
    run(async { poisoned_event_is_redriven_once(Bed::cluster().await).await });
}

#[test]
fn a_poisoned_event_is_redriven_once_wherever_a_redrive_breaks_off_with_blocks() {
    run(async { poisoned_event_is_redriven_once(Bed::cluster_with_blocks().await).await });
}
