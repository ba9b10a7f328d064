//! What operators can do on their listener: look at remediations, mend dead letters, and, where it is
//! allowed, make faults on purpose.

use crate::running::{Reply, Service};
use nearline_backends::embedded::{self, EmbeddedSettings};
use nearline_config::Config;
use nearline_model::Position;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub fn chaos() -> Service {
    Service::start_with(|config| config.chaos.enabled = true, |ports| ports)
}

pub fn publish(service: &Service, id: &str, member: &str, title: &str) {
    let body =
        json!({"id": id, "type": "play", "member": member, "title": title, "at": "2026-03-01T20:15:00Z"});
    let reply = service.send("POST", "/v1/events", "application/json", Some(body.to_string().as_bytes()));
    assert_eq!(reply.status, 200, "{}", reply.text);
}

pub fn post(service: &Service, path: &str, body: Value) -> Reply {
    service.send_to(service.admin, "POST", path, "application/json", Some(body.to_string().as_bytes()))
}

#[test]
fn faults_on_purpose_do_not_exist_unless_configuration_asks_for_them() {
    let service = Service::start();
    let reply = post(&service, "/admin/chaos/panic", json!({"partition": 0}));
    assert_eq!(reply.status, 404, "{}", reply.text);
    for (address, admin) in [("0.0.0.0:7701", true), ("127.0.0.1:7701", false)] {
        let mut config = Config::default();
        config.chaos.enabled = true;
        (config.admin.address, config.admin.enabled) = (address.to_owned(), admin);
        let refused = config.validate().expect_err("refused");
        assert_eq!(refused.key(), Some("chaos.enabled"), "{refused}");
        assert!(refused.to_string().contains("loopback"), "{refused}");
    }
    let mut config = Config::default();
    config.chaos.enabled = true;
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn a_panic_is_remedied_and_shown_with_before_and_after() {
    let service = chaos();
    assert_eq!(service.ask(service.admin, "/admin/remediations").json(), json!([]));
    let ranking = service.ask(service.admin, "/admin/ranking").json();
    assert_eq!((&ranking["groups"], &ranking["weighing"]["regularisation"]), (&json!([]), &json!(20.0)));
    let reply = post(&service, "/admin/chaos/panic", json!({"partition": 2}));
    assert_eq!((reply.status, &reply.json()["injected"]["fault"]), (202, &json!("panic")), "{}", reply.text);
    let shown = service.until("it is remedied", || {
        let shown = service.ask(service.admin, "/admin/remediations?limit=5").json();
        shown[0]["after"]["state"].is_string().then_some(shown)
    });
    let (before, after) = (&shown[0]["before"], &shown[0]["after"]);
    assert_eq!((&shown[0]["fault"], &shown[0]["action"]), (&json!("panicked"), &json!("restart")), "{shown}");
    assert_eq!((&shown[0]["partition"], &after["state"]), (&json!(2), &json!("live")), "{shown}");
    assert!(after["epoch"].as_u64() > before["epoch"].as_u64(), "{shown}");
    assert!(
        shown[0]["took_ms"].is_u64() && shown[0]["detail"].as_str().is_some_and(|d| d.contains("injected"))
    );
    assert!(shown[0].get("trace_id").is_none(), "no traces are recorded: {shown}");
    let metrics = service.ask(service.admin, "/metrics").text;
    assert!(
        metrics.contains(r#"nearline_remediations_total{fault="panicked",action="restart"}"#),
        "{metrics}"
    );
    let console = service.ask(service.admin, "/console/pages/remediations.js").text;
    assert!(console.contains("admin/remediations"), "the console shows them");
}

#[test]
fn wrong_requests_for_faults_are_refused_with_what_is_wrong() {
    let service = chaos();
    for (path, body, expected) in [
        ("panic", json!({"partition": 4}), "0 to 3"),
        ("panic", json!({}), "partition"),
        ("panic", json!({"partition": 0, "more": 1}), "more"),
        ("hang", json!({"partition": 0, "seconds": -1}), "0 to 600"),
        ("hang", json!({"partition": 0, "seconds": 601}), "0 to 600"),
        ("poison", json!({"pattern": "a b"}), "pattern"),
        ("poison", json!({"pattern": ""}), "pattern"),
        ("reader-stall", json!({"partition": 9}), "0 to 3"),
    ] {
        let reply = post(&service, &format!("/admin/chaos/{path}"), body.clone());
        let detail = reply.json()["detail"].as_str().expect("a problem").to_owned();
        assert!(reply.status == 400 && detail.contains(expected), "{path} {body}: {} {detail}", reply.status);
    }
}

#[test]
fn a_poisoned_event_is_listed_shown_redriven_once_and_dropped() {
    let service = chaos();
    assert_eq!(post(&service, "/admin/chaos/poison", json!({"pattern": "bait*"})).status, 202);
    publish(&service, "bait1", "m1", "t1");
    publish(&service, "e2", "m1", "t2");
    let letter = service.until("it is a dead letter", || {
        let letters = service.ask(service.admin, "/admin/dead-letters?limit=10").json();
        letters.get(0).cloned()
    });
    assert_eq!(letter["reason"], "poison", "{letter}");
    assert!(letter["payload"].as_str().is_some_and(|payload| payload.contains("bait1")), "{letter}");
    let at = format!("/admin/dead-letters/{}", letter["position"]);
    let admin = |method, path: &str| service.send_to(service.admin, method, path, "", None);

    let cleared = admin("DELETE", "/admin/chaos/poison");
    assert_eq!((cleared.status, cleared.json()), (200, json!({"cleared": 1})));
    let redriven = admin("POST", &format!("{at}/redrive"));
    assert_eq!((redriven.status, &redriven.json()["already"]), (200, &json!(false)), "{}", redriven.text);
    let again = admin("POST", &format!("{at}/redrive"));
    assert_eq!(again.json()["already"], true, "{}", again.text);
    assert_eq!(again.json()["position"], redriven.json()["position"]);
    assert_eq!(service.ask(service.admin, &at).json()["redriven_to"], redriven.json()["position"]);
    let position = &redriven.json()["position"];
    let watched = service.until("it is folded", || {
        let state = service.get(&format!("/v1/members/m1?after={position}"));
        (state.status == 200).then(|| state.json())
    });
    assert_eq!(watched["history"].as_array().map(Vec::len), Some(2), "{watched}");

    assert_eq!(admin("DELETE", &at).status, 204);
    assert_eq!(admin("DELETE", &at).status, 404);
    assert_eq!(service.ask(service.admin, &at).status, 404);
    assert_eq!(admin("POST", &format!("{at}/redrive")).json()["type"], "/problems/letter-not-found");
    assert_eq!(service.ask(service.admin, "/admin/dead-letters/soon").status, 400);
}

#[test]
fn an_event_without_a_member_cannot_be_redriven_and_says_why() {
    let service = chaos();
    let ports = service.ports.clone();
    let letter = nearline_ports::DeadLetter {
        partition: nearline_model::PartitionId(1),
        position: Position(17),
        log_ms: 1_772_396_100_250,
        reason: "malformed-json".into(),
        detail: "not JSON".into(),
        payload: "not JSON".into(),
    };
    actix_rt::System::new().block_on(ports.dead_letters.put(vec![letter])).expect("put");
    let refused = service.send_to(service.admin, "POST", "/admin/dead-letters/17/redrive", "", None);
    assert_eq!((refused.status, &refused.json()["type"]), (409, &json!("/problems/letter-unpublishable")));
}

#[test]
fn a_node_that_cannot_help_itself_exits_with_a_failure_and_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let free = || nearline_servers::free_address().expect("a free port");
    let (http, admin) = (free(), free());
    let config = directory.path().join("nearline.toml");
    let text = format!(
        "[engine]\npartitions = 2\nrestart_backoff_max_ms = 100\n[remediation]\nleaked_threads = 0\n\
         [chaos]\nenabled = true\n[http]\naddress = \"{http}\"\n[admin]\naddress = \"{admin}\"\n\
         [embedded]\ndirectory = \"{}\"\n",
        directory.path().join("data").display()
    );
    std::fs::write(&config, text).expect("the configuration is written");
    let mut program = Command::new(env!("CARGO_BIN_EXE_nearline"))
        .args(["serve", "--config"])
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    let soon = |what: &str| {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    };
    while ureq::get(format!("http://{admin}/readyz")).call().is_err() {
        soon("it is ready");
    }
    // Far longer than the test: the program must end although the thread does not.
    let hang = ureq::post(format!("http://{admin}/admin/chaos/hang"))
        .header("content-type", "application/json")
        .send(r#"{"partition": 1, "seconds": 600}"#)
        .expect("taken");
    assert_eq!(hang.status(), 202);
    let status = loop {
        if let Some(status) = program.try_wait().expect("its status is known") {
            break status;
        }
        if started.elapsed() > Duration::from_secs(50) {
            program.kill().expect("it is killed");
        }
        soon("it ends");
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut program.stderr.take().expect("piped"), &mut said).expect("UTF-8");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("error: this node cannot help itself any more"), "{said}");
    // What led to it is kept.
    let settings =
        EmbeddedSettings { partitions: 2, ..EmbeddedSettings::in_directory(directory.path().join("data")) };
    let ports = embedded::open(settings).expect("the directory is free");
    let kept = actix_rt::System::new().block_on(ports.remediations.list(10)).expect("listed");
    assert!(kept.iter().any(|kept| (&*kept.fault, &*kept.action) == ("blocked", "exit")), "{kept:?}");
}

#[test]
fn an_event_that_is_put_into_quarantine_by_hand_is_stepped_over_if_it_is_not_folded() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let settings = || EmbeddedSettings { partitions: 2, ..EmbeddedSettings::in_directory(&data) };
    // An engine's threads let go of the directory a moment after it has stopped.
    let open = || {
        let started = Instant::now();
        loop {
            match embedded::open(settings()) {
                Ok(ports) => return ports,
                Err(error) => assert!(started.elapsed() < Duration::from_secs(20), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let fold = |wanted: Option<Position>| {
        actix_rt::System::new().block_on(async {
            let ports = open();
            let engine = nearline_actors::Engine::start(ports, nearline_actors::EngineSettings::default());
            let engine = engine.await.expect("started");
            engine.caught_up().await.expect("caught up");
            let answer = engine.member("m1", false, wanted).await.expect("answered");
            engine.stop().await;
            answer.snapshot.map_or(0, |snapshot| snapshot.history.len())
        })
    };
    let append = |id: &str| {
        let payload =
            json!({"id": id, "type": "play", "member": "m1", "title": id, "at": "2026-03-01T20:15:00Z"});
        let event = nearline_ports::NewEvent {
            member: "m1".into(),
            id: id.into(),
            payload: payload.to_string().into(),
        };
        actix_rt::System::new().block_on(async {
            let ports = open();
            ports.log.append(vec![event]).await.remove(0).expect("appended")
        })
    };
    let first = append("e1");
    assert_eq!(fold(None), 1);
    let killer = append("e2");
    append("e3");
    let quarantine = |position: Position, partition: u16| {
        let output = Command::new(env!("CARGO_BIN_EXE_nearline"))
            .env("NEARLINE__EMBEDDED__DIRECTORY", &data)
            .env("NEARLINE__ENGINE__PARTITIONS", "2")
            .args(["dead-letters", "quarantine", &partition.to_string(), &position.to_string()])
            .args(["--message", "kills the process"])
            .output()
            .expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let partition = first.partition.0;
    for (position, partition, expected) in [
        (first.position, partition, "is folded up to position"),
        (killer.position, 1 - partition, "is not there"),
        (killer.position, 2, "from 0 to 1"),
        (Position(99), partition, "is not there"),
    ] {
        let (code, said) = quarantine(position, partition);
        assert!(code == Some(1) && said.contains(expected), "{position} of {partition}: {code:?} {said}");
    }
    assert_eq!(quarantine(killer.position, partition), (Some(0), String::new()));
    assert_eq!(fold(None), 2, "the neighbour is folded, the event is not");
    actix_rt::System::new().block_on(async {
        let ports = open();
        let letters = ports.dead_letters.list(Position::START, 10).await.expect("listed");
        assert_eq!((letters.len(), letters[0].position), (1, killer.position));
        assert!(letters[0].detail.ends_with("was stepped over by hand: kills the process"));
        let fold = nearline_model::FoldSettings::default();
        let report = nearline_ports::verify::verify_partition(&ports, first.partition, &fold).await;
        assert!(report.expect("verified").is_equal(), "I3");
    });
}

#[test]
fn what_is_left_of_a_member_that_was_erased_is_told_place_by_place() {
    use nearline_ports::erasure::look;
    let service = Service::start_with(|config| config.facts.capture = true, |ports| ports);
    let look = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(look(&service.ports, "ana")).expect("looked")
    };
    let play_at = |id: &str, member: &str, at: &str| {
        let event =
            format!(r#"{{"id":"{id}","type":"play","member":"{member}","title":"heist","at":"{at}"}}"#);
        service.send("POST", "/v1/events", "application/json", Some(event.as_bytes())).json()["results"][0]
            ["position"]
            .as_u64()
            .expect("a position")
    };
    let play = |id, member| play_at(id, member, "2026-03-01T20:15:00Z");
    let last = [play("e1", "ana"), play("e2", "ben"), play("e3", "ana")][2];
    service
        .until("it is committed", || (look().position >= Position(last) && look().known > 0).then_some(()));
    let before = look();
    assert!(!before.is_erased() && before.forgotten.is_none() && before.in_log == 0, "{before:?}");
    assert_eq!(service.send("DELETE", "/v1/members/ana", "", None).status, 202);
    service.until("it is erased", || look().is_erased().then_some(()));
    let left = look();
    assert_eq!((left.known, left.in_log, left.later_events), (0, 2, 0), "{left:?}");
    assert!(left.facts > 0 && left.letters.is_empty() && left.quarantined.is_empty(), "{left:?}");
    // What comes late and tells of before is not taken; a clock that is ahead counts as now.
    play("e4", "ana");
    play_at("e5", "ana", "2099-01-01T00:00:00Z");
    service.until("the later play is known", || (look().known > 0).then_some(()));
    let after = look();
    assert!(after.is_erased() && after.later_events == 2 && after.in_log == 2, "{after:?}");
}
