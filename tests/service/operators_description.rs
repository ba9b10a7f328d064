//! The description of the operators' routes, held against the routes and their answers.

use crate::console::Streamed;
use crate::described::check;
use crate::operators::{chaos, post, publish};
use nearline::http::{description, operator_routes::operator_routes};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Run with `NEARLINE_WRITE_DOCS=1`, it writes the file.
#[test]
fn the_description_of_the_operators_routes_is_what_their_handlers_say() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/operators.json");
    let said = format!("{}\n", description::operators_document().to_pretty_json().expect("JSON"));
    if std::env::var_os("NEARLINE_WRITE_DOCS").is_some() {
        std::fs::write(&file, &said).expect("written");
        return;
    }
    let kept = std::fs::read_to_string(&file).expect("readable");
    assert!(
        kept == said,
        "openapi/operators.json is not what the handlers say now; run this test with NEARLINE_WRITE_DOCS=1, then build"
    );
}

#[test]
fn every_route_of_operators_is_described_once_and_no_other() {
    let document = serde_json::to_value(description::operators_document()).expect("JSON");
    let mut described = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "{name} stands twice");
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let routes = operator_routes();
    let routes: BTreeSet<_> =
        routes.iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert_eq!(described, routes);
}

/// Requests of every kind: method, route, what stands for its name, and the body.
fn requests(letter: &str) -> Vec<(&'static str, &'static str, &str, Option<Value>)> {
    vec![
        ("GET", "/livez", "", None),
        ("GET", "/metrics", "", None),
        ("GET", "/admin/openapi.json", "", None),
        ("GET", "/admin/overview", "", None),
        ("GET", "/admin/partitions", "", None),
        ("GET", "/admin/partitions?limit=1", "", None),
        ("POST", "/admin/partitions/{partition}/verify", "0", None),
        ("POST", "/admin/partitions/{partition}/give-away", "1", None),
        ("POST", "/admin/partitions/{partition}/give-away", "99", None),
        ("GET", "/admin/remediations", "", None),
        ("GET", "/admin/nodes", "", None),
        ("GET", "/admin/configuration", "", None),
        ("GET", "/admin/doctor", "", None),
        ("GET", "/admin/ranking", "", None),
        ("GET", "/admin/audit", "", None),
        ("GET", "/admin/dead-letters", "", None),
        ("GET", "/admin/dead-letters/{position}", letter, None),
        ("GET", "/admin/dead-letters/{position}", "9999999", None),
        ("POST", "/admin/dead-letters/{position}/redrive", letter, None),
        ("DELETE", "/admin/dead-letters/{position}", letter, None),
        ("GET", "/admin/log", "", None),
        ("GET", "/admin/log/{partition}", "99", None),
        ("GET", "/admin/session", "", None),
        ("POST", "/admin/session", "", Some(json!({"key": 1}))),
        ("POST", "/admin/session", "", Some(json!({"key": "\u{1}; Path=/x"}))),
        ("DELETE", "/admin/session", "", None),
        ("GET", "/admin/members/{id}", "ana", None),
        ("GET", "/admin/members/{id}/recommendations", "ana", None),
        ("POST", "/admin/chaos/panic", "", Some(json!({"partition": 3}))),
        ("POST", "/admin/chaos/panic", "", Some(json!({"partition": 99}))),
        ("POST", "/admin/chaos/hang", "", Some(json!({"partition": 3, "seconds": -1}))),
        ("POST", "/admin/chaos/reader-stall", "", Some(json!({"partition": 2}))),
        ("POST", "/admin/chaos/poison", "", Some(json!({"pattern": "a.b"}))),
        ("DELETE", "/admin/chaos/poison", "", None),
    ]
}

#[test]
fn answers_to_operators_are_as_described() {
    let service = chaos();
    publish(&service, "e-1", "ana", "heist");
    assert_eq!(post(&service, "/admin/chaos/poison", json!({"pattern": "bait*"})).status, 202);
    publish(&service, "bait-1", "ana", "heist");
    let letter = service.until("it is a dead letter", || {
        service.ask(service.admin, "/admin/dead-letters").json()[0]["position"].as_u64()
    });
    let letter = letter.to_string();
    let document = service.ask(service.admin, "/admin/openapi.json").json();
    for (method, route, part, body) in requests(&letter) {
        let path = match route.split_once('{') {
            Some((start, rest)) => format!("{start}{part}{}", rest.split_once('}').expect("a name").1),
            None => route.to_owned(),
        };
        let bytes = body.map(|body: Value| body.to_string().into_bytes());
        let kind = if bytes.is_some() { "application/json" } else { "" };
        let reply = service.send_to(service.admin, method, &path, kind, bytes.as_deref());
        let route = route.split('?').next().expect("a path");
        let response =
            &document["paths"][route][method.to_lowercase()]["responses"][reply.status.to_string()];
        let at = format!("{method} {path}: {}", reply.status);
        assert!(response.is_object(), "{at} is not described: {}", reply.text);
        if response["content"].is_null() {
            assert_eq!(reply.text, "", "{at}");
            continue;
        }
        let kind = reply.header("content-type").split(';').next().expect("a type");
        let schema = &response["content"][kind]["schema"];
        assert!(schema.is_object(), "{at}: {kind} is not described: {response}");
        if kind.ends_with("json") {
            check(&document, schema, &reply.json(), &at);
        }
    }
    let mut stream = Streamed::open(&service, "/admin/stream", "");
    let events = &document["components"]["schemas"]["StreamEvents"]["properties"];
    let mut seen = BTreeSet::new();
    while seen.len() < 6 {
        let (name, data) = stream.next();
        assert!(events[&name].is_object(), "{name} is not described");
        check(&document, &events[&name], &data, &name);
        seen.insert(name);
    }
}
