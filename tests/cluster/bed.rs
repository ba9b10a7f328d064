//! A backend of real parts for one test, an engine on it, and the proof that its state is right.

use nearline_actors::{Engine, EngineSettings};
use nearline_backends::cluster::connect_cluster;
use nearline_backends::embedded::{self, EmbeddedSettings, SyncPolicy};
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_ports::verify::aggregates::refold_aggregates;
use nearline_ports::verify::{VerifyError, verify_partition};
use nearline_ports::{NewEvent, Ports};
use nearline_servers::{NatsServer, RedisServer};
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest time that a test waits for anything.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Partitions of a test's backend.
pub const PARTITIONS: u16 = 4;

/// Where a test runs.
pub struct Bed {
    pub ports: Ports,
    pub servers: Option<(NatsServer, RedisServer)>,
    pub _directory: Option<tempfile::TempDir>,
}

impl Bed {
    pub fn embedded() -> Self {
        Self::embedded_with(PARTITIONS)
    }

    pub fn embedded_with(partitions: u16) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = EmbeddedSettings {
            partitions,
            sync: SyncPolicy::Os,
            ..EmbeddedSettings::in_directory(directory.path().to_owned())
        };
        let ports = embedded::open(settings).expect("the embedded backend opens");
        Self { ports, servers: None, _directory: Some(directory) }
    }

    pub async fn cluster() -> Self {
        Self::cluster_with(PARTITIONS).await
    }

    pub async fn cluster_with(partitions: u16) -> Self {
        Self::cluster_of(partitions, 1).await
    }

    /// With a log whose messages hold up to 32 events.
    pub async fn cluster_with_blocks() -> Self {
        Self::cluster_of(PARTITIONS, 32).await
    }

    pub async fn cluster_of(partitions: u16, block_events: u16) -> Self {
        let (nats, redis) = (NatsServer::start(None).expect("nats"), RedisServer::start().expect("redis"));
        let nats_settings =
            NatsSettings { url: nats.url(), partitions, block_events, ..NatsSettings::default() };
        let redis_settings = RedisSettings { url: redis.url(), ..RedisSettings::default() };
        let ports = connect_cluster(nats_settings, redis_settings).await.expect("NATS and Redis are reached");
        Self { ports, servers: Some((nats, redis)), _directory: None }
    }

    /// Starts an engine and waits until it is ready.
    pub async fn engine(&self, settings: EngineSettings) -> Engine {
        let engine = Engine::start(self.ports.clone(), settings).await.expect("the engine starts");
        eventually("the engine is ready", || engine.is_ready()).await;
        engine
    }

    /// Appends events; all must be acknowledged. Gives the position of the last.
    pub async fn append(&self, events: Vec<NewEvent>) -> Position {
        let mut last = Position::START;
        for chunk in events.chunks(1_000) {
            for appended in self.ports.log.append(chunk.to_vec()).await {
                last = appended.expect("acknowledged").position;
            }
        }
        last
    }

    /// Checks I2 and I3: stored state and aggregates equal the fold of the log, byte for byte.
    pub async fn assert_state_is_fold_of_log(&self, engine: &Engine, settings: &EngineSettings) {
        match tokio::time::timeout(DEADLINE, engine.caught_up()).await {
            Ok(caught_up) => caught_up.expect("the log answers"),
            Err(_) => panic!("the engine does not catch up: {}", self.standing(engine).await),
        }
        for partition in 0..PARTITIONS {
            // A server that was away just now may still break the connection that nobody used meanwhile.
            let started = Instant::now();
            let report = loop {
                match verify_partition(&self.ports, PartitionId(partition), &settings.fold).await {
                    Ok(report) => break report,
                    Err(error) if is_transient(&error) && started.elapsed() < DEADLINE => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("not verified: {error}"),
                }
            };
            assert!(report.is_equal(), "I3, partition {partition}: {:#?}", report.mismatches);
        }
        let (positions, contents) = {
            let aggregates = engine.aggregates().read();
            (aggregates.positions().to_vec(), aggregates.encode_contents())
        };
        let again = refold_aggregates(&self.ports, &positions, &settings.fold, &settings.aggregates).await;
        assert!(
            contents == again.expect("folded again").encode_contents(),
            "I2: aggregates differ from the fold"
        );
    }
}

impl Bed {
    /// Where everything stands, for whoever has to explain a test that waited in vain.
    async fn standing(&self, engine: &Engine) -> String {
        let (mut last, mut stored) = (Vec::new(), Vec::new());
        for partition in (0..PARTITIONS).map(PartitionId) {
            last.push(self.ports.log.bounds(partition).await.map(|bounds| bounds.last));
            stored.push(self.ports.store.position(partition).await);
        }
        let snapshot = self.ports.store.aggregates_positions().await;
        format!(
            "the log ends at {last:?}, the store is at {stored:?}, its snapshot at {snapshot:?}, the sums at {:?}; \
             partitions: {:#?}; remediations: {:#?}",
            engine.sums_positions(),
            engine.partitions(),
            engine.remediations().list(20).await,
        )
    }
}

fn is_transient(error: &VerifyError) -> bool {
    matches!(error, VerifyError::Port(error) if error.is_transient())
}

/// Copies a directory with all in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Runs a test inside an actix system.
pub fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

/// Waits until `holds`, within the deadline.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The same, on a thread that nobody else needs.
pub fn eventually_here(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Events of a seeded audience, the newest of now.
pub fn audience_events(events: usize, members: usize, seed: u64) -> Vec<NewEvent> {
    use nearline_audience::{Audience, AudienceSettings};
    let mut audience =
        Audience::new(AudienceSettings { seed, members, titles: 200, ..AudienceSettings::default() });
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let start_ms = now.as_millis() as i64 - 100 * events as i64;
    (0..events as i64)
        .map(|at| {
            let event = audience.next_event(start_ms + 100 * at);
            NewEvent {
                member: event.member,
                id: format!("s{seed}-{}", event.id),
                payload: relabel(&event.json, seed),
            }
        })
        .collect()
}

/// Ids of one seed repeat those of another: make them differ.
fn relabel(json: &str, seed: u64) -> bytes::Bytes {
    let mut event: serde_json::Value = serde_json::from_str(json).expect("the audience writes JSON");
    let id = format!("s{seed}-{}", event["id"].as_str().expect("an id"));
    event["id"] = serde_json::Value::String(id);
    bytes::Bytes::from(event.to_string())
}

/// One play.
pub fn play(id: &str, member: &str, title: &str) -> NewEvent {
    let payload = format!(
        r#"{{"id":"{id}","type":"play","member":"{member}","title":"{title}","at":"2026-03-01T20:15:00Z"}}"#
    );
    NewEvent { member: member.to_owned(), id: id.to_owned(), payload: payload.into() }
}
