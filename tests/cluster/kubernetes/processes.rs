//! What Kubernetes would do with the manifests' own words, done with processes.

use super::rendered::{Rendered, engine, made_secrets, overlay, repository};
use nearline_servers::{NatsServer, RedisServer};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A pod's process; killed when dropped.
pub struct Pod {
    pub child: Child,
    pub environment: BTreeMap<String, String>,
}

impl Pod {
    pub fn start(rendered: &Rendered, mut environment: BTreeMap<String, String>, file: &Path) -> Self {
        // What a machine has only once is another one here; all else is as the pod would have it.
        for key in ["NEARLINE__HTTP__ADDRESS", "NEARLINE__ADMIN__ADDRESS"] {
            let free = nearline_servers::free_address().expect("a free port");
            environment.insert(key.to_owned(), free.to_string());
        }
        environment.insert("NEARLINE_CONFIG".to_owned(), file.display().to_string());
        let child = Command::new(env!("CARGO_BIN_EXE_nearline"))
            .args(engine(rendered)["args"].as_array().expect("arguments").iter().filter_map(|a| a.as_str()))
            .env_clear()
            .envs(&environment)
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        Self { child, environment }
    }

    /// One try of a probe of the manifest.
    pub fn probe(&self, rendered: &Rendered, probe: &str) -> bool {
        let path = engine(rendered)[probe]["httpGet"]["path"].as_str().expect("a path");
        ureq::get(format!("http://{}{path}", self.environment["NEARLINE__ADMIN__ADDRESS"])).call().is_ok()
    }

