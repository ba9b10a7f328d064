//! SIGKILL of the program in the middle of a stream of events, three times, on both backends: nothing
//! acknowledged is lost (I1), nothing counts twice (I2), state equals the fold of the log (I3).
//!
//! `NEARLINE_KILL_EVENTS=1000000 cargo nextest run --release --test cluster kill` runs it at full size.

use crate::bed::{DEADLINE, PARTITIONS, audience_events, run};
use crate::program::Program;
use nearline_actors::{Engine, EngineSettings};
use nearline_backends::cluster::connect_cluster;
use nearline_backends::embedded::{self, EmbeddedSettings};
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::symbols::NONE;
use nearline_ports::{NewEvent, Ports};
use nearline_servers::{NatsServer, RedisServer};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const KILLS: usize = 3;
/// Events of one request.
const REQUEST_EVENTS: usize = 500;

fn event_count() -> usize {
    std::env::var("NEARLINE_KILL_EVENTS").map_or(12_000, |count| count.parse().expect("a number of events"))
}

/// Publishes everything through the program, which is killed in the middle of it, three times. A
/// request that was not acknowledged is sent again.
fn publish_through_kills(directory: &Path, backend: &str, events: &[NewEvent]) {
    let requests: Vec<&[NewEvent]> = events.chunks(REQUEST_EVENTS).collect();
    let mut program = Program::start(directory, backend);
    let mut next_kill = 1;
    for (at, request) in requests.iter().enumerate() {
        if next_kill <= KILLS && at >= next_kill * requests.len() / (KILLS + 1) {
            // While a request is on its way.
            std::thread::scope(|scope| {
                let running = &program;
                let publishing = scope.spawn(move || running.publish(request));
                let pid = running.process_id().to_string();
                std::thread::sleep(Duration::from_millis(3));
                let killed = Command::new("kill").args(["-9", &pid]).status().expect("kill runs");
                assert!(killed.success());
                let _outcome = publishing.join();
            });
            program.kill();
            program = Program::start(directory, backend);
            next_kill += 1;
        }
        let started = Instant::now();
        while !program.publish(request) {
            assert!(started.elapsed() < DEADLINE, "request {at} is not acknowledged");
        }
    }
    program.kill();
}

/// Reads the whole log and says which event ids it holds, and how many records.
async fn ids_in_log(ports: &Ports) -> (HashSet<String>, usize) {
    let (mut ids, mut records) = (HashSet::new(), 0);
    for partition in (0..PARTITIONS).map(PartitionId) {
        let last = ports.log.bounds(partition).await.expect("bounds").last;
        let mut reader = ports.log.open_reader(partition, Position::START).await.expect("a reader");
        let mut position = Position::START;
        while position < last {
            for record in reader.next_batch(4_096).await.expect("records") {
                position = record.position;
                records += 1;
                let event: serde_json::Value = serde_json::from_slice(&record.payload).expect("JSON");
                ids.insert(event["id"].as_str().expect("an id").to_owned());
            }
        }
    }
    (ids, records)
}

async fn assert_nothing_lost_or_doubled(ports: Ports, events: &[NewEvent]) {
    let (ids, records) = ids_in_log(&ports).await;
    let missing = events.iter().filter(|event| !ids.contains(&event.id)).count();
    assert_eq!(missing, 0, "I1: acknowledged events missing from the log");
    println!("{} events, {records} records in the log", events.len());
    let bed = crate::bed::Bed { ports, servers: None, _directory: None };
    let settings = EngineSettings::default();
    let engine = Engine::start(bed.ports.clone(), settings.clone()).await.expect("the engine starts");
    bed.assert_state_is_fold_of_log(&engine, &settings).await;
    // Counted from the events themselves, each id once.
    let distinct: HashSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(distinct.len(), events.len(), "the workload's ids are unique");
    let expected = count_impressions(events);
    let counted = {
        let aggregates = engine.aggregates().read();
        let counters = aggregates.counters("all").expect("counted");
        let titles = aggregates.titles_after(NONE).filter_map(|title| counters.title(title));
        titles.flat_map(|title| &title.epochs).map(|(_, counts)| u64::from(counts.impressions)).sum::<u64>()
    };
    assert_eq!(counted, expected, "I2: every impression counts once");
    engine.stop().await;
}

fn count_impressions(events: &[NewEvent]) -> u64 {
    let newest = events.iter().map(at_ms).max().unwrap_or(0);
    let kept = i64::from(EngineSettings::default().aggregates.epochs) * nearline_model::delta::EPOCH_MS;
    let impression =
        |event: &&NewEvent| String::from_utf8_lossy(&event.payload).contains(r#""type":"impression""#);
    let impressions = events.iter().filter(impression);
    let oldest_epoch =
        (newest / nearline_model::delta::EPOCH_MS + 1) * nearline_model::delta::EPOCH_MS - kept;
    impressions.filter(|event| at_ms(event) >= oldest_epoch).count() as u64
}

fn at_ms(event: &NewEvent) -> i64 {
    let value: serde_json::Value = serde_json::from_slice(&event.payload).expect("JSON");
    nearline_model::timestamp::parse_rfc3339_ms(value["at"].as_str().expect("a time")).expect("valid")
}

#[test]
fn killed_three_times_nothing_is_lost_or_doubled_embedded() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let backend = format!("[embedded]\ndirectory = \"{}\"\n", data.display());
    let events = audience_events(event_count(), 2_000, 21);
    publish_through_kills(directory.path(), &backend, &events);
    run(async {
        let settings = EmbeddedSettings { partitions: PARTITIONS, ..EmbeddedSettings::in_directory(data) };
        assert_nothing_lost_or_doubled(embedded::open(settings).expect("opens again"), &events).await;
    });
}

#[test]
fn killed_three_times_nothing_is_lost_or_doubled_nats_and_redis() {
    let directory = tempfile::tempdir().expect("a directory");
    let (nats, redis) = (NatsServer::start(None).expect("nats"), RedisServer::start().expect("redis"));
    let backend = format!(
        "[backend]\nkind = \"cluster\"\n[nats]\nurl = \"{}\"\n[redis]\nurl = \"{}\"\n",
        nats.url(),
        redis.url()
    );
    let events = audience_events(event_count(), 2_000, 22);
    publish_through_kills(directory.path(), &backend, &events);
    run(async {
        let nats_settings =
            NatsSettings { url: nats.url(), partitions: PARTITIONS, ..NatsSettings::default() };
        let redis_settings = RedisSettings { url: redis.url(), ..RedisSettings::default() };
        let ports = connect_cluster(nats_settings, redis_settings).await.expect("reached");
        assert_nothing_lost_or_doubled(ports, &events).await;
    });
}
