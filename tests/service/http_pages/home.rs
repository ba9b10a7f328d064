use super::events::{audience, event, publish, put_titles, titles};
use crate::running::Service;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

fn rows(page: &Value) -> Vec<(&str, Vec<String>)> {
    let rows = page["rows"].as_array().unwrap_or_else(|| panic!("no rows in {page}"));
    rows.iter().map(|row| (row["row"].as_str().expect("a name"), titles(row))).collect()
}

#[test]
fn a_page_has_the_members_own_rows_first_and_no_title_twice() {
    let service = Service::start();
    audience(&service);
    put_titles(
        &service,
        &[
            json!({"id": "new1", "genres": ["comedy"], "year": 2026}),
            json!({"id": "new2", "genres": ["comedy"], "year": 2026}),
            json!({"id": "new3", "genres": ["comedy"], "year": 2026}),
        ],
    );
    let mut progress = event("ana-2", "progress", "ana", "t02", 61);
    progress["watched_s"] = json!(60);
    progress["duration_s"] = json!(600);
    let position = publish(
        &service,
        &[event("ana-1", "play", "ana", "t02", 60), progress, event("ana-3", "list_add", "ana", "t10", 62)],
    );
    let path = format!("/v1/members/ana/home?after={position}&limit=4&explain=true");
    let page = service.get(&path).json();
    let rows = rows(&page);
    assert_eq!(rows[0], ("continue_watching", vec!["t02".to_owned()]), "{page}");
    let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    for name in ["top_picks", "because_you_watched", "trending_now", "my_list", "new_for_you"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let all: Vec<&String> = rows.iter().flat_map(|(_, titles)| titles).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "{rows:?}");
    assert!(rows.iter().all(|(_, titles)| titles.len() <= 4));
    let because =
        page["rows"].as_array().expect("rows").iter().find(|row| row["row"] == "because_you_watched");
    assert_eq!(because.expect("a row")["because"], json!({"title": "t02", "name": "Title 2"}));
    for row in page["rows"].as_array().expect("rows") {
        for title in row["titles"].as_array().expect("titles") {
            assert!(title["reasons"][0]["kind"].is_string(), "{title}");
        }
    }
    assert_eq!((&page["source"], &page["member"]), (&json!("live"), &json!("ana")));
    assert!(page["position"].as_u64() >= Some(position));
    // The same page again, but for its id, once the ranking's weights are solved from all that was learned.
    let (mut page, started) = (page, Instant::now());
    loop {
        let again = service.get(&path).json();
        assert_ne!(page["recommendation_id"], again["recommendation_id"]);
        if page["rows"] == again["rows"] {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "still another page: {page} and {again}");
        page = again;
    }
}

#[test]
fn a_member_without_a_history_gets_popular_trending_and_new_titles() {
    let service = Service::start();
    audience(&service);
    let page = service.get("/v1/members/nobody/home?limit=3").json();
    let names: Vec<&str> = rows(&page).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["top_picks", "trending_now", "new_for_you"]);
    let one = service.get("/v1/members/nobody/home?rows=1&exclude=t19").json();
    assert_eq!(rows(&one).len(), 1);
    assert!(!rows(&one)[0].1.contains(&"t19".to_owned()));
}

#[test]
fn an_empty_service_gives_an_empty_page() {
    let service = Service::start();
    let page = service.get("/v1/members/ana/home").json();
    assert_eq!(page["rows"], json!([]));
    assert!(page.get("next").is_none());
}

#[test]
fn rows_that_are_taken_more_move_up() {
    let service = Service::start();
    audience(&service);
    let shown_and_played: Vec<Value> = (0..150)
        .flat_map(|n| {
            let mut events = ["impression", "play"]
                .map(|kind| event(&format!("{kind}-{n}"), kind, &format!("fan{n}"), "t05", 61));
            for event in &mut events {
                event["request"] = json!(format!("r{n}"));
                event["row"] = json!("trending_now");
                event["position"] = json!(0);
            }
            events
        })
        .collect();
    publish(&service, &shown_and_played);
    service.until("the plays are learned", || {
        (service.get("/v1/titles/t05/insights").json()["plays_ever"] == 160).then_some(())
    });
    let page = service.get("/v1/members/nobody/home?limit=3").json();
    let first = &page["rows"][0];
    assert_eq!((&first["row"], &first["measured"]), (&json!("trending_now"), &json!(true)), "{page}");
    // 150 of 150, drawn toward 0.08 by 200 impressions.
    let expected = (150.0 + 200.0 * 0.08) / 350.0;
    assert!((first["expected_take"].as_f64().expect("a rate") - expected).abs() < 1e-9, "{first}");
    assert_eq!(page["rows"][1]["measured"], false);
}
