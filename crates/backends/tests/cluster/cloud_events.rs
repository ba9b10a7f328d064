//! CloudEvents in binary mode, as a client that is not ours publishes them.

use crate::{PARTITIONS, connect, open, read_to, soon, stock_client};
use async_nats::HeaderMap;
use nearline_model::Event;
use nearline_model::Position;
use nearline_model::identifier::{partition_of, position_of};
use nearline_ports::EventLog;
use nearline_servers::NatsServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_id_and_the_time_of_a_cloud_event_are_those_of_the_event_whenever_it_is_read() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-type", "com.example.played"),
        ("ce-source", "/tv"),
        ("ce-id", "7f3a-1"),
        ("ce-time", "2026-03-01T20:15:00Z"),
    ] {
        headers.insert(name, value);
    }
    let payload = r#"{"type":"play","member":"ana","title":"heist"}"#;
    let client = stock_client(&nats).await;
    let published = client.publish_with_headers("nearline.events.ana", headers, payload.into()).await;
    soon("acknowledgement", published.expect("sent").into_future()).await.expect("acknowledged");
    let partition = partition_of("ana", PARTITIONS);
    let position = position_of(1, partition, PARTITIONS);
    let mut reader = open(&log, partition, Position::START).await;
    let records = read_to(&mut *reader, position).await;
    let event = Event::parse(&records[0].payload, 65_536).expect("an event");
    assert_eq!((&*event.id, &*event.member), ("7f3a-1", "ana"));
    let alone = log.record(partition, position).await.expect("readable").expect("there");
    assert_eq!(alone.payload, records[0].payload, "by itself it is the same");
}
