//! Changes of a database as Debezium wrote them, through JetStream and the example: each counts once, however often it comes.
//!
//! `debezium/changes.ndjson` is what Debezium 3.6.3 made of a PostgreSQL 15 (`.ci/debezium` runs both): a snapshot of two tables,
//! an update, an insertion, two deletions; the first with its schema.

use crate::bed::{Bed, DEADLINE, run};
use async_nats::jetstream::{self, stream};
use nearline_actors::{Engine, EngineSettings};
use nearline_model::Position;
use std::process::Command;

const CHANGES: &str = include_str!("debezium/changes.ndjson");
const STREAM: &str = "DebeziumStream";

/// Puts the changes into the stream, each twice, as a source does that is not sure of its acknowledgement.
async fn put_changes(url: &str) {
    let client = async_nats::connect(url).await.expect("connected");
    let log = jetstream::new(client);
    let settings =
        stream::Config { name: STREAM.into(), subjects: vec!["shop.public.*".into()], ..Default::default() };
    log.create_stream(settings).await.expect("a stream");
    for line in CHANGES.lines() {
        let change: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let subject = change["subject"].as_str().expect("a subject").to_owned();
        for _ in 0..2 {
            let sent = log.publish(subject.clone(), change["value"].to_string().into()).await;
            sent.expect("sent").await.expect("acknowledged");
        }
    }
}

/// Runs the example until nothing comes any more; what it counted.
fn follow(url: &str, consumer: &str) -> serde_json::Value {
    let python = std::env::var("NEARLINE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/debezium.py");
    let arguments = [script, url, "--source", "shop.public.*", "--consumer", consumer, "--idle", "1"];
    let output = Command::new(python).args(arguments).output().expect("Python starts");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{failed}"))
}

async fn history(engine: &Engine, member: &str) -> Vec<(String, u32)> {
    let found = engine.member(member, true, None).await.expect("answered");
    let known = found.snapshot.map(|member| member.history.clone()).unwrap_or_default();
    known.iter().map(|watched| (watched.title.to_string(), watched.watched_s)).collect()
}

#[test]
fn changes_of_a_database_count_once_however_often_they_come() {
    run(async {
        let bed = Bed::cluster().await;
        let settings = EngineSettings::default();
        let engine = bed.engine(settings.clone()).await;
        let url = bed.servers.as_ref().expect("servers").0.url();
        put_changes(&url).await;
        let twice = CHANGES.lines().count() as u64 * 2;
        let counted = follow(&url, "first");
        assert_eq!(
            counted,
            serde_json::json!({"changes": twice, "events": 18, "duplicates": 9, "of no meaning": 8})
        );
        let of = |title: &str, seconds| (title.to_owned(), seconds);
        let told = async || {
            tokio::time::timeout(DEADLINE, engine.caught_up())
                .await
                .expect("in time")
                .expect("the log answers");
            [history(&engine, "m1").await, history(&engine, "m2").await, history(&engine, "m3").await]
        };
        let expected =
            [vec![of("t3", 0), of("t6", 0), of("t7", 0)], vec![of("t4", 0), of("t1", 1_200)], Vec::new()];
        assert_eq!(told().await, expected, "m3 was deleted");
        let again = follow(&url, "second");
        assert_eq!((&again["events"], &again["duplicates"]), (&counted["events"], &counted["events"]));
        assert_eq!(told().await, expected, "all of it came again");
        assert_eq!(bed.ports.dead_letters.list(Position::START, 10).await.expect("listed"), []);
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        engine.stop().await;
    });
}
