//! The operators' listener as a browser meets it: who may call it, the console's files, and what the console asks for.

use crate::operators::{chaos, post, publish};
use crate::running::Service;
use nearline_config::Config;
use nearline_model::Position;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A request as it goes over the line: status, and the whole answer. Headers as a browser would send them, separated by ` | `;
/// `OWN` is the listener's own address, which is also the host where none is named.
fn raw(to: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).expect("connected");
    let host = if headers.contains("host:") { "" } else { "host: OWN | " };
    let length = if body.is_empty() { String::new() } else { format!(" | content-length: {}", body.len()) };
    let headers = format!("{host}connection: close | {headers}{length}").replace("OWN", &to.to_string());
    let headers: Vec<&str> = headers.split(" | ").filter(|header| !header.is_empty()).collect();
    let text = format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n{body}", headers.join("\r\n"));
    stream.write_all(text.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer)
}

const PANIC: &str = "POST /admin/chaos/panic";
const JSON: &str = "content-type: application/json";
const EVIL: &str = "origin: http://evil.example";

/// Who asks, what for, with which headers, and the status of the answer.
fn callers() -> Vec<(&'static str, &'static str, String, u16)> {
    let headers = |parts: &[&str]| parts.join(" | ");
    vec![
        ("a name that is not ours", "GET /admin/partitions", headers(&["host: evil.example"]), 421),
        ("the same for metrics", "GET /metrics", headers(&["host: evil.example:7701"]), 421),
        ("the same for the API", "GET /v1/trending", headers(&["host: evil.example:7701"]), 421),
        ("no host", "GET /admin/partitions", headers(&["host: "]), 421),
        ("a configured name", "GET /readyz", headers(&["host: nearline-0.nearline-nodes:7701"]), 200),
        ("localhost", "GET /readyz", headers(&["host: localhost:7701"]), 200),
        ("a page that reads", "GET /admin/partitions", headers(&[EVIL]), 200),
        ("a form", PANIC, headers(&["content-type: text/plain"]), 415),
        ("no type", PANIC, String::new(), 415),
        ("a page", PANIC, headers(&[JSON, EVIL]), 403),
        ("a page in a sandbox", PANIC, headers(&[JSON, "origin: null"]), 403),
        ("another port", PANIC, headers(&[JSON, "origin: http://127.0.0.1:1"]), 403),
        ("a browser's word", PANIC, headers(&[JSON, "sec-fetch-site: cross-site"]), 403),
        ("a link", "DELETE /admin/chaos/poison", headers(&["sec-fetch-site: same-site"]), 403),
        ("without a body", "POST /admin/dead-letters/1/redrive", headers(&[EVIL]), 403),
        ("the console", PANIC, headers(&[JSON, "origin: http://OWN", "sec-fetch-site: same-origin"]), 202),
        ("a program", PANIC, headers(&["content-type: application/json; charset=utf-8"]), 202),
    ]
}

#[test]
fn what_the_memory_is_held_for_is_told_by_kind() {
    let service = Service::start();
    let lines: Vec<String> = (0..2_000)
        .map(|n| {
            format!(
                r#"{{"id":"e{n}","type":"play","member":"m{}","title":"t{}","at":"2026-03-01T20:15:00Z"}}"#,
                n % 400,
                n % 90
            )
        })
        .collect();
    let reply = service.send("POST", "/v1/events", "application/x-ndjson", Some(lines.join("\n").as_bytes()));
    assert_eq!(reply.status, 200, "{}", reply.text);
    let bytes = |text: &str, kind: &str| {
        let series = format!("nearline_memory_bytes{{kind=\"{kind}\"}} ");
        text.lines()
            .find_map(|line| line.strip_prefix(&series))
            .map(|value| value.parse::<f64>().expect("a number"))
    };
    let held = ["members", "names", "sums", "weights", "log", "store"];
    let metrics = service.until("everything was measured", || {
        let text = service.ask(service.admin, "/metrics").text;
        // A member takes a hundred bytes at least.
        let is_measured = held.iter().all(|kind| bytes(&text, kind) > Some(0.0));
        (is_measured && bytes(&text, "members") >= Some(400.0 * 100.0)).then_some(text)
    });
    assert_eq!(bytes(&metrics, "catalogue"), Some(0.0), "{metrics}");
    let all: f64 = held.iter().filter_map(|kind| bytes(&metrics, kind)).sum();
    let resident = bytes(&metrics, "resident").expect("Linux tells it");
    assert!(all < resident, "{all} of {resident}");
}

