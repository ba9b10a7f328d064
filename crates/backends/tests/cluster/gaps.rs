//! I1: a gap in the log is reported, exactly and never passed over.

use crate::{PARTITIONS, append, connect, events, open, read_to, settings, soon, stock_client};
use async_nats::jetstream::stream::Stream;
use nearline_backends::nats::NatsSettings;
use nearline_model::identifier::{partition_of, position_of, sequence_of};
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{EventLog, LogBounds, NewEvent, PortError};
use nearline_servers::NatsServer;

const P0: PartitionId = PartitionId(0);

fn position(number: u64, partition: PartitionId) -> Position {
    position_of(number, partition, PARTITIONS)
}

/// Position of the record of this number in partition 0.
fn at(number: u64) -> Position {
    position(number, P0)
}

/// Numbers of the records in partition 0.
fn numbers(records: &[LogRecord]) -> Vec<u64> {
    records.iter().map(|record| sequence_of(record.position, P0, PARTITIONS).expect("its own")).collect()
}

fn damage<T>(outcome: Result<T, PortError>) -> String {
    match outcome.map(|_| ()) {
        Err(error @ PortError::Damaged { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// `count` events of members of partition 0.
fn of_p0(prefix: &str, count: usize) -> Vec<NewEvent> {
    let events = events(prefix, 20 * PARTITIONS as usize * (count + 10));
    events.into_iter().filter(|event| partition_of(&event.member, PARTITIONS) == P0).take(count).collect()
}

/// The stream of partition 0.
async fn stream_of_p0(nats: &NatsServer) -> Stream {
    stock_client(nats).await.get_stream("EVENTS_p00").await.expect("the stream")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_of_a_partition_are_dense() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let appended = append(&log, events("e", 200)).await;
    for partition in (0..PARTITIONS).map(PartitionId) {
        let of_it = appended.iter().filter(|one| one.partition == partition);
        assert!(of_it.enumerate().all(|(at, one)| one.position == position(at as u64 + 1, partition)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_behind_the_retained_log_is_refused_with_the_missing_positions() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, of_p0("e", 100)).await;
    stream_of_p0(&nats).await.purge().sequence(51).await.expect("trimmed");
    let text = damage(log.open_reader(P0, at(10)).await);
    assert!(text.contains("messages 11 to 50 are gone") && text.contains("read up to message 10"), "{text}");
    damage(log.open_reader(P0, at(49)).await);
    // Without a stored position there is nothing to go on from: what is left is read.
    for (after, first) in [(at(50), 51), (at(70), 71), (Position::START, 51)] {
        let records = read_to(open(&log, P0, after).await.as_mut(), at(100)).await;
        assert!(numbers(&records).into_iter().eq(first..=100), "{after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_log_is_a_gap_only_for_those_who_have_not_read_it() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, of_p0("e", 100)).await;
    stream_of_p0(&nats).await.purge().await.expect("emptied");
    assert!(damage(log.open_reader(P0, at(99)).await).contains("messages 100 to 100 are gone"));
    let mut reader = open(&log, P0, at(100)).await;
    append(&log, of_p0("more", 20)).await;
    let records = read_to(reader.as_mut(), at(120)).await;
    assert!(numbers(&records).into_iter().eq(101..=120));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_partition_still_says_where_it_ends() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    assert_eq!(log.bounds(P0).await.expect("bounds"), LogBounds::default());
    append(&log, of_p0("e", 10)).await;
    stream_of_p0(&nats).await.purge().await.expect("emptied");
    let bounds = log.bounds(P0).await.expect("bounds");
    assert_eq!(bounds, LogBounds { first: at(11), last: at(10) });
    assert!(bounds.is_emptied());
    append(&log, of_p0("more", 5)).await;
    assert_eq!(log.bounds(P0).await.expect("bounds"), LogBounds { first: at(11), last: at(15) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_partitions_lose_is_no_gap_in_a_quiet_one() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, of_p0("e", 10)).await;
    let others: Vec<NewEvent> =
        events("o", 400).into_iter().filter(|event| partition_of(&event.member, PARTITIONS) != P0).collect();
    append(&log, others).await;
    for other in 1..PARTITIONS {
        let name = format!("EVENTS_{}", PartitionId(other));
        let stream = stock_client(&nats).await.get_stream(name).await.expect("the stream");
        stream.purge().await.expect("emptied");
    }
    // All of it has been read, and it was emptied since: nothing is missing, and what comes next is read.
    stream_of_p0(&nats).await.purge().await.expect("emptied");
    let mut reader = open(&log, P0, at(10)).await;
    append(&log, of_p0("more", 5)).await;
    let records = read_to(reader.as_mut(), at(15)).await;
    assert!(numbers(&records).into_iter().eq(11..=15));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_what_was_read_is_refused() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let text = damage(log.open_reader(P0, at(7)).await);
    assert!(text.contains("ends with message 0") && text.contains("read up to position 25"), "{text}");
    append(&log, of_p0("e", 10)).await;
    damage(log.open_reader(P0, at(11)).await);
    open(&log, P0, at(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_removed_from_the_middle_is_noticed() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, of_p0("e", 50)).await;
    stream_of_p0(&nats).await.delete_message(20).await.expect("removed");
    let mut reader = open(&log, P0, Position::START).await;
    let mut read = Vec::new();
    let ended = loop {
        match soon("records", reader.next_batch(64)).await {
            Ok(batch) => read.extend(numbers(&batch)),
            Err(error) => break error,
        }
    };
    assert!(read.iter().copied().eq(1..20), "{read:?}");
    let text = damage::<()>(Err(ended));
    assert!(text.contains("messages 20 to 20 are gone") && text.contains("read up to message 19"), "{text}");
}

/// Reads 10 records with a window of four, as an actor that cannot take more; then `meanwhile` happens; then reads on
/// to the end. Gives the positions read and how it ended.
async fn read_in_two_goes(
    nats: &NatsServer,
    meanwhile: impl AsyncFnOnce(u64),
) -> (Vec<u64>, Result<(), PortError>) {
    let narrow = NatsSettings { reader_records: 4, ..settings(nats) };
    let log = nearline_backends::nats::connect(narrow).await.expect("connected").log;
    let mut reader = open(&log, P0, Position::START).await;
    let mut read: Vec<u64> = Vec::new();
    while read.len() < 10 {
        let batch = soon("records", reader.next_batch(1)).await.expect("a batch");
        read.extend(numbers(&batch));
    }
    meanwhile(*read.last().expect("some")).await;
    let last = log.bounds(P0).await.expect("bounds").last;
    let last = sequence_of(last, P0, PARTITIONS).expect("its own");
    while *read.last().expect("some") < last {
        match soon("records", reader.next_batch(1)).await {
            Ok(batch) => read.extend(numbers(&batch)),
            Err(error) => return (read, Err(error)),
        }
    }
    (read, Ok(()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_reader_tells_when_what_it_has_not_read_is_purged() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, of_p0("e", 200)).await;
    let stream = stream_of_p0(&nats).await;
    let (read, ended) = read_in_two_goes(&nats, async |_| {
        stream.purge().sequence(151).await.expect("trimmed");
        append(&log, of_p0("more", 300)).await;
    })
    .await;
    // What was on its way comes, and nothing behind the gap.
    let before = *read.last().expect("some");
    assert!(read.iter().copied().eq(1..=before) && before < 151, "{read:?}");
    let told = damage(ended);
    assert!(told.contains(&format!("messages {} to 150 are gone", before + 1)), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_behind_an_open_reader_is_harmless() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, of_p0("e", 100)).await;
    let stream = stream_of_p0(&nats).await;
    let (read, ended) = read_in_two_goes(&nats, async |after| {
        stream.purge().sequence(after + 1).await.expect("trimmed");
    })
    .await;
    ended.expect("nothing that was not read is gone");
    assert!(read.iter().copied().eq(1..=100));
}
