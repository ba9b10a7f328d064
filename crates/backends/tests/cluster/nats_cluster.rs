//! JetStream of three servers, each stream on all of them: leaders move and die.

use crate::{DEADLINE, PARTITIONS, RETRY, TIMEOUT_MS, events, everything, open, soon, until_available};
use nearline_backends::nats::{NatsLog, NatsSettings};
use nearline_model::Position;
use nearline_model::{LogRecord, PartitionId};
use nearline_ports::{Appended, EventLog, NewEvent};
use nearline_servers::NatsCluster;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

const SERVERS: usize = 3;
/// One of the log's streams: its leader is the one that dies.
const STREAM: &str = "EVENTS_p00";
/// Servers elect a new leader 4 to 9 seconds after the last sign of life of the old one; then come the
/// client's time-out and its next attempt.
const FAILOVER: Duration = Duration::from_secs(20);

async fn connect(nats: &NatsCluster) -> NatsLog {
    let settings = NatsSettings {
        url: nats.url(),
        partitions: PARTITIONS,
        replicas: SERVERS,
        timeout_ms: TIMEOUT_MS,
        ..NatsSettings::default()
    };
    until_available("connection", || nearline_backends::nats::connect(settings.clone())).await.log
}

/// Someone who looks at the stream from outside.
struct Operator {
    client: async_nats::Client,
    jetstream: async_nats::jetstream::Context,
}

impl Operator {
    async fn of(nats: &NatsCluster) -> Self {
        let urls: Vec<String> = nats.url().split(',').map(str::to_owned).collect();
        let client = async_nats::connect(urls).await.expect("connected");
        Self { jetstream: async_nats::jetstream::new(client.clone()), client }
    }

