//! The HTTP API against a real engine on the embedded backend.

use crate::described::check;
use crate::running::Service;
use nearline::http::{description, routes::public_routes};
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// An event with `id`.
fn event(id: &str, kind: &str, member: &str, title: &str, minute: u32) -> Value {
    json!({
        "id": id, "type": kind, "member": member, "title": title,
        "at": format!("2026-03-01T20:{minute:02}:00Z"), "country": "BR", "device": "tv",
    })
}

/// Publishes events that must all be accepted, and gives the position of the last.
fn publish(service: &Service, events: &[Value]) -> u64 {
    let body = serde_json::to_vec(events).expect("JSON");
    let reply = service.send("POST", "/v1/events", "application/json", Some(&body));
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json()["accepted"], events.len(), "{}", reply.text);
    reply.json()["results"][events.len() - 1]["position"].as_u64().expect("a position")
}

/// Ten members who watched `heist`, then `caper`; two who watched `western`.
fn audience(service: &Service) {
    let mut events = Vec::new();
    for n in 0..10 {
        let member = format!("watcher-{n}");
        events.push(event(&format!("i-{n}"), "impression", &member, "heist", 1));
        events.push(event(&format!("a-{n}"), "play", &member, "heist", 2));
        events.push(event(&format!("b-{n}"), "play", &member, "caper", 30));
    }
    for n in 0..2 {
        events.push(event(&format!("w-{n}"), "play", &format!("rider-{n}"), "western", 40));
    }
    publish(service, &events);
    service.until("the audience is learned", || {
        let insights = service.get("/v1/titles/western/insights");
        let caper = service.get("/v1/titles/caper/insights");
        let learned = insights.status == 200 && insights.json()["plays_ever"] == 2;
        (learned && caper.status == 200 && caper.json()["plays_ever"] == 10).then_some(())
    });
}

fn titles(answer: &Value) -> Vec<&str> {
    let titles = answer["titles"].as_array().expect("titles");
    titles.iter().map(|title| title["title"].as_str().expect("an id")).collect()
}

#[test]
fn what_a_member_just_watched_shapes_the_very_next_answer() {
    let service = Service::start();
    audience(&service);
    let before = service.get("/v1/members/ana/recommendations").json();
    assert_eq!(titles(&before).len(), 3);
    let position = publish(&service, &[event("ana-1", "play", "ana", "heist", 50)]);
    let path = format!("/v1/members/ana/recommendations?after={position}&explain=true&country=BR&device=tv");
    let after = service.get(&path).json();
    assert_eq!(titles(&after)[0], "caper");
    assert!(!titles(&after).contains(&"heist"), "what was seen is not offered again");
    assert_eq!(after["titles"][0]["reasons"][0]["kind"], "because_you_watched");
    assert_eq!(after["titles"][0]["reasons"][0]["title"], "heist");
    assert_eq!(after["source"], "live");
    assert!(after["position"].as_u64() >= Some(position));
    assert_ne!(before["recommendation_id"], after["recommendation_id"]);

    let excluded = service.get("/v1/members/ana/recommendations?exclude=caper,x&exclude=y").json();
    assert_eq!(titles(&excluded), ["western"]);
    let one = service.get("/v1/members/ana/recommendations?limit=1").json();
    assert_eq!(titles(&one), ["caper"]);
}

#[test]
fn a_position_that_the_log_does_not_have_is_said_so_at_once_with_its_end() {
    let service = Service::start_with(|config| config.engine.query_deadline_ms = 30_000, |ports| ports);
    let position = publish(&service, &[event("e-1", "play", "ana", "heist", 1)]);
    assert_eq!(service.get(&format!("/v1/members/ana?after={position}")).status, 200);
    for path in ["/v1/members/ana/recommendations", "/v1/members/ana"] {
        let asked = std::time::Instant::now();
        let reply = service.get(&format!("{path}?after={}", position + 1_000));
        assert!(asked.elapsed().as_secs() < 10, "waiting does not help");
        assert_eq!((reply.status, reply.header("retry-after")), (400, ""));
        let problem = reply.json();
        assert_eq!(
            (&problem["type"], &problem["log_end"]),
            (&json!("/problems/position-unknown"), &json!(position))
        );
        assert_eq!((&problem["position"], &problem["wanted"]), (&json!(position), &json!(position + 1_000)));
        assert_eq!(problem["instance"], path);
    }
}

