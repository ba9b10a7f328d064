//! Traces: from publishing to the answer it is one, on both backends, over nodes, dead letters and what is published again.

use crate::bed::{eventually, eventually_here};
use crate::program::Program;
use async_nats::HeaderMap;
use nearline_model::identifier::partition_of;
use nearline_servers::{NatsServer, RedisServer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A collector: keeps the spans that it is sent.
struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let kept = spans.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.expect("a connection"));
                let (mut length, mut line) = (0, String::from("-"));
                while !line.trim().is_empty() {
                    line.clear();
                    stream.read_line(&mut line).expect("a header");
                    if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
                        length = bytes.trim().parse().expect("a length");
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).expect("the body");
                let sent = ExportTraceServiceRequest::decode(&body[..]).expect("OTLP");
                let scopes = sent.resource_spans.into_iter().flat_map(|of| of.scope_spans);
                kept.lock().extend(scopes.flat_map(|scope| scope.spans));
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                stream.get_mut().write_all(answer).expect("answered");
            }
        });
        Self { address, spans }
    }

    fn settings(&self) -> String {
        format!("[telemetry]\nendpoint = \"http://{}\"\nsampling = 0.0\n", self.address)
    }

    /// Spans of that name in the callers' trace.
    fn of(&self, name: &str) -> Vec<Span> {
        let spans = self.spans.lock();
        let wanted = spans.iter().filter(|span| span.name == name && hex(&span.trace_id) == TRACE);
        wanted.cloned().collect()
    }

    fn one(&self, name: &str) -> Span {
        let mut found = self.of(name);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found.remove(0)
    }

    /// Whether a span of that name, in a trace of its own, links to `other`.
    fn is_linked(&self, name: &str, other: &Span) -> bool {
        let spans = self.spans.lock();
        let named = spans.iter().filter(|span| span.name == name && span.trace_id != other.trace_id);
        named.flat_map(|span| &span.links).any(|link| link.span_id == other.span_id)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{key} of {span:?} is {other:?}"),
    }
}

fn play(id: &str, member: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"play","member":"{member}","title":"alien","at":"2026-03-01T20:15:00Z"}}"#
    )
}

fn recorded() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

/// Sends an event to a program; what came of it.
fn publish(program: &Program, event: &str, traceparent: &str) -> serde_json::Value {
    let sent = ureq::post(format!("{}/v1/events", program.api()))
        .header("content-type", "application/json")
        .header("traceparent", traceparent)
        .send(event)
        .expect("published");
    serde_json::from_reader(sent.into_body().into_reader()).expect("JSON")
}

fn ask(program: &Program, path: &str) {
    let asked = ureq::get(format!("{}{path}", program.api())).header("traceparent", recorded());
    assert_eq!(asked.call().expect("answered").status(), 200);
}

fn end_in_order(program: Program) {
    let told = Command::new("kill").args(["-TERM", &program.process_id().to_string()]).status();
    assert!(told.expect("kill runs").success());
    let program = RefCell::new(program);
    eventually_here("it ends", || program.borrow_mut().has_ended());
}

/// Publishes and asks in one trace, and looks for what is told of it.
fn publish_to_answer_is_one_trace(program: Program, collector: &Collector) {
    eventually_here("it is ready", || program.operators_ask("/readyz").0 == 200);
    let event = play("e1", "a_member");
    let published = publish(&program, &event, &recorded());
    let position = &published["results"][0]["position"];
    ask(&program, &format!("/v1/members/a_member/recommendations?after={position}"));
    // Sent again in another trace, which is not recorded, it is the same event.
    let other = "00-0000000000000000000000000000000a-000000000000000b-00";
    assert_eq!(publish(&program, &event, other)["duplicates"], 1);
    publish(&program, &play("e2", "a_member"), other);
    end_in_order(program);
    let call = collector.one("POST /v1/events");
    assert_eq!(hex(&call.parent_span_id), CALLER);
    assert_eq!(text(&call, "http.response.status_code"), "200");
    let append = collector.one("append");
    assert_eq!(append.parent_span_id, call.span_id);
    let folded = collector.one("fold event");
    assert_eq!(folded.parent_span_id, append.span_id);
    assert_eq!(text(&folded, "nearline.position"), position.to_string());
    assert!(folded.start_time_unix_nano <= folded.end_time_unix_nano);
    assert!(collector.is_linked("fold batch", &append) && collector.is_linked("commit", &folded));
    let query = collector.one("GET /v1/members/{id}/recommendations");
    assert_eq!(hex(&query.parent_span_id), CALLER);
    let found = collector.one("find member");
    assert_eq!(found.parent_span_id, query.span_id);
    assert_eq!(
        (text(&found, "nearline.source"), text(&found, "nearline.position")),
        ("live".into(), position.to_string())
    );
    let spans = collector.spans.lock();
    assert!(!format!("{spans:?}").contains("a_member"), "of whom is not told");
    let others = spans.iter().filter(|span| hex(&span.trace_id).ends_with("0a")).count();
    assert_eq!(others, 0, "whoever does not want to be recorded is not");
}

#[test]
fn from_publishing_to_the_answer_it_is_one_trace_embedded() {
    let (directory, collector) = (tempfile::tempdir().expect("a directory"), Collector::start());
    let data = directory.path().join("data");
    let settings =
        format!("[embedded]\ndirectory = {:?}\n{}", data.display().to_string(), collector.settings());
    publish_to_answer_is_one_trace(Program::start(directory.path(), &settings), &collector);
}

