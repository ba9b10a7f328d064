//! Several nodes: each partition is run by one of them, whoever comes, goes or dies; whatever node is
//! asked answers; and state stays the fold of the log (I2, I3, I5, I7).

mod cluster;

use crate::bed::{Bed, DEADLINE, PARTITIONS, audience_events, eventually, play, run};
use cluster::Cluster;
use nearline_actors::aggregates_actor::{Sums, catch_up};
use nearline_actors::{Engine, EngineSettings, NotGivenAway, PartitionState, Source};
use nearline_model::Position;
use nearline_model::control::ownership::SumsRole;
use nearline_model::symbols::NONE;
use nearline_model::{Aggregates, Delta, PartitionId};
use nearline_ports::verify::aggregates::refold_aggregates;
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn named(node: &str) -> EngineSettings {
    EngineSettings {
        node: node.into(),
        lease_ms: 1_000,
        snapshot_interval_ms: 100,
        ..EngineSettings::default()
    }
}

fn live_on(engine: &Engine) -> Vec<u16> {
    let live = engine.partitions().into_iter().filter(|status| status.state == PartitionState::Live);
    live.map(|status| status.partition.0).collect()
}

/// Every partition is live on one of the engines, and each has one.
fn is_shared(engines: &[&Engine]) -> bool {
    let mut live: Vec<u16> = engines.iter().flat_map(|engine| live_on(engine)).collect();
    live.sort_unstable();
    live == (0..PARTITIONS).collect::<Vec<_>>() && engines.iter().all(|engine| !live_on(engine).is_empty())
}

async fn assert_learned_everything(bed: &Bed, engine: &Engine, settings: &EngineSettings) {
    tokio::time::timeout(DEADLINE, engine.caught_up()).await.expect("catches up").expect("the log answers");
    let (positions, contents) = {
        let aggregates = engine.aggregates().read();
        (aggregates.positions().to_vec(), aggregates.encode_contents())
    };
    let again = refold_aggregates(&bed.ports, &positions, &settings.fold, &settings.aggregates).await;
    assert!(contents == again.expect("folded again").encode_contents(), "I2 on {}", engine.node());
}

async fn two_engines_share_the_partitions(bed: Bed) {
    let (a, b) = (named("a"), named("b"));
    let first = bed.engine(a.clone()).await;
    bed.append(audience_events(2_000, 100, 31)).await;
    first.caught_up().await.expect("caught up");
    let second = bed.engine(b.clone()).await;
    eventually("both own partitions", || is_shared(&[&first, &second])).await;
    bed.append(audience_events(2_000, 100, 32)).await;
    assert_learned_everything(&bed, &first, &a).await;
    assert_learned_everything(&bed, &second, &b).await;
    let last = bed.append((0..20).map(|n| play(&format!("e{n}"), &format!("m{n}"), "t1")).collect()).await;
    assert!(last > Position::START);
    for engine in [&first, &second] {
        for member in 0..20 {
            let answer = engine.member(&format!("m{member}"), false, None).await.expect("answered");
            assert_eq!(answer.source, Source::Live, "m{member} asked of {}", engine.node());
        }
    }
    first.stop().await;
    eventually("the other owns everything", || live_on(&second).len() == usize::from(PARTITIONS)).await;
    bed.append(audience_events(2_000, 100, 33)).await;
    bed.assert_state_is_fold_of_log(&second, &b).await;
    second.stop().await;
}

