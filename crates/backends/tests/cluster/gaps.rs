//! I1: a gap in the log is reported, never passed over.

use crate::{append, connect, events, open, read_to, settings, soon, stock_client};
use nearline_backends::nats::NatsSettings;
use nearline_model::PartitionId;
use nearline_ports::{EventLog, PortError};
use nearline_servers::NatsServer;

const P0: PartitionId = PartitionId(0);

fn damage<T>(outcome: Result<T, PortError>) -> String {
    match outcome.map(|_| ()) {
        Err(error @ PortError::Damaged { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_behind_the_retained_log_is_refused_with_the_missing_positions() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let appended = append(&log, events("e", 100)).await;
    let stream = stock_client(&nats).await.get_stream("EVENTS").await.expect("the stream");
    stream.purge().sequence(51).await.expect("trimmed");
    let text = damage(log.open_reader(P0, 10).await);
    assert!(text.contains("positions 11 to 50 are gone") && text.contains("read up to 10"), "{text}");
    damage(log.open_reader(P0, 49).await);
    let of = |after: u64| {
        let of_p0 = appended.iter().filter(|one| one.partition == P0 && one.position > after);
        of_p0.map(|one| one.position).collect::<Vec<_>>()
    };
    // Without a stored position there is nothing to go on from: what is left is read.
    for (after, expected) in [(50, of(50)), (70, of(70)), (0, of(50))] {
        let records = read_to(open(&log, P0, after).await.as_mut(), *expected.last().expect("some")).await;
        assert_eq!(records.iter().map(|record| record.position).collect::<Vec<_>>(), expected, "{after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_log_is_a_gap_only_for_those_who_have_not_read_it() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, events("e", 100)).await;
    let stream = stock_client(&nats).await.get_stream("EVENTS").await.expect("the stream");
    stream.purge().await.expect("emptied");
    assert!(damage(log.open_reader(P0, 99).await).contains("positions 100 to 100 are gone"));
    let mut reader = open(&log, P0, 100).await;
    let more = append(&log, events("more", 20)).await;
    let expected: Vec<u64> = more.iter().filter(|one| one.partition == P0).map(|one| one.position).collect();
    let records = read_to(reader.as_mut(), *expected.last().expect("some")).await;
    assert_eq!(records.iter().map(|record| record.position).collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_what_was_read_is_refused() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let text = damage(log.open_reader(P0, 7).await);
    assert!(text.contains("ends at position 0") && text.contains("read up to 7"), "{text}");
    append(&log, events("e", 10)).await;
    assert!(damage(log.open_reader(P0, 11).await).contains("first sequence 12 or higher"));
    open(&log, P0, 10).await;
}

/// Reads `count` records with a window of four, as an actor that cannot take more; then `meanwhile`
/// happens; then reads on. Gives the positions read and how it ended.
async fn read_in_two_goes(
    nats: &NatsServer,
    count: usize,
    meanwhile: impl AsyncFnOnce(u64),
) -> (Vec<u64>, Result<(), PortError>) {
    let narrow = NatsSettings { reader_records: 4, ..settings(nats) };
    let log = nearline_backends::nats::connect(narrow).await.expect("connected").log;
    let mut reader = open(&log, P0, 0).await;
    let mut read: Vec<u64> = Vec::new();
    while read.len() < count {
        let batch = soon("records", reader.next_batch(1)).await.expect("a batch");
        read.extend(batch.iter().map(|record| record.position));
    }
    meanwhile(*read.last().expect("some")).await;
    let last = log.bounds(P0).await.expect("bounds").last;
    while *read.last().expect("some") < last {
        match soon("records", reader.next_batch(1)).await {
            Ok(batch) => read.extend(batch.iter().map(|record| record.position)),
            Err(error) => return (read, Err(error)),
        }
    }
    (read, Ok(()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_reader_tells_when_what_it_has_not_read_is_purged() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, events("e", 400)).await;
    let stream = stock_client(&nats).await.get_stream("EVENTS").await.expect("the stream");
    let (read, ended) = read_in_two_goes(&nats, 10, async |_| {
        stream.purge().sequence(301).await.expect("trimmed");
    })
    .await;
    // What was on its way comes, and what the server sends before it has counted anew; then the gap is told.
    let before = read.iter().rfind(|position| **position <= 300).expect("some");
    let told = damage(ended);
    assert!(told.contains(&format!("positions {} to 300 are gone", before + 1)), "{told}");
    let beyond = read.iter().filter(|position| **position > 300).count();
    assert!(beyond <= 8, "a window or two of four, not all that is left: {read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_reader_tells_of_a_purge_though_as_many_have_come_since() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    append(&log, events("e", 400)).await;
    let stream = stock_client(&nats).await.get_stream("EVENTS").await.expect("the stream");
    let (_, ended) = read_in_two_goes(&nats, 10, async |_| {
        stream.purge().sequence(301).await.expect("trimmed");
        append(&log, events("more", 600)).await;
        // Long enough that a reader counts as one that nobody asked.
        let begun = std::time::Instant::now();
        while begun.elapsed().as_millis() < 1_100 {
            tokio::time::sleep(crate::RETRY).await;
        }
    })
    .await;
    assert!(damage(ended).contains("to 300 are gone"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_behind_an_open_reader_is_harmless() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let appended = append(&log, events("e", 400)).await;
    let stream = stock_client(&nats).await.get_stream("EVENTS").await.expect("the stream");
    let (read, ended) = read_in_two_goes(&nats, 50, async |after| {
        stream.purge().sequence(after + 1).await.expect("trimmed");
        let begun = std::time::Instant::now();
        while begun.elapsed().as_millis() < 1_100 {
            tokio::time::sleep(crate::RETRY).await;
        }
    })
    .await;
    ended.expect("nothing that was not read is gone");
    let of_p0 = appended.iter().filter(|one| one.partition == P0);
    assert_eq!(read, of_p0.map(|one| one.position).collect::<Vec<_>>());
}
