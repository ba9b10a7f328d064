//! An audience to ask about.

use crate::running::Service;
use serde_json::{Value, json};

/// An event with `id`.
pub fn event(id: &str, kind: &str, member: &str, title: &str, minute: u32) -> Value {
    json!({
        "id": id, "type": kind, "member": member, "title": title,
        "at": format!("2026-03-01T{:02}:{:02}:00Z", 10 + minute / 60, minute % 60),
    })
}

/// Publishes events that must all be accepted, and gives the position of the last.
pub fn publish(service: &Service, events: &[Value]) -> u64 {
    let body = serde_json::to_vec(events).expect("JSON");
    let reply = service.send("POST", "/v1/events", "application/json", Some(&body));
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json()["accepted"], events.len(), "{}", reply.text);
    reply.json()["results"][events.len() - 1]["position"].as_u64().expect("a position")
}

/// Puts titles into the catalogue.
pub fn put_titles(service: &Service, titles: &[Value]) {
    let body = serde_json::to_vec(titles).expect("JSON");
    let reply = service.send("POST", "/v1/titles", "application/json", Some(&body));
    assert_eq!(reply.json()["stored"], titles.len(), "{}", reply.text);
}

/// Ten members who watched `t00` to `t19`, in this order. The even ones are comedies; `t<n>` is of the
/// year 2000 + n and for members of n years and older; `t19` is not in the catalogue.
pub fn audience(service: &Service) {
    let titles: Vec<Value> = (0..19)
        .map(|n| {
            let genre = if n % 2 == 0 { "comedy" } else { "crime" };
            json!({"id": format!("t{n:02}"), "name": format!("Title {n}"), "genres": [genre], "year": 2000 + n, "maturity": n})
        })
        .collect();
    put_titles(service, &titles);
    for member in 0..10 {
        let plays: Vec<Value> = (0..20)
            .map(|n| event(&format!("p-{member}-{n}"), "play", &format!("m{member}"), &format!("t{n:02}"), n))
            .collect();
        publish(service, &plays);
    }
    service.until("the audience is learned", || {
        let last = service.get("/v1/titles/t19/insights");
        (last.status == 200 && last.json()["plays_ever"] == 10).then_some(())
    });
}

/// Ids in `titles` of an answer or a row.
pub fn titles(answer: &Value) -> Vec<String> {
    let titles = answer["titles"].as_array().unwrap_or_else(|| panic!("no titles in {answer}"));
    titles.iter().map(|title| title["title"].as_str().expect("an id").to_owned()).collect()
}

/// A text as it stands in a query.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().map(|b| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}
