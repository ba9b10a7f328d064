//! Descriptions of the API that break callers of the last release.

use crate::tree::{Tree, told};
use serde_json::{Value, json};
use xtask::api::{self, DESCRIBED, Described, breaks, may_break};

/// The project's own description.
fn description() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/nearline.json");
    let text = std::fs::read_to_string(path).expect("the description");
    serde_json::from_str(&text).expect("JSON")
}

/// What breaks when the description is changed so.
fn broken(change: impl Fn(&mut Value)) -> Vec<String> {
    let (old, mut new) = (description(), description());
    change(&mut new);
    assert_ne!(old, new, "nothing was changed");
    breaks(&old, &new).into_iter().collect()
}

fn remove(from: &mut Value, name: &str) {
    from.as_object_mut().expect("an object").remove(name).expect("it is there");
}

#[test]
fn what_is_unchanged_breaks_nobody() {
    assert!(breaks(&description(), &description()).is_empty());
}

#[test]
fn what_is_taken_away_breaks() {
    assert_eq!(broken(|new| remove(&mut new["paths"], "/v1/log")), ["GET /v1/log: is taken away"]);
    let field =
        broken(|new| remove(&mut new["components"]["schemas"]["LogDocument"]["properties"], "partitions"));
    assert_eq!(field, ["GET /v1/log: answer 200.partitions: is taken away"]);
    let value = broken(|new| {
        let kinds =
            new["components"]["schemas"]["EventDocument"]["properties"]["type"]["enum"].as_array_mut();
        kinds.expect("kinds").retain(|kind| kind != "thumb");
    });
    assert!(
        value.iter().any(|line| line == "POST /v1/events: body[].type: the value \"thumb\" is taken away"),
        "{value:?}"
    );
    let parameter = broken(|new| {
        let parameters =
            new["paths"]["/v1/trending"]["get"]["parameters"].as_array_mut().expect("parameters");
        parameters.retain(|parameter| parameter["name"] != "limit");
    });
    assert_eq!(parameter, ["GET /v1/trending: parameter `limit` is taken away"]);
    let variant = broken(|new| {
        let variants =
            new["components"]["schemas"]["ReasonDocument"]["oneOf"].as_array_mut().expect("variants");
        variants.retain(|variant| variant["properties"]["kind"]["enum"][0] != "often_first");
    });
    assert!(variant.iter().all(|line| line.contains("often_first")) && !variant.is_empty(), "{variant:?}");
    let answer = broken(|new| remove(&mut new["paths"]["/v1/titles"]["post"]["responses"], "200"));
    assert_eq!(answer, ["POST /v1/titles: answer 200 is taken away"]);
}

#[test]
fn what_must_be_sent_and_what_is_refused_now_breaks() {
    let needed = broken(|new| {
        let required = new["components"]["schemas"]["EventDocument"]["required"].as_array_mut();
        required.expect("required").push(json!("country"));
    });
    assert!(
        needed.iter().any(|line| line == "POST /v1/events: body[].country: must be sent now"),
        "{needed:?}"
    );
    let narrower = broken(|new| {
        let body =
            &mut new["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        body["maxItems"] = json!(10);
    });
    assert_eq!(narrower, ["POST /v1/events: body: maxItems is 10 now"]);
    let keyed = broken(|new| new["paths"]["/v1/trending"]["get"]["security"] = json!([{"key": ["admin"]}]));
    assert_eq!(keyed.len(), 2, "{keyed:?}");
    let parameter = json!({"name": "a", "in": "query", "required": true, "schema": {"type": "string"}});
    let new_parameter = broken(|new| new["paths"]["/v1/log"]["get"]["parameters"] = json!([parameter]));
    assert_eq!(new_parameter, ["GET /v1/log: parameter \"a\" is new and must be given"]);
}

#[test]
fn what_answers_may_leave_out_or_be_breaks_and_what_they_tell_more_does_not() {
    let absent = broken(|new| {
        let required = new["components"]["schemas"]["LogDocument"]["required"].as_array_mut();
        required.expect("required").retain(|name| name != "partitions");
    });
    assert_eq!(absent, ["GET /v1/log: answer 200.partitions: may be absent now"]);
    let null = broken(|new| {
        new["components"]["schemas"]["LogDocument"]["properties"]["partitions"]["type"] =
            json!(["integer", "null"]);
    });
    assert_eq!(null, ["GET /v1/log: answer 200.partitions: the type null is new in answers"]);
    let more = broken(|new| {
        new["components"]["schemas"]["LogDocument"]["properties"]["more"] = json!({"type": "string"});
        new["paths"]["/v1/more"] = json!({"get": {}});
    });
    assert_eq!(more, Vec::<String>::new());
}

#[test]
fn a_version_says_that_it_may_break_by_its_first_number_that_is_not_nought() {
    assert!(may_break("0.1.3", "0.2.0") && may_break("1.4.0", "2.0.0") && may_break("0.9.0", "1.0.0"));
    assert!(!may_break("0.1.3", "0.1.4") && !may_break("1.4.0", "1.5.0") && !may_break("1.4.0", "1.4.0"));
    assert!(may_break("0.0.1", "0.0.2") && !may_break("2.0.0", "1.9.9"));
}

/// Findings where `released` was released (if anything was) of what `changed` describes, and the version is `version`. The other
/// description is as it was.
fn found(changed: &Described, changelog: &str, released: Option<&Value>, version: &str) -> Vec<String> {
    let tree = Tree::new(&["crates/model"], &[("CHANGELOG.md", changelog)]);
    let manifest =
        format!("[workspace]\nmembers = [\"crates/model\"]\n[workspace.package]\nversion = \"{version}\"\n");
    tree.write("Cargo.toml", &manifest);
    for described in &DESCRIBED {
        let (mut current, mut same) = (description(), description());
        same["info"]["version"] = json!("0.1.0");
        let is_changed = described.current == changed.current;
        if is_changed {
            remove(&mut current["paths"], "/v1/log");
        }
        tree.write(described.current, &current.to_string());
        let was = if is_changed { released } else { changelog.contains("[0.1.0]").then_some(&same) };
        if let Some(was) = was {
            tree.write(described.released, &was.to_string());
        }
    }
    told(&api::check(&tree.open()).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn a_break_is_found_unless_the_version_says_so() {
    for changed in &DESCRIBED {
        let (mut released, mut older) = (description(), description());
        released["info"]["version"] = json!("0.1.0");
        older["info"]["version"] = json!("0.0.9");
        let changelog = "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n";
        let found = |released, version| found(changed, changelog, released, version);
        assert_eq!(found(Some(&released), "0.1.1"), ["api/break: GET /v1/log: is taken away"]);
        assert_eq!(found(Some(&released), "0.2.0"), Vec::<String>::new());
        assert_eq!(found(None, "0.1.1"), [format!("api/release: no {}", changed.released)]);
        let other = format!("api/release: {} is not of 0.1.0", changed.released);
        assert_eq!(found(Some(&older), "0.1.1"), [other]);
    }
}

#[test]
fn before_the_first_release_there_is_nothing_to_compare_with() {
    for changed in &DESCRIBED {
        let changelog = "# Changelog\n\n## [Unreleased]\n";
        assert_eq!(found(changed, changelog, None, "0.1.0"), Vec::<String>::new());
        let unfounded = format!("api/release: {} is of no release", changed.released);
        assert_eq!(found(changed, changelog, Some(&description()), "0.1.0"), [unfounded]);
    }
}