#[test]
fn each_line_gets_its_own_result() {
    let service = Service::start();
    let good = event("e-1", "play", "ana", "heist", 1);
    let other = event("e-2", "play", "ana", "caper", 2);
    let body = format!("{good}\r\n\n{{\"id\":\n{good}\n{other}");
    let reply = service.send("POST", "/v1/events", "application/x-ndjson", Some(body.as_bytes()));
    assert_eq!(reply.status, 200, "{}", reply.text);
    let answer = reply.json();
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"], &answer["rejected"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let results = answer["results"].as_array().expect("results");
    let seen: Vec<_> = results.iter().map(|r| (r["line"].as_u64(), r["status"].as_str())).collect();
    let expected = [(1, "accepted"), (3, "rejected"), (4, "duplicate"), (5, "accepted")];
    assert_eq!(seen, expected.map(|(line, status)| (Some(line), Some(status))));
    assert_eq!(results[1]["reason"], "malformed-json");
    assert_eq!(results[2]["position"], results[0]["position"], "a duplicate has the position of the first");

    let single = event("e-3", "play", "ana", "western", 3).to_string();
    let reply =
        service.send("POST", "/v1/events", "application/json; charset=utf-8", Some(single.as_bytes()));
    assert_eq!(reply.json()["results"][0]["index"], 0);
    let position = reply.json()["results"][0]["position"].as_u64().expect("a position");
    let state = service.get(&format!("/v1/members/ana?after={position}")).json();
    let history: Vec<_> = state["history"].as_array().expect("history").iter().map(|w| &w["title"]).collect();
    assert_eq!(history, ["heist", "caper", "western"]);
    assert_eq!(state["history"][0]["at"], "2026-03-01T20:01:00.000Z");
}

#[test]
fn an_erased_member_is_forgotten() {
    let service = Service::start();
    publish(&service, &[event("e-1", "play", "ana", "heist", 1)]);
    let reply = service.send("DELETE", "/v1/members/ana", "", None);
    assert_eq!(reply.status, 202, "{}", reply.text);
    let position = reply.json()["position"].as_u64().expect("a position");
    let state = service.get(&format!("/v1/members/ana?after={position}")).json();
    assert_eq!(state["history"], json!([]));
    assert!(state["erased_at"].is_string());
}

#[test]
fn titles_are_put_read_and_shown_where_they_may_be() {
    let service = Service::start();
    audience(&service);
    let caper = json!({"name": "Caper", "genres": ["crime"], "countries": ["SE"]});
    let body = caper.to_string();
    let reply = service.send("PUT", "/v1/titles/caper", "application/json", Some(body.as_bytes()));
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(service.get("/v1/titles/caper").json()["genres"], json!(["crime"]));
    let lines = "{\"id\":\"heist\",\"name\":\"Heist\"}\n{\"id\":\"a b\"}\n{\"nome\":1}\n";
    let reply = service.send("POST", "/v1/titles", "application/x-ndjson", Some(lines.as_bytes()));
    let answer = reply.json();
    assert_eq!((&answer["stored"], &answer["rejected"]), (&json!(1), &json!(2)), "{}", reply.text);
    assert_eq!(answer["results"][1]["reason"], "invalid-id");
    assert_eq!(answer["results"][2]["reason"], "invalid-field");

    let anywhere = service.get("/v1/trending").json();
    assert_eq!(anywhere["dimension"], "all");
    assert_eq!(anywhere["titles"][0]["name"], "Caper");
    let brazil = service.get("/v1/trending?country=BR&device=tv&limit=5").json();
    assert_eq!(brazil["dimension"], "country:BR and device:tv");
    assert_eq!(titles(&brazil), ["heist", "western"], "caper may not be shown in Brazil");
    assert_eq!(service.get("/v1/trending?country=FR").json()["dimension"], "all");
    assert_eq!(titles(&service.get("/v1/titles/heist/similar").json()), ["caper"]);
    assert!(titles(&service.get("/v1/titles/heist/similar?country=BR").json()).is_empty());

    let insights = service.get("/v1/titles/heist/insights").json();
    let totals =
        json!({"impressions": 10, "attributed_plays": 10, "quality_plays": 0, "plays": 10, "take_rate": 1.0});
    assert_eq!((&insights["totals"], &insights["name"]), (&totals, &json!("Heist")));
    let names: Vec<_> =
        insights["dimensions"].as_array().expect("dimensions").iter().map(|d| &d["dimension"]).collect();
    assert_eq!(names, ["all", "country:BR", "device:tv"]);
    assert_eq!(insights["dimensions"][0]["epochs"][0]["start"], "2026-03-01T20:00:00.000Z");
    assert_eq!(insights["dimensions"][0]["epochs"][0]["impressions"], 10);
}

