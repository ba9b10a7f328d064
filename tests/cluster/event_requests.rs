//! Batches of events as requests over NATS: any client sends them, and is told of each event what became of it.

use crate::bed::{DEADLINE, eventually_here};
use crate::program::Program;
use async_nats::{Client, HeaderMap, Request};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use nearline_servers::{NatsServer, RedisServer};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const SUBJECT: &str = "nearline.publish";

fn play(id: &str, member: &str, title: &str) -> Value {
    json!({ "id": id, "type": "play", "member": member, "title": title, "at": "2026-03-01T20:15:00Z" })
}

/// The answer's document, its content type, and the code of the error that a service of NATS would give.
async fn ask(client: &Client, body: impl Into<Bytes>, encoding: Option<&str>) -> (Value, String, String) {
    let mut headers = HeaderMap::new();
    if let Some(encoding) = encoding {
        headers.insert("Content-Encoding", encoding);
    }
    let request = Request::new().payload(body.into()).headers(headers).timeout(Some(DEADLINE));
    let answer = client.send_request(SUBJECT, request).await.expect("answered");
    let headers = answer.headers.unwrap_or_default();
    let header = |name: &str| headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    let document = serde_json::from_slice(&answer.payload).expect("JSON");
    (document, header("Content-Type"), header("Nats-Service-Error-Code"))
}

struct Servers {
    nats: NatsServer,
    redis: RedisServer,
    directory: tempfile::TempDir,
}

impl Servers {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let nats = NatsServer::start(Some(&directory.path().join("nats"))).expect("nats");
        Self { nats, redis: RedisServer::start().expect("redis"), directory }
    }

    fn node(&self, name: &str) -> Program {
        let directory = self.directory.path().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        let program = Program::start(&directory, &self.backend(name));
        eventually_here("it is ready", || program.operators_ask("/readyz").0 == 200);
        program
    }

    fn backend(&self, name: &str) -> String {
        format!(
            "[backend]\nkind = \"cluster\"\n[nats]\nurl = \"{}\"\n[redis]\nurl = \"{}\"\n[node]\nname = \"{name}\"\n\
             lease_ms = 1000\n",
            self.nats.url(),
            self.redis.url()
        )
    }

    async fn client(&self) -> Client {
        async_nats::connect(self.nats.url()).await.expect("connected")
    }
}

