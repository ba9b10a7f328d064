//! Which log it is: streams made anew, made beforehand, mapped or not, and those of the earlier layout.

use crate::{DEADLINE, PARTITIONS, RETRY, append, connect, events, open, read_to, settings, stock_client};
use async_nats::jetstream::stream::{
    Config, PersistenceMode, RetentionPolicy, StorageType, SubjectTransform,
};
use nearline_backends::nats::{Followed, NatsSettings, connect_following};
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::identifier::{partition_of, position_of};
use nearline_ports::{EventLog, PortError};
use nearline_servers::NatsServer;
use std::time::Instant;

const P0: PartitionId = PartitionId(0);

fn names() -> impl Iterator<Item = String> {
    (0..PARTITIONS).map(|partition| format!("EVENTS_{}", PartitionId(partition)))
}

fn misconfigured<T>(outcome: Result<T, PortError>) -> String {
    match outcome.map(|_| ()) {
        Err(error @ PortError::Misconfigured(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_made_anew_takes_nothing_from_a_node_that_knows_the_old_one() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let old = connect(&nats).await;
    append(&old, events("e", 40)).await;
    let client = stock_client(&nats).await;
    for name in names() {
        client.delete_stream(name).await.expect("removed");
    }
    let new = connect(&nats).await;
    assert_ne!(old.identity(), new.identity());
    for outcome in old.append(events("lost?", 40)).await {
        assert!(outcome.expect_err("not accepted").is_transient());
    }
    let reader = old.open_reader(P0, position_of(3, P0, PARTITIONS)).await.map(|_| ());
    // Where the new one ends says nothing of the old one.
    let bounds = old.bounds(P0).await.map(|_| ());
    for refused in [reader, bounds] {
        match refused {
            Err(error @ PortError::Damaged { .. }) => {
                let text = error.to_string();
                assert!(text.contains(old.identity()) && text.contains(new.identity()), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(new.bounds(P0).await.expect("bounds").last, Position::START);
    append(&new, events("e", 40)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_a_store_has_folded_is_not_made_anew() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, events("e", 40)).await;
    let followed = Followed {
        identity: Some(log.identity().to_owned()),
        positions: vec![Position(1), Position(2), Position(3), Position(4)],
    };
    connect_following(settings(&nats), followed.clone(), None).await.expect("it is there");
    let client = stock_client(&nats).await;
    client.delete_stream("EVENTS_p02").await.expect("removed");
    let text = misconfigured(connect_following(settings(&nats), followed.clone(), None).await);
    assert!(text.contains("1 of 4 streams are gone (EVENTS_p02)"), "{text}");
    for name in names().filter(|name| name != "EVENTS_p02") {
        client.delete_stream(name).await.expect("removed");
    }
    let text = misconfigured(connect_following(settings(&nats), followed, None).await);
    assert!(text.contains("4 of 4 streams are gone"), "{text}");
}

type Change = fn(&mut Config);

/// What is wrong with a stream that was made by `change`.
async fn refused(change: impl Fn(&mut Config)) -> String {
    let nats = NatsServer::start(None).expect("a NATS server");
    drop(connect(&nats).await);
    let client = stock_client(&nats).await;
    let mut config = client.get_stream("EVENTS_p01").await.expect("the stream").cached_info().config.clone();
    client.delete_stream("EVENTS_p01").await.expect("removed");
    change(&mut config);
    client.create_stream(config).await.expect("made beforehand");
    misconfigured(nearline_backends::nats::connect(settings(&nats)).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_made_beforehand_that_would_lose_events_is_refused() {
    let cases: [(Change, &str); 11] = [
        (|config| config.retention = RetentionPolicy::Interest, "retention by interest"),
        (|config| config.retention = RetentionPolicy::WorkQueue, "retention by workqueue"),
        (|config| config.max_messages = 100, "max_msgs 100"),
        (|config| config.max_messages_per_subject = 1, "max_msgs_per_subject 1"),
        (|config| config.no_ack = true, "no_ack"),
        (|config| config.storage = StorageType::Memory, "messages in memory"),
        (|config| config.max_age = std::time::Duration::from_secs(3_600), "max_age 3600 s"),
        (|config| config.max_bytes = 1 << 20, "max_bytes 1048576"),
        (|config| config.max_message_size = 100, "max_msg_size 100"),
        (|config| config.allow_message_ttl = true, "allow_msg_ttl"),
        (|config| config.persist_mode = Some(PersistenceMode::Async), "persist_mode async"),
    ];
    for (change, expected) in cases {
        let text = refused(change).await;
        assert!(text.contains(expected) && text.contains("EVENTS_p01"), "{expected}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_changed_while_it_is_read_is_refused_when_it_is_opened_again() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let client = stock_client(&nats).await;
    let mut config = client.get_stream("EVENTS_p00").await.expect("the stream").cached_info().config.clone();
    config.max_messages = 10;
    client.update_stream(config).await.expect("changed");
    let text = misconfigured(log.open_reader(P0, Position::START).await);
    assert!(text.contains("max_msgs 10"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_to_another_number_of_partitions_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let conf = r#"mappings: { "nearline.events.*": "nearline.log.{{partition(8,1)}}" }
        jetstream { store_dir: $NATS_STORE_DIR }"#;
    std::fs::write(file.path(), conf).expect("written");
    let nats = NatsServer::start_with_file(file.path()).expect("NATS takes the file");
    let text = misconfigured(nearline_backends::nats::connect(settings(&nats)).await);
    assert!(text.contains("{{partition(4,1)}}"), "{text}");
    let eight = NatsSettings { partitions: 8, stream: "OTHER".into(), ..settings(&nats) };
    let client = stock_client(&nats).await;
    for name in names() {
        client.delete_stream(name).await.expect("removed");
    }
    let log = nearline_backends::nats::connect(eight).await.expect("as the server says").log;
    let ack = client.publish("nearline.events.ada", "{}".into()).await.expect("published");
    let ack = ack.await.expect("acknowledged");
    let partition = partition_of("ada", 8);
    assert_eq!(
        (ack.stream, ack.sequence),
        (format!("OTHER_{partition}"), 1),
        "the log's own acknowledgement"
    );
    assert_eq!(log.bounds(partition).await.expect("bounds").last, position_of(1, partition, 8));
}

/// One stream for all partitions, as it was laid out before.
async fn earlier_layout(nats: &NatsServer, count: usize) -> Vec<(PartitionId, u64)> {
    let client = stock_client(nats).await;
    let config = Config {
        name: "EVENTS".into(),
        subjects: vec!["nearline.events.*".into()],
        subject_transform: Some(SubjectTransform {
            source: "nearline.events.*".into(),
            destination: format!("nearline.events.{{{{partition({PARTITIONS},1)}}}}"),
        }),
        ..Config::default()
    };
    client.create_stream(config).await.expect("created");
    let mut places = Vec::new();
    for event in events("old", count) {
        let subject = format!("nearline.events.{}", event.member);
        let ack =
            client.publish(subject, event.payload).await.expect("published").await.expect("acknowledged");
        places.push((partition_of(&event.member, PARTITIONS), ack.sequence));
    }
    places
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_one_stream_goes_on_behind_what_was_folded_of_it() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let places = earlier_layout(&nats, 100).await;
    // Partition 0 is folded up to its third record, the others not at all.
    let of_p0: Vec<u64> =
        places.iter().filter(|(partition, _)| *partition == P0).map(|(_, at)| *at).collect();
    let followed = Followed {
        identity: None,
        positions: vec![Position(of_p0[2]), Position::START, Position::START, Position::START],
    };
    let log = connect_following(settings(&nats), followed, None).await.expect("connected").log;
    let begun = Instant::now();
    let last = |partition| {
        let log = &log;
        async move { log.bounds(partition).await.expect("bounds").last }
    };
    for partition in (0..PARTITIONS).map(PartitionId) {
        let all = places.iter().filter(|(of, _)| *of == partition).count();
        let left = if partition == P0 { all - 3 } else { all } as u64;
        // Beyond all positions of the earlier one.
        let first = 100 / u64::from(PARTITIONS) + 2;
        let expected: Vec<Position> =
            (first..first + left).map(|number| position_of(number, partition, PARTITIONS)).collect();
        let end = *expected.last().expect("some");
        while last(partition).await < end {
            assert!(begun.elapsed() < DEADLINE, "{partition}: at {}", last(partition).await);
            tokio::time::sleep(RETRY).await;
        }
        let after = if partition == P0 { of_p0[2] } else { 0 };
        let records = read_to(open(&log, partition, Position(after)).await.as_mut(), end).await;
        assert!(records.iter().map(|record| record.position).eq(expected), "{partition}");
    }
    // From where the new streams do not go on, it is a gap.
    assert!(log.open_reader(P0, Position(of_p0[1])).await.is_err());
    let appended = append(&log, events("new", 50)).await;
    assert!(appended.iter().all(|one| one.position > Position(100) && !one.duplicate));
}
