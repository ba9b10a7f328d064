//! The stream as others see it.

use crate::{PARTITIONS, connect, open, settings, soon, stock_client};
use bytes::Bytes;
use nearline_backends::nats::NatsSettings;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::identifier::partition_of;
use nearline_ports::PortError;
use nearline_servers::NatsServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_partitions_members_as_the_engine_does() {
    const MANY: u16 = 61;
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = nearline_backends::nats::connect(NatsSettings { partitions: MANY, ..settings(&nats) }).await;
    let log = log.expect("connected").log;
    let client = stock_client(&nats).await;
    let member = |n: usize| match n % 4 {
        0 => format!("m{n}"),
        1 => format!("Member_{n}-x"),
        2 => format!("{n:064}"),
        _ => format!("-{}", n.pow(3)),
    };
    let members: Vec<String> = (0..1_000).map(member).collect();
    let mut acks = Vec::new();
    for member in &members {
        let client = &client;
        let payload = Bytes::from(member.clone());
        acks.push(client.publish(format!("nearline.events.{member}"), payload).await.expect("published"));
    }
    for ack in acks {
        ack.await.expect("acknowledged");
    }
    let mut read = 0;
    for partition in (0..MANY).map(PartitionId) {
        let mut reader = open(&log, partition, Position::START).await;
        let expected: Vec<&String> =
            members.iter().filter(|member| partition_of(member, MANY) == partition).collect();
        assert!(!expected.is_empty(), "every partition got a member");
        let mut found = Vec::new();
        while found.len() < expected.len() {
            found.extend(soon("records", reader.next_batch(100)).await.expect("a batch"));
        }
        assert!(
            found.iter().map(|record| &record.payload[..]).eq(expected.iter().map(|name| name.as_bytes()))
        );
        read += found.len();
    }
    assert_eq!(read, members.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_with_another_partition_count_is_refused_with_both_numbers() {
    let nats = NatsServer::start(None).expect("a NATS server");
    drop(nearline_backends::nats::connect(NatsSettings { partitions: 24, ..settings(&nats) }).await);
    let refused = nearline_backends::nats::connect(NatsSettings { partitions: 36, ..settings(&nats) }).await;
    match refused.err() {
        Some(PortError::Misconfigured(text)) => {
            assert!(text.contains("24 partitions") && text.contains("configured are 36"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    nearline_backends::nats::connect(NatsSettings { partitions: 24, ..settings(&nats) })
        .await
        .expect("as it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stock_clients_publish_without_an_id_is_read() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let partition = partition_of("raw-1", PARTITIONS);
    let mut reader = open(&log, partition, Position::START).await;
    let client = async_nats::connect(nats.url()).await.expect("a stock client");
    // No header, no acknowledgement, the same bytes twice: two records.
    for payload in ["{\"id\":\"r1\"}", "{\"id\":\"r1\"}", "not even JSON"] {
        client.publish("nearline.events.raw-1", payload.into()).await.expect("published");
    }
    client.flush().await.expect("flushed");
    let mut records = Vec::new();
    while records.len() < 3 {
        records.extend(soon("records", reader.next_batch(10)).await.expect("a batch"));
    }
    let payloads: Vec<&[u8]> = records.iter().map(|record| &record.payload[..]).collect();
    assert_eq!(payloads, [&b"{\"id\":\"r1\"}"[..], b"{\"id\":\"r1\"}", b"not even JSON"]);
    assert!(records.iter().all(|record| record.log_ms > 0));
}
