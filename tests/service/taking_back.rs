//! What is taken back: titles, opinions, and what the fold made of a log.

use crate::running::Service;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

const COUNTRY: &str = "country=BR";

/// Members who take `a`, then `b`, then `c`, each shown before.
fn audience(service: &Service) -> u64 {
    let mut events = Vec::new();
    for member in 0..12 {
        for (at, title) in ["a", "b", "c"].iter().enumerate() {
            for (kind, second) in [("impression", 0), ("play", 5)] {
                events.push(json!({
                    "id": format!("{member}-{title}-{kind}"), "type": kind, "member": format!("watcher-{member}"),
                    "title": title, "at": format!("2026-03-01T20:{at:02}:{second:02}Z"), "country": "BR",
                    "request": format!("r{member}"), "row": "top_picks", "position": at,
                }));
            }
        }
    }
    events.push(
        json!({"id": "begun", "type": "progress", "member": "ana", "title": "b", "at": "2026-03-01T20:09:00Z",
        "watched_s": 60, "duration_s": 6_000}),
    );
    events.push(json!({"id": "listed", "type": "list_add", "member": "ana", "title": "c", "at": "2026-03-01T20:09:30Z"}));
    let position = publish(service, &events);
    service.until("the audience is learned", || {
        (service.get("/v1/titles/c/insights").json()["plays_ever"] == 12).then_some(())
    });
    position
}

fn publish(service: &Service, events: &[Value]) -> u64 {
    let body = serde_json::to_vec(events).expect("JSON");
    let reply = service.send("POST", "/v1/events", "application/json", Some(&body));
    assert_eq!(reply.json()["accepted"], events.len(), "{}", reply.text);
    reply.json()["results"][events.len() - 1]["position"].as_u64().expect("a position")
}

fn put(service: &Service, id: &str, fields: Value) {
    let reply = service.send(
        "PUT",
        &format!("/v1/titles/{id}"),
        "application/json",
        Some(fields.to_string().as_bytes()),
    );
    assert_eq!(reply.status, 200, "{}", reply.text);
}

/// Every answer in which a title may stand, with and without a country.
fn answers(service: &Service) -> Vec<(String, String)> {
    let paths = [
        "/v1/members/ana/recommendations?limit=50",
        "/v1/members/nobody/recommendations?limit=50",
        "/v1/members/ana/home?rows=6",
        "/v1/members/nobody/home?rows=6",
        "/v1/trending?limit=50",
        "/v1/titles/a/similar?limit=50",
    ];
    let each = paths.into_iter().flat_map(|path| {
        [path.to_owned(), format!("{path}{}{COUNTRY}", if path.contains('?') { '&' } else { '?' })]
    });
    each.map(|path| {
        let text = service.get(&path).text;
        (path, text)
    })
    .collect()
}

fn offers(text: &str, title: &str) -> bool {
    text.contains(&format!("\"title\":\"{title}\"")) || text.contains(&format!("\"because\":\"{title}\""))
}

#[test]
fn a_title_that_is_withdrawn_is_offered_nowhere_until_it_is_put_again() {
    for catalogued in [true, false] {
        let service = Service::start();
        audience(&service);
        if catalogued {
            for id in ["a", "b", "c"] {
                put(&service, id, json!({"name": id, "countries": ["BR"]}));
            }
        }
        let offered_before = answers(&service).iter().filter(|(_, text)| offers(text, "b")).count();
        assert!(offered_before >= 8, "{offered_before} answers offer it");
        let live = live_rows(&service);
        live.until(|row| offers(row, "b"));

        let gone = service.send("DELETE", "/v1/titles/b", "", None);
        assert_eq!((gone.status, &*gone.text), (204, ""));
        for (path, text) in answers(&service) {
            assert!(!offers(&text, "b"), "{path}: {text}");
        }
        live.until(|row| !offers(row, "b"));
        assert_eq!(service.get("/v1/titles/b").status, 404);
        assert_eq!(service.send("DELETE", "/v1/titles/b", "", None).status, 204, "again");

        put(&service, "b", json!({"name": "b"}));
        service.until("it is offered as before", || {
            (answers(&service).iter().filter(|(_, text)| offers(text, "b")).count() == offered_before)
                .then_some(())
        });
    }
}

/// Live rows of somebody who has watched nothing.
struct LiveRows(std::sync::mpsc::Receiver<String>);

fn live_rows(service: &Service) -> LiveRows {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect(service.http).expect("connected");
    let request = "GET /v1/members/nobody/recommendations/live HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let (sender, rows) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut row = String::new();
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if line.starts_with("data:") {
                row.push_str(&line);
            } else if line.is_empty() && !row.is_empty() && sender.send(std::mem::take(&mut row)).is_err() {
                return;
            }
        }
    });
    LiveRows(rows)
}

impl LiveRows {
    fn until(&self, wanted: impl Fn(&str) -> bool) {
        loop {
            let row = self.0.recv_timeout(Duration::from_secs(20)).expect("a row in time");
            if wanted(&row) {
                return;
            }
        }
    }
}

