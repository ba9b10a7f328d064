//! Configuration: documented defaults, layers, and secrets that stay secret.

use nearline_config::{BackendKind, Config, LogFormat};
use std::path::Path;

fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>().into_iter()
}

fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn default_toml_names_every_key_with_its_default_and_a_comment() {
    let text = std::fs::read_to_string(repository("config/default.toml")).expect("readable");
    let documented: toml::Table = toml::from_str(&text).expect("valid TOML");
    assert_eq!(documented, toml::Table::try_from(Config::default()).expect("plain tables"));
    let mut commented = false;
    for line in text.lines() {
        match line.chars().next() {
            Some('#') => commented = true,
            Some(_) if line.contains('=') => assert!(commented, "no comment at or above {line:?}"),
            _ => commented = line.starts_with('[') && line.contains("admin"),
        }
    }
    assert_eq!(Config::default().validate(), Ok(()));
}

#[test]
fn cluster_toml_differs_in_the_backend_alone() {
    let config = Config::load(Some(&repository("config/cluster.toml")), variables(&[])).expect("valid");
    let mut expected = Config::default();
    expected.backend.kind = BackendKind::Cluster;
    assert_eq!(config, expected);
}

#[test]
fn engine_settings_of_the_defaults_are_the_engines_own() {
    let (ours, engines) = (Config::default().engine_settings(), nearline_actors::EngineSettings::default());
    assert_eq!((ours.fold, ours.aggregates), (engines.fold, engines.aggregates));
    assert_eq!(ours.commit_events, engines.commit_events);
    assert_eq!(ours.commit_interval_ms, engines.commit_interval_ms);
    assert_eq!(ours.commit_members, engines.commit_members);
    assert_eq!(ours.cached_members, engines.cached_members);
    assert_eq!(ours.query_deadline_ms, engines.query_deadline_ms);
    assert_eq!(ours.query_hedge_ms, engines.query_hedge_ms);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("nearline.toml");
    std::fs::write(&file, "[fold]\nhistory_titles = 50\n[http]\nmax_limit = 30\n").expect("written");
    let environment = variables(&[
        ("NEARLINE__HTTP__MAX_LIMIT", "40"),
        ("NEARLINE__ADMIN__ENABLED", "false"),
        ("NEARLINE__LOG__FORMAT", "json"),
        ("NEARLINE__EMBEDDED__DIRECTORY", "42"),
        ("NEARLINE__NATS__STREAM", "\"QUOTED\""),
        ("NEARLINE_NATS_SERVER", "not ours"),
        ("PATH", "not ours"),
    ]);
    let config = Config::load(Some(&file), environment).expect("valid");
    assert_eq!((config.fold.history_titles, config.fold.seen_titles), (50, 2_000));
    assert_eq!((config.http.max_limit, config.admin.enabled), (40, false));
    assert_eq!((config.log.format, config.embedded.directory.as_str()), (LogFormat::Json, "42"));
    assert_eq!(config.nats.stream, "QUOTED");
}

#[test]
fn passwords_never_show() {
    let secrets = [
        ("NEARLINE__NATS__URL", "nats://user:hunter2@host:4222"),
        ("NEARLINE__REDIS__URL", "redis://:hunter2@host:6379"),
    ];
    let config = Config::load(None, variables(&secrets)).expect("valid");
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(config.redis.url.reveal().contains("hunter2"));
    for refused in ["http://:hunter2@host", ":hunter2@host"] {
        let error = Config::load(None, variables(&[("NEARLINE__REDIS__URL", refused)])).expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("nearline.toml");
    std::fs::write(&file, "[redis]\nurl = \"redis://:hunter2@host\" oops\n").expect("written");
    let error = Config::load(Some(&file), variables(&[])).expect_err("refused");
    assert!(!error.to_string().contains("hunter2") && error.to_string().contains("line 2"), "{error}");
}

#[test]
fn several_nodes_of_redis_are_taken_for_a_cluster_only() {
    let nodes = "redis://:hunter2@a:6379, redis://:hunter2@b:6379";
    let alone = Config::load(None, variables(&[("NEARLINE__REDIS__URL", nodes)])).expect_err("refused");
    let text = alone.to_string();
    assert!(text.contains("redis.cluster = true") && !text.contains("hunter2"), "{text}");
    let cluster = ("NEARLINE__REDIS__CLUSTER", "true");
    let config = Config::load(None, variables(&[("NEARLINE__REDIS__URL", nodes), cluster])).expect("valid");
    assert!(config.redis.cluster);
    let socket = ("NEARLINE__REDIS__URL", "unix:///run/redis.sock");
    Config::load(None, variables(&[socket])).expect("one server may be a socket");
    Config::load(None, variables(&[socket, cluster])).expect_err("a cluster may not");
}
