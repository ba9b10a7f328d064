//! A log made anew, another cluster's log, a log set back, a registry that is gone: nothing is taken for what it is not.

use crate::bed::{Bed, DEADLINE, PARTITIONS, audience_events, copy, eventually, play, run};
use nearline_actors::{Engine, EngineSettings};
use nearline_backends::cluster::connect_cluster;
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use nearline_ports::{EventLog, NewEvent, PortError};
use nearline_servers::{NatsServer, RedisServer};
use std::path::Path;
use std::time::Instant;

pub fn nats_settings(bed: &Bed) -> NatsSettings {
    let url = bed.servers.as_ref().expect("servers").0.url();
    NatsSettings { url, partitions: bed.ports.log.partitions(), ..NatsSettings::default() }
}

pub fn redis_settings(redis: &RedisServer) -> RedisSettings {
    RedisSettings { url: redis.url(), ..RedisSettings::default() }
}

async fn jetstream(bed: &Bed) -> async_nats::jetstream::Context {
    let url = bed.servers.as_ref().expect("servers").0.url();
    async_nats::jetstream::new(async_nats::connect(url).await.expect("connected"))
}

async fn remove_log(bed: &Bed) {
    let jetstream = jetstream(bed).await;
    for partition in (0..bed.ports.log.partitions()).map(PartitionId) {
        jetstream.delete_stream(format!("EVENTS_{partition}")).await.expect("removed");
    }
}

/// Puts a copy in the place of a server's files.
fn replace(streams: &Path, copied: &Path) {
    std::fs::remove_dir_all(streams).expect("removed");
    copy(copied, streams);
}

/// Appends until it is acknowledged.
async fn append_at_last(log: &dyn EventLog, event: &NewEvent) -> Position {
    let started = Instant::now();
    loop {
        match &log.append(vec![event.clone()]).await[0] {
            Ok(appended) => return appended.position,
            Err(error) => assert!(started.elapsed() < DEADLINE, "{error}"),
        }
    }
}

fn refusal<T>(outcome: Result<T, PortError>) -> String {
    match outcome.map(|_| ()) {
        Err(error @ PortError::Misconfigured(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_that_is_gone_is_not_made_anew_under_its_state() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(EngineSettings::default()).await;
        bed.append(audience_events(500, 50, 1)).await;
        engine.caught_up().await.expect("caught up");
        engine.stop().await;
        remove_log(&bed).await;
        let (_, redis) = bed.servers.as_ref().expect("servers");
        let text = refusal(connect_cluster(nats_settings(&bed), redis_settings(redis)).await);
        assert!(text.contains("4 of 4 streams are gone"), "{text}");
    });
}

#[test]
fn a_log_made_anew_under_a_running_engine_takes_nothing_and_is_told() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(EngineSettings::default()).await;
        bed.append(audience_events(500, 50, 2)).await;
        engine.caught_up().await.expect("caught up");
        remove_log(&bed).await;
        // Somebody who knows nothing of the store.
        let anew = nearline_backends::nats::connect(nats_settings(&bed)).await.expect("made anew").log;
        eventually("every partition says that the log is another one", || {
            let told = |failure: Option<String>| failure.is_some_and(|text| text.contains("made anew"));
            engine.partitions().into_iter().all(|status| told(status.last_failure)) && !engine.is_ready()
        })
        .await;
        for appended in bed.ports.log.append(audience_events(8, 4, 3)).await {
            appended.expect_err("nothing is accepted");
        }
        for partition in (0..4).map(PartitionId) {
            let last = anew.bounds(partition).await.expect("bounds").last;
            assert_eq!(last, Position::START, "{partition}");
        }
        engine.stop().await;
    });
}

#[test]
fn a_second_cluster_on_the_same_redis_is_refused() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(EngineSettings::default()).await;
        bed.append(audience_events(500, 50, 4)).await;
        engine.caught_up().await.expect("caught up");
        let epochs: Vec<OwnerEpoch> = engine.partitions().iter().map(|status| status.epoch).collect();
        let (_, redis) = bed.servers.as_ref().expect("servers");
        let other = NatsServer::start(None).expect("nats");
        let settings = NatsSettings { url: other.url(), ..nats_settings(&bed) };
        let text = refusal(connect_cluster(settings.clone(), redis_settings(redis)).await);
        assert!(text.contains("were made anew") || text.contains("streams are gone"), "{text}");
        // It has a log of its own already.
        drop(nearline_backends::nats::connect(settings.clone()).await.expect("made"));
        let text = refusal(connect_cluster(settings.clone(), redis_settings(redis)).await);
        assert!(text.contains("was folded from log") && text.contains("key prefix"), "{text}");
        let apart = RedisSettings { key_prefix: "other".into(), ..redis_settings(redis) };
        connect_cluster(settings, apart).await.expect("with a prefix of its own");
        // Nothing of it was felt.
        bed.append(vec![play("one-more", "ana", "t1")]).await;
        engine.caught_up().await.expect("caught up");
        assert_eq!(engine.partitions().iter().map(|status| status.epoch).collect::<Vec<_>>(), epochs);
        bed.assert_state_is_fold_of_log(&engine, &EngineSettings::default()).await;
        engine.stop().await;
    });
}

