//! A rollout as the StatefulSet's own numbers would have it, with processes in place of pods: one node at a time, the last one
//! first, the next one only when its successor is ready and has been for long enough; meanwhile callers ask.

use super::processes::{Pod, mount};
use super::rendered::{Rendered, engine, overlay};
use nearline_servers::{NatsServer, RedisServer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Time until a Service has heard that a pod is ready, or is about to leave.
const ENDPOINTS_FOLLOW: Duration = Duration::from_secs(1);
/// Callers at a time, and their pause between two questions.
const CALLERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);
/// Within which an answer counts as one in time.
const IN_TIME: Duration = Duration::from_millis(100);
/// Longest time that a member may be without any answer, be it that the node is busy.
const GAP: Duration = Duration::from_secs(2);
/// Share of the questions that may be turned away for load: a node that others keep from its processors says so, rollout or
/// not, and is asked again.
const TURNED_AWAY: f64 = 0.01;

/// Addresses of the nodes that callers are sent to.
type Endpoints = Arc<Mutex<BTreeMap<String, String>>>;

/// What one caller saw.
#[derive(Default)]
struct Seen {
    asked: usize,
    in_time: usize,
    live: usize,
    turned_away: usize,
    failed: Vec<String>,
    longest_gap: Duration,
}

/// Asks for one member after another, whichever node is next, until told to stop.
fn call(number: usize, endpoints: &Endpoints, stop: &AtomicBool) -> Seen {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
    let agent: ureq::Agent = config.build().into();
    let (mut seen, mut answered) = (Seen::default(), Instant::now());
    while !stop.load(Relaxed) {
        let node = {
            let known = endpoints.lock().expect("not poisoned");
            known.values().nth(seen.asked % known.len().max(1)).cloned()
        };
        seen.asked += 1;
        let member = (seen.asked * CALLERS + number) % 50;
        let started = Instant::now();
        let url = format!("http://{}/v1/members/m{member}/recommendations", node.expect("a node is ready"));
        match agent.get(&url).call().map(|mut answer| answer.body_mut().read_to_string()) {
            Ok(Ok(text)) => {
                seen.in_time += usize::from(started.elapsed() <= IN_TIME);
                seen.live += usize::from(text.contains(r#""source":"live""#));
                seen.longest_gap = seen.longest_gap.max(answered.elapsed());
                answered = Instant::now();
            }
            // It is there, and says that it is busy.
            Err(ureq::Error::StatusCode(429)) => {
                seen.turned_away += 1;
                answered = Instant::now();
            }
            Ok(Err(error)) | Err(error) => seen.failed.push(format!("{url}: {error}")),
        }
        std::thread::sleep(PAUSE);
    }
    seen
}

/// The StatefulSet, run by hand.
struct Rollout {
    rendered: Rendered,
    file: PathBuf,
    urls: [(String, String); 2],
    endpoints: Endpoints,
}

impl Rollout {
    fn new(folder: &Path, nats: &NatsServer, redis: &RedisServer) -> Self {
        let rendered = overlay("dev");
        mount(&rendered, "nearline-config", folder);
        let urls = [("NEARLINE__NATS__URL", nats.url()), ("NEARLINE__REDIS__URL", redis.url())];
        let urls = urls.map(|(name, url)| (name.to_owned(), url));
        Self { rendered, file: folder.join("nearline.toml"), urls, endpoints: Endpoints::default() }
    }

    fn seconds(&self, path: &str) -> Duration {
        let set = self.rendered.get("StatefulSet", "nearline");
        Duration::from_secs(set.pointer(path).and_then(serde_json::Value::as_u64).expect("seconds"))
    }

    /// Starts a node, waits until it is ready, and sends callers to it.
    fn start(&self, name: &str) -> Pod {
        let mut environment = self.rendered.environment(name, &self.rendered);
        environment.extend(self.urls.clone());
        let mut pod = Pod::start(&self.rendered, environment, &self.file);
        pod.wait_for(&self.rendered, "startupProbe", Duration::from_secs(120));
        pod.wait_for(&self.rendered, "readinessProbe", Duration::from_secs(60));
        std::thread::sleep(ENDPOINTS_FOLLOW);
        let address = pod.environment["NEARLINE__HTTP__ADDRESS"].clone();
        self.endpoints.lock().expect("not poisoned").insert(name.to_owned(), address);
        pod
    }

    /// Ends a node as the kubelet does: the pause of `preStop`, in the midst of which callers hear of it, then SIGTERM.
    fn stop(&self, name: &str, mut pod: Pod) {
        let pause = engine(&self.rendered)["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
        let pause = Duration::from_secs(pause.expect("a pause"));
        std::thread::sleep(ENDPOINTS_FOLLOW);
        self.endpoints.lock().expect("not poisoned").remove(name);
        std::thread::sleep(pause - ENDPOINTS_FOLLOW);
        pod.terminate(self.seconds("/spec/template/spec/terminationGracePeriodSeconds"));
    }
}

/// Publishes five hundred events.
pub fn publish(address: &str) {
    let at = r#""at":"2026-03-01T20:15:00Z""#;
    let event = |n: usize| {
        format!(r#"{{"id":"e{n}","type":"play","member":"m{}","title":"t{}",{at}}}"#, n % 50, n % 7)
    };
    let body = (0..500).map(event).collect::<Vec<_>>().join("\n");
    let sent = ureq::post(format!("http://{address}/v1/events"))
        .header("content-type", "application/x-ndjson")
        .send(body.as_bytes());
    assert_eq!(sent.expect("taken").status(), 200);
}

#[test]
fn a_rollout_by_the_manifests_own_numbers_leaves_no_query_without_an_answer() {
    let folder = tempfile::tempdir().expect("a directory");
    let nats = NatsServer::start(None).expect("NATS");
    let redis = RedisServer::start().expect("Redis");
    let rollout = Rollout::new(folder.path(), &nats, &redis);
    let names = ["nearline-0", "nearline-1"];
    let mut pods: BTreeMap<&str, Pod> = names.iter().map(|name| (*name, rollout.start(name))).collect();
    publish(&pods["nearline-0"].environment["NEARLINE__HTTP__ADDRESS"]);

    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (endpoints, stop) = (rollout.endpoints.clone(), stop.clone());
            std::thread::spawn(move || call(number, &endpoints, &stop))
        })
        .collect();
    let started = Instant::now();
    for name in names.iter().rev() {
        rollout.stop(name, pods.remove(name).expect("it runs"));
        pods.insert(name, rollout.start(name));
        std::thread::sleep(rollout.seconds("/spec/minReadySeconds"));
    }
    stop.store(true, Relaxed);
    let took = started.elapsed();
    let seen: Vec<Seen> = callers.into_iter().map(|caller| caller.join().expect("it ends")).collect();
    let sum = |count: fn(&Seen) -> usize| seen.iter().map(count).sum::<usize>();
    let (asked, in_time, live) = (sum(|seen| seen.asked), sum(|seen| seen.in_time), sum(|seen| seen.live));
    let turned_away = sum(|seen| seen.turned_away);
    let gap = seen.iter().map(|seen| seen.longest_gap).max().unwrap_or_default();
    println!(
        "rollout of two nodes in {:.1} s: {asked} queries, {:.2} % within 100 ms, {:.2} % live, {turned_away} turned away, \
         longest gap {} ms",
        took.as_secs_f64(),
        100.0 * in_time as f64 / asked as f64,
        100.0 * live as f64 / asked as f64,
        gap.as_millis()
    );
    let failed: Vec<&String> = seen.iter().flat_map(|seen| &seen.failed).collect();
    assert!(failed.is_empty(), "{} of {asked} queries failed: {:?}", failed.len(), failed.first());
    assert!(
        turned_away as f64 <= TURNED_AWAY * asked as f64,
        "{turned_away} of {asked} queries were turned away"
    );
    assert!(asked > 500 && gap < GAP, "{asked} queries, the longest gap {gap:?}");
}
