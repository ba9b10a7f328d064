//! Blocks: several events in one message of the log, as our nodes append them and as clients that are not ours publish them.

use crate::{PARTITIONS, append, events, everything, open, read_to, settings, soon, stock_client};
use async_nats::HeaderMap;
use nearline_backends::nats::{NatsLog, NatsSettings};
use nearline_model::identifier::{Blocks, partition_of, position_of};
use nearline_model::{Event, PartitionId, Position};
use nearline_ports::{EventLog, PortError};
use nearline_servers::NatsServer;

const P0: PartitionId = PartitionId(0);
const BLOCK: u16 = 16;

fn with_blocks(nats: &NatsServer, block_events: u16) -> NatsSettings {
    NatsSettings { block_events, ..settings(nats) }
}

async fn connect(nats: &NatsServer) -> NatsLog {
    nearline_backends::nats::connect(with_blocks(nats, BLOCK)).await.expect("connected").log
}

async fn messages_of(nats: &NatsServer, partition: PartitionId) -> u64 {
    let stream =
        stock_client(nats).await.get_stream(format!("EVENTS_{partition}")).await.expect("the stream");
    stream.get_info().await.expect("its state").state.messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_takes_few_messages_and_every_reader_goes_on_in_the_middle_of_one() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let appended = append(&log, events("e", 800)).await;
    for partition in (0..PARTITIONS).map(PartitionId) {
        let of_it: Vec<_> = appended.iter().filter(|one| one.partition == partition).collect();
        let messages = messages_of(&nats, partition).await;
        assert_eq!(messages, (of_it.len() as u64).div_ceil(BLOCK.into()));
        let last = of_it.last().expect("some").position;
        // Behind each of the first forty: whole messages, and parts of them.
        for (behind, after) in of_it.iter().take(40).enumerate() {
            let records = read_to(open(&log, partition, after.position).await.as_mut(), last).await;
            let expected = of_it[behind + 1..].iter().map(|one| one.position);
            assert!(records.iter().map(|record| record.position).eq(expected), "after number {behind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_publishes_several_events_of_a_member_in_one_message() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let client = stock_client(&nats).await;
    let event = |id: &str| {
        format!(r#"{{"id":"{id}","type":"play","member":"ana","title":"heist","at":"2026-03-01T20:15:00Z"}}"#)
    };
    let lines = [event("a1"), event("a2"), event("a3")].join("\n");
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "ana/a1/a3");
    headers.insert("Nearline-Events", "3");
    for _ in 0..2 {
        let sent = client.publish_with_headers("nearline.events.ana", headers.clone(), lines.clone().into());
        soon("acknowledgement", sent.await.expect("sent").into_future()).await.expect("acknowledged");
    }
    // One by itself is a message as ever.
    let sent = client.publish("nearline.events.ana", event("a4").into()).await.expect("sent");
    soon("acknowledgement", sent.into_future()).await.expect("acknowledged");
    let partition = partition_of("ana", PARTITIONS);
    // The last of two messages: its number in the stream times what a message may hold.
    let last = position_of(2 * u64::from(BLOCK), partition, PARTITIONS);
    let records = read_to(&mut *open(&log, partition, Position::START).await, last).await;
    assert_eq!(log.bounds(partition).await.expect("bounds").last, last);
    let id = |payload: &[u8]| Event::parse(payload, 65_536).expect("an event").id.into_owned();
    assert_eq!(
        records.iter().map(|record| id(&record.payload)).collect::<Vec<_>>(),
        ["a1", "a2", "a3", "a4"]
    );
    for record in &records {
        let alone = log.record(partition, record.position).await.expect("readable").expect("there");
        assert_eq!(alone, *record, "by itself it is the same");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_holds_more_than_the_log_takes_is_one_record_and_not_lost() {
    for block in [1, BLOCK] {
        let nats = NatsServer::start(None).expect("a NATS server");
        let log = nearline_backends::nats::connect(with_blocks(&nats, block)).await.expect("connected").log;
        let client = stock_client(&nats).await;
        let lines = vec![r#"{"id":"x"}"#; 20].join("\n");
        let mut headers = HeaderMap::new();
        headers.insert("Nearline-Events", "20");
        let sent = client.publish_with_headers("nearline.events.ana", headers, lines.clone().into());
        soon("acknowledgement", sent.await.expect("sent").into_future()).await.expect("acknowledged");
        let partition = partition_of("ana", PARTITIONS);
        let mut reader = open(&log, partition, Position::START).await;
        let records = soon("a record", reader.next_batch(64)).await.expect("a batch");
        assert_eq!((records.len(), &*records[0].payload), (1, lines.as_bytes()));
        let refused = Event::parse(&records[0].payload, 65_536).expect_err("no event");
        assert!(refused.detail.contains("expected nothing behind it"), "{}", refused.detail);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_keeps_the_blocks_it_was_made_with() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let appended = append(&connect(&nats).await, events("e", 100)).await;
    let other = nearline_backends::nats::connect(with_blocks(&nats, 1)).await.map(|_| ());
    match other {
        Err(PortError::Misconfigured(detail)) => {
            assert!(detail.contains("set nats.block_events to 16"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    let log = connect(&nats).await;
    assert_eq!(log.blocks(), Blocks::of(BLOCK));
    assert_eq!(everything(&log).await.len(), appended.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_gone_from_the_middle_is_a_gap_as_ever() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let appended = append(&log, events("e", 800)).await;
    let of_p0: Vec<_> = appended.iter().filter(|one| one.partition == P0).collect();
    let stream = stock_client(&nats).await.get_stream("EVENTS_p00").await.expect("the stream");
    stream.delete_message(3).await.expect("removed");
    let mut reader = open(&log, P0, of_p0[4].position).await;
    let mut read = Vec::new();
    let ended = loop {
        match soon("records", reader.next_batch(64)).await {
            Ok(records) => read.extend(records),
            Err(error) => break error.to_string(),
        }
    };
    assert!(ended.contains("messages 3 to 3 are gone"), "{ended}");
    let expected = of_p0[5..2 * usize::from(BLOCK)].iter().map(|one| one.position);
    assert!(read.iter().map(|record| record.position).eq(expected), "all before it was given");
    // A part of it was read: what is left of it is gone, too.
    let mut reader = open(&log, P0, of_p0[2 * usize::from(BLOCK) + 3].position).await;
    let ended = soon("an error", reader.next_batch(64)).await.expect_err("a gap").to_string();
    assert!(ended.contains("messages 3 to 3 are gone"), "{ended}");
}
