//! Processes of the program around one NATS and one Redis server, a publisher and a prober.

use crate::bed::{Bed, DEADLINE, PARTITIONS, audience_events, run};
use crate::program::ask;
use nearline_actors::{Engine, EngineSettings};
use nearline_backends::cluster::connect_cluster;
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_model::PartitionId;
use nearline_model::identifier::partition_of;
use nearline_ports::Ports;
use nearline_servers::{NatsServer, RedisServer};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

struct Node {
    child: Child,
    http: String,
    admin: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

pub struct Cluster {
    directory: tempfile::TempDir,
    nats: NatsServer,
    redis: RedisServer,
    nodes: BTreeMap<String, Node>,
}

impl Cluster {
    pub fn start(names: &[&str]) -> Self {
        let mut cluster = Self {
            directory: tempfile::tempdir().expect("a directory"),
            nats: NatsServer::start(None).expect("nats"),
            redis: RedisServer::start().expect("redis"),
            nodes: BTreeMap::new(),
        };
        names.iter().for_each(|name| cluster.join(name));
        cluster
    }

    /// Starts a node and waits until it listens.
    pub fn join(&mut self, name: &str) {
        let free = || nearline_servers::free_address().expect("a free port");
        let (http, admin) = (free(), free());
        let config = self.directory.path().join(format!("{name}.toml"));
        let text = format!(
            "[engine]\npartitions = {PARTITIONS}\nsnapshot_interval_ms = 500\nworkers = 1\n\
             [node]\nname = \"{name}\"\n[http]\naddress = \"{http}\"\nworkers = 1\n[admin]\naddress = \"{admin}\"\n\
             [backend]\nkind = \"cluster\"\n[nats]\nurl = \"{}\"\n[redis]\nurl = \"{}\"\n",
            self.nats.url(),
            self.redis.url()
        );
        std::fs::write(&config, text).expect("the configuration is written");
        let log = std::fs::File::create(self.directory.path().join(format!("{name}.log"))).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_nearline"))
            .args(["serve", "--config"])
            .arg(&config)
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let node = Node { child, http: format!("http://{http}"), admin: format!("http://{admin}") };
        let started = Instant::now();
        while get(&format!("{}/livez", node.admin)).is_none() {
            assert!(started.elapsed() < DEADLINE, "{name} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.nodes.insert(name.to_owned(), node);
    }

    pub fn kill(&mut self, name: &str) {
        drop(self.nodes.remove(name).expect("it runs"));
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self, name: &str) {
        let mut node = self.nodes.remove(name).expect("it runs");
        let pid = node.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        let status = node.child.wait().expect("it ends");
        assert!(status.success(), "{name} ended with {status}");
    }

    /// Waits until each partition is live on exactly one node.
    pub fn wait_until_shared(&self, when: &str) {
        let started = Instant::now();
        loop {
            let live: Vec<Vec<u64>> = self.nodes.values().map(live_on).collect();
            let mut all: Vec<u64> = live.concat();
            all.sort_unstable();
            if all == (0..u64::from(PARTITIONS)).collect::<Vec<_>>() {
                return;
            }
            if started.elapsed() > DEADLINE {
                let names: Vec<_> = self.nodes.keys().collect();
                panic!("{when}: partitions live on {names:?} are {live:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    async fn ports(&self) -> Ports {
        let nats = NatsSettings { url: self.nats.url(), partitions: PARTITIONS, ..NatsSettings::default() };
        let redis = RedisSettings { url: self.redis.url(), ..RedisSettings::default() };
        connect_cluster(nats, redis).await.expect("reached")
    }

    /// Publishes about 2,000 events a second until told to stop; all must be acknowledged.
    pub fn publish(&self) -> Load {
        let stopping = Arc::new(AtomicBool::new(false));
        let (nats, redis) = (self.nats.url(), self.redis.url());
        let stop = stopping.clone();
        let thread = std::thread::spawn(move || {
            let mut published = 0;
            run(async {
                let nats = NatsSettings { url: nats, partitions: PARTITIONS, ..NatsSettings::default() };
                let redis = RedisSettings { url: redis, ..RedisSettings::default() };
                let ports = connect_cluster(nats, redis).await.expect("reached");
                for seed in 0.. {
                    let events = audience_events(5_000, 500, 1_000 + seed);
                    for chunk in events.chunks(40) {
                        if stop.load(Relaxed) {
                            return;
                        }
                        for appended in ports.log.append(chunk.to_vec()).await {
                            appended.expect("acknowledged");
                            published += 1;
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            });
            published
        });
        Load { stopping, thread }
    }

    /// Asks one node for a member of each partition, again and again.
    pub fn probe(&self, name: &str) -> Probe {
        let http = self.nodes[name].http.clone();
        let members: Vec<String> = (0..PARTITIONS)
            .map(|partition| {
                let belongs = |member: &String| partition_of(member, PARTITIONS) == PartitionId(partition);
                (0..).map(|n| format!("probe{n}")).find(belongs).expect("hashes reach every partition")
            })
            .collect();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, shared) = (stopping.clone(), seen.clone());
        let thread = std::thread::spawn(move || {
            while !stop.load(Relaxed) {
                for (partition, member) in members.iter().enumerate() {
                    let answer = get(&format!("{http}/v1/members/{member}"));
                    let mut seen = shared.lock();
                    seen.asked += 1;
                    seen.answered += u64::from(answer.is_some());
                    if answer.is_some_and(|answer| answer.contains(r#""source":"live""#)) {
                        seen.live += 1;
                        seen.live_at.push((partition, Instant::now()));
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Probe { seen, stopping, thread }
    }

    /// Stops all nodes; then stored state and aggregates must be the fold of the log.
    pub fn verify(mut self) {
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        names.iter().for_each(|name| self.terminate(name));
        run(async {
            let bed = Bed { ports: self.ports().await, servers: None, _directory: None };
            let settings = EngineSettings::default();
            let engine = Engine::start(bed.ports.clone(), settings.clone()).await.expect("the engine starts");
            bed.assert_state_is_fold_of_log(&engine, &settings).await;
            engine.stop().await;
        });
    }
}

fn get(url: &str) -> Option<String> {
    let (status, body) = ask(url);
    (200..400).contains(&status).then_some(body)
}

fn live_on(node: &Node) -> Vec<u64> {
    let Some(text) = get(&format!("{}/admin/partitions", node.admin)) else { return Vec::new() };
    let partitions: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    let live = partitions.iter().filter(|partition| partition["state"] == "live");
    live.map(|partition| partition["partition"].as_u64().expect("a number")).collect()
}

pub struct Load {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Load {
    /// Stops, and says how many events were published.
    pub fn stop(self) -> usize {
        self.stopping.store(true, Relaxed);
        self.thread.join().expect("every event was acknowledged")
    }
}

#[derive(Default, Clone)]
pub struct Seen {
    pub asked: u64,
    pub answered: u64,
    pub live: u64,
    live_at: Vec<(usize, Instant)>,
}

pub struct Probe {
    seen: Arc<Mutex<Seen>>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Probe {
    /// The longest time from one live answer to the next of any partition, from `since` to now.
    pub fn longest_gap_since(&self, since: Instant) -> Duration {
        let seen = self.seen.lock().clone();
        let now = Instant::now();
        let gaps = (0..usize::from(PARTITIONS)).map(|partition| {
            let answers = seen.live_at.iter().filter(|(of, at)| *of == partition && *at >= since);
            let mut times = vec![since];
            times.extend(answers.map(|(_, at)| *at));
            times.push(now);
            times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
        });
        gaps.max().unwrap_or_default()
    }

    pub fn stop(self) -> Seen {
        self.stopping.store(true, Relaxed);
        self.thread.join().expect("the prober ends");
        self.seen.lock().clone()
    }
}
