//! What operators do by mistake on real servers: refused or told as what it is, before and while it is served.

use crate::bed::{Bed, PARTITIONS, audience_events, eventually, run};
use crate::doctor::{cluster, doctor, says};
use crate::other_log::{nats_settings, redis_settings};
use nearline_actors::{Engine, EngineSettings};
use nearline_backends::cluster::connect_cluster;
use nearline_backends::redis::RedisSettings;
use nearline_model::{FoldSettings, PartitionId};
use nearline_ports::Ports;
use serde_json::Value;
use std::process::Command;

fn settings(node: &str) -> EngineSettings {
    EngineSettings { node: node.to_owned(), snapshot_interval_ms: 200, ..EngineSettings::default() }
}

/// Connections of another process.
async fn other_ports(bed: &Bed) -> Ports {
    let (_, redis) = bed.servers.as_ref().expect("servers");
    connect_cluster(nats_settings(bed), redis_settings(redis)).await.expect("connected")
}

/// State of 500 events, and nobody on it.
async fn with_state() -> Bed {
    let bed = Bed::cluster().await;
    let engine = bed.engine(settings("n1")).await;
    bed.append(audience_events(500, 50, 71)).await;
    engine.caught_up().await.expect("caught up");
    engine.stop().await;
    bed
}

/// What the doctor finds, with more settings.
fn found(bed: &Bed, more: &[(&str, &str)]) -> Vec<Value> {
    let (nats, redis) = bed.servers.as_ref().expect("servers");
    let (nats, redis, partitions) = (nats.url(), redis.url(), PARTITIONS.to_string());
    let mut settings = cluster(&nats, &redis);
    settings.push(("ENGINE__PARTITIONS", &partitions));
    settings.extend(more);
    let directory = tempfile::tempdir().expect("a directory");
    doctor(directory.path(), &settings).1
}

#[test]
fn settings_that_state_was_not_made_with_are_refused_before_anything_is_taken_over() {
    run(async {
        let bed = with_state().await;
        says(&found(&bed, &[]), "state", "ok", "state of 4 partitions fits");
        let differ = "`fold.lateness_seconds` was 600, is 61";
        let findings = found(&bed, &[("FOLD__LATENESS_SECONDS", "61")]);
        says(&findings, "state", "fail", differ);
        let findings = found(&bed, &[("AGGREGATES__EPOCHS", "48")]);
        says(&findings, "state", "fail", "`aggregates.epochs` was 96, is 48");
        let fold = FoldSettings { lateness_seconds: 61, ..FoldSettings::default() };
        let refused = Engine::start(bed.ports.clone(), EngineSettings { fold, ..settings("n1") }).await;
        let refused = refused.err().expect("refused").to_string();
        assert!(refused.contains(differ) && refused.contains("nearline refold"), "{refused}");
    });
}

#[test]
fn a_log_of_which_a_part_is_gone_is_found_before_the_start() {
    run(async {
        let bed = with_state().await;
        let nats =
            async_nats::connect(bed.servers.as_ref().expect("servers").0.url()).await.expect("connected");
        let jetstream = async_nats::jetstream::new(nats);
        let stream = jetstream.get_stream("EVENTS_p01").await.expect("there");
        stream.purge().await.expect("purged");
        // All that was read may go.
        says(&found(&bed, &[]), "state", "ok", "fits the settings and the log");
        bed.append(audience_events(500, 50, 72)).await;
        stream.purge().await.expect("purged");
        says(&found(&bed, &[]), "state", "fail", "events between are gone before they were counted");
        jetstream.delete_stream("EVENTS_p02").await.expect("deleted");
        says(&found(&bed, &[]), "start", "fail", "EVENTS_p02 is gone from NATS");
    });
}

#[test]
fn a_key_that_was_removed_alone_is_damage_and_not_an_absence() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(settings("n1")).await;
        bed.append(audience_events(500, 50, 73)).await;
        engine.caught_up().await.expect("caught up");
        let partition = PartitionId(3);
        let redis = &bed.servers.as_ref().expect("servers").1;
        crate::doctor::run(redis, &["DEL", &format!("nl:{{{partition}}}:meta")]);
        eventually("the partition says what to do", || {
            let failure = engine.partitions().swap_remove(usize::from(partition.0)).last_failure;
            failure.is_some_and(|text| text.contains("nearline refold"))
        })
        .await;
        engine.stop().await;
    });
}