/// One of three adds what all commit; the others follow its snapshots, and one of them keeps the sums when it goes.
#[test]
fn nodes_that_follow_take_over_what_one_adds_and_go_on_when_it_goes() {
    run(async {
        let bed = Bed::cluster_with(12).await;
        let settings = |node: &str| EngineSettings { adding_nodes: 1, ..named(node) };
        let mut engines = Vec::new();
        for node in ["a", "b", "c"] {
            engines.push(bed.engine(settings(node)).await);
        }
        let are_spread = || engines.iter().all(|engine| live_on(engine).len() == 4);
        eventually("all three own partitions", are_spread).await;
        let roles = |engines: &[Engine], role| {
            engines.iter().filter(|engine| engine.node_status().sums_role == role).count()
        };
        let has_roles = || roles(&engines, SumsRole::Keeps) == 1 && roles(&engines, SumsRole::Follows) == 2;
        eventually("one keeps the sums, two follow", has_roles).await;
        bed.append(audience_events(2_000, 100, 41)).await;
        for engine in &engines {
            assert_learned_everything(&bed, engine, &settings("a")).await;
        }
        let learned = |engine: &Engine| engine.aggregates().read().title_id(NONE).clone();
        let before: Vec<_> = engines.iter().map(learned).collect();
        bed.append(audience_events(2_000, 100, 42)).await;
        for (engine, before) in engines.iter().zip(&before) {
            assert_learned_everything(&bed, engine, &settings("a")).await;
            assert!(Arc::ptr_eq(&learned(engine), before), "numbers of titles on {}", engine.node());
        }

        let keeps = |engine: &Engine| engine.node_status().sums_role == SumsRole::Keeps;
        let keeper = engines.iter().position(keeps).expect("one keeps the sums");
        engines.remove(keeper).stop().await;
        eventually("another keeps the sums", || roles(&engines, SumsRole::Keeps) == 1).await;
        bed.append(audience_events(2_000, 100, 43)).await;
        for engine in &engines {
            assert_learned_everything(&bed, engine, &settings("a")).await;
        }
        for engine in engines {
            engine.stop().await;
        }
    });
}

/// A snapshot is taken over when it is there, not an interval later.
#[test]
fn a_node_that_follows_is_not_behind_by_an_interval_of_its_own() {
    run(async {
        let bed = Bed::embedded();
        let settings = |node: &str, snapshot_interval_ms| EngineSettings {
            adding_nodes: 1,
            snapshot_interval_ms,
            ..named(node)
        };
        let keeper = bed.engine(settings("a", 100)).await;
        let follower = bed.engine(settings("b", 600_000)).await;
        let roles = || [&keeper, &follower].map(|engine| engine.node_status().sums_role);
        eventually("both own partitions", || is_shared(&[&keeper, &follower])).await;
        eventually("b follows", || roles() == [SumsRole::Keeps, SumsRole::Follows]).await;
        for seed in 51..54 {
            bed.append(audience_events(1_000, 100, seed)).await;
            assert_learned_everything(&bed, &follower, &settings("b", 100)).await;
        }
        follower.stop().await;
        keeper.stop().await;
    });
}

#[test]
fn two_engines_share_the_partitions_embedded() {
    run(async { two_engines_share_the_partitions(Bed::embedded()).await });
}

#[test]
fn two_engines_share_the_partitions_nats_and_redis() {
    run(async { two_engines_share_the_partitions(Bed::cluster().await).await });
}

#[test]
fn a_member_is_read_at_the_position_just_published_from_whatever_node() {
    run(async {
        let bed = Bed::embedded();
        let (first, second) = (bed.engine(named("a")).await, bed.engine(named("b")).await);
        eventually("both own partitions", || is_shared(&[&first, &second])).await;
        for n in 0..40 {
            let member = format!("m{n}");
            let position = bed.append(vec![play(&format!("e{n}"), &member, "t1")]).await;
            for engine in [&first, &second] {
                let answer = engine.member(&member, false, Some(position)).await.expect("reached in time");
                let snapshot = answer.snapshot.expect("live");
                assert!(snapshot.position >= position);
                assert_eq!(&*snapshot.history[0].title, "t1");
            }
        }
        first.stop().await;
        second.stop().await;
    });
}

#[test]
fn a_partition_that_fails_on_one_node_again_and_again_is_given_to_another() {
    run(async {
        let bed = Bed::embedded();
        let mut frail = EngineSettings { chaos: true, ..named("a") };
        frail.remediation.restart_backoff_max_ms = 10;
        let (first, second) = (bed.engine(frail.clone()).await, bed.engine(named("b")).await);
        eventually("both own partitions", || is_shared(&[&first, &second])).await;
        let held = live_on(&first);
        let failing = held[0];
        eventually("the other node runs it", || {
            // Refused while there is no actor.
            let _between_two_lives = first.inject_panic(PartitionId(failing));
            live_on(&second).contains(&failing)
        })
        .await;
        let others: Vec<u16> = held.into_iter().filter(|partition| *partition != failing).collect();
        eventually("what did not fail stays", || live_on(&first) == others).await;
        let given_up = tokio::time::timeout(Duration::from_millis(50), first.exit_demanded()).await;
        assert!(given_up.is_err(), "the process goes on: {given_up:?}");
        let actions: Vec<String> =
            first.remediations().list(100).await.into_iter().map(|kept| kept.action).collect();
        assert_eq!(actions.iter().filter(|action| *action == "give-away").count(), 1, "{actions:?}");
        bed.append(audience_events(1_000, 50, 36)).await;
        bed.assert_state_is_fold_of_log(&second, &frail).await;
        first.stop().await;
        second.stop().await;
    });
}