#[test]
fn errors_are_problem_documents() {
    let service = Service::start();
    for (method, path, status, code) in [
        ("GET", "/nowhere", 404, "route-not-found"),
        ("DELETE", "/v1/trending", 405, "method-not-allowed"),
        ("GET", "/v1/members/a.b", 400, "invalid-id"),
        ("GET", "/v1/trending?colour=red", 400, "unknown-parameter"),
        ("GET", "/v1/titles/nothing", 404, "title-not-found"),
    ] {
        let reply = service.send(method, path, "", None);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (status, "application/problem+json"),
            "{path}"
        );
        let problem = reply.json();
        assert_eq!(problem["type"], format!("/problems/{code}"), "{path}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"], path.split('?').next().expect("a path"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
    }
    assert_eq!(service.send("POST", "/v1/trending", "", None).header("allow"), "GET, HEAD");
    let head = service.send("HEAD", "/v1/trending", "", None);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[test]
fn operators_see_health_metrics_partitions_and_the_console() {
    let service = Service::start();
    audience(&service);
    service.get("/v1/members/ana/recommendations");
    assert_eq!(service.ask(service.admin, "/livez").status, 200);
    let metrics = service.ask(service.admin, "/metrics").text;
    for name in [
        "nearline_http_requests_total{route=\"/v1/members/{id}/recommendations\",status=\"200\"}",
        "nearline_query_duration_seconds_bucket{route=\"recommendations\",source=\"live\",le=",
        "nearline_partition_lag_positions{partition=\"p03\"}",
        "# HELP nearline_publish_events_total",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    let partitions = service.ask(service.admin, "/admin/partitions").json();
    assert_eq!(partitions.as_array().map(Vec::len), Some(4));
    assert_eq!(partitions[0]["state"], "live");
    let overview = service.ask(service.admin, "/admin/overview").json();
    assert_eq!((&overview["events"], &overview["titles"]), (&json!(32), &json!(3)));
    assert!(overview["queries"]["live"].as_u64() >= Some(1));
    assert_eq!(overview["trending"].as_array().map(Vec::len), Some(3));
    let console = service.ask(service.admin, "/").text;
    assert!(
        console.starts_with("<!doctype html>")
            && !console.contains("http://")
            && !console.contains("https://")
    );
    assert_eq!(service.ask(service.admin, "/admin/members/watcher-1/recommendations").status, 200);
    assert_eq!(service.get("/metrics").status, 404, "operators' routes are not on the public listener");
    assert_eq!(service.get("/admin/partitions").status, 404);
}

/// A log that can be away for appends.
struct AwayLog {
    log: Arc<dyn EventLog>,
    away: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl EventLog for AwayLog {
    fn partitions(&self) -> u16 {
        self.log.partitions()
    }
    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
        if !self.away.load(Relaxed) {
            return self.log.append(events).await;
        }
        let error = PortError::Unavailable { what: "the log".into(), detail: "pulled the plug".into() };
        events.iter().map(|_| Err(error.clone())).collect()
    }
    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError> {
        self.log.open_reader(partition, after).await
    }
    fn identity(&self) -> &str {
        self.log.identity()
    }
    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        self.log.record(partition, position).await
    }
    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        self.log.bounds(partition).await
    }
}

#[test]
fn while_the_log_is_away_publishing_says_so_and_queries_are_answered() {
    let away = Arc::new(AtomicBool::new(false));
    let switch = away.clone();
    let service = Service::start_with(
        |_| {},
        move |mut ports| {
            ports.log = Arc::new(AwayLog { log: ports.log.clone(), away: switch });
            ports
        },
    );
    publish(&service, &[event("e-1", "play", "ana", "heist", 1)]);
    away.store(true, Relaxed);
    let body = format!("[{}, {{\"id\":\"e-3\"}}]", event("e-2", "play", "ana", "caper", 2));
    let reply = service.send("POST", "/v1/events", "application/json", Some(body.as_bytes()));
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"), "{}", reply.text);
    let problem = reply.json();
    assert_eq!(problem["type"], "/problems/log-unavailable");
    assert_eq!(problem["results"][0]["status"], "unavailable");
    assert_eq!(problem["results"][1]["status"], "rejected");
    assert_eq!(service.send("DELETE", "/v1/members/ana", "", None).status, 503);
    assert_eq!(service.get("/v1/members/ana/recommendations").status, 200);
    away.store(false, Relaxed);
    publish(&service, &[event("e-2", "play", "ana", "caper", 2)]);
}

