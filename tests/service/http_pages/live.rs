use super::events::{audience, event, publish, put_titles, titles};
use crate::running::Service;
use nearline_actors::{Engine, EngineSettings};
use nearline_model::PartitionId;
use nearline_model::identifier::partition_of;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Longest time that a test waits for an event.
const DEADLINE: Duration = Duration::from_secs(20);

/// One event of a stream.
#[derive(Debug)]
struct Event {
    id: String,
    data: Value,
}

/// An open stream; its events, and its comments as events without an id.
struct Stream {
    events: Receiver<Event>,
}

impl Stream {
    fn open(service: &Service, path: &str, last_event_id: Option<&str>) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder().uri(format!("http://{}{path}", service.http));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = agent.run(request.body(()).expect("a request")).expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (sender, events) = channel();
        std::thread::spawn(move || {
            let mut id = String::new();
            for line in BufReader::new(response.into_body().into_reader()).lines() {
                let Ok(line) = line else { return };
                let event = if let Some(comment) = line.strip_prefix(':') {
                    Event { id: String::new(), data: Value::String(comment.trim().to_owned()) }
                } else if let Some(found) = line.strip_prefix("id: ") {
                    id = found.to_owned();
                    continue;
                } else if let Some(data) = line.strip_prefix("data: ") {
                    Event { id: id.clone(), data: serde_json::from_str(data).expect("JSON") }
                } else {
                    continue;
                };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self { events }
    }

    /// The next row.
    fn next(&self) -> Event {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("an event in time");
            if !event.id.is_empty() {
                return event;
            }
        }
    }

    /// Whether the stream ends.
    fn ends(&self) -> bool {
        loop {
            match self.events.recv_timeout(DEADLINE) {
                Ok(_) => {}
                Err(error) => return error == RecvTimeoutError::Disconnected,
            }
        }
    }
}

#[test]
fn a_row_is_sent_again_within_a_second_of_what_changes_it_and_not_otherwise() {
    let service = Service::start();
    audience(&service);
    rest(&service);
    let stream = Stream::open(&service, "/v1/members/ana/recommendations/live?limit=5", None);
    let first = stream.next();
    assert_eq!(titles(&first.data).len(), 5);
    let watched = titles(&first.data)[0].clone();

    // Another member's event and an impression of ana's change nothing for her.
    publish(
        &service,
        &[event("zoe-1", "list_add", "zoe", "t01", 60), event("ana-0", "impression", "ana", "t01", 60)],
    );
    let published = Instant::now();
    let position = publish(&service, &[event("ana-1", "play", "ana", &watched, 61)]);
    let second = stream.next();
    assert!(published.elapsed() < Duration::from_secs(1), "{:?}", published.elapsed());
    assert!(!titles(&second.data).contains(&watched), "what was just watched is not offered again");
    assert_ne!(titles(&first.data), titles(&second.data), "a row is sent only if it changed");
    assert!(second.data["position"].as_u64() >= Some(position));
    assert!(second.id.starts_with(&format!("{}-", second.data["position"])), "{}", second.id);
    assert_ne!(first.data["recommendation_id"], second.data["recommendation_id"]);
}

#[test]
fn a_client_that_comes_back_gets_the_row_only_if_it_is_another_one() {
    let service = Service::start_with(
        |config| {
            config.live.keep_alive_seconds = 1;
            // Looks that find the row as it was do not put the comment off.
            config.live.trend_interval_ms = 50;
        },
        |ports| ports,
    );
    audience(&service);
    // The first weights bring new titles with them, of which one may be given a place.
    rest(&service);
    let path = "/v1/members/ana/recommendations/live?limit=5";
    let first = Stream::open(&service, path, None).next();
    let again = Stream::open(&service, path, Some(&first.id));
    let mut asked = 0;
    let comment = service.until("a comment keeps the connection open", || {
        asked += 1;
        // Of a title that is not new, since the catalogue does not have it.
        publish(&service, &[event(&format!("zoe-{asked}"), "impression", "zoe", "t19", 59)]);
        again.events.recv_timeout(Duration::from_millis(30)).ok()
    });
    assert_eq!(
        (comment.id.as_str(), &comment.data),
        ("", &Value::from("still here")),
        "nothing is sent at once"
    );
    publish(&service, &[event("ana-1", "play", "ana", &titles(&first.data)[0], 60)]);
    assert_ne!(again.next().id, first.id);
    let behind = Stream::open(&service, path, Some(&first.id)).next();
    assert_ne!(titles(&behind.data), titles(&first.data), "it changed while the client was away");
}

/// The sum of what the operators' listener says of `name`.
fn figure(service: &Service, name: &str) -> f64 {
    let text = service.ask(service.admin, "/metrics").text;
    let of_name = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
    };
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
    text.lines().filter(of_name).filter_map(value).sum()
}