fn history(program: &Program, member: &str, after: &Value) -> Vec<String> {
    let (status, body) = program.ask(&format!("/v1/members/{member}?after={after}"));
    assert_eq!(status, 200, "{body}");
    let member: Value = serde_json::from_str(&body).expect("JSON");
    let history = member["history"].as_array().into_iter().flatten();
    history.filter_map(|watched| watched["title"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_in_an_askers_stead() {
    let servers = Servers::start();
    let program = servers.node("n1");
    let client = async_nats::connect(servers.nats.url()).await.expect("connected");
    let jetstream = async_nats::jetstream::new(client.clone());
    let title = json!({ "id": "t1", "name": "One" }).to_string();
    let titles = jetstream.get_key_value("nearline-titles").await.expect("the catalogue");
    titles.put("t1", title.clone().into()).await.expect("put");
    let subjects = ["$KV.nearline-titles.t1", "nearline.deadletters.0.1", "nearline.log.0.x"];
    for (at, reply) in subjects.into_iter().enumerate() {
        let event = json!([play(&format!("stead{at}"), "ana", &format!("s{at}"))]).to_string();
        client.publish_with_reply(SUBJECT, reply, event.into()).await.expect("sent");
    }
    // What is asked after them is answered after them, and they counted.
    let (answer, _, _) = ask(&client, json!([play("after", "ana", "s9")]).to_string(), None).await;
    assert_eq!(history(&program, "ana", &answer["results"][0]["position"]).len(), 4);
    assert_eq!(titles.get("t1").await.expect("read").as_deref(), Some(title.as_bytes()));
    let mut letters = jetstream.get_stream("DEADLETTERS").await.expect("the dead letters");
    assert_eq!(letters.info().await.expect("known").state.messages, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_answered_event_by_event_and_its_positions_are_good_for_queries() {
    let servers = Servers::start();
    let (node, client) = (servers.node("n1"), servers.client().await);
    let yawn =
        json!({ "id": "e2", "type": "yawn", "member": "ada", "title": "t1", "at": "2026-03-01T20:15:00Z" });
    let batch = json!([play("e1", "ada", "t1"), yawn, play("e1", "grace", "t2"), play("e3", "ada", "t3")]);
    let (answer, content_type, error) = ask(&client, batch.to_string(), None).await;
    assert_eq!((content_type.as_str(), error.as_str()), ("application/json", ""), "{answer}");
    assert_eq!((answer["accepted"].as_u64(), answer["rejected"].as_u64()), (Some(3), Some(1)), "{answer}");
    let results = answer["results"].as_array().expect("results");
    assert_eq!(
        (results[1]["index"].as_u64(), results[1]["reason"].as_str()),
        (Some(1), Some("unknown-type"))
    );
    assert_eq!(history(&node, "ada", &results[3]["position"]), ["t1", "t3"]);
    assert_eq!(history(&node, "grace", &results[2]["position"]), ["t2"]);

    // A line each, packed; sent again, and another event under an id that is taken.
    let lines = [play("e3", "ada", "t3"), play("e1", "ada", "other"), play("e4", "ada", "t4")];
    let lines: String = lines.iter().map(|event| format!("{event}\n")).collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(lines.as_bytes()).expect("packed");
    let packed = packed.finish().expect("packed");
    let (answer, ..) = ask(&client, packed.clone(), Some("gzip")).await;
    let said: Vec<_> =
        answer["results"].as_array().expect("results").iter().map(|one| one["status"].clone()).collect();
    assert_eq!(said, ["duplicate", "conflict", "accepted"], "{answer}");
    assert_eq!(answer["results"][2]["line"].as_u64(), Some(3));
    assert_eq!(history(&node, "ada", &answer["results"][2]["position"]), ["t1", "t3", "t4"]);

    // As many as an answer of a megabyte can tell of.
    let many: Vec<Value> = (0..2_800).map(|number| play(&format!("m{number}"), "ada", "t9")).collect();
    for (body, encoding, kind, code) in [
        (Bytes::from_static(b"[{]"), None, "/problems/malformed-body", "400"),
        (Bytes::new(), None, "/problems/malformed-body", "400"),
        (Bytes::from_static(b"{}"), Some("br"), "/problems/unsupported-media-type", "415"),
        (Bytes::from_static(b"no gzip"), Some("gzip"), "/problems/malformed-body", "400"),
        (json!(many).to_string().into(), None, "/problems/too-many-entries", "413"),
    ] {
        let (problem, content_type, said) = ask(&client, body, encoding).await;
        assert_eq!((problem["type"].as_str(), said.as_str()), (Some(kind), code), "{problem}");
        assert_eq!(content_type, "application/problem+json");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }

    // Nobody waits for the answer: it is published all the same.
    client.publish(SUBJECT, play("e5", "ada", "t5").to_string().into()).await.expect("sent");
    client.flush().await.expect("sent");
    eventually_here("it is known", || history(&node, "ada", &json!(0)).contains(&"t5".to_owned()));
    let (_, metrics) = node.operators_ask("/metrics");
    assert!(metrics.contains("nearline_event_requests_total{status=\"413\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_requests_and_one_that_is_killed_costs_an_answer_but_no_event() {
    let servers = Servers::start();
    let (first, second) = (servers.node("n1"), servers.node("n2"));
    let client = servers.client().await;
    let mut first = Some(first);
    let mut positions = Vec::new();
    for number in 0..60 {
        if number == 30 {
            first.take().expect("still there").kill();
        }
        let batch = json!([play(&format!("e{number}"), "ada", &format!("t{number}"))]).to_string();
        let started = Instant::now();
        let result = loop {
            // Whoever had it may be dead: the same ids again.
            let request = Request::new().payload(batch.clone().into()).timeout(Some(Duration::from_secs(1)));
            let answer = client.send_request(SUBJECT, request).await.ok();
            let answer = answer.and_then(|answer| serde_json::from_slice::<Value>(&answer.payload).ok());
            match answer.map(|answer| answer["results"][0].clone()) {
                Some(result) if result["position"].is_u64() => break result,
                _ => assert!(started.elapsed() < DEADLINE, "event {number} is not acknowledged"),
            }
        };
        positions.push(result["position"].clone());
    }
    let last = positions.last().expect("positions");
    eventually_here("the member lives on the other node", || {
        second.ask(&format!("/v1/members/ada?after={last}")).0 == 200
    });
    let expected: Vec<String> = (0..60).map(|number| format!("t{number}")).collect();
    assert_eq!(history(&second, "ada", last), expected);
    let (_, metrics) = second.operators_ask("/metrics");
    let answered =
        metrics.lines().find(|line| line.starts_with("nearline_event_requests_total{status=\"200\"}"));
    assert!(answered.is_some(), "the second node answered some");
}

#[test]
fn the_example_publishes_in_batches_and_says_what_became_of_each_event() {
    let servers = Servers::start();
    let node = servers.node("n1");
    let events: String = (0..1_200)
        .map(|number| {
            format!("{}\n", play(&format!("e{number}"), &format!("m{}", number % 7), &format!("t{number}")))
        })
        .collect();
    let lines = format!("{events}{}\n", json!({ "id": "e0", "type": "play", "member": "m0", "title": "t0" }));
    let input = servers.directory.path().join("events.ndjson");
    std::fs::write(&input, &lines).expect("written");
    let publish = |input: &Path| {
        let python = std::env::var("NEARLINE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let output = std::process::Command::new(python)
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/examples/publish_batches.py"), &servers.nats.url()])
            .stdin(std::fs::File::open(input).expect("the events"))
            .output()
            .expect("Python starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let count =
        |said: &str, status: &str| said.lines().filter(|line| line.split(' ').nth(1) == Some(status)).count();
    let said = publish(&input);
    assert_eq!((count(&said, "accepted"), count(&said, "rejected")), (1_200, 1), "{said}");
    assert!(said.contains("e0 rejected `at` is absent"), "{said}");
    let again = publish(&input);
    assert_eq!((count(&again, "duplicate"), count(&again, "rejected")), (1_200, 1), "{again}");
    let last =
        said.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()).max().expect("positions");
    assert!(last > 0 && node.ask("/v1/trending").0 == 200);
}
