//! Malformed events, requests and configurations, and the answer each one gets. The same table is
//! `docs/bad-input.md`; run with `NEARLINE_WRITE_DOCS=1` to write it anew.

use crate::running::Service;
use nearline_config::{Config, ConfigError};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const AT: &str = r#""at":"2026-03-01T20:15:00Z""#;

/// Events, each sent alone as NDJSON, and the reason each is refused for.
fn events() -> Vec<(&'static str, String, &'static str)> {
    let with =
        |fields: &str| format!(r#"{{"id":"e1","type":"play","member":"m1","title":"t1",{AT}{fields}}}"#);
    let of = |kind: &str, fields: &str| {
        format!(r#"{{"id":"e1","type":"{kind}","member":"m1","title":"t1",{AT}{fields}}}"#)
    };
    let at = |at: &str| format!(r#"{{"id":"e1","type":"play","member":"m1","title":"t1","at":{at}}}"#);
    let id = |id: &str| format!(r#"{{"id":{id},"type":"play","member":"m1","title":"t1",{AT}}}"#);
    vec![
        ("JSON cut off", r#"{"id":"e1","type":"#.into(), "malformed-json"),
        ("not JSON", "play,m1,t1".into(), "malformed-json"),
        ("text after the object", format!("{} x", with("")), "malformed-json"),
        ("a number", "42".into(), "malformed-json"),
        ("an array", format!(r#"["e1","play","m1","t1",{}]"#, &AT[5..]), "malformed-json"),
        ("an empty object", "{}".into(), "missing-field"),
        ("a field twice", with(r#","id":"e2""#), "invalid-field"),
        ("id is a number", id("7"), "invalid-field"),
        ("id is empty", id(r#""""#), "invalid-id"),
        ("id with a dot", id(r#""a.b""#), "invalid-id"),
        ("id with a wildcard", id(r#""a*""#), "invalid-id"),
        ("id with a letter outside ASCII", id(r#""é""#), "invalid-id"),
        ("id of 65 bytes", id(&format!("\"{}\"", "x".repeat(65))), "invalid-id"),
        ("no id", format!(r#"{{"type":"play","member":"m1","title":"t1",{AT}}}"#), "missing-field"),
        ("no member", format!(r#"{{"id":"e1","type":"play","title":"t1",{AT}}}"#), "missing-field"),
        ("no title", format!(r#"{{"id":"e1","type":"play","member":"m1",{AT}}}"#), "missing-field"),
        ("no time", r#"{"id":"e1","type":"play","member":"m1","title":"t1"}"#.into(), "missing-field"),
        ("member with a space", with("").replace("m1", "m 1"), "invalid-id"),
        ("title with a slash", with("").replace("t1", "t/1"), "invalid-id"),
        ("unknown type", of("pause", ""), "unknown-type"),
        ("type in capitals", of("PLAY", ""), "unknown-type"),
        ("time without an offset", at(r#""2026-03-01T20:15:00.000""#), "invalid-time"),
        ("time with a named zone", at(r#""2026-03-01T20:15:00Z[UTC]""#), "invalid-time"),
        ("time as a number", at("1772396100000"), "invalid-field"),
        ("the 30th of February", at(r#""2026-02-30T20:15:00Z""#), "invalid-time"),
        ("time before 1970", at(r#""1969-12-31T23:59:59Z""#), "invalid-time"),
        ("time after 2199", at(r#""2200-01-01T00:00:00Z""#), "invalid-time"),
        ("country in small letters", with(r#","country":"br""#), "invalid-value"),
        ("country of three letters", with(r#","country":"BRA""#), "invalid-value"),
        ("device with a space", with(r#","device":"smart tv""#), "invalid-id"),
        ("negative position", with(r#","position":-1"#), "invalid-field"),
        ("propensity 0", with(r#","propensity":0"#), "invalid-value"),
        ("propensity above 1", with(r#","propensity":1.5"#), "invalid-value"),
        ("progress without watched_s", of("progress", ""), "missing-field"),
        ("negative watched_s", of("progress", r#","watched_s":-5"#), "invalid-value"),
        ("absurd duration_s", with(r#","duration_s":1e9"#), "invalid-value"),
        ("thumb without value", of("thumb", ""), "missing-field"),
        ("thumb 3", of("thumb", r#","value":3"#), "invalid-value"),
        ("rating 0.1", of("rating", r#","value":0.1"#), "invalid-value"),
        ("rating 5.5", of("rating", r#","value":5.5"#), "invalid-value"),
        ("rating as text", of("rating", r#","value":"5""#), "invalid-field"),
        ("event over 65,536 bytes", with(&format!(r#","note":"{}""#, "x".repeat(70_000))), "too-large"),
    ]
}

/// A request, and status and code of the problem it gets.
type Request = (&'static str, &'static str, &'static str, &'static str, Option<Vec<u8>>, u16, &'static str);

/// Requests for the order of titles.
fn orders() -> Vec<Request> {
    let json = "application/json";
    let text = |body: &str| Some(body.as_bytes().to_vec());
    vec![
        (
            "order of nothing",
            "POST",
            "/v1/members/m1/order",
            json,
            text(r#"{"titles":[]}"#),
            400,
            "malformed-body",
        ),
        (
            "order of a title that is none",
            "POST",
            "/v1/members/m1/order",
            json,
            text(r#"{"titles":["t1","a b"]}"#),
            400,
            "malformed-body",
        ),
        (
            "order with a limit",
            "POST",
            "/v1/members/m1/order?limit=3",
            json,
            text(r#"{"titles":["t1"]}"#),
            400,
            "unknown-parameter",
        ),
    ]
}

fn requests() -> Vec<Request> {
    let (json, lines) = ("application/json", "application/x-ndjson");
    let text = |body: &str| Some(body.as_bytes().to_vec());
    let many = "{}\n".repeat(101);
    vec![
        ("body is no JSON", "POST", "/v1/events", json, text("[{"), 400, "malformed-body"),
        ("body is a string", "POST", "/v1/events", json, text("\"play\""), 400, "malformed-body"),
        ("empty body", "POST", "/v1/events", json, text(""), 400, "malformed-body"),
        ("empty array", "POST", "/v1/events", json, text("[]"), 400, "malformed-body"),
        ("empty lines", "POST", "/v1/events", lines, text("\n\n"), 400, "malformed-body"),
        ("no content type", "POST", "/v1/titles", "", text("[]"), 415, "unsupported-media-type"),
        ("text/plain", "POST", "/v1/titles", "text/plain", text("[]"), 415, "unsupported-media-type"),
        ("body too large", "POST", "/v1/events", lines, Some(vec![b' '; 200_001]), 413, "body-too-large"),
        ("too many events", "POST", "/v1/events", lines, text(&many), 413, "too-many-entries"),
        ("parameter of POST", "POST", "/v1/events?sync=1", json, text("[]"), 400, "unknown-parameter"),
        ("wrong method", "GET", "/v1/events", "", None, 405, "method-not-allowed"),
        ("unknown route", "GET", "/v2/events", "", None, 404, "route-not-found"),
        ("member with a dot", "GET", "/v1/members/a.b/recommendations", "", None, 400, "invalid-id"),
        ("member encoded", "GET", "/v1/members/a%20b", "", None, 400, "invalid-id"),
        ("limit 0", "GET", "/v1/members/m1/recommendations?limit=0", "", None, 400, "invalid-parameter"),
        (
            "limit too high",
            "GET",
            "/v1/members/m1/recommendations?limit=201",
            "",
            None,
            400,
            "invalid-parameter",
        ),
        ("limit in words", "GET", "/v1/trending?limit=ten", "", None, 400, "invalid-parameter"),
        ("limit twice", "GET", "/v1/trending?limit=1&limit=2", "", None, 400, "invalid-parameter"),
        ("unknown country", "GET", "/v1/trending?country=brazil", "", None, 400, "invalid-parameter"),
        ("device with a colon", "GET", "/v1/trending?device=a:b", "", None, 400, "invalid-parameter"),
        ("unknown parameter", "GET", "/v1/trending?colour=red", "", None, 400, "unknown-parameter"),
        (
            "exclude no id",
            "GET",
            "/v1/members/m1/recommendations?exclude=a,b!",
            "",
            None,
            400,
            "invalid-parameter",
        ),
        (
            "explain maybe",
            "GET",
            "/v1/members/m1/recommendations?explain=maybe",
            "",
            None,
            400,
            "invalid-parameter",
        ),
        ("negative after", "GET", "/v1/members/m1?after=-1", "", None, 400, "invalid-parameter"),
        ("after the log's end", "GET", "/v1/members/m1?after=999", "", None, 400, "position-unknown"),
        ("exclude empty", "GET", "/v1/members/m1/home?exclude=%20", "", None, 400, "invalid-parameter"),
        ("exclude a,,b", "GET", "/v1/members/m1/home?exclude=a,,b", "", None, 400, "invalid-parameter"),
        ("explain 1", "GET", "/v1/members/m1/home?explain=1", "", None, 400, "invalid-parameter"),
        ("explain empty", "GET", "/v1/members/m1/home?explain=", "", None, 400, "invalid-parameter"),
        ("rows 0", "GET", "/v1/members/m1/home?rows=0", "", None, 400, "invalid-parameter"),
        ("maturity in words", "GET", "/v1/trending?max_maturity=adult", "", None, 400, "invalid-parameter"),
        ("filter of a number", "GET", "/v1/trending?filter=title.year", "", None, 400, "invalid-expression"),
        ("boost of nothing", "GET", "/v1/trending?boost=", "", None, 400, "invalid-expression"),
        ("cursor made up", "GET", "/v1/members/m1/home?cursor=abc", "", None, 400, "invalid-cursor"),
        ("cursor where none is", "GET", "/v1/trending?cursor=abc", "", None, 400, "unknown-parameter"),
        (
            "live with after",
            "GET",
            "/v1/members/m1/recommendations/live?after=1",
            "",
            None,
            400,
            "unknown-parameter",
        ),
        ("experiment unknown", "GET", "/v1/experiments/none", "", None, 404, "experiment-not-found"),
        ("title that is not there", "GET", "/v1/titles/nothing", "", None, 404, "title-not-found"),
        ("similar to nothing", "GET", "/v1/titles/nothing/similar", "", None, 404, "title-not-found"),
        ("title of another id", "PUT", "/v1/titles/t1", json, text(r#"{"id":"t2"}"#), 400, "invalid-title"),
        (
            "title's country",
            "PUT",
            "/v1/titles/t1",
            json,
            text(r#"{"countries":["xx"]}"#),
            400,
            "invalid-title",
        ),
        (
            "title's unknown field",
            "PUT",
            "/v1/titles/t1",
            json,
            text(r#"{"nome":"x"}"#),
            400,
            "malformed-body",
        ),
        ("title as lines", "PUT", "/v1/titles/t1", lines, text("{}"), 415, "unsupported-media-type"),
        (
            "title that is not UTF-8",
            "PUT",
            "/v1/titles/t1",
            json,
            Some(b"{\"name\":\"\xff\"}".to_vec()),
            400,
            "malformed-body",
        ),
    ]
}

/// A line of a file (or a variable of the environment), and the key that is refused.
fn configurations() -> Vec<(&'static str, &'static str)> {
    vec![
        ("[engine]\npartitions = 0", "engine.partitions"),
        ("[engine]\npartitions = 1025", "engine.partitions"),
        ("[engine]\npartitions = -1", "engine.partitions"),
        ("[engine]\npartitions = 70000", "engine.partitions"),
        ("[engine]\ncommit_events = \"many\"", "engine.commit_events"),
        ("[engine]\nquery_deadline_ms = 0", "engine.query_deadline_ms"),
        ("[engine]\nrestart_backoff_max_ms = 1", "engine.restart_backoff_max_ms"),
        ("[fold]\nhistory_title = 10", "fold.history_title"),
        ("[fold]\nhistory_titles = 0", "fold.history_titles"),
        ("[fold]\nhistory_titles = 10.5", "fold.history_titles"),
        ("[aggregates]\nepochs = 0", "aggregates.epochs"),
        ("[backend]\nkind = \"kafka\"", "backend.kind"),
        ("[embedded]\ndirectory = \"\"", "embedded.directory"),
        ("[embedded]\nsync = \"never\"", "embedded.sync"),
        ("[nats]\nurl = \"localhost:4222\"", "nats.url"),
        ("[nats]\nurl = \"redis://:secret@localhost\"", "nats.url"),
        ("[nats]\nstream = \"my.events\"", "nats.stream"),
        ("[redis]\nurl = \"http://localhost\"", "redis.url"),
        ("[http]\naddress = \"localhost\"", "http.address"),
        ("[http]\naddress = \"127.0.0.1:99999\"", "http.address"),
        ("[http]\naddress = \"0.0.0.0:7700\"", "http.address"),
        ("[http]\nmax_limit = 0", "http.max_limit"),
        ("[http]\ndefault_limit = 500", "http.default_limit"),
        ("[admin]\naddress = \"127.0.0.1:7700\"", "admin.address"),
        ("[admin]\nenabled = \"yes\"", "admin.enabled"),
        ("[log]\nlevel = \"loud=very\"", "log.level"),
        ("[log]\nformat = \"xml\"", "log.format"),
        ("[metrics]\nport = 1", "metrics"),
        ("engine = 3", "engine"),
        ("NEARLINE__FOLD__HISTORY_TITLES=none", "fold.history_titles"),
        ("NEARLINE__FOLD__NOTHING=1", "fold.nothing"),
        ("NEARLINE__FOLD=1", "fold"),
        ("[fold\n", ""),
    ]
}

fn load(text: &str) -> ConfigError {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("nearline.toml");
    let variable = text.starts_with("NEARLINE__").then(|| text.split_once('=').expect("a value"));
    std::fs::write(&file, if variable.is_some() { "" } else { text }).expect("written");
    let environment = variable.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::load(Some(&file), environment.into_iter()).expect_err(text)
}

/// One cell of a Markdown table, on one line and of bounded length.
fn cell(text: &str) -> String {
    let mut short: String = text.trim().chars().take(160).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    short.replace('\n', " ⏎ ").replace('|', "\\|")
}

fn code(text: &str) -> String {
    let cell = cell(text);
    if cell.is_empty() { "(empty)".to_owned() } else { format!("`` {cell} ``") }
}

fn events_table(service: &Service, page: &mut String) {
    page.push_str("## Events\n\nThe request is answered with 200; the event's own result is `rejected`.\n\n");
    page.push_str("| what is wrong | event | `reason` | `detail` |\n| --- | --- | --- | --- |\n");
    for (what, event, reason) in events() {
        let reply = service.send("POST", "/v1/events", "application/x-ndjson", Some(event.as_bytes()));
        assert_eq!(reply.status, 200, "{what}: {}", reply.text);
        let result = &reply.json()["results"][0];
        assert_eq!(
            (result["status"].as_str(), result["reason"].as_str()),
            (Some("rejected"), Some(reason)),
            "{what}"
        );
        let detail = cell(result["detail"].as_str().expect("a detail"));
        writeln!(page, "| {what} | {} | `{reason}` | {detail} |", code(&event)).expect("memory");
    }
}

fn requests_table(service: &Service, page: &mut String) {
    page.push_str("\n## Requests\n\nAnswered with a problem document of this status and `type`.\n\n");
    page.push_str("| what is wrong | request | body | status | `type` | `detail` |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for (what, method, path, kind, body, status, problem) in requests().into_iter().chain(orders()) {
        let reply = service.send(method, path, kind, body.as_deref());
        assert_eq!(reply.status, status, "{what}: {}", reply.text);
        assert_eq!(reply.header("content-type"), "application/problem+json", "{what}");
        let document = reply.json();
        assert_eq!(document["type"], format!("/problems/{problem}"), "{what}: {}", reply.text);
        let body = body.map_or(String::new(), |body| code(&String::from_utf8_lossy(&body)));
        let detail = cell(document["detail"].as_str().expect("a detail"));
        writeln!(
            page,
            "| {what} | `{method} {path}` | {body} | {status} | `/problems/{problem}` | {detail} |"
        )
        .expect("memory");
    }
}

fn configurations_table(page: &mut String) {
    page.push_str("\n## Configurations\n\nThe program does not start, and says why.\n\n");
    page.push_str("| configuration | message |\n| --- | --- |\n");
    for (text, key) in configurations() {
        let error = load(text);
        assert_eq!(error.key().unwrap_or_default(), key, "{text}: {error}");
        let message = error.to_string();
        assert!(key.is_empty() || message.contains(&format!("`{key}`")), "{text}: {message}");
        assert!(!message.contains("secret"), "{message}");
        // The file's directory differs from run to run.
        let words: Vec<&str> = message.split(' ').collect();
        let words = words.iter().map(|word| match word.split_once("nearline.toml") {
            Some((_, rest)) => format!("nearline.toml{rest}"),
            None => (*word).to_owned(),
        });
        writeln!(
            page,
            "| {} | {} |",
            code(&text.replace("secret", "…")),
            cell(&words.collect::<Vec<_>>().join(" "))
        )
        .expect("memory");
    }
}

#[test]
fn every_bad_input_gets_the_answer_in_the_table() {
    let count = events().len() + requests().len() + orders().len() + configurations().len();
    let mut page = format!(
        "# Bad input\n\n{count} malformed events, requests and configurations, and the answer each gets.\n\
         Written and checked by `tests/service/bad_input.rs`.\n\n"
    );
    let service = Service::start_with(
        |config| {
            config.http.max_body_bytes = 200_000;
            config.http.max_events_per_request = 100;
        },
        |ports| ports,
    );
    events_table(&service, &mut page);
    requests_table(&service, &mut page);
    configurations_table(&mut page);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bad-input.md");
    if std::env::var_os("NEARLINE_WRITE_DOCS").is_some() {
        std::fs::write(&file, &page).expect("written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "docs/bad-input.md is not what the program says now; run this test with NEARLINE_WRITE_DOCS=1"
    );
    let nothing_of_it_is_kept = service.get("/v1/members/m1").json();
    assert_eq!(nothing_of_it_is_kept["history"], serde_json::json!([]));
}

#[test]
fn a_body_that_lies_about_its_length_or_its_compression_is_refused() {
    use std::io::{Read, Write};
    let service = Service::start();
    let ask = |head: &str, body: &[u8]| {
        let mut stream = std::net::TcpStream::connect(service.http).expect("connected");
        let head =
            format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8");
        answer
    };
    let kind = "content-type: application/json\r\n";
    let other = ask(&format!("{kind}content-encoding: br\r\ncontent-length: 2"), b"[]");
    assert!(other.starts_with("HTTP/1.1 415"), "{other}");
    let unzipped = ask(&format!("{kind}content-encoding: gzip\r\ncontent-length: 2"), b"[]");
    assert!(unzipped.starts_with("HTTP/1.1 400") && unzipped.contains("decompressed"), "{unzipped}");
    let huge = ask(&format!("{kind}content-length: 99999999999"), b"");
    assert!(huge.starts_with("HTTP/1.1 413") && huge.contains("/problems/body-too-large"), "{huge}");
    let nonsense = ask("content-length: nonsense", b"");
    assert!(nonsense.starts_with("HTTP/1.1 400"), "{nonsense}");
}

fn nearline(directory: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_nearline"));
    program.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    program
}

#[test]
fn looking_into_a_data_directory_that_is_not_there_says_so_and_makes_none() {
    let directory = tempfile::tempdir().expect("a directory");
    for arguments in
        [&["inspect", "member", "m1"][..], &["inspect", "partition", "0"], &["dead-letters", "list"]]
    {
        let output = nearline(directory.path())
            .env("NEARLINE__EMBEDDED__DIRECTORY", "no-such-data")
            .args(arguments)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        for expected in ["no-such-data", "nearline serve", "NEARLINE__EMBEDDED__DIRECTORY"] {
            assert!(said.contains(expected), "{arguments:?} should name {expected}: {said}");
        }
        assert!(!directory.path().join("no-such-data").exists(), "{arguments:?} made the directory");
    }
}

#[test]
fn publishing_to_a_server_that_is_away_says_what_is_waited_for() {
    use std::io::{BufRead, BufReader};
    let directory = tempfile::tempdir().expect("a directory");
    let event = format!(r#"{{"id":"e1","type":"play","member":"m1","title":"t1",{AT}}}"#);
    std::fs::write(directory.path().join("events.ndjson"), event + "\n").expect("written");
    std::fs::write(directory.path().join("titles.ndjson"), "{\"id\":\"t1\"}\n").expect("written");
    let server = format!("http://{}", nearline_servers::free_address().expect("a free port"));
    for titles in [&[][..], &["--titles", "titles.ndjson"]] {
        let mut publishing = nearline(directory.path())
            .args(["publish", "events.ndjson", "--to", &server])
            .args(titles)
            .spawn()
            .expect("it runs");
        let mut said = String::new();
        let mut errors = BufReader::new(publishing.stderr.take().expect("piped"));
        errors.read_line(&mut said).expect("UTF-8");
        publishing.kill().expect("still trying");
        publishing.wait().expect("ended");
        assert!(said.starts_with(&format!("waiting for {server} (for ")), "{titles:?}: {said}");
    }
}