    /// The number of the server that leads the stream, once there is one and it is not `not`.
    async fn leader(&self, not: Option<usize>) -> usize {
        let begun = Instant::now();
        loop {
            if let Ok(stream) = self.jetstream.get_stream(STREAM).await {
                let leader = stream.cached_info().cluster.as_ref().and_then(|one| one.leader.clone());
                let number = (0..SERVERS).find(|number| Some(NatsCluster::name(*number)) == leader);
                match number {
                    Some(number) if Some(number) != not => return number,
                    _ => {}
                }
            }
            assert!(begun.elapsed() < DEADLINE, "no new leader");
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Waits until all replicas have all that the leader has.
    async fn all_in_sync(&self) {
        let begun = Instant::now();
        loop {
            if let Ok(stream) = self.jetstream.get_stream(STREAM).await {
                let replicas =
                    stream.cached_info().cluster.as_ref().map(|one| one.replicas.clone()).unwrap_or_default();
                if replicas.len() == SERVERS - 1 && replicas.iter().all(|one| one.current && !one.offline) {
                    return;
                }
            }
            assert!(begun.elapsed() < DEADLINE, "the replicas do not catch up");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Publishers and readers of a log, until they are told to stop.
struct Traffic {
    appended: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    appending: tokio::task::JoinHandle<(Vec<(NewEvent, Appended)>, Duration)>,
    reading: Vec<tokio::task::JoinHandle<Vec<LogRecord>>>,
    /// Position that each partition is read to once appending has ended; 0: not yet known.
    last: Arc<Vec<AtomicU64>>,
}

impl Traffic {
    fn start(log: Arc<NatsLog>) -> Self {
        let appended = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let last: Arc<Vec<_>> = Arc::new((0..PARTITIONS).map(|_| AtomicU64::new(0)).collect());
        let reading = (0..PARTITIONS).map(PartitionId).map(|partition| {
            let (log, last) = (log.clone(), last.clone());
            tokio::spawn(async move { read(&log, partition, &last[usize::from(partition.0)]).await })
        });
        let reading = reading.collect();
        let appending = tokio::spawn(append(log, appended.clone(), stop.clone()));
        Self { appended, stop, appending, reading, last }
    }

    async fn some_more(&self, count: u64) -> Duration {
        let (from, begun) = (self.appended.load(SeqCst), Instant::now());
        while self.appended.load(SeqCst) < from + count {
            assert!(begun.elapsed() < DEADLINE, "appends do not go on");
            tokio::time::sleep(RETRY).await;
        }
        begun.elapsed()
    }

    /// Stops, and checks that each acknowledged append was read once, in order. Gives the longest time
    /// for which no append was acknowledged.
    async fn end(self, log: &NatsLog) -> Duration {
        self.stop.store(true, SeqCst);
        let (acknowledged, longest) = soon("end of the appends", self.appending).await.expect("no panic");
        let mut expected: BTreeMap<u16, Vec<(Position, bytes::Bytes)>> = BTreeMap::new();
        for (event, appended) in acknowledged {
            expected.entry(appended.partition.0).or_default().push((appended.position, event.payload));
        }
        for (partition, records) in &mut expected {
            assert!(records.is_sorted_by(|a, b| a.0 < b.0), "positions only grow");
            self.last[usize::from(*partition)].store(records.last().expect("some").0.0, SeqCst);
        }
        assert_eq!(expected.len(), usize::from(PARTITIONS), "every partition has events");
        let of = |records: &[LogRecord]| -> Vec<(Position, bytes::Bytes)> {
            records.iter().map(|record| (record.position, record.payload.clone())).collect()
        };
        for (partition, reading) in (0..PARTITIONS).zip(self.reading) {
            let records = soon("end of the reads", reading).await.expect("no panic");
            assert!(of(&records) == expected[&partition], "partition {partition}: read is what was appended");
        }
        let stored = everything(log).await;
        assert_eq!(stored.len(), expected.values().map(Vec::len).sum::<usize>(), "nothing is stored twice");
        longest
    }
}

/// Appends small batches; what is not acknowledged is tried again under its id.
async fn append(
    log: Arc<NatsLog>,
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> (Vec<(NewEvent, Appended)>, Duration) {
    let (mut acknowledged, mut longest) = (Vec::new(), Duration::ZERO);
    for batch in 0.. {
        if stop.load(SeqCst) {
            break;
        }
        let begun = Instant::now();
        for event in events(&format!("b{batch}-"), 5) {
            let appended = until_available("append", || async {
                log.append(vec![event.clone()]).await.pop().expect("an outcome")
            });
            acknowledged.push((event.clone(), appended.await));
            count.fetch_add(1, SeqCst);
        }
        longest = longest.max(begun.elapsed());
    }
    (acknowledged, longest)
}

/// Reads from the beginning; a reader that ends is opened again behind what was read.
async fn read(log: &NatsLog, partition: PartitionId, last: &AtomicU64) -> Vec<LogRecord> {
    let mut records: Vec<LogRecord> = Vec::new();
    loop {
        let after = records.last().map_or(Position::START, |record| record.position);
        let mut reader = open(log, partition, after).await;
        loop {
            let (read, last) = (records.last().map_or(0, |record| record.position.0), last.load(SeqCst));
            if last > 0 && read >= last {
                return records;
            }
            match tokio::time::timeout(10 * RETRY, reader.next_batch(64)).await {
                Ok(Ok(batch)) => records.extend(batch),
                Ok(Err(error)) => {
                    assert!(error.is_transient(), "{error}");
                    break;
                }
                // Nothing new: look whether that was all.
                Err(_) => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_three_replicas_a_leader_may_step_down_or_die_and_nothing_is_lost_or_doubled() {
    let mut nats = NatsCluster::start(SERVERS).expect("a NATS cluster");
    let log = Arc::new(connect(&nats).await);
    let operator = Operator::of(&nats).await;
    let traffic = Traffic::start(log.clone());
    traffic.some_more(100).await;

    let first = operator.leader(None).await;
    let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{STREAM}");
    let answer = operator.client.request(subject, "".into()).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(answer.contains("\"success\":true"), "{answer}");
    let second = operator.leader(Some(first)).await;
    let resumed = traffic.some_more(100).await;
    println!("the leader stepped down: 100 more appends after {resumed:?}");

    operator.all_in_sync().await;
    let killed = Instant::now();
    nats.stop(second);
    traffic.some_more(5).await;
    let resumed = killed.elapsed();
    println!("the leader was killed: appends again after {resumed:?}");
    assert!(resumed < FAILOVER, "appends came back after {resumed:?}");
    let third = operator.leader(Some(second)).await;
    assert_ne!(third, second);
    traffic.some_more(100).await;

    // It comes back, has missed some, and takes part again: then another may die.
    nats.restart(second).expect("the server is back");
    operator.all_in_sync().await;
    let killed = Instant::now();
    nats.stop(third);
    traffic.some_more(5).await;
    println!("the next leader was killed: appends again after {:?}", killed.elapsed());
    assert!(killed.elapsed() < FAILOVER, "appends came back after {:?}", killed.elapsed());
    traffic.some_more(100).await;
    let longest = traffic.end(&log).await;
    println!("longest time without an acknowledgement: {longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_that_is_away_at_the_start_does_not_matter() {
    let mut nats = NatsCluster::start(SERVERS).expect("a NATS cluster");
    drop(connect(&nats).await);
    nats.stop(0);
    let log = connect(&nats).await;
    let appended = crate::append(&log, events("e", 20)).await;
    assert_eq!(appended.len(), 20);
    let stored = everything(&log).await;
    assert_eq!(stored.len(), 20);
}