/// Run with `NEARLINE_WRITE_DOCS=1`, it writes the file.
#[test]
fn the_description_that_is_served_is_what_the_handlers_say() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/nearline.json");
    let said = format!("{}\n", description::document().to_pretty_json().expect("JSON"));
    if std::env::var_os("NEARLINE_WRITE_DOCS").is_some() {
        std::fs::write(&file, &said).expect("written");
        return;
    }
    let kept = std::fs::read_to_string(&file).expect("readable");
    assert!(
        kept == said,
        "openapi/nearline.json is not what the handlers say now; run this test with NEARLINE_WRITE_DOCS=1, then build"
    );
}

#[test]
fn every_route_is_documented_and_every_documented_route_is_there() {
    let document = serde_json::to_value(description::document()).expect("JSON");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    let routes: BTreeSet<_> =
        public_routes().iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert_eq!(documented, routes);
}

#[test]
fn answers_are_as_documented() {
    let service = Service::start();
    audience(&service);
    let document = service.get("/v1/openapi.json").json();
    let caper = "{\"name\":\"Caper\",\"genres\":[\"crime\"],\"year\":1968}".as_bytes();
    let events = format!("[{}]", event("ana-1", "impression", "ana", "heist", 1));
    let title = Some(("application/json", caper));
    let event = Some(("application/json", events.as_bytes()));
    let lines = Some(("application/x-ndjson", "{\"id\":\"t1\"}\n{}".as_bytes()));
    let given = Some(("application/json", r#"{"titles":["caper","heist"]}"#.as_bytes()));
    for (method, route, path, body) in [
        ("PUT", "/v1/titles/{id}", "/v1/titles/caper", title),
        ("GET", "/v1/titles/{id}", "/v1/titles/caper", None),
        ("POST", "/v1/titles", "/v1/titles", lines),
        ("POST", "/v1/events", "/v1/events", event),
        ("POST", "/v1/events", "/v1/events", lines),
        ("POST", "/v1/events", "/v1/events", None),
        ("GET", "/v1/members/{id}", "/v1/members/watcher-1", None),
        ("GET", "/v1/members/{id}", "/v1/members/a.b", None),
        ("GET", "/v1/members/{id}/recommendations", "/v1/members/rider-1/recommendations?explain=true", None),
        ("GET", "/v1/members/{id}/recommendations", "/v1/members/x/recommendations?after=99999", None),
        ("GET", "/v1/members/{id}/home", "/v1/members/rider-1/home?explain=true", None),
        ("GET", "/v1/members/{id}/home", "/v1/members/rider-1/home?filter=1", None),
        ("POST", "/v1/members/{id}/order", "/v1/members/rider-1/order", given),
        ("POST", "/v1/members/{id}/order", "/v1/members/a.b/order", given),
        ("GET", "/v1/experiments", "/v1/experiments", None),
        ("GET", "/v1/experiments/{name}", "/v1/experiments/none", None),
        ("GET", "/v1/trending", "/v1/trending?filter=true", None),
        ("GET", "/v1/titles/{id}/similar", "/v1/titles/heist/similar", None),
        ("GET", "/v1/titles/{id}/insights", "/v1/titles/heist/insights", None),
        ("GET", "/v1/titles/{id}/insights", "/v1/titles/nothing/insights", None),
        ("DELETE", "/v1/members/{id}", "/v1/members/rider-1", None),
    ] {
        let (kind, body) = body.map_or(("", None), |(kind, body)| (kind, Some(body)));
        let reply = service.send(method, path, kind, body);
        let responses = &document["paths"][route][method.to_lowercase()]["responses"];
        let response = &responses[reply.status.to_string()];
        assert!(response.is_object(), "{method} {path}: {} is not documented: {}", reply.status, reply.text);
        let content = &response["content"][reply.header("content-type").split(';').next().expect("a type")];
        assert!(content["schema"].is_object(), "{method} {path}: {response}");
        check(&document, &content["schema"], &reply.json(), &format!("{method} {path}"));
    }
}
