//! I1: a gap in the log is reported, never passed over.

use crate::{append, connect, events, open, read_to, stock_client};
use nearline_actors::ports::{EventLog, PortError};
use nearline_backends::local_servers::NatsServer;
use nearline_model::PartitionId;

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
