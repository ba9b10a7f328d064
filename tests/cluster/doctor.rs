//! `nearline doctor` on real servers: as they should be, and each of them broken in a way of its own.

use nearline_servers::{NatsServer, RedisServer, free_port};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Exit code, and what was found.
pub fn doctor(directory: &Path, settings: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_nearline"))
        .current_dir(directory)
        .envs(settings.iter().map(|(key, value)| (format!("NEARLINE__{key}"), value)))
        .args(["doctor", "--json"])
        .output()
        .expect("it runs");
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = document["findings"].as_array().expect("a list").clone();
    let failed = findings.iter().filter(|finding| finding["verdict"] == "fail").count();
    assert_eq!(document["failures"], failed, "{document}");
    assert_eq!(output.status.code(), Some(i32::from(failed > 0)), "{document}");
    for finding in &findings {
        assert_eq!(
            finding["verdict"] != "ok",
            finding["advice"].is_string(),
            "what to do is said: {finding}"
        );
    }
    (output.status.code(), findings)
}

/// Asserts that something of `part` has the verdict and says so.
pub fn says(findings: &[Value], part: &str, verdict: &str, words: &str) {
    let is_meant = |finding: &&Value| {
        finding["part"] == part
            && finding["verdict"] == verdict
            && finding["says"].as_str().is_some_and(|says| says.contains(words))
    };
    assert!(findings.iter().any(|finding| is_meant(&finding)), "{part} {verdict} {words:?}: {findings:#?}");
}

pub fn cluster<'a>(nats: &'a str, redis: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("BACKEND__KIND", "cluster"),
        ("NATS__URL", nats),
        ("REDIS__URL", redis),
        ("NATS__TIMEOUT_MS", "1000"),
        ("REDIS__TIMEOUT_MS", "1000"),
    ]
}

#[test]
fn servers_as_they_should_be_are_all_right_and_what_is_looked_at_is_not_changed() {
    let directory = tempfile::tempdir().expect("a directory");
    let nats = NatsServer::start(None).expect("nats");
    let redis = RedisServer::start().expect("redis");
    let (nats_url, redis_url) = (nats.url(), redis.url());
    let settings = cluster(&nats_url, &redis_url);
    for _ in 0..2 {
        let (code, findings) = doctor(directory.path(), &settings);
        assert_eq!(code, Some(0), "{findings:#?}");
        says(&findings, "nats", "ok", "EVENTS_p00, …) are made at the first start");
        says(&findings, "nats", "ok", "may publish to nearline.log.>");
        says(&findings, "redis", "ok", "scripts run and write for 16 partitions");
        says(&findings, "redis", "ok", "ms apart");
        says(&findings, "memory", "ok", "of memory");
    }
    let keys: Vec<String> = redis::Client::open(redis_url.as_str())
        .and_then(|client| client.get_connection())
        .and_then(|mut connection| redis::cmd("KEYS").arg("*").query(&mut connection))
        .expect("keys");
    assert_eq!(keys, Vec::<String>::new(), "nothing is left behind");
    assert!(std::fs::read_dir(directory.path()).expect("there").next().is_none());
}

#[test]
fn servers_that_are_away_are_told_of_both() {
    let directory = tempfile::tempdir().expect("a directory");
    let (nats, redis) = (free_port().expect("a port"), free_port().expect("a port"));
    let (nats, redis) = (format!("nats://127.0.0.1:{nats}"), format!("redis://127.0.0.1:{redis}"));
    let (_, findings) = doctor(directory.path(), &cluster(&nats, &redis));
    says(&findings, "nats", "fail", "not available");
    says(&findings, "redis", "fail", "not available");
}

/// Runs a command of Redis.
pub fn run(redis: &RedisServer, command: &[&str]) {
    let mut connection = redis::Client::open(redis.url().as_str())
        .and_then(|client| client.get_connection())
        .expect("connected");
    let mut asked = redis::cmd(command[0]);
    for part in &command[1..] {
        asked.arg(*part);
    }
    asked.query::<redis::Value>(&mut connection).expect("done");
}

