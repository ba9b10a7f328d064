//! NATS is killed, away, and back.

use crate::{
    DEADLINE, TIMEOUT_MS, append, connect, events, everything, open, payloads, read_to, soon, until_available,
};
use nearline_model::Position;
use nearline_model::{LogRecord, PartitionId};
use nearline_ports::{EventLog, PortError};
use nearline_servers::NatsServer;
use std::time::{Duration, Instant};

const P0: PartitionId = PartitionId(0);

/// What one call may take: its time-out, and some for a busy machine.
fn bound() -> Duration {
    Duration::from_millis(TIMEOUT_MS * 2 + 1_000)
}

fn is_unavailable<T>(outcome: &Result<T, PortError>) -> bool {
    matches!(outcome, Err(PortError::Unavailable { what, .. }) if what.starts_with("NATS at "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_ends_with_its_server_and_the_next_goes_on_without_a_gap_or_double() {
    let mut nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let mut appended = append(&log, events("before", 1_000)).await;
    let mut records: Vec<LogRecord> = Vec::new();
    let mut reader = open(&log, P0, Position::START).await;
    while records.len() < 50 {
        records.extend(soon("records", reader.next_batch(10)).await.expect("a batch"));
    }
    nats.stop();
    // What arrived before may still come; then the reader tells.
    loop {
        match soon("end of the reader", reader.next_batch(10)).await {
            Ok(batch) => records.extend(batch),
            ended => {
                assert!(is_unavailable(&ended), "{ended:?}");
                break;
            }
        }
    }
    let after = records.last().expect("records").position;
    let begun = Instant::now();
    let refused = log.open_reader(P0, after).await.map(|_| ());
    assert!(is_unavailable(&refused) && begun.elapsed() < bound(), "{refused:?} in {:?}", begun.elapsed());
    nats.restart().expect("NATS is back");
    appended.extend(append(&log, events("behind", 1_000)).await);
    let expected: Vec<Position> =
        appended.iter().filter(|one| one.partition == P0).map(|one| one.position).collect();
    let mut reader = open(&log, P0, after).await;
    records.extend(read_to(reader.as_mut(), *expected.last().expect("appended")).await);
    assert_eq!(records.iter().map(|record| record.position).collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_reader_notices_a_quick_restart() {
    let mut nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let mut reader = open(&log, P0, Position::START).await;
    let early = tokio::time::timeout(Duration::from_millis(50), reader.next_batch(1)).await;
    assert!(early.is_err(), "there is nothing yet: {early:?}");
    nats.restart().expect("NATS is back");
    let ended = soon("end of the reader", reader.next_batch(1)).await;
    assert!(is_unavailable(&ended), "{ended:?}");
    let appended = append(&log, events("behind", 100)).await;
    let expected: Vec<Position> =
        appended.iter().filter(|one| one.partition == P0).map(|one| one.position).collect();
    let records =
        read_to(open(&log, P0, Position::START).await.as_mut(), *expected.last().expect("appended")).await;
    assert_eq!(records.iter().map(|record| record.position).collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_fails_in_time_while_nats_is_away_and_doubles_nothing_afterwards() {
    let mut nats = NatsServer::start(None).expect("a NATS server");
    let log = connect(&nats).await;
    let first = events("first", 100);
    append(&log, first.clone()).await;
    nats.stop();
    // More than the client library takes while it is not connected.
    let (many, few) = (events("many", 6_000), events("few", 3));
    for events in [&many, &few] {
        let begun = Instant::now();
        let outcomes = soon("answer", log.append(events.clone())).await;
        assert!(begun.elapsed() < bound(), "{} events took {:?}", events.len(), begun.elapsed());
        assert_eq!(outcomes.len(), events.len());
        assert!(
            outcomes.iter().all(is_unavailable),
            "{:?}",
            outcomes.iter().find(|one| !is_unavailable(one))
        );
    }
    nats.restart().expect("NATS is back");
    // The client may still deliver what was reported as failed: the ids keep it from doubling.
    append(&log, many.clone()).await;
    append(&log, few.clone()).await;
    let stored = everything(&log).await;
    let sent = first.iter().chain(&many).chain(&few);
    assert_eq!(payloads(stored.iter().map(|record| &record.payload)), payloads(sent.map(|one| &one.payload)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_cut_off_half_way_is_completed_by_a_retry() {
    let mut nats = NatsServer::start(None).expect("a NATS server");
    let log = std::sync::Arc::new(connect(&nats).await);
    let sent = events("half", 30_000);
    let appending = {
        let (log, sent) = (log.clone(), sent.clone());
        tokio::spawn(async move { log.append(sent).await })
    };
    let deadline = Instant::now() + DEADLINE;
    while until_available("bounds", || log.bounds(P0)).await.last < Position(1_000) {
        assert!(Instant::now() < deadline, "nothing is appended");
    }
    nats.stop();
    let outcomes = soon("answer", appending).await.expect("no panic");
    assert_eq!(outcomes.len(), sent.len());
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || is_unavailable(outcome)));
    let acknowledged = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(acknowledged > 0 && acknowledged < sent.len(), "{acknowledged} acknowledged");
    nats.restart().expect("NATS is back");
    let again = append(&log, sent.clone()).await;
    for (first, again) in outcomes.iter().zip(&again) {
        if let Ok(first) = first {
            assert_eq!((first.position, true), (again.position, again.duplicate), "acknowledged before");
        }
    }
    let stored = everything(&log).await;
    assert_eq!(
        payloads(stored.iter().map(|record| &record.payload)),
        payloads(sent.iter().map(|one| &one.payload))
    );
}