fn solves(service: &Service) -> f64 {
    figure(service, "nearline_ranking_solve_duration_seconds_count")
}

/// Waits until nothing is learned, solved or ranked any more.
fn rest(service: &Service) {
    let work = || (solves(service), figure(service, "nearline_live_rankings_total"));
    // Longer than what passes between two looks at the sums.
    let (mut before, mut since) = (work(), Instant::now());
    service.until("nothing changes any more", || {
        let now = work();
        if now != before {
            (before, since) = (now, Instant::now());
        }
        (since.elapsed() > Duration::from_millis(600)).then_some(())
    });
}

fn with_quick_looks() -> Service {
    Service::start_with(|config| config.live.trend_interval_ms = 50, |ports| ports)
}

#[test]
fn the_trend_alone_changes_a_row_too() {
    let service = with_quick_looks();
    audience(&service);
    let stream = Stream::open(&service, "/v1/members/ana/recommendations/live?limit=1", None);
    let first = titles(&stream.next().data)[0].clone();
    let hit = if first == "t01" { "t02" } else { "t01" };
    rest(&service);
    // Right after a solve the next one is a while away: the row is ranked with the new sums and the old
    // weights first, and must be again with the new ones, though the sums have not changed since.
    let before = solves(&service);
    publish(&service, &[event("zoe-1", "play", "zoe", "t19", 60)]);
    service.until("the sums are solved", || (solves(&service) > before).then_some(()));
    let plays: Vec<Value> =
        (0..40).map(|n| event(&format!("h-{n}"), "play", &format!("fan{n}"), hit, 61)).collect();
    publish(&service, &plays);
    while titles(&stream.next().data) != [hit] {}
}

#[test]
fn the_catalogue_alone_changes_a_row_too() {
    let service = with_quick_looks();
    audience(&service);
    let comedies: Vec<Value> =
        (0..3).map(|n| event(&format!("ana-{n}"), "play", "ana", &format!("t{:02}", 2 * n), n)).collect();
    publish(&service, &comedies);
    let stream = Stream::open(&service, "/v1/members/ana/recommendations/live?limit=50&country=BR", None);
    let first = titles(&stream.next().data)[0].clone();
    rest(&service);
    put_titles(&service, &[json!({"id": first, "countries": ["US"]})]);
    while titles(&stream.next().data).contains(&first) {}
    rest(&service);
    // A newcomer is found once what is learned of the catalogue is worked out anew, and no sum has changed.
    put_titles(&service, &[json!({"id": "fresh", "genres": ["comedy"], "year": 2030})]);
    while !titles(&stream.next().data).contains(&"fresh".to_owned()) {}
}