#[test]
fn a_title_that_is_not_available_keeps_its_fields_and_a_patch_changes_some() {
    let service = Service::start();
    audience(&service);
    put(
        &service,
        "b",
        json!({"name": "Brazil", "genres": ["drama", "comedy"], "year": 1985, "maturity": 16}),
    );
    let patch = |fields: Value| {
        let body = fields.to_string();
        service.send("PATCH", "/v1/titles/b", "application/merge-patch+json", Some(body.as_bytes()))
    };
    let patched = patch(json!({"available": false, "year": null, "genres": ["satire"]})).json();
    let expected =
        json!({"id": "b", "name": "Brazil", "genres": ["satire"], "maturity": 16, "available": false});
    assert_eq!(patched, expected);
    assert_eq!(service.get("/v1/titles/b").json(), expected);
    for (path, text) in answers(&service) {
        assert!(!offers(&text, "b"), "{path}: {text}");
    }
    let back = patch(json!({"id": "b", "available": true})).json();
    assert_eq!(back, json!({"id": "b", "name": "Brazil", "genres": ["satire"], "maturity": 16}));
    assert!(offers(&service.get("/v1/trending").text, "b"));

    let problem = |reply: crate::running::Reply| {
        (reply.status, reply.json()["type"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(problem(patch(json!({"id": "c"}))), (400, "/problems/invalid-title".to_owned()));
    assert_eq!(problem(patch(json!({"maturity": "old"}))), (400, "/problems/invalid-title".to_owned()));
    assert_eq!(problem(patch(json!({"colour": "red"}))), (400, "/problems/invalid-title".to_owned()));
    assert_eq!(problem(patch(json!([1]))).0, 400);
    let nowhere = service.send("PATCH", "/v1/titles/zzz", "application/merge-patch+json", Some(b"{}"));
    assert_eq!(problem(nowhere), (404, "/problems/title-not-found".to_owned()));
    let lines = service.send("PATCH", "/v1/titles/b", "text/plain", Some(b"{}"));
    assert_eq!(lines.status, 415);
}

#[test]
fn with_only_catalogued_titles_others_are_offered_nowhere() {
    let service = Service::start_with(|config| config.engine.only_catalogued = true, |ports| ports);
    audience(&service);
    for id in ["a", "c"] {
        put(&service, id, json!({"name": id}));
    }
    for (path, text) in answers(&service) {
        assert!(!offers(&text, "b"), "{path}: {text}");
    }
    assert!(offers(&service.get("/v1/trending").text, "c"));
}

#[test]
fn hundreds_of_the_lowest_ratings_make_a_title_neither_popular_nor_trending_nor_similar() {
    let service = Service::start();
    audience(&service);
    let rating = |member: usize| {
        json!({"id": format!("low-{member}"), "type": "rating", "member": format!("critic-{member}"), "title": "bad",
            "at": "2026-03-01T20:30:00Z", "value": 0.5, "country": "BR"})
    };
    let played = |member: usize| {
        json!({"id": format!("played-{member}"), "type": "play", "member": format!("critic-{member}"), "title": "a",
            "at": "2026-03-01T20:29:00Z", "country": "BR"})
    };
    for members in (0..300).collect::<Vec<_>>().chunks(40) {
        publish(
            &service,
            &members.iter().flat_map(|member| [played(*member), rating(*member)]).collect::<Vec<_>>(),
        );
    }
    service.until("all is learned", || {
        (service.get("/v1/titles/a/insights").json()["plays_ever"] == 312).then_some(())
    });
    for (path, text) in answers(&service) {
        let ids: Vec<&str> =
            text.match_indices("\"title\":\"").map(|(at, _)| &text[at + 9..at + 12]).collect();
        assert!(!ids.first().is_some_and(|id| id.starts_with("bad")), "{path}: {text}");
    }
    assert!(!offers(&service.get("/v1/trending?limit=50").text, "bad"));
    assert!(!offers(&service.get("/v1/titles/a/similar?limit=50").text, "bad"));
}

#[test]
fn what_was_taken_back_by_a_member_is_gone() {
    let service = Service::start();
    audience(&service);
    let home = || service.get("/v1/members/ana/home?rows=6").json();
    let has_row = |page: &Value, name: &str| {
        page["rows"].as_array().into_iter().flatten().any(|row| row["row"] == name)
    };
    let page = home();
    assert!(has_row(&page, "continue_watching") && has_row(&page, "my_list"), "{page}");
    let at = |second: u32| format!("2026-03-01T21:00:{second:02}Z");
    let position = publish(
        &service,
        &[
            json!({"id": "t1", "type": "thumb", "member": "ana", "title": "a", "at": at(1), "value": -1}),
            json!({"id": "t2", "type": "thumb", "member": "ana", "title": "a", "at": at(2), "value": 0}),
            json!({"id": "w1", "type": "progress", "member": "ana", "title": "b", "at": at(3), "watched_s": 0}),
            json!({"id": "l1", "type": "list_remove", "member": "ana", "title": "c", "at": at(4)}),
            // Late: what is taken back stays so.
            json!({"id": "w0", "type": "progress", "member": "ana", "title": "b", "at": at(0), "watched_s": 99, "duration_s": 6_000}),
            json!({"id": "l0", "type": "list_add", "member": "ana", "title": "c", "at": at(0)}),
        ],
    );
    let page = service.get(&format!("/v1/members/ana/home?rows=6&after={position}")).json();
    assert!(!has_row(&page, "continue_watching") && !has_row(&page, "my_list"), "{page}");
    let member = service.get("/v1/members/ana").json();
    assert_eq!(member["opinions"], json!([]), "{member}");
}

/// Runs `nearline refold` once the engine's threads have let go of the directory, a moment after it has stopped.
fn refold(data: &str, arguments: &[&str]) -> (bool, String) {
    let started = Instant::now();
    loop {
        let output = Command::new(env!("CARGO_BIN_EXE_nearline"))
            .arg("refold")
            .args(arguments)
            .env("NEARLINE__EMBEDDED__DIRECTORY", data)
            .env("NEARLINE__ENGINE__PARTITIONS", "4")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if !said.contains("is open already") || started.elapsed() > Duration::from_secs(20) {
            return (output.status.success(), said);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_log_is_folded_anew_after_refold() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data").display().to_string();
    let start = || {
        let data = data.clone();
        Service::start_with(move |config| config.embedded.directory = data, |ports| ports)
    };
    let service = start();
    audience(&service);
    put(&service, "a", json!({"name": "Alien"}));
    let state = |service: &Service| {
        let member = service.get("/v1/members/watcher-3").json();
        (member["history"].clone(), service.get("/v1/titles/c/insights").json()["plays_ever"].clone())
    };
    let before = state(&service);
    drop(service);
    let (done, said) = refold(&data, &[]);
    assert!(!done && said.contains("--yes"), "{said}");
    let (done, said) = refold(&data, &["--yes"]);
    assert!(done && said.contains("folds the log from its start"), "{said}");
    let service = start();
    service.until("the log is folded again", || (state(&service) == before).then_some(()));
    assert_eq!(service.get("/v1/titles/a").json()["name"], "Alien", "the catalogue stays");
}

#[test]
fn what_a_trimmed_log_cannot_tell_again_is_not_forgotten() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data").display().to_string();
    let start = || {
        let data = data.clone();
        let adjust = move |config: &mut nearline_config::Config| {
            (config.embedded.directory, config.embedded.retention_events) = (data, 5);
        };
        Service::start_with(adjust, |ports| ports)
    };
    let service = start();
    audience(&service);
    let partition = nearline_model::identifier::partition_of("ana", 4);
    let bounds = || {
        let asked = service.ports.log.bounds(partition);
        actix_rt::System::new().block_on(asked).expect("known")
    };
    let last = bounds().last;
    // What was stored together goes together: more is added until all of the audience's is gone.
    let mut added = 0;
    service.until("the log is trimmed", || {
        added += 1;
        let at = format!("2026-03-01T21:{:02}:{:02}Z", added / 60 % 60, added % 60);
        let event = json!({"id": format!("more-{added}"), "type": "list_add", "member": "ana", "title": "a", "at": at});
        publish(&service, &[event]);
        (bounds().first > last).then_some(())
    });
    drop(service);
    let (done, said) = refold(&data, &["--yes"]);
    assert!(!done && said.contains("nothing was forgotten"), "{said}");
    assert_eq!(start().get("/v1/titles/c/insights").json()["plays_ever"], 12);
}

#[test]
fn patches_of_one_title_at_the_same_time_all_hold() {
    let service = Service::start();
    put(&service, "b", json!({"name": "Brazil"}));
    let patch = |fields: Value| {
        let body = fields.to_string();
        let reply =
            service.send("PATCH", "/v1/titles/b", "application/merge-patch+json", Some(body.as_bytes()));
        assert_eq!(reply.status, 200, "{}", reply.text);
    };
    for round in 0..20 {
        let (year, age) = (1980 + round, round % 18);
        std::thread::scope(|scope| {
            scope.spawn(|| patch(json!({"year": year})));
            scope.spawn(|| patch(json!({"maturity": age})));
            scope.spawn(|| patch(json!({"genres": [format!("genre {round}")]})));
        });
        let expected = json!({"id": "b", "name": "Brazil", "year": year, "maturity": age, "genres": [format!("genre {round}")]});
        assert_eq!(service.get("/v1/titles/b").json(), expected);
    }
}

#[test]
fn a_title_that_was_put_is_never_seen_as_it_was_before() {
    let service = Service::start();
    for year in 1900..2100 {
        put(&service, "b", json!({"name": "Brazil", "year": year}));
        assert_eq!(service.get("/v1/titles/b").json()["year"], json!(year));
    }
}