#[test]
fn of_two_processes_of_one_name_the_earlier_is_not_ready() {
    run(async {
        let bed = Bed::cluster().await;
        let earlier = bed.engine(settings("n1")).await;
        bed.append(audience_events(100, 10, 74)).await;
        eventually("it is ready", || earlier.is_ready()).await;
        let later = Engine::start(other_ports(&bed).await, settings("n1")).await.expect("started");
        eventually("the later one is ready and the earlier is not", || {
            later.is_ready() && !earlier.is_ready()
        })
        .await;
        let told = earlier.not_ready().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(told.contains("another process goes by n1; give each node a name of its own"), "{told}");
        later.stop().await;
        earlier.stop().await;
    });
}

#[test]
fn nothing_is_folded_anew_under_a_node_that_runs() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(settings("n1")).await;
        bed.append(audience_events(100, 10, 75)).await;
        engine.caught_up().await.expect("caught up");
        let (nats, redis) = bed.servers.as_ref().expect("servers");
        let (nats, redis, partitions) = (nats.url(), redis.url(), PARTITIONS.to_string());
        let refold = move || {
            let settings =
                cluster(&nats, &redis).into_iter().chain([("ENGINE__PARTITIONS", partitions.as_str())]);
            let output = Command::new(env!("CARGO_BIN_EXE_nearline"))
                .envs(settings.map(|(key, value)| (format!("NEARLINE__{key}"), value.to_owned())))
                .args(["refold", "--yes"])
                .output()
                .expect("it runs");
            (
                output.status.success(),
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
            )
        };
        let refolding = tokio::task::spawn_blocking(move || (refold(), refold));
        let ((done, said), refold) = refolding.await.expect("asked");
        assert!(!done && said.contains("node n1 is running"), "{said}");
        assert!(engine.is_ready());
        engine.stop().await;
        let (done, said) = tokio::task::spawn_blocking(refold).await.expect("asked");
        assert!(done, "{said}");
    });
}

#[test]
fn events_that_are_gone_before_anything_was_counted_are_told_and_a_log_begun_late_is_taken() {
    run(async {
        let bed = Bed::cluster().await;
        bed.engine(settings("n1")).await.stop().await;
        bed.append(audience_events(500, 50, 76)).await;
        let (nats, redis) = bed.servers.as_ref().expect("servers");
        let client = async_nats::connect(nats.url()).await.expect("connected");
        let stream = async_nats::jetstream::new(client).get_stream("EVENTS_p01").await.expect("there");
        stream.purge().keep(3).await.expect("purged");
        let engine = Engine::start(bed.ports.clone(), settings("n1")).await.expect("started");
        eventually("the partition says what is gone", || {
            let failure = engine.partitions().swap_remove(1).last_failure;
            failure.is_some_and(|text| text.contains("gone though they were never counted"))
                && !engine.is_ready()
        })
        .await;
        engine.stop().await;
        // Whoever begins with what is there, knowing that it is not all, begins, also after a restart.
        let redis = RedisSettings { key_prefix: "late".to_owned(), ..redis_settings(redis) };
        let ports = connect_cluster(nats_settings(&bed), redis).await.expect("connected");
        for _twice in 0..2 {
            let engine = Engine::start(ports.clone(), settings("n1")).await.expect("started");
            eventually("it begins with what is there", || engine.is_ready()).await;
            engine.stop().await;
        }
    });
}

#[test]
fn a_node_of_another_cluster_in_the_same_registry_is_passed_over() {
    run(async {
        let bed = Bed::cluster().await;
        let engine = bed.engine(settings("n1")).await;
        let url = bed.servers.as_ref().expect("servers").0.url();
        let jetstream = async_nats::jetstream::new(async_nats::connect(url).await.expect("connected"));
        let nodes = jetstream.get_key_value("nearline-nodes").await.expect("the registry");
        let own = nodes.get("n1").await.expect("read").expect("there");
        let own: Value = serde_json::from_slice(&own).expect("JSON");
        for (name, log, partition) in [("a", "another-log", "0"), ("b", "", "60000")] {
            let mut other = own.clone();
            other["beat"]["node"] = name.into();
            other["beat"]["incarnation"] = 7.into();
            other["log"] = log.into();
            other["committed"] = serde_json::json!({ partition: 5 });
            nodes.put(name, other.to_string().into()).await.expect("put");
        }
        bed.append(audience_events(400, 50, 76)).await;
        engine.caught_up().await.expect("caught up");
        // What is heard after them is heard: a node of this cluster.
        let later = Engine::start(other_ports(&bed).await, settings("n2")).await.expect("started");
        eventually("both know each other alone", || {
            let known = [&engine, &later].map(|engine| engine.node_status().others);
            known == [1, 1] && engine.is_ready() && later.is_ready()
        })
        .await;
        later.stop().await;
        engine.stop().await;
    });
}