#[test]
fn a_row_that_was_read_from_the_store_is_read_from_the_actor_once_it_answers_again() {
    let service = Service::start_with(
        |config| {
            config.engine.partitions = 1;
            config.engine.commit_interval_ms = 2_000;
            config.live.trend_interval_ms = 50;
            config.chaos.enabled = true;
            config.remediation.hang_ms = 10_000;
        },
        |ports| ports,
    );
    // Learned means committed: the next commit is two seconds away.
    audience(&service);
    let path = "/v1/members/ana/recommendations";
    let watched = titles(&service.get(path).json())[0].clone();
    publish(&service, &[event("ana-1", "play", "ana", &watched, 61)]);
    service.until("the play is folded", || {
        (!titles(&service.get(path).json()).contains(&watched)).then_some(())
    });
    let hang = serde_json::to_vec(&json!({"partition": 0, "seconds": 1.0})).expect("JSON");
    let kind = "application/json";
    let reply = service.send_to(service.admin, "POST", "/admin/chaos/hang", kind, Some(&hang));
    assert_eq!(reply.status, 202, "{}", reply.text);
    // Taken is not begun: until then the state is read beside the actor.
    service.until("the actor hangs", || (service.get(path).json()["source"] == "store").then_some(()));
    let stream = Stream::open(&service, &format!("{path}/live"), None);
    let first = stream.next();
    assert_eq!(first.data["source"], "store");
    assert!(titles(&first.data).contains(&watched), "the store does not know of the play yet");
    let second = stream.next();
    assert_eq!(second.data["source"], "live");
    assert!(!titles(&second.data).contains(&watched));
}

/// Another node on the same backend; dropping it hands over what it has.
struct Node {
    engine: Engine,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    fn join(service: &Service) -> Self {
        let (ports, (started, engine)) = (service.ports.clone(), channel());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let settings = EngineSettings { node: "other".to_owned(), ..EngineSettings::default() };
                let engine = Engine::start(ports, settings).await.expect("an engine");
                started.send(engine.clone()).expect("somebody waits");
                let _dropped = stopped.await;
                engine.stop().await;
            });
        });
        let engine = engine.recv_timeout(DEADLINE).expect("the node starts");
        Self { engine, stop: Some(stop), thread: Some(thread) }
    }

    fn live_partitions(&self) -> Vec<PartitionId> {
        let live = self
            .engine
            .partitions()
            .into_iter()
            .filter(|status| status.state == nearline_actors::PartitionState::Live);
        live.map(|status| status.partition).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_some_and(|ended| ended.is_ok()) || std::thread::panicking(), "the node panicked");
    }
}

#[test]
fn a_row_follows_its_member_from_node_to_node() {
    let service = with_quick_looks();
    audience(&service);
    let node = Node::join(&service);
    let theirs = |node: &Node| node.live_partitions().first().copied();
    let partition = service.until("the other node has a partition", || theirs(&node));
    let member = (0..).map(|n| format!("x{n}")).find(|member| partition_of(member, 4) == partition);
    let member = member.expect("one of very many");
    let stream = Stream::open(&service, &format!("/v1/members/{member}/recommendations/live"), None);
    let mut watched = titles(&stream.next().data)[0].clone();
    let mut plays = 0;
    let mut is_followed = || {
        plays += 1;
        publish(&service, &[event(&format!("x-{plays}"), "play", &member, &watched, plays)]);
        watched = loop {
            let row = titles(&stream.next().data);
            if !row.contains(&watched) {
                break row[0].clone();
            }
        };
    };
    is_followed();
    drop(node);
    is_followed();
    let node = Node::join(&service);
    service.until("it has the partition again", || node.live_partitions().contains(&partition).then_some(()));
    is_followed();
}

#[test]
fn live_rows_are_bounded_and_end_with_the_service() {
    let service = Service::start_with(|config| config.live.max_subscribers = 1, |ports| ports);
    let path = "/v1/members/ana/recommendations/live";
    let stream = Stream::open(&service, path, None);
    stream.next();
    let refused = service.get("/v1/members/bob/recommendations/live");
    assert_eq!(
        (refused.status, &refused.json()["type"]),
        (503, &Value::from("/problems/too-many-subscribers"))
    );
    assert_eq!(service.send("HEAD", path, "", None).status, 200, "HEAD takes no seat");
    let stopping = Instant::now();
    drop(service);
    assert!(stopping.elapsed() < Duration::from_secs(8), "an open row does not hold the stop up");
    assert!(stream.ends());
}

#[test]
fn a_live_row_ends_after_its_time() {
    let service = Service::start_with(|config| config.live.max_seconds = 1, |ports| ports);
    let stream = Stream::open(&service, "/v1/members/ana/recommendations/live", None);
    stream.next();
    assert!(stream.ends());
}
