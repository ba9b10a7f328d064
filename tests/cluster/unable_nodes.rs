//! Nodes that cannot work: they take no part, and what they had goes elsewhere, as long as others can.

use crate::bed::{Bed, audience_events, eventually, run};
use nearline_actors::{Engine, EngineSettings};
use nearline_backends::cluster::connect_cluster;
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_ports::Ports;

const LEASE_MS: u64 = 800;

fn settings(node: &str) -> EngineSettings {
    EngineSettings { node: node.into(), lease_ms: LEASE_MS, ..EngineSettings::default() }
}

/// What the user `limited` may do, as an operator says it.
async fn permit(bed: &Bed, rules: &[&str]) {
    let client = redis::Client::open(bed.servers.as_ref().expect("servers").1.url()).expect("a URL");
    let mut operator = client.get_multiplexed_async_connection().await.expect("connected");
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg("limited").arg(rules);
    let _done: String = command.query_async(&mut operator).await.expect("Redis takes it");
}

/// The same servers as the user `limited`.
async fn as_limited(bed: &Bed) -> Ports {
    let (nats, redis) = bed.servers.as_ref().expect("servers");
    let nats =
        NatsSettings { url: nats.url(), partitions: bed.ports.log.partitions(), ..NatsSettings::default() };
    let url = redis.url().replace("redis://", "redis://limited:secret@");
    connect_cluster(nats, RedisSettings { url, ..RedisSettings::default() }).await.expect("connected")
}

#[test]
fn a_node_whose_store_takes_no_commits_joins_only_once_it_does() {
    run(async {
        let bed = Bed::cluster().await;
        permit(&bed, &["on", ">secret", "~*", "&*", "+@all", "-@scripting"]).await;
        let able = bed.engine(settings("able")).await;
        let unable = Engine::start(as_limited(&bed).await, settings("unable")).await.expect("it starts");
        bed.append(audience_events(300, 50, 1)).await;
        able.caught_up().await.expect("caught up");
        // Several leases: time enough to have been given a share.
        let since = std::time::Instant::now();
        while since.elapsed().as_millis() < u128::from(3 * LEASE_MS) {
            assert_eq!((able.node_status().held, able.node_status().others), (4, 0));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(!unable.is_ready() && unable.node_status().held == 0);
        permit(&bed, &["+@scripting"]).await;
        let shared = || able.node_status().held == 2 && unable.node_status().held == 2;
        eventually("it joins, and has its share", shared).await;
        unable.stop().await;
        able.stop().await;
    });
}

#[test]
fn what_a_node_had_goes_elsewhere_once_its_store_takes_no_more_commits() {
    run(async {
        let bed = Bed::cluster().await;
        permit(&bed, &["on", ">secret", "~*", "&*", "+@all"]).await;
        let able = bed.engine(settings("able")).await;
        let unable = Engine::start(as_limited(&bed).await, settings("unable")).await.expect("it starts");
        let shared = || able.node_status().held == 2 && unable.node_status().held == 2;
        eventually("the partitions are shared", shared).await;
        permit(&bed, &["-@scripting"]).await;
        bed.append(audience_events(300, 50, 2)).await;
        eventually("the able one has them all", || able.node_status().held == 4).await;
        able.caught_up().await.expect("it folds them all");
        permit(&bed, &["+@scripting"]).await;
        eventually("both have their share again", shared).await;
        bed.append(audience_events(300, 50, 3)).await;
        for engine in [&able, &unable] {
            engine.caught_up().await.expect("nothing is missing");
        }
        bed.assert_state_is_fold_of_log(&able, &settings("able")).await;
        unable.stop().await;
        able.stop().await;
    });
}

#[test]
fn partitions_stay_where_they_are_while_the_store_works_for_nobody() {
    run(async {
        let bed = Bed::cluster().await;
        permit(&bed, &["on", ">secret", "~*", "&*", "+@all"]).await;
        let ports = [as_limited(&bed).await, as_limited(&bed).await];
        let one = Engine::start(ports[0].clone(), settings("one")).await.expect("it starts");
        let two = Engine::start(ports[1].clone(), settings("two")).await.expect("it starts");
        let shared = || one.node_status().held == 2 && two.node_status().held == 2;
        eventually("the partitions are shared", shared).await;
        eventually("both are ready", || one.is_ready() && two.is_ready()).await;
        permit(&bed, &["-@scripting"]).await;
        bed.append(audience_events(100, 50, 4)).await;
        let stay = async |leases: u64| {
            let since = std::time::Instant::now();
            while since.elapsed().as_millis() < u128::from(leases * LEASE_MS) {
                assert!(shared(), "{:?} {:?}", one.node_status(), two.node_status());
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        stay(4).await;
        permit(&bed, &["+@scripting"]).await;
        // It does not come back to both in the same moment.
        stay(3).await;
        for engine in [&one, &two] {
            engine.caught_up().await.expect("all goes on");
        }
        one.stop().await;
        two.stop().await;
    });
}