#[test]
fn a_log_that_was_set_back_and_has_grown_again_is_refused() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(EngineSettings::default()).await;
        bed.append(audience_events(400, 50, 5)).await;
        engine.caught_up().await.expect("caught up");
        engine.stop().await;
        // The same streams, as a backup of before would bring them back, with other events since.
        let jetstream = jetstream(&bed).await;
        for partition in (0..bed.ports.log.partitions()).map(PartitionId) {
            let name = format!("EVENTS_{partition}");
            let mut config =
                jetstream.get_stream(&name).await.expect("the stream").cached_info().config.clone();
            jetstream.delete_stream(&name).await.expect("removed");
            config.first_sequence = None;
            jetstream.create_stream(config).await.expect("restored");
        }
        bed.append(audience_events(2_000, 50, 6)).await;
        let engine = Engine::start(bed.ports.clone(), EngineSettings::default()).await.expect("it starts");
        eventually("every partition says that the log was set back", || {
            let told = |failure: Option<String>| failure.is_some_and(|text| text.contains("was set back"));
            engine.partitions().into_iter().all(|status| told(status.last_failure))
        })
        .await;
        assert!(!engine.is_ready());
        engine.stop().await;
    });
}

#[test]
fn a_log_that_was_set_back_and_has_grown_beyond_a_running_reader_is_refused() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let (streams, older) = (directory.path().join("streams"), directory.path().join("older"));
        let (mut nats, redis) =
            (NatsServer::start(Some(&streams)).expect("nats"), RedisServer::start().expect("redis"));
        let settings = NatsSettings { url: nats.url(), partitions: PARTITIONS, ..NatsSettings::default() };
        let ports = connect_cluster(settings.clone(), redis_settings(&redis)).await.expect("reached");
        let bed = Bed { ports, servers: None, _directory: Some(directory) };
        let engine = bed.engine(EngineSettings::default()).await;
        bed.append(audience_events(400, 50, 5)).await;
        engine.caught_up().await.expect("caught up");
        nats.stop();
        copy(&streams, &older);
        nats.restart().expect("nats is back");
        append_at_last(&*bed.ports.log, &play("again", "ana", "t1")).await;
        bed.append(audience_events(400, 50, 6)).await;
        engine.caught_up().await.expect("caught up");
        nats.stop();
        // The last 400 are lost, and before anybody reads on others have taken their places.
        {
            let elsewhere = NatsServer::start(Some(&older)).expect("nats");
            let settings = NatsSettings { url: elsewhere.url(), ..settings };
            let ports = nearline_backends::nats::connect(settings).await.expect("the same log");
            for appended in ports.log.append(audience_events(2_000, 50, 7)).await {
                appended.expect("acknowledged");
            }
        }
        replace(&streams, &older);
        nats.restart().expect("nats is back");
        eventually("every partition says that the log was set back", || {
            let told = |failure: Option<String>| failure.is_some_and(|text| text.contains("was set back"));
            engine.partitions().into_iter().all(|status| told(status.last_failure))
        })
        .await;
        engine.stop().await;
    });
}

/// Waits until a log says why it takes nothing; nothing is accepted meanwhile.
async fn refuses(log: &dyn EventLog) {
    let started = Instant::now();
    loop {
        let answered = log.append(audience_events(200, 50, 8)).await;
        let told = answered.iter().all(|one| {
            one.as_ref().err().map(ToString::to_string).is_some_and(|text| text.contains("taken for read"))
        });
        assert!(answered.iter().all(Result::is_err), "what has no place of its own is not accepted");
        if told {
            break;
        }
        assert!(started.elapsed() < DEADLINE, "{answered:?}");
    }
}