/// Servers of a cluster, and what a node of it is configured with.
struct Servers {
    nats: NatsServer,
    _redis: RedisServer,
    settings: String,
}

impl Servers {
    fn start(collector: &Collector) -> Self {
        let (nats, redis) = (NatsServer::start(None).expect("nats"), RedisServer::start().expect("redis"));
        let urls = (nats.url(), redis.url());
        let settings = format!(
            "[backend]\nkind = \"cluster\"\n[nats]\nurl = \"{}\"\n[redis]\nurl = \"{}\"\n{}",
            urls.0,
            urls.1,
            collector.settings()
        );
        Self { nats, _redis: redis, settings }
    }
}

#[test]
fn from_publishing_to_the_answer_it_is_one_trace_on_nats_and_redis() {
    let (directory, collector) = (tempfile::tempdir().expect("a directory"), Collector::start());
    let servers = Servers::start(&collector);
    publish_to_answer_is_one_trace(Program::start(directory.path(), &servers.settings), &collector);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_on_nats_goes_on_through_dead_letters_and_what_is_published_again() {
    let (directory, collector) = (tempfile::tempdir().expect("a directory"), Collector::start());
    let servers = Servers::start(&collector);
    let program = Program::start(directory.path(), &servers.settings);
    eventually("it is ready", || program.operators_ask("/readyz").0 == 200).await;
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", recorded().as_str());
    let other =
        (0..).map(|at| format!("other{at}")).find(|other| partition_of(other, 4) != partition_of("ana", 4));
    let subject = format!("nearline.events.{}", other.expect("there is one"));
    let client = async_nats::connect(servers.nats.url()).await.expect("connected");
    client.publish_with_headers(subject, headers, play("e1", "ana").into()).await.expect("published");
    client.flush().await.expect("sent");
    eventually("it is a dead letter", || {
        program.operators_ask("/admin/dead-letters").1.contains("misrouted")
    })
    .await;
    eventually("its refusal is told of", || !collector.of("fold event").is_empty()).await;
    let refused = collector.one("fold event");
    assert_eq!(hex(&refused.parent_span_id), CALLER);
    assert_eq!(refused.status.expect("it failed").message, "dead letter: misrouted");
    let letters: serde_json::Value =
        serde_json::from_str(&program.operators_ask("/admin/dead-letters").1).expect("JSON");
    let again = format!("{}/admin/dead-letters/{}/redrive", program.operators(), letters[0]["position"]);
    let again = tokio::task::spawn_blocking(move || ureq::post(again).send_empty());
    assert_eq!(again.await.expect("asked").expect("published again").status(), 200);
    eventually("it is folded now", || collector.of("fold event").len() == 2).await;
    let folded = collector.of("fold event").remove(1);
    assert_eq!(hex(&folded.parent_span_id), CALLER);
    assert_eq!(folded.status.unwrap_or_default().message, "");
}

#[test]
fn a_question_to_another_node_stays_in_its_trace() {
    let collector = Collector::start();
    let servers = Servers::start(&collector);
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let nodes = directories.each_ref().map(|directory| Program::start(directory.path(), &servers.settings));
    // While partitions move, a node is asked that does not have them any more.
    let live =
        || collector.of("answer a node").into_iter().find(|span| text(span, "nearline.outcome") == "live");
    eventually_here("one node asks the other", || {
        // Of whichever partition.
        for at in 0..8 {
            ask(&nodes[0], &format!("/v1/members/m{at}/recommendations"));
        }
        live().is_some()
    });
    let answered = live().expect("it was there");
    eventually_here("the one that asked tells of it, too", || {
        collector.of("find member").iter().any(|asked| asked.span_id == answered.parent_span_id)
    });
}

#[test]
fn a_remediation_names_the_trace_that_tells_of_it() {
    let (directory, collector) = (tempfile::tempdir().expect("a directory"), Collector::start());
    let data = directory.path().join("data").display().to_string();
    let settings =
        format!("[embedded]\ndirectory = {data:?}\n[chaos]\nenabled = true\n{}", collector.settings());
    let program = Program::start(directory.path(), &settings);
    eventually_here("it is ready", || program.operators_ask("/readyz").0 == 200);
    let panic = ureq::post(format!("{}/admin/chaos/panic", program.operators()));
    let asked = panic.header("content-type", "application/json").send(r#"{"partition":0}"#);
    assert_eq!(asked.expect("broken").status(), 202);
    let mended = RefCell::new(serde_json::Value::Null);
    eventually_here("it is mended", || {
        let told = program.operators_ask("/admin/remediations").1;
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        mended.replace(told[0].clone());
        !mended.borrow()["after"].is_null()
    });
    end_in_order(program);
    let spans = collector.spans.lock();
    let span = spans.iter().find(|span| span.name == "remediation").expect("it is told of");
    let mended = mended.into_inner();
    assert_eq!(mended["trace_id"], hex(&span.trace_id));
    assert_eq!(text(span, "nearline.remediation"), mended["id"].as_str().expect("an id"));
    let told = ["nearline.fault", "nearline.action", "nearline.outcome"].map(|key| text(span, key));
    assert_eq!(told, ["panicked", "restart", "live"]);
}
