//! Titles that the caller has, put into a member's order.

use crate::running::{Reply, Service};
use serde_json::{Value, json};

const TITLES: [&str; 3] = ["caper", "heist", "western"];

fn order(service: &Service, member: &str, query: &str, body: &Value) -> Reply {
    let path = format!("/v1/members/{member}/order{query}");
    service.send("POST", &path, "application/json", Some(body.to_string().as_bytes()))
}

fn titles(answer: &Value) -> Vec<&str> {
    let titles = answer["titles"].as_array().expect("titles");
    titles.iter().map(|title| title["title"].as_str().expect("an id")).collect()
}

/// One request for each of `members`, of which the last title is taken.
fn contests(members: usize) -> String {
    let event = |kind: &str, member: usize, title: &str| {
        json!({"id": format!("{kind}-{member}-{title}"), "type": kind, "member": format!("m{member}"), "title": title,
            "request": format!("r{member}"), "at": "2026-03-01T20:15:00Z"})
    };
    let of_member = |member| {
        let shown = TITLES.map(|title| event("impression", member, title));
        shown.into_iter().chain([event("play", member, TITLES[2])])
    };
    let lines: Vec<String> = (0..members).flat_map(of_member).map(|event| event.to_string()).collect();
    lines.join("\n")
}

#[test]
fn what_is_taken_beside_others_comes_first_when_it_was_learned() {
    let service = Service::start();
    let asked = json!({"titles": TITLES});
    let before = order(&service, "ana", "", &asked);
    assert_eq!(before.status, 200, "{}", before.text);
    let before = before.json();
    assert_eq!((titles(&before), &before["learned"]), (TITLES.to_vec(), &json!(false)), "nothing is known");

    let lines = contests(120);
    let reply = service.send("POST", "/v1/events", "application/x-ndjson", Some(lines.as_bytes()));
    assert_eq!(reply.status, 200, "{}", reply.text);
    let learned = service.until("it was learned", || {
        let answer = order(&service, "ana", "", &asked).json();
        (answer["learned"] == true).then_some(answer)
    });
    assert_eq!(titles(&learned)[0], "western");
    assert_eq!((&learned["source"], &learned["left_out"]), (&json!("live"), &json!([])));
    assert!(learned["recommendation_id"].as_str().is_some_and(|id| !id.is_empty()));

    let filtered = order(&service, "ana", "?filter=title.id%20%21%3D%20%27western%27", &asked).json();
    assert_eq!((titles(&filtered).len(), &filtered["left_out"]), (2, &json!(["western"])));
    let boosted = order(
        &service,
        "ana",
        "?boost=title.id%20%3D%3D%20%27heist%27%20%3F%201000000.0%20%3A%201.0",
        &asked,
    )
    .json();
    assert_eq!(titles(&boosted)[0], "heist", "{boosted}");
    let unknown = order(&service, "ana", "", &json!({"titles": ["nowhere", "western", "western"]})).json();
    assert_eq!(titles(&unknown).len(), 2, "each once, known or not: {unknown}");
}
