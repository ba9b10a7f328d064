//! Artworks over HTTP: answered with their propensity, stable, and learned by segment.

use crate::running::Service;
use serde_json::{Value, json};

fn event(id: &str, kind: &str, member: &str, title: &str, second: usize, more: &Value) -> Value {
    let at = format!("2026-03-01T20:{:02}:{:02}Z", second / 60 % 60, second % 60);
    let mut event = json!({"id": id, "type": kind, "member": member, "title": title, "at": at});
    for (name, value) in more.as_object().into_iter().flatten() {
        event[name] = value.clone();
    }
    event
}

fn publish(service: &Service, events: &[Value]) {
    let reply =
        service.send("POST", "/v1/events", "application/json", Some(json!(events).to_string().as_bytes()));
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json()["accepted"], events.len(), "{}", reply.text);
}

/// `caper` has two artworks; `heist` is drama, `jest` comedy; somebody played all.
fn start() -> Service {
    let adjust = |config: &mut nearline_config::Config| {
        (config.artwork.refresh_seconds, config.artwork.hold_seconds) = (0, 1);
        config.artwork.exploration_floor = 0.05;
    };
    let service = Service::start_with(adjust, |ports| ports);
    let titles = json!([
        {"id": "caper", "artworks": ["caper-a", "caper-b"]},
        {"id": "heist", "genres": ["drama"]},
        {"id": "jest", "genres": ["comedy"]},
    ]);
    let reply = service.send("POST", "/v1/titles", "application/json", Some(titles.to_string().as_bytes()));
    assert_eq!(reply.json()["stored"], 3, "{}", reply.text);
    let plays: Vec<Value> = ["heist", "caper", "jest", "caper"]
        .iter()
        .enumerate()
        .map(|(at, title)| event(&format!("first-{at}"), "play", "first", title, at, &json!({})))
        .collect();
    publish(&service, &plays);
    service
}

/// What `member` is offered of `caper`, once it is offered.
fn caper(service: &Service, member: &str) -> Value {
    service.until("caper is offered", || {
        let answer = service.get(&format!("/v1/members/{member}/recommendations")).json();
        let titles = answer["titles"].as_array().expect("titles").clone();
        titles.into_iter().find(|title| title["title"] == "caper")
    })
}

#[test]
fn titles_with_artworks_say_which_to_show_and_with_what_probability() {
    let service = start();
    let artwork = caper(&service, "ana")["artwork"].clone();
    assert!(["caper-a", "caper-b"].contains(&artwork["id"].as_str().expect("an id")), "{artwork}");
    assert_eq!(artwork["propensity"], 0.5, "nothing is known");
    assert_eq!(artwork["segment"], Value::Null, "ana has no history");
    publish(&service, &[event("ana-1", "play", "ana", "heist", 10, &json!({}))]);
    service.until("ana's history counts", || {
        (caper(&service, "ana")["artwork"]["segment"] == "drama").then_some(())
    });
    let reply = service.get("/v1/members/ana/recommendations");
    assert_eq!(reply.header("content-type"), "application/json");
    let answer = reply.json();
    let jest = answer["titles"].as_array().expect("titles").iter().find(|title| title["title"] == "jest");
    assert_eq!(jest.expect("offered")["artwork"], Value::Null, "it has no artworks");
}

#[test]
fn what_a_segment_takes_is_what_its_members_are_shown() {
    let service = start();
    let mut events = Vec::new();
    for n in 0..1_600 {
        let (artwork, segment) = (["caper-a", "caper-b"][n % 2], ["drama", "comedy"][n / 2 % 2]);
        let (member, request) = (format!("viewer-{n}"), json!(format!("r-{n}")));
        let shown = json!({"request": request, "artwork": artwork, "propensity": 0.5, "segment": segment});
        events.push(event(&format!("i-{n}"), "impression", &member, "caper", n, &shown));
        if (artwork == "caper-a") == (segment == "drama") && n % 3 == 0 {
            events.push(event(
                &format!("p-{n}"),
                "play",
                &member,
                "caper",
                n + 5,
                &json!({"request": request}),
            ));
        }
    }
    publish(&service, &events);
    // Four hundred impressions each outweigh what the other segment, which is opposed, taught.
    for (title, segment, best) in [("heist", "drama", "caper-a"), ("jest", "comedy", "caper-b")] {
        let member = format!("fan-of-{title}");
        publish(&service, &[event(&format!("{member}-1"), "play", &member, title, 900, &json!({}))]);
        service.until("the segment's artwork is learned", || {
            let artwork = caper(&service, &member)["artwork"].clone();
            (artwork["segment"] == segment && artwork["id"] == best && artwork["propensity"] == 0.95)
                .then_some(())
        });
    }
}

#[test]
fn an_artwork_stays_while_its_window_lasts() {
    let service = Service::start_with(|config| config.artwork.hold_seconds = 31_536_000, |ports| ports);
    let title = json!({"id": "caper", "artworks": ["a", "b", "c", "d"]});
    let reply = service.send("POST", "/v1/titles", "application/json", Some(title.to_string().as_bytes()));
    assert_eq!(reply.json()["stored"], 1, "{}", reply.text);
    publish(&service, &[event("first", "play", "first", "caper", 0, &json!({}))]);
    let before: Vec<Value> = (0..20).map(|n| caper(&service, &format!("m{n}"))["artwork"].clone()).collect();
    let shown =
        |n: usize| event(&format!("i-{n}"), "impression", "other", "caper", n, &json!({"artwork": "a"}));
    publish(&service, &(0..200).map(shown).collect::<Vec<_>>());
    service.until("the impressions are learned", || {
        let insights = service.get("/v1/titles/caper/insights").json();
        (insights["totals"]["impressions"] == 200).then_some(())
    });
    let after: Vec<Value> = (0..20).map(|n| caper(&service, &format!("m{n}"))["artwork"].clone()).collect();
    assert_eq!(before, after);
    let distinct: std::collections::BTreeSet<_> =
        before.iter().map(|artwork| artwork["id"].to_string()).collect();
    assert!(distinct.len() > 1, "members are drawn for one by one: {distinct:?}");
}

#[test]
fn a_title_without_artworks_is_offered_without() {
    let service = Service::start();
    publish(&service, &[event("first", "play", "first", "heist", 0, &json!({}))]);
    service.until("heist is offered", || {
        let answer = service.get("/v1/members/ana/recommendations").json();
        let heist = answer["titles"].as_array()?.first().cloned()?;
        assert_eq!(heist["artwork"], Value::Null);
        (heist["title"] == "heist").then_some(())
    });
}