#[test]
fn a_log_that_was_set_back_takes_nothing_until_it_is_restored() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let place = |name: &str| directory.path().join(name);
        let (streams, older, whole) = (place("streams"), place("older"), place("whole"));
        let (mut nats, redis) =
            (NatsServer::start(Some(&streams)).expect("nats"), RedisServer::start().expect("redis"));
        let settings = NatsSettings { url: nats.url(), partitions: PARTITIONS, ..NatsSettings::default() };
        let reach = || connect_cluster(settings.clone(), redis_settings(&redis));
        let (ports, other) = (reach().await.expect("reached"), reach().await.expect("reached"));
        let node = |name: &str| EngineSettings { node: name.into(), ..EngineSettings::default() };
        let bed = Bed { ports, servers: None, _directory: None };
        let one = bed.engine(node("one")).await;
        let two = Engine::start(other.clone(), node("two")).await.expect("started");
        eventually("both run partitions", || one.node_status().held == 2 && two.node_status().held == 2)
            .await;
        bed.append(audience_events(400, 50, 5)).await;
        one.caught_up().await.expect("caught up");
        nats.stop();
        copy(&streams, &older);
        nats.restart().expect("nats is back");
        append_at_last(&*bed.ports.log, &play("again", "ana", "t1")).await;
        bed.append(audience_events(400, 50, 6)).await;
        one.caught_up().await.expect("caught up");
        nats.stop();
        copy(&streams, &whole);
        replace(&streams, &older);
        nats.restart().expect("nats is back");
        // Whichever node is asked, and whoever runs the partition; a program that comes now, too.
        let anew = reach().await.expect("reached");
        for log in [&bed.ports.log, &other.log, &anew.log] {
            refuses(&**log).await;
        }
        let epoch = || {
            let mut link =
                redis::Client::open(redis.url()).and_then(|client| client.get_connection()).expect("redis");
            let epoch: u64 =
                redis::cmd("HGET").arg("nl:{p00}:meta").arg("epoch").query(&mut link).expect("an epoch");
            epoch
        };
        let first = epoch();
        eventually("it was tried again and again", || epoch() > first + 3).await;
        nats.stop();
        replace(&streams, &whole);
        nats.restart().expect("nats is back");
        for event in audience_events(200, 50, 8) {
            append_at_last(&*bed.ports.log, &event).await;
        }
        bed.assert_state_is_fold_of_log(&one, &EngineSettings::default()).await;
        let remediations = one.remediations().list(1_000).await;
        let holds = remediations.iter().filter(|one| one.fault == "unusable").count();
        assert!((1..=usize::from(PARTITIONS)).contains(&holds), "each outage is one: {remediations:#?}");
        two.stop().await;
        one.stop().await;
    });
}

#[test]
fn a_log_that_lost_what_was_read_and_not_committed_goes_on() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let (streams, older) = (directory.path().join("streams"), directory.path().join("older"));
        let (mut nats, redis) =
            (NatsServer::start(Some(&streams)).expect("nats"), RedisServer::start().expect("redis"));
        let settings = NatsSettings { url: nats.url(), partitions: PARTITIONS, ..NatsSettings::default() };
        let ports = connect_cluster(settings, redis_settings(&redis)).await.expect("reached");
        let bed = Bed { ports, servers: None, _directory: None };
        // Nothing of the second half is committed.
        let patient = EngineSettings { commit_interval_ms: 600_000, ..EngineSettings::default() };
        let engine = bed.engine(patient.clone()).await;
        bed.append(audience_events(400, 50, 5)).await;
        engine.caught_up().await.expect("caught up");
        nats.stop();
        copy(&streams, &older);
        nats.restart().expect("nats is back");
        let lost = audience_events(400, 50, 6);
        let mut end = Position::START;
        for event in &lost {
            end = append_at_last(&*bed.ports.log, event).await.max(end);
        }
        let folded = || engine.partitions().into_iter().map(|status| status.folded).max();
        eventually("it is folded", || folded() >= Some(end)).await;
        nats.stop();
        replace(&streams, &older);
        nats.restart().expect("nats is back");
        for event in audience_events(400, 50, 7) {
            append_at_last(&*bed.ports.log, &event).await;
        }
        bed.assert_state_is_fold_of_log(&engine, &patient).await;
        engine.stop().await;
    });
}

#[test]
fn a_registry_that_is_gone_is_made_anew_and_the_nodes_find_each_other_again() {
    run(async {
        let bed = Bed::cluster().await;
        let node =
            |name: &str| EngineSettings { node: name.into(), lease_ms: 800, ..EngineSettings::default() };
        let (one, two) = (bed.engine(node("one")).await, bed.engine(node("two")).await);
        let shared = || one.node_status().held == 2 && two.node_status().held == 2;
        eventually("the partitions are shared", shared).await;
        jetstream(&bed).await.delete_stream("KV_nearline-nodes").await.expect("removed");
        bed.append(audience_events(300, 50, 7)).await;
        let begun = Instant::now();
        while jetstream(&bed).await.get_stream("KV_nearline-nodes").await.is_err() {
            assert!(begun.elapsed() < DEADLINE, "it is not made anew");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        eventually("both know each other", || one.node_status().others == 1 && two.node_status().others == 1)
            .await;
        for engine in [&one, &two] {
            engine.caught_up().await.expect("the sums of both know everything");
        }
        one.stop().await;
        eventually("what one had is the other's", || two.node_status().held == 4).await;
        two.stop().await;
    });
}
