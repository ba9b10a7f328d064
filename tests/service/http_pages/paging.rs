use super::events::{audience, event, publish, titles};
use crate::running::Service;
use std::collections::HashSet;

#[test]
fn pages_never_repeat_a_title_though_the_state_changes_between_them() {
    let service = Service::start();
    audience(&service);
    let mut seen = HashSet::new();
    let mut path = "/v1/members/ana/recommendations?limit=4".to_owned();
    for page in 0.. {
        let answer = service.get(&path).json();
        let given = titles(&answer);
        for title in &given {
            assert!(seen.insert(title.clone()), "{title} was given before");
        }
        let Some(next) = answer["next"].as_str() else { break };
        assert_eq!(given.len(), 4, "a page that is not full is the last");
        // What ana watches next turns the ranking over.
        let position = publish(
            &service,
            &[event(&format!("ana-{page}"), "play", "ana", &format!("t{:02}", 15 - page), 60 + page)],
        );
        path = format!("/v1/members/ana/recommendations?limit=4&after={position}&cursor={next}");
        assert!(page < 10, "the session ends");
    }
    assert!(seen.len() >= 16, "{seen:?}");
}

#[test]
fn a_home_page_goes_on_where_the_one_before_ended() {
    let service = Service::start();
    audience(&service);
    let first = service.get("/v1/members/ana/home?limit=3").json();
    let next = first["next"].as_str().expect("there is more");
    let second = service.get(&format!("/v1/members/ana/home?limit=3&cursor={next}")).json();
    let all = |page: &serde_json::Value| -> HashSet<String> {
        page["rows"].as_array().expect("rows").iter().flat_map(titles).collect()
    };
    assert!(!all(&second).is_empty());
    assert!(all(&first).is_disjoint(&all(&second)), "{first} {second}");
    let elsewhere = service.get(&format!("/v1/members/bob/home?cursor={next}"));
    assert_eq!(elsewhere.json()["type"], "/problems/invalid-cursor");
    let other_route = service.get(&format!("/v1/members/ana/recommendations?cursor={next}"));
    assert_eq!(other_route.status, 400);
}

#[test]
fn a_session_is_bounded_in_titles() {
    let service = Service::start_with(|config| config.http.session_titles = 8, |ports| ports);
    audience(&service);
    let first = service.get("/v1/members/ana/recommendations?limit=4").json();
    let next = first["next"].as_str().expect("4 of 8 are given");
    let second = service.get(&format!("/v1/members/ana/recommendations?limit=4&cursor={next}")).json();
    assert_eq!(titles(&second).len(), 4);
    assert!(second.get("next").is_none(), "8 of 8 are given");
}