#[test]
fn a_page_from_elsewhere_can_neither_read_nor_do_anything_on_the_operators_listener() {
    let allow = |config: &mut Config| {
        config.chaos.enabled = true;
        config.admin.hosts = "nearline-0.nearline-nodes".to_owned();
    };
    let service = Service::start_with(allow, |ports| ports);
    for (who, asked, headers, expected) in callers() {
        let (method, path) = asked.split_once(' ').expect("a method and a path");
        let body = if asked == PANIC { r#"{"partition":0}"# } else { "" };
        let (status, answer) = service.until(who, || {
            let reached = raw(service.admin, method, path, &headers, body);
            // The partition of the fault before is on its way back.
            (reached.0 != 503).then_some(reached)
        });
        assert_eq!(status, expected, "{who}: {answer}");
        // No other page may read what it gets.
        assert!(!answer.to_ascii_lowercase().contains("access-control-allow"), "{who}: {answer}");
    }
    let counted = service.ask(service.admin, "/metrics").text;
    let are_counted = [421, 403].iter().all(|status| counted.contains(&format!("status=\"{status}\"")));
    assert!(are_counted, "refusals are counted");
}

#[test]
fn the_console_brings_everything_itself_and_runs_nothing_that_stands_in_a_page() {
    let service = Service::start();
    let page = service.ask(service.admin, "/");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("<style") && !page.text.contains("style=") && !page.text.contains("onclick"));
    // From the page on, every file that is named by another one is there, and none is of elsewhere.
    let mut wanted: Vec<String> =
        page.text.split('"').filter(|text| text.starts_with("console/")).map(str::to_owned).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(file) = wanted.pop() {
        if !seen.insert(file.clone()) {
            continue;
        }
        let reply = service.ask(service.admin, &format!("/{file}"));
        assert_eq!((reply.status, reply.header("x-content-type-options")), (200, "nosniff"), "{file}");
        let text = reply.text.replace("http://www.w3.org/", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{file} asks elsewhere");
        let folder = file.rsplit_once('/').map(|(folder, _)| folder.to_owned()).expect("a folder");
        for import in text.split(" from \"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let mut path: Vec<&str> = folder.split('/').collect();
            for part in import.split('/').filter(|part| *part != ".") {
                if part == ".." {
                    path.pop();
                } else {
                    path.push(part);
                }
            }
            wanted.push(path.join("/"));
        }
    }
    assert!(seen.len() >= 15, "{seen:?}");
    assert_eq!(service.ask(service.admin, "/favicon.ico").header("content-type"), "image/svg+xml");
}

#[test]
fn series_of_partitions_are_of_those_that_run_here_and_tell_the_lag_in_seconds() {
    let service = Service::start();
    publish(&service, "e1", "m1", "t1");
    let metrics = service.until("it is folded", || {
        let text = service.ask(service.admin, "/metrics").text;
        text.contains(r#"nearline_fold_events_total{outcome="changed"}"#).then_some(text)
    });
    for (name, count) in
        [("nearline_partition_live", 4), ("nearline_partition_lag_seconds", 4), ("nearline_partitions", 6)]
    {
        let series = metrics.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count();
        assert_eq!(series, count, "{name}: {metrics}");
        for head in ["HELP", "TYPE"] {
            let heads = metrics.lines().filter(|line| line.starts_with(&format!("# {head} {name} "))).count();
            assert_eq!(heads, 1, "{head} of {name}");
        }
    }
    assert!(metrics.contains(r#"nearline_partitions{state="live"} 4"#), "{metrics}");
    assert!(
        metrics.contains("nearline_quarantined_events_total 0"),
        "alerts see the first of them: {metrics}"
    );
}

#[test]
fn the_console_is_told_what_goes_on_and_has_the_api_at_its_own_origin() {
    use std::io::BufRead;
    let service = chaos();
    let stream = ureq::get(format!("http://{}/admin/stream", service.admin)).call().expect("a stream");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut lines = std::io::BufReader::new(stream.into_body().into_reader()).lines().map_while(Result::ok);
    let mut next = |name: &str| loop {
        let line = lines.next().expect("the stream goes on");
        if line == format!("event: {name}") {
            let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).expect("data");
            break serde_json::from_str::<Value>(&data).expect("JSON");
        }
    };
    let overview = next("overview");
    assert_eq!(
        (&overview["chaos"], &overview["partitions"], &overview["live"]),
        (&json!(true), &json!(4), &json!(4))
    );
    assert_eq!(next("partitions").as_array().map(Vec::len), Some(4), "all of them at first");
    let event =
        json!([{"id": "e1", "type": "play", "member": "m1", "title": "t1", "at": "2026-03-01T20:15:00Z"}]);
    assert_eq!(post(&service, "/v1/events", event).json()["accepted"], 1, "the API is here, too");
    assert_eq!(post(&service, "/admin/chaos/panic", json!({"partition": 1})).status, 202);
    let changed = next("partitions");
    assert!(
        changed.as_array().is_some_and(|all| !all.is_empty() && all.len() < 4),
        "only what differs: {changed}"
    );
    let remediation = next("remediations");
    assert_eq!((&remediation[0]["fault"], &remediation[0]["partition"]), (&json!("panicked"), &json!(1)));
}

/// Events of a stream of the console, with their ids, until one is what is wanted.
pub struct Streamed {
    lines: Box<dyn Iterator<Item = String>>,
    last_id: String,
}

impl Streamed {
    pub fn open(service: &Service, path: &str, last_id: &str) -> Self {
        use std::io::BufRead;
        let mut request = ureq::get(format!("http://{}{path}", service.admin));
        if !last_id.is_empty() {
            request = request.header("last-event-id", last_id);
        }
        let body = request.call().expect("a stream").into_body().into_reader();
        let lines = std::io::BufReader::new(body).lines().map_while(Result::ok);
        Self { lines: Box::new(lines), last_id: last_id.to_owned() }
    }

    pub fn next(&mut self) -> (String, Value) {
        let mut name = String::new();
        loop {
            let line = self.lines.next().expect("the stream goes on");
            if let Some(named) = line.strip_prefix("event: ") {
                name = named.to_owned();
            } else if let Some(id) = line.strip_prefix("id: ") {
                self.last_id = id.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return (name, serde_json::from_str(data).expect("JSON"));
            }
        }
    }

    /// The events of the next `looks` looks, by name, without how things stand.
    fn happened(&mut self, looks: usize) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        let mut seen = 0;
        loop {
            let (name, data) = self.next();
            match name.as_str() {
                "overview" if seen == looks => return events,
                "overview" => seen += 1,
                "partitions" | "nodes" => {}
                _ => events.push((name, data)),
            }
        }
    }

    /// Letters that were told of, one by one, until `count` are there.
    fn letters(&mut self, count: usize) -> Vec<u64> {
        let mut told = Vec::new();
        while told.len() < count {
            let (name, data) = self.next();
            assert!(name != "snapshot", "nothing of it is lost: {data}");
            if name == "dead_letters" {
                let added = data["added"].as_array().expect("added");
                told.extend(added.iter().filter_map(|letter| letter["position"].as_u64()));
            }
        }
        told
    }
}

fn refused(service: &Service, ids: &[&str]) {
    for id in ids {
        publish(service, id, "m1", "t1");
    }
    service.until("they are dead letters", || {
        let letters = service.ask(service.admin, "/admin/dead-letters").text;
        ids.iter().all(|id| letters.contains(id)).then_some(())
    });
}

#[test]
fn who_comes_back_to_the_stream_is_told_what_came_meanwhile_once_and_all_of_it() {
    let service = chaos();
    assert_eq!(post(&service, "/admin/chaos/poison", json!({"pattern": "bait*"})).status, 202);
    let mut first = Streamed::open(&service, "/admin/stream", "");
    let (mut names, mut nodes) = (Vec::new(), Value::Null);
    while names.last().is_none_or(|name| name != "dead_letters") {
        let (name, data) = first.next();
        if name == "nodes" {
            nodes = data;
        }
        names.push(name);
    }
    assert_eq!(names, ["overview", "partitions", "nodes", "snapshot", "remediations", "dead_letters"]);
    assert_eq!(nodes, service.ask(service.admin, "/admin/nodes").json());
    refused(&service, &["bait-1"]);
    let known = first.letters(1);
    let last = first.last_id.clone();
    drop(first);

    refused(&service, &["bait-2", "bait-3"]);
    for (path, header) in
        [("/admin/stream".to_owned(), last.as_str()), (format!("/admin/stream?after={last}"), "")]
    {
        let mut again = Streamed::open(&service, &path, header);
        let missed = again.letters(2);
        assert!(missed.len() == 2 && !missed.contains(&known[0]), "{missed:?} after {known:?}");
        let rest = again.happened(2);
        assert!(rest.iter().all(|(name, _)| name == "remediations"), "no letter twice: {rest:?}");
    }
    let mut elsewhere = Streamed::open(&service, "/admin/stream", "of-another-process-7");
    let events = elsewhere.happened(1);
    let named: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(named, ["snapshot", "remediations", "dead_letters"]);
    assert!(events[0].1["why"].as_str().is_some_and(|why| why.contains("not known here")), "{}", events[0].1);
    assert_eq!(events[2].1["added"].as_array().map(Vec::len), Some(3), "all of them: {}", events[2].1);
    assert_eq!(service.ask(service.admin, "/admin/stream?since=7").status, 400);
}

#[test]
fn a_partition_is_not_given_away_where_nobody_takes_it() {
    let service = Service::start();
    let give =
        |partition: &str| post(&service, &format!("/admin/partitions/{partition}/give-away"), json!({}));
    let stays = give("1");
    assert_eq!((stays.status, &stays.json()["type"]), (409, &json!("/problems/partition-stays")));
    assert!(
        stays.json()["detail"].as_str().is_some_and(|detail| detail.contains("add a node")),
        "{}",
        stays.text
    );
    assert_eq!((give("9").status, give("x").status), (400, 400));
    let audit = service.ask(service.admin, "/admin/audit").text;
    assert!(audit.contains("/admin/partitions/1/give-away"), "{audit}");
}

#[test]
fn operators_have_a_partition_verified_against_its_log() {
    let service = Service::start();
    for number in 0..20 {
        publish(&service, &format!("e{number}"), &format!("m{number}"), "t1");
    }
    let verify = |partition: &str| {
        service.send_to(service.admin, "POST", &format!("/admin/partitions/{partition}/verify"), "", None)
    };
    let events = service.until("all of it is committed", || {
        let reports = (0..4).map(|partition| verify(&partition.to_string()).json());
        let reports: Vec<Value> = reports.collect();
        assert!(reports.iter().all(|report| report["equal"] == true), "{reports:?}");
        let events: u64 = reports.iter().filter_map(|report| report["events"].as_u64()).sum();
        (events == 20).then_some(events)
    });
    assert_eq!(events, 20);
    for wrong in ["4", "x", "-1"] {
        assert_eq!(verify(wrong).status, 400, "{wrong}");
    }
}

#[test]
fn each_fault_has_a_runbook_that_is_there() {
    use nearline_model::control::remediation::Fault;
    let poisoned = Fault::Poisoned { position: Position::default(), message: String::new() };
    let blocked = Fault::Blocked { leaked_threads: 1 };
    let others = [Fault::Panicked, Fault::Hung, Fault::ReaderStalled, Fault::Unavailable, Fault::Fenced];
    let all = [poisoned, blocked, Fault::RolledBack, Fault::Unusable].into_iter().chain(others);
    let page = include_str!("../../src/console/pages/remediations.js");
    let table =
        page.split("const RUNBOOKS = {").nth(1).and_then(|rest| rest.split("};").next()).expect("a table");
    let runbooks: std::collections::BTreeMap<&str, &str> = table
        .split(',')
        .filter_map(|entry| entry.split_once(':'))
        .map(|(fault, runbook)| (fault.trim().trim_matches('"'), runbook.trim().trim_matches('"')))
        .collect();
    for fault in all {
        let runbook = runbooks.get(fault.code()).unwrap_or_else(|| panic!("{}: no runbook", fault.code()));
        let path = format!("{}/docs/runbooks/{runbook}.md", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&path).is_file(), "{path}");
    }
}