#[test]
fn a_redis_that_evicts_that_keeps_nothing_or_that_forbids_scripts_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let nats = NatsServer::start(None).expect("nats");
    let redis = RedisServer::start().expect("redis");
    let nats_url = nats.url();
    run(&redis, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    run(&redis, &["CONFIG", "SET", "appendonly", "no"]);
    let (_, findings) = doctor(directory.path(), &cluster(&nats_url, &redis.url()));
    says(&findings, "redis", "fail", "maxmemory-policy allkeys-lru");
    says(&findings, "redis", "warn", "append-only file off");
    run(&redis, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    run(&redis, &["CONFIG", "SET", "maxmemory", "1"]);
    let (_, findings) = doctor(directory.path(), &cluster(&nats_url, &redis.url()));
    says(&findings, "redis", "fail", "OOM");
    run(&redis, &["CONFIG", "SET", "maxmemory", "0"]);
    run(&redis, &["ACL", "SETUSER", "reader", "on", ">p", "~nl:*", "+@read", "+@connection", "+info"]);
    let reader = redis.url().replace("redis://", "redis://reader:p@");
    let (_, findings) = doctor(directory.path(), &cluster(&nats_url, &reader));
    says(&findings, "redis", "fail", "refuses what Nearline does");
    let wrong = redis.url().replace("redis://", "redis://reader:wrong@");
    let (_, findings) = doctor(directory.path(), &cluster(&nats_url, &wrong));
    says(&findings, "redis", "fail", "does not let this client in");
    assert!(!format!("{findings:?}").contains("reader:wrong"), "no password is shown");
}

#[test]
fn a_nats_without_jetstream_or_without_the_right_to_publish_or_with_another_stream_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start().expect("redis");
    let redis_url = redis.url();
    let file = directory.path().join("nats.conf");
    let text = "jetstream { store_dir: $NATS_STORE_DIR }\nmax_payload: 32KB\naccounts {\n\
                APP: { jetstream: enabled, users: [\n{ user: all, password: p }\n{ user: reader, password: p, \
                permissions: { publish: [\"$JS.API.>\"], subscribe: [\"_INBOX.>\"] } }] }\n\
                PLAIN: { users: [{ user: plain, password: p }] } }\n";
    std::fs::write(&file, text).expect("written");
    let nats = NatsServer::start_with_file(&file).expect("nats");
    let work = tempfile::tempdir().expect("a directory");
    let as_user = |user: &str| nats.url().replace("nats://", &format!("nats://{user}:p@"));
    let (_, findings) = doctor(work.path(), &cluster(&as_user("reader"), &redis_url));
    says(
        &findings,
        "nats",
        "fail",
        "nearline.log.>, nearline.queries.>, nearline.remediations.> is not let through",
    );
    says(&findings, "nats", "fail", "messages of up to 32768 bytes");
    let (_, findings) = doctor(work.path(), &cluster(&nats.url(), &redis_url));
    assert!(
        findings.iter().any(|finding| finding["part"] == "nats" && finding["verdict"] == "fail"),
        "nobody"
    );
    let (_, findings) = doctor(work.path(), &cluster(&as_user("plain"), &redis_url));
    says(&findings, "nats", "fail", "JetStream does not answer");
    // A stream in the place of a partition's, made by somebody else.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let made = runtime.block_on(async {
        let options = async_nats::ConnectOptions::with_user_and_password("all".into(), "p".into());
        let client = options.connect(nats.url()).await.expect("connected");
        let config = async_nats::jetstream::stream::Config {
            name: "EVENTS_p03".into(),
            subjects: vec!["mine".into()],
            ..Default::default()
        };
        async_nats::jetstream::new(client).create_stream(config).await.is_ok()
    });
    assert!(made);
    let (_, findings) = doctor(work.path(), &cluster(&as_user("all"), &redis_url));
    says(&findings, "nats", "fail", "EVENTS_p03 does not say which log it is part of");
}

#[test]
fn the_embedded_directory_is_looked_at_without_being_made_and_a_wrong_one_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, findings) = doctor(directory.path(), &[]);
    assert_eq!(code, Some(0), "{findings:#?}");
    says(&findings, "directory", "ok", "is not there yet");
    assert!(findings.iter().any(|finding| finding["part"] == "disk"));
    assert!(!directory.path().join("nearline-data").exists());
    let data = directory.path().join("nearline-data");
    std::fs::create_dir(&data).expect("made");
    std::fs::write(data.join("format.json"), r#"{"version":1,"partitions":8}"#).expect("written");
    let (_, findings) = doctor(directory.path(), &[]);
    says(&findings, "directory", "fail", "was made with 8 partitions, configured are 16");
    let (code, findings) = doctor(directory.path(), &[("ENGINE__PARTITIONS", "8")]);
    assert_eq!(code, Some(0), "{findings:#?}");
    std::fs::write(data.join("format.json"), "{").expect("written");
    let (_, findings) = doctor(directory.path(), &[]);
    says(&findings, "directory", "fail", "format.json cannot be read");
}

#[test]
fn a_configuration_that_is_refused_and_keys_that_end_are_findings_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_, findings) = doctor(directory.path(), &[("ENGINE__PARTITIONS", "0")]);
    says(&findings, "configuration", "fail", "`engine.partitions` is 0");
    let (_, findings) = doctor(directory.path(), &[("ACCESS__KEYS_FILE", "none.toml")]);
    says(&findings, "access", "fail", "none.toml, cannot be read");
    let key = |more: &[&str]| {
        let made = Command::new(env!("CARGO_BIN_EXE_nearline"))
            .current_dir(directory.path())
            .args(["key", "new", "--name", "tv", "--scope", "query", "--file", "keys.toml"])
            .args(more)
            .output();
        assert!(made.expect("it runs").status.success());
    };
    key(&["--expires", "3d"]);
    let (code, findings) = doctor(directory.path(), &[("ACCESS__KEYS_FILE", "keys.toml")]);
    assert_eq!(code, Some(0), "a warning is no failure");
    says(&findings, "access", "warn", "the key of tv ends");
    key(&[]);
    let (_, findings) = doctor(directory.path(), &[("ACCESS__KEYS_FILE", "keys.toml")]);
    says(&findings, "access", "ok", "2 keys");
    assert!(!findings.iter().any(|finding| finding["part"] == "access" && finding["verdict"] != "ok"));
}
