//! Keys of callers: who may do what, on both listeners and from the command line.

use crate::running::{Reply, Service};
use nearline::http::operator_routes::operator_routes;
use nearline_config::{Config, Scope};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn nearline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nearline")).args(arguments).output().expect("it runs")
}

/// Makes a key in `file`; the key.
fn key(file: &Path, name: &str, more: &[&str]) -> String {
    let file = file.display().to_string();
    let output = nearline(&[&["key", "new", "--name", name, "--file", &file], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

struct Keyed {
    service: Service,
    file: PathBuf,
    keys: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Keyed {
    /// A service with one key of each scope, in the order of their names here.
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("keys.toml");
        let scopes = ["publish", "query", "catalogue", "admin"];
        let keys = scopes.iter().map(|scope| key(&file, scope, &["--scope", scope])).collect();
        let named = file.display().to_string();
        let service = Service::start_with(|config| config.access.keys_file = named, |ports| ports);
        Self { service, file, keys, _directory: directory }
    }

    fn send(&self, to: SocketAddr, method: &str, path: &str, header: (&str, &str), body: &str) -> Reply {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{to}{path}"));
        if !header.0.is_empty() {
            request = request.header(header.0, header.1);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        self.service.run(request.body(body.as_bytes().to_vec()).expect("a request"))
    }

    fn with_key(&self, to: SocketAddr, method: &str, path: &str, key: &str, body: &str) -> Reply {
        self.send(to, method, path, ("authorization", &format!("Bearer {key}")), body)
    }
}

/// The path with one of its letters percent-encoded: the same path to whoever routes it.
fn encoded(path: &str) -> impl Iterator<Item = String> {
    let letters = path.char_indices().filter(|(_, letter)| letter.is_ascii_alphabetic());
    letters.map(|(at, letter)| format!("{}%{:02x}{}", &path[..at], letter as u32, &path[at + 1..]))
}

#[test]
fn however_a_path_is_written_its_key_is_asked_for_and_what_was_done_is_noted() {
    let keyed = Keyed::start();
    let admin = keyed.service.admin;
    let viewer = key(&keyed.file, "viewer", &["--scope", "view"]);
    keyed.service.until("the new key is known", || {
        (keyed.with_key(admin, "GET", "/admin/overview", &viewer, "").status == 200).then_some(())
    });
    let routes = operator_routes();
    let asked = routes.iter().filter(|route| route.needs().is_some() && !route.is_fault);
    for route in asked {
        let path = route.path.replace("{partition}", "0").replace("{position}", "1").replace("{id}", "ana");
        for path in encoded(&path).chain([path.clone()]) {
            let method = route.method.as_str();
            let reply = keyed.send(admin, method, &path, ("", ""), "");
            assert_eq!(reply.status, 401, "{method} {path}: {}", reply.text);
            if route.needs() == Some(Scope::Admin) {
                let reply = keyed.with_key(admin, method, &path, &viewer, "");
                assert_eq!(reply.status, 403, "{method} {path}: {}", reply.text);
            }
        }
    }
    let audit = || keyed.with_key(admin, "GET", "/admin/audit", &keyed.keys[3], "").json();
    assert_eq!(audit(), json!([]), "strangers push nothing out");
    let reply = keyed.with_key(admin, "DELETE", "/%61dmin/dead-letters/1", &keyed.keys[3], "");
    assert_eq!(reply.status, 404);
    // What is asked and what is published is no administration.
    for (path, key, body) in [
        ("/v1/members/ana/order", &keyed.keys[1], r#"{"titles":["heist"]}"#),
        ("/v1/%65vents", &keyed.keys[0], EVENT),
        ("/v1/events", &keyed.keys[0], EVENT),
    ] {
        assert_eq!(keyed.with_key(admin, "POST", path, key, body).status, 200, "{path}");
    }
    let noted = audit();
    assert_eq!(noted.as_array().map(Vec::len), Some(1), "{noted}");
    assert_eq!((&noted[0]["who"], &noted[0]["outcome"]), (&json!("admin"), &json!(404)));
}

#[test]
fn whoever_brings_no_key_yet_takes_no_room_of_publishers() {
    let keyed = Keyed::start();
    let body = format!(r#"{{"key":"{}"}}"#, "x".repeat(2_000));
    let reply = keyed.send(keyed.service.admin, "POST", "/admin/session", ("", ""), &body);
    assert_eq!((reply.status, &reply.json()["type"]), (413, &json!("/problems/body-too-large")));
    let reply = keyed.send(keyed.service.admin, "POST", "/admin/session", ("", ""), r#"{"key":"nl_x"}"#);
    assert_eq!(reply.status, 401);
}

const EVENT: &str = r#"{"id":"e1","type":"play","member":"ana","title":"heist","at":"2026-03-01T20:15:00Z"}"#;

#[test]
fn each_route_is_for_keys_of_its_scope_and_for_admin() {
    let keyed = Keyed::start();
    let http = keyed.service.http;
    let title = r#"{"name":"Heist"}"#;
    for (method, path, body, scopes) in [
        ("POST", "/v1/events", EVENT, &[0][..]),
        ("DELETE", "/v1/members/ana", "", &[0][..]),
        ("GET", "/v1/members/ana", "", &[1][..]),
        ("GET", "/v1/members/ana/recommendations", "", &[1][..]),
        ("GET", "/v1/log", "", &[0, 1][..]),
        ("PUT", "/v1/titles/heist", title, &[2][..]),
        ("DELETE", "/v1/titles/heist", "", &[2][..]),
        ("GET", "/v1/openapi.json", "", &[][..]),
    ] {
        let reply = keyed.send(http, method, path, ("", ""), body);
        let expected = if scopes.is_empty() { 200 } else { 401 };
        assert_eq!(reply.status, expected, "{method} {path}: {}", reply.text);
        if scopes.is_empty() {
            continue;
        }
        assert_eq!(reply.json()["type"], "/problems/key-missing");
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"nearline\"");
        for (at, key) in keyed.keys.iter().enumerate() {
            let reply = keyed.with_key(http, method, path, key, body);
            if scopes.contains(&at) || at == 3 {
                assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.text);
            } else {
                assert_eq!((reply.status, &reply.json()["type"]), (403, &json!("/problems/scope-missing")));
            }
            assert!(!reply.text.contains(key.as_str()), "an answer repeats the key");
        }
    }
    let reply = keyed.with_key(http, "GET", "/v1/log", "nl_guessed", "");
    assert_eq!((reply.status, &reply.json()["type"]), (401, &json!("/problems/key-unknown")));
    let reply =
        keyed.send(http, "GET", "/v1/log", ("cookie", &format!("nearline_key={}", keyed.keys[3])), "");
    assert_eq!(reply.status, 401, "the console's cookie is for the operators' listener");
}

#[test]
fn operators_need_an_admin_key_and_probes_none_and_the_console_keeps_its_own_in_a_cookie() {
    let keyed = Keyed::start();
    let admin = keyed.service.admin;
    for path in ["/livez", "/readyz", "/metrics", "/", "/console/app.js"] {
        assert_eq!(keyed.service.ask(admin, path).status, 200, "{path}");
    }
    for path in [
        "/admin/partitions",
        "/admin/overview",
        "/admin/stream",
        "/admin/dead-letters",
        "/admin/log",
        "/admin/log/0",
        "/admin/facts",
    ] {
        assert_eq!(keyed.service.ask(admin, path).status, 401, "{path}");
        assert_eq!(keyed.with_key(admin, "GET", path, &keyed.keys[1], "").status, 403, "{path}");
    }
    let file = &keyed.file;
    let viewer = key(file, "viewer", &["--scope", "view", "--scope", "query"]);
    keyed.service.until("the new key is known", || {
        (keyed.with_key(admin, "GET", "/admin/overview", &viewer, "").status == 200).then_some(())
    });
    let may = |key: &str| keyed.with_key(admin, "GET", "/admin/session", key, "").json();
    assert_eq!(may(&viewer), json!({"name": "viewer", "changes": false}));
    assert_eq!(may(&keyed.keys[3]), json!({"name": "admin", "changes": true}));
    assert_eq!(keyed.service.ask(admin, "/admin/session").status, 401);
    for (method, path, status) in [
        ("GET", "/admin/partitions", 200),
        ("GET", "/admin/dead-letters", 200),
        ("GET", "/v1/trending", 200),
        ("GET", "/admin/log", 403),
        ("GET", "/admin/log/0", 403),
        ("GET", "/admin/facts", 403),
        ("POST", "/admin/partitions/0/verify", 403),
        ("POST", "/admin/partitions/0/give-away", 403),
        ("POST", "/admin/dead-letters/1/redrive", 403),
        ("DELETE", "/admin/dead-letters/1", 403),
        ("DELETE", "/v1/members/ana", 403),
    ] {
        assert_eq!(keyed.with_key(admin, method, path, &viewer, "").status, status, "{method} {path}");
    }
    let begin =
        |key: &str| keyed.send(admin, "POST", "/admin/session", ("", ""), &json!({ "key": key }).to_string());
    assert_eq!((begin("nl_guessed").status, begin(&keyed.keys[0]).status), (401, 403));
    let begun = begin(&keyed.keys[3]);
    let cookie = begun.header("set-cookie").to_owned();
    assert_eq!(begun.status, 204, "{}", begun.text);
    for attribute in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let shown = cookie.split(';').next().expect("a cookie").to_owned();
    assert_eq!(keyed.send(admin, "GET", "/admin/overview", ("cookie", &shown), "").status, 200);
    assert_eq!(keyed.send(admin, "GET", "/v1/members/ana", ("cookie", &shown), "").status, 200);
    let ended = keyed.send(admin, "DELETE", "/admin/session", ("cookie", &shown), "");
    assert!(ended.header("set-cookie").contains("Max-Age=0"));
}

#[test]
fn the_consoles_stream_ends_with_its_key() {
    use std::io::BufRead;
    let keyed = Keyed::start();
    let viewer = key(&keyed.file, "viewer", &["--scope", "view"]);
    let admin = keyed.service.admin;
    let ask = || {
        ureq::get(format!("http://{admin}/admin/stream"))
            .header("authorization", format!("Bearer {viewer}"))
            .call()
    };
    let stream = keyed.service.until("the new key is known", || ask().ok());
    let mut lines = std::io::BufReader::new(stream.into_body().into_reader()).lines();
    assert!(lines.next().is_some_and(|line| line.is_ok()));
    let text = std::fs::read_to_string(&keyed.file).expect("the keys");
    let kept: Vec<&str> = text.split("[[keys]]").filter(|one| !one.contains("viewer")).collect();
    std::fs::write(&keyed.file, kept.join("[[keys]]")).expect("the keys");
    // To its end: where it never came, the test would.
    assert!(lines.map_while(Result::ok).count() > 0);
    assert!(ask().is_err());
}

#[test]
fn two_keys_of_one_name_are_good_until_the_old_one_is_taken_out_without_a_restart() {
    let keyed = Keyed::start();
    let ask = |key: &str| keyed.with_key(keyed.service.http, "GET", "/v1/log", key, "").status;
    let old = keyed.keys[1].clone();
    let old_file = std::fs::read_to_string(&keyed.file).expect("readable");
    let new = key(&keyed.file, "query", &["--scope", "query", "--expires", "90d"]);
    keyed.service.until("the new one is good", || (ask(&new) == 200).then_some(()));
    assert_eq!(ask(&old), 200);
    let both = std::fs::read_to_string(&keyed.file).expect("readable");
    // The old one stands second among those that were there before.
    let entries: Vec<&str> = old_file.split("[[keys]]").collect();
    let without = both.replacen(entries[2], "", 1).replacen("[[keys]][[keys]]", "[[keys]]", 1);
    std::fs::write(&keyed.file, without).expect("written");
    keyed.service.until("the old one is not", || (ask(&old) == 401).then_some(()));
    assert_eq!(ask(&new), 200);
}

#[test]
fn a_key_that_sends_more_than_it_may_is_told_when_to_come_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keys.toml");
    let slow = key(&file, "slow", &["--scope", "query", "--requests-per-second", "2"]);
    let named = file.display().to_string();
    let service = Service::start_with(|config| config.access.keys_file = named, |ports| ports);
    let ask = || {
        let request = ureq::http::Request::builder().uri(format!("http://{}/v1/log", service.http));
        service.run(request.header("authorization", format!("Bearer {slow}")).body(()).expect("a request"))
    };
    let refused = service.until("it sent too many", || Some(ask()).filter(|reply| reply.status != 200));
    assert_eq!((refused.status, &refused.json()["type"]), (429, &json!("/problems/too-many-requests")));
    assert_eq!(refused.header("retry-after"), "1");
    service.until("it may again", || (ask().status == 200).then_some(()));
    let metrics = service.ask(service.admin, "/metrics").text;
    assert!(metrics.contains("nearline_key_refusals_total{why=\"rate\"}"), "{metrics}");
}

#[test]
fn a_listener_that_others_reach_asks_for_keys_or_is_said_to_be_open() {
    let with = |adjust: fn(&mut Config)| {
        let mut config = Config::default();
        adjust(&mut config);
        config.validate()
    };
    let refused = with(|config| config.http.address = "0.0.0.0:7700".into()).expect_err("refused");
    assert_eq!(refused.key(), Some("http.address"));
    for says in ["nearline key new", "access.keys_file", "access.insecure = true"] {
        assert!(refused.to_string().contains(says), "{refused}");
    }
    let refused = with(|config| config.admin.address = "[::]:7701".into()).expect_err("refused");
    assert_eq!(refused.key(), Some("admin.address"));
    let open = |config: &mut Config| {
        config.http.address = "0.0.0.0:7700".into();
        config.access.insecure = true;
    };
    assert_eq!(with(open), Ok(()));
    assert_eq!(with(|config| config.http.address = "[::1]:7700".into()), Ok(()));
    assert_eq!(
        with(|config| {
            config.http.address = "0.0.0.0:7700".into();
            config.access.keys_file = "keys.toml".into();
        }),
        Ok(())
    );
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new(env!("CARGO_BIN_EXE_nearline"))
        .current_dir(directory.path())
        .env("NEARLINE__ACCESS__KEYS_FILE", "none.toml")
        .arg("serve")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("none.toml, cannot be read"), "{said}");
    assert!(!directory.path().join("nearline-data").exists(), "nothing is opened before");
}

#[test]
fn publishing_shows_the_key_of_the_environment_and_no_key_is_in_a_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let publish = key(&at("keys.toml"), "publisher", &["--scope", "publish"]);
    std::fs::write(at("events.ndjson"), format!("{EVENT}\n")).expect("written");
    let free = || nearline_servers::free_address().expect("a free port").to_string();
    let (http, admin) = (free(), free());
    let log = std::fs::File::create(at("log")).expect("a file");
    let mut serving = Command::new(env!("CARGO_BIN_EXE_nearline"))
        .current_dir(directory.path())
        .envs([
            ("NEARLINE__HTTP__ADDRESS", http.as_str()),
            ("NEARLINE__ADMIN__ADDRESS", &admin),
            ("NEARLINE__ACCESS__KEYS_FILE", "keys.toml"),
            ("NEARLINE__LOG__LEVEL", "trace"),
        ])
        .arg("serve")
        .stdout(std::process::Stdio::null())
        .stderr(log)
        .spawn()
        .expect("it starts");
    let send = |key: &str| {
        let to = format!("http://{http}");
        let mut program = Command::new(env!("CARGO_BIN_EXE_nearline"));
        program.current_dir(directory.path()).env("NEARLINE_KEY", key);
        program.args(["publish", "events.ndjson", "--to", &to]).output().expect("it runs")
    };
    let (refused, done) = (send("nl_wrong"), send(&publish));
    serving.kill().expect("killed");
    serving.wait().expect("ended");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("401") && said.contains("not known"), "{said}");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let logged = std::fs::read_to_string(at("log")).expect("UTF-8");
    assert!(logged.len() > 1_000, "{logged}");
    assert!(!logged.contains(&publish) && !logged.contains("nl_wrong"), "a key is in the log");
}

#[test]
fn keys_are_listed_by_name_and_a_file_that_would_be_refused_is_left_as_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keys.toml");
    let key = key(&file, "player", &["--scope", "query", "--scope", "publish", "--expires", "30d"]);
    let before = std::fs::read_to_string(&file).expect("readable");
    assert!(!before.contains(&key));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "for its owner alone");
    }
    let shown = file.display().to_string();
    let listed = String::from_utf8(nearline(&["key", "list", &shown]).stdout).expect("UTF-8");
    assert!(listed.contains("player  publish,query  until 20"), "{listed}");
    for (arguments, says) in [
        (&["--name", "a b", "--scope", "query"][..], "expected 1 to 64"),
        (&["--name", "player", "--scope", "query", "--requests-per-second", "9"], "differs"),
        (&["--name", "x", "--scope", "query", "--expires", "2020-01-01T00:00:00Z"], "is over"),
    ] {
        let output = nearline(&[&["key", "new", "--file", &shown], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(says), "{said}");
        assert!(output.stdout.is_empty(), "a key that is nowhere taken was printed");
        assert_eq!(std::fs::read_to_string(&file).expect("readable"), before);
    }
    let printed = String::from_utf8(nearline(&["key", "new", "--name", "x", "--scope", "admin"]).stdout)
        .expect("UTF-8");
    assert!(
        printed.starts_with("nl_") && printed.contains("[[keys]]\nname = \"x\"\nsha256 = \""),
        "{printed}"
    );
}