#[test]
fn an_operator_gives_a_partition_to_another_node_and_a_node_on_its_own_keeps_it() {
    run(async {
        let bed = Bed::embedded();
        let settings = named("a");
        let first = bed.engine(settings.clone()).await;
        first.caught_up().await.expect("caught up");
        let wanted = PartitionId(0);
        assert_eq!(first.give_away(wanted), Err(NotGivenAway::NobodyTakesIt(wanted)));
        let second = bed.engine(named("b")).await;
        eventually("both own partitions", || is_shared(&[&first, &second])).await;
        let held = live_on(&first);
        let given = PartitionId(held[0]);
        assert_eq!(second.give_away(given), Err(NotGivenAway::NotHeld(given)));
        first.give_away(given).expect("there is another node");
        eventually("the other node runs it", || live_on(&second).contains(&given.0)).await;
        let others: Vec<u16> = held.into_iter().filter(|partition| *partition != given.0).collect();
        eventually("nothing else has moved", || live_on(&first) == others).await;
        bed.append(audience_events(1_000, 50, 38)).await;
        bed.assert_state_is_fold_of_log(&second, &settings).await;
        first.stop().await;
        second.stop().await;
    });
}

#[test]
fn a_node_that_missed_what_left_the_outbox_starts_over_from_the_snapshot() {
    run(async {
        let bed = Bed::embedded();
        let settings = named("a");
        let engine = bed.engine(settings.clone()).await;
        for seed in [34, 35] {
            bed.append(audience_events(3_000, 100, seed)).await;
            engine.caught_up().await.expect("caught up");
        }
        let learned = engine.aggregates().read().encode_contents();
        let positions = engine.aggregates().read().positions().to_vec();
        // Stopping stores the snapshot, which drops all that it covers from the outbox but the last.
        engine.stop().await;
        let entries = bed.ports.store.outbox(PartitionId(0), Position::START, 2).await.expect("read");
        assert!(matches!(&entries[..], [last] if last.position == positions[0]), "{entries:?}");
        let last = Delta::decode(&entries[0].delta).expect("readable");
        assert!(last.after > Position::START, "what came before it has left");

        let behind = Aggregates::new(PARTITIONS, settings.aggregates.clone());
        let behind = Sums::new(Arc::new(RwLock::new(behind)));
        catch_up(&bed.ports, &behind, PartitionId(0), positions[0]).await.expect("caught up");
        let behind = behind.aggregates.read();
        assert_eq!(behind.positions(), positions);
        assert!(behind.encode_contents() == learned, "I2");
    });
}

/// The whole life of a cluster of real processes: killed, joined, restarted one by one under load.
#[test]
fn a_cluster_outlives_a_kill_a_join_and_a_rolling_restart() {
    let mut cluster = Cluster::start(&["n1", "n2", "n3"]);
    cluster.wait_until_shared("at the start");
    let load = cluster.publish();
    let probe = cluster.probe("n1");

    let killed = Instant::now();
    cluster.kill("n3");
    cluster.wait_until_shared("after SIGKILL");
    let failover = killed.elapsed();
    let gap_of_kill = probe.longest_gap_since(killed);
    assert!(failover <= Duration::from_secs(3), "failed over in {failover:?}");

    let joined = Instant::now();
    cluster.join("n4");
    cluster.wait_until_shared("after a join");
    let gap_of_join = probe.longest_gap_since(joined);

    let rolled = Instant::now();
    for node in ["n2", "n4"] {
        cluster.terminate(node);
        cluster.wait_until_shared("after SIGTERM");
        cluster.join(node);
        cluster.wait_until_shared("after a restart");
    }
    let gap_of_restarts = probe.longest_gap_since(rolled);

    let probed = probe.stop();
    let events = load.stop();
    println!(
        "SIGKILL: owned elsewhere after {} ms; longest time without a live answer of a partition: SIGKILL {} ms, \
         join {} ms, rolling restart {} ms; {} of {} queries answered, {} live; {events} events",
        failover.as_millis(),
        gap_of_kill.as_millis(),
        gap_of_join.as_millis(),
        gap_of_restarts.as_millis(),
        probed.answered,
        probed.asked,
        probed.live,
    );
    assert_eq!(probed.answered, probed.asked, "I7: every query is answered");
    cluster.verify();
}