    /// SIGTERM, and the end within `grace`.
    pub fn terminate(&mut self, grace: Duration) {
        let asked = Instant::now();
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        let ended = loop {
            if let Some(ended) = self.child.try_wait().expect("asked") {
                break ended;
            }
            assert!(asked.elapsed() < grace, "SIGKILL would come now");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(ended.code(), Some(0), "it stopped in order");
    }

    /// Tries a probe as often as the kubelet would until it gives up.
    pub fn wait_for(&mut self, rendered: &Rendered, probe: &str, most: Duration) {
        let every = engine(rendered)[probe]["periodSeconds"].as_u64().expect("a period");
        let started = Instant::now();
        while !self.probe(rendered, probe) {
            assert!(self.child.try_wait().expect("asked").is_none(), "the program ended");
            assert!(started.elapsed() < most, "{probe} has failed for {most:?}");
            std::thread::sleep(Duration::from_millis(100).min(Duration::from_secs(every)));
        }
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Writes a ConfigMap as its volume would be.
pub fn mount(rendered: &Rendered, map: &str, folder: &Path) {
    for (name, text) in rendered.get("ConfigMap", map)["data"].as_object().expect("files") {
        std::fs::write(folder.join(name), text.as_str().expect("text")).expect("written");
    }
}

#[test]
fn a_pod_of_the_dev_overlay_becomes_ready_on_the_overlays_servers_and_stops_in_order_within_its_grace() {
    let rendered = overlay("dev");
    let directory = tempfile::tempdir().expect("a directory");
    for map in ["nearline-config", "server-configs"] {
        mount(&rendered, map, directory.path());
    }
    let nats = NatsServer::start_with_file(&directory.path().join("nats.conf")).expect("NATS");
    let redis = RedisServer::start_with_file(&directory.path().join("redis.conf")).expect("Redis");
    let mut environment = rendered.environment("nearline-0", &rendered);
    environment.insert("NEARLINE__NATS__URL".to_owned(), nats.url());
    environment.insert("NEARLINE__REDIS__URL".to_owned(), redis.url());
    let mut pod = Pod::start(&rendered, environment, &directory.path().join("nearline.toml"));

    let startup = &engine(&rendered)["startupProbe"];
    let tries = |key: &str| startup[key].as_u64().expect("a number");
    let most = Duration::from_secs(tries("periodSeconds") * tries("failureThreshold"));
    pod.wait_for(&rendered, "startupProbe", most);
    pod.wait_for(&rendered, "readinessProbe", Duration::from_secs(60));
    assert!(pod.probe(&rendered, "livenessProbe"));

    let spec = &rendered.get("StatefulSet", "nearline")["spec"]["template"]["spec"];
    let grace = Duration::from_secs(spec["terminationGracePeriodSeconds"].as_u64().expect("a grace"));
    pod.terminate(grace);
}

#[test]
fn the_engine_needs_no_more_than_its_user_of_redis_may() {
    let (rendered, made) = (overlay("dev"), made_secrets());
    let directory = tempfile::tempdir().expect("a directory");
    for map in ["nearline-config", "server-configs"] {
        mount(&rendered, map, directory.path());
    }
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("users.acl"), &made.secret("redis-acl")["users.acl"]).expect("written");
    let text = std::fs::read_to_string(at("redis.conf")).expect("readable");
    let text = format!("{text}\nprotected-mode no\naclfile {}\n", at("users.acl").display());
    std::fs::write(at("redis.conf"), text).expect("written");
    let nats = NatsServer::start_with_file(&at("nats.conf")).expect("NATS");
    let redis = RedisServer::start_with_file(&at("redis.conf")).expect("Redis");
    let user =
        |name: &str, password: &str| redis.url().replace("redis://", &format!("redis://{name}:{password}@"));
    let servers = made.secret("nearline-servers");
    let password = servers["redis-url"].split(['@', ':']).nth(2).expect("a password");
    let mut environment = rendered.environment("nearline-0", &rendered);
    environment.insert("NEARLINE__NATS__URL".to_owned(), nats.url());
    environment.insert("NEARLINE__REDIS__URL".to_owned(), user("nearline", password));
    environment.insert("NEARLINE__ENGINE__SNAPSHOT_INTERVAL_MS".to_owned(), "200".to_owned());
    let mut pod = Pod::start(&rendered, environment, &at("nearline.toml"));
    pod.wait_for(&rendered, "readinessProbe", Duration::from_secs(60));
    super::rollout::publish(&pod.environment["NEARLINE__HTTP__ADDRESS"]);
    let metrics = format!("http://{}/metrics", pod.environment["NEARLINE__ADMIN__ADDRESS"]);
    let started = Instant::now();
    loop {
        let text = ureq::get(&metrics).call().and_then(|mut answer| answer.body_mut().read_to_string());
        let text = text.expect("metrics");
        if text.contains("nearline_commit_events_total 500")
            && text.contains("nearline_aggregates_snapshot_bytes")
        {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "not everything is committed: {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
    pod.terminate(Duration::from_secs(90));
    let admin = user("admin", &made.secret("redis-acl")["admin-password"]);
    let log = Command::new("redis-cli").args(["-u", &admin, "--no-auth-warning", "ACL", "LOG"]).output();
    let log = log.expect("redis-cli runs");
    assert_eq!(String::from_utf8_lossy(&log.stdout).trim(), "", "what was refused");
}

/// Puts the production overlay's files and Secrets where a pod would have them, below `folder`.
fn production_files(folder: &Path) -> Rendered {
    let (rendered, made) = (overlay("production"), made_secrets());
    for part in ["config", "nats-tls", "redis-tls", "redis-acl"] {
        std::fs::create_dir_all(folder.join(part)).expect("a folder");
    }
    mount(&rendered, "server-configs", &folder.join("config"));
    mount(&rendered, "redis-cluster-create", folder);
    for secret in ["nats-tls", "redis-tls", "redis-acl"] {
        for (name, value) in made.secret(secret) {
            std::fs::write(folder.join(secret).join(name), value).expect("written");
        }
    }
    for (file, tls) in [("nats-cluster.conf", "nats-tls"), ("redis-cluster.conf", "redis-tls")] {
        let path = folder.join("config").join(file);
        let text = std::fs::read_to_string(&path).expect("readable");
        let at = |part: &str| folder.join(part).display().to_string();
        let text = text
            .replace("/tls/", &(at(tls) + "/"))
            .replace("/acl/", &(at("redis-acl") + "/"))
            .replace("/etc/redis/", &(at("config") + "/"))
            .replace("dir /data", &format!("dir {}", folder.display()));
        std::fs::write(path, text).expect("written");
    }
    made
}

#[test]
fn the_nats_configuration_of_the_production_overlay_is_one_of_a_server_with_tls_users_and_routes() {
    let folder = tempfile::tempdir().expect("a directory");
    let made = production_files(folder.path());
    let nats = std::env::var("NEARLINE_NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let users = made.secret("nats-users");
    let output = Command::new(nats)
        .arg("-t")
        .arg("-c")
        .arg(folder.path().join("config/nats-cluster.conf"))
        .env("POD_NAME", "nats-1")
        .env("NATS_STORE_DIR", folder.path())
        .env("NATS_NEARLINE_PASSWORD", &users["nearline"])
        .env("NATS_PUBLISHER_PASSWORD", &users["publisher"])
        .output()
        .expect("nats-server runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("is valid"), "{said}");
    let url = &made.secret("nearline-servers")["nats-url"];
    assert_eq!(url.split(',').count(), 3, "all servers");
    assert!(url.split(',').all(|one| one.starts_with("tls://nearline:p")), "with a password, over TLS");
}

/// Six nodes of the Redis Cluster, each on a loopback address of its own, so that all have the port of the manifest.
struct RedisNodes(Vec<Child>);

impl RedisNodes {
    fn start(folder: &Path) -> Self {
        let redis = std::env::var("NEARLINE_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let start = |number: usize| {
            let data = folder.join(format!("data-{number}"));
            std::fs::create_dir_all(&data).expect("a folder");
            let address = address(number);
            Command::new(&redis)
                .arg(folder.join("config/redis-cluster.conf"))
                .args(["--cluster-announce-hostname", &format!("redis-{number}.redis")])
                .args(["--cluster-announce-ip", &address, "--include"])
                .arg(folder.join("redis-acl/replication.conf"))
                .args(["--bind", &address, "--dir"])
                .arg(&data)
                .arg("--cluster-config-file")
                .arg(data.join("nodes.conf"))
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server starts")
        };
        Self((0..6).map(start).collect())
    }
}

impl Drop for RedisNodes {
    fn drop(&mut self) {
        for node in &mut self.0 {
            let _ended = node.kill();
            let _ended = node.wait();
        }
    }
}

/// One of the addresses that only this process uses.
fn address(number: usize) -> String {
    let own = std::process::id();
    format!("127.{}.{}.{}", 10 + own / 65_536 % 200, own / 256 % 256, own % 40 * 6 + number as u32 + 1)
}

#[test]
fn the_job_makes_a_redis_cluster_out_of_the_production_overlays_nodes_and_users_may_do_what_they_are_for() {
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path();
    let made = production_files(folder);
    // The names of the pods, as the cluster's DNS would tell them.
    let names = folder.join("getent");
    let known: String =
        (0..6).map(|number| format!("redis-{number}.redis) echo {} ;;\n", address(number))).collect();
    std::fs::write(&names, format!("#!/bin/sh\ncase $2 in\n{known}esac\n")).expect("written");
    assert!(Command::new("chmod").arg("755").arg(&names).status().expect("chmod runs").success());
    let _nodes = RedisNodes::start(folder);

    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let ca = folder.join("redis-tls/ca.crt");
    let job = || {
        let output = Command::new("sh")
            .arg(folder.join("create-cluster"))
            .env("PATH", &path)
            .env("CA_FILE", &ca)
            .env("REDISCLI_AUTH", &made.secret("redis-acl")["admin-password"])
            .output()
            .expect("sh runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned(), output.stderr)
    };
    let (success, said, why) = job();
    assert!(success && said.contains("All 16384 slots covered"), "{said}{}", String::from_utf8_lossy(&why));
    let (success, said, _) = job();
    assert!(success && said.contains("made already"), "again: {said}");

    let url = made.secret("nearline-servers")["redis-url"].clone();
    let password = url.split(['@', ':']).nth(2).expect("a password").to_owned();
    let ask = |user: Option<&str>, command: &[&str]| {
        let mut cli = Command::new("redis-cli");
        cli.args(["-c", "--tls", "--no-auth-warning", "--cacert"]).arg(&ca).args(["-h", &address(0)]);
        if let Some(user) = user {
            cli.args(["--user", user]).env("REDISCLI_AUTH", &password);
        }
        String::from_utf8_lossy(&cli.args(command).output().expect("redis-cli runs").stdout).trim().to_owned()
    };
    let engine = Some("nearline");
    // Replicas are known a moment after the slots are covered.
    let begun = Instant::now();
    loop {
        let slots = ask(engine, &["CLUSTER", "SLOTS"]);
        if (0..6).all(|number| slots.contains(&format!("redis-{number}.redis"))) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "by name: {slots}");
        std::thread::sleep(Duration::from_millis(100));
    }
    for (command, refused) in [
        (&["PING"][..], false),
        (&["TIME"], false),
        (&["INFO", "server"], false),
        (&["FLUSHALL"], true),
        (&["KEYS", "*"], true),
        (&["CONFIG", "GET", "*"], true),
        (&["ACL", "LIST"], true),
        (&["CLUSTER", "FAILOVER"], true),
        (&["GET", "others:key"], true),
        (&["EVAL", "return redis.call('HSET', KEYS[1], 'a', 1)", "1", "others:{p}:x"], true),
    ] {
        let answer = ask(engine, command);
        assert_eq!(answer.contains("NOPERM") || answer.contains("can't"), refused, "{command:?}: {answer}");
    }
    assert_eq!(ask(None, &["PING"]), "PONG", "the probes know no password");
    assert!(ask(None, &["CLUSTER", "SLOTS"]).contains("NOPERM"));
    assert!(repository("k8s/overlays/production/users.acl").is_file());
}