#[test]
fn what_operators_change_is_noted_with_the_name_of_their_key_and_outlives_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, audit) = (directory.path().join("keys.toml"), directory.path().join("audit.ndjson"));
    let boss = key(&file, "boss", &["--scope", "admin"]);
    let start = || {
        let (keys, audit) = (file.display().to_string(), audit.display().to_string());
        let adjust = |config: &mut Config| {
            config.chaos.enabled = true;
            (config.access.keys_file, config.admin.audit_file) = (keys, audit);
        };
        Service::start_with(adjust, |ports| ports)
    };
    let send = |service: &Service, method: &str, path: &str, key: &str, body: &str| {
        let request =
            ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", service.admin));
        let request = request
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json");
        service.run(request.body(body.as_bytes().to_vec()).expect("a request"))
    };
    let service = start();
    assert_eq!(send(&service, "POST", "/admin/chaos/panic", &boss, r#"{"partition":2}"#).status, 202);
    assert_eq!(send(&service, "DELETE", "/admin/dead-letters/77", &boss, "").status, 404);
    assert_eq!(send(&service, "POST", "/admin/chaos/panic", "nl_guessed", r#"{"partition":1}"#).status, 401);
    assert_eq!(send(&service, "POST", "/v1/events", &boss, EVENT).status, 200);
    let expected = json!([
        { "who": "boss", "from": "127.0.0.1", "what": "DELETE /admin/dead-letters/77", "outcome": 404 },
        { "who": "boss", "from": "127.0.0.1", "what": "POST /admin/chaos/panic", "outcome": 202,
          "detail": "{\"fault\":\"panic\",\"partition\":2}" },
    ]);
    let noted = |service: &Service| {
        let mut entries = send(service, "GET", "/admin/audit", &boss, "").json();
        for entry in entries.as_array_mut().expect("a list") {
            let entry = entry.as_object_mut().expect("an entry");
            assert!(entry.remove("at").is_some_and(|at| at.as_str().is_some_and(|at| at.ends_with('Z'))));
            assert!(entry.remove("took_ms").is_some());
        }
        entries
    };
    assert_eq!(noted(&service), expected, "neither strangers nor plays");
    drop(service);
    let service = start();
    assert_eq!(noted(&service), expected);
    let text = std::fs::read_to_string(&audit).expect("readable");
    assert!(text.lines().count() == 2 && !text.contains(&boss), "{text}");
}

#[test]
fn operators_see_the_configuration_in_effect_without_secrets_the_nodes_and_the_doctor() {
    let adjust = |config: &mut Config| {
        config.redis.url = nearline_config::SecretUrl::new("redis://nearline:secret@127.0.0.1:6379");
    };
    let service = Service::start_with(adjust, |ports| ports);
    let configuration = service.ask(service.admin, "/admin/configuration");
    assert_eq!(configuration.json()["redis"]["url"], "redis://***@127.0.0.1:6379");
    assert_eq!(configuration.json()["engine"]["partitions"], 4);
    assert!(!configuration.text.contains("secret"), "{}", configuration.text);
    let nodes = service.ask(service.admin, "/admin/nodes").json();
    assert_eq!(
        nodes["owners"].as_object().expect("owners").values().filter_map(|n| n.as_u64()).sum::<u64>(),
        4
    );
    let findings = service.ask(service.admin, "/admin/doctor").json();
    let held = |finding: &serde_json::Value| {
        finding["part"] == "directory"
            && finding["says"].as_str().is_some_and(|says| says.contains("is held by a program"))
    };
    assert!(findings.as_array().expect("a list").iter().any(held), "{findings}");
}

#[test]
fn asking_what_a_key_may_do_counts_once_against_its_rate() {
    let keyed = Keyed::start();
    let admin = keyed.service.admin;
    let slow = key(&keyed.file, "slow", &["--scope", "view", "--requests-per-second", "2"]);
    // A key that is not known yet counts nothing.
    let may = keyed.service.until("the new key is known", || {
        let reply = keyed.with_key(admin, "GET", "/admin/session", &slow, "");
        (reply.status != 401).then(|| reply.json())
    });
    assert_eq!(may, json!({"name": "slow", "changes": false}));
    assert_eq!(keyed.with_key(admin, "GET", "/admin/overview", &slow, "").status, 200);
}
