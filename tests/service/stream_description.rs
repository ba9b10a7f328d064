//! The documents for those who publish on NATS: they are what the code says, and say what the parser does.

use nearline::http::description::{event_schema, stream_document};
use nearline_model::{Event, EventKind};
use serde_json::{Value, json};

fn held(name: &str, made: &Value) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(name);
    let said = format!("{}\n", serde_json::to_string_pretty(made).expect("JSON"));
    if std::env::var_os("NEARLINE_WRITE_DOCS").is_some() {
        std::fs::write(&file, &said).expect("written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == said,
        "openapi/{name} is not what the code says now; run this test with NEARLINE_WRITE_DOCS=1"
    );
}

#[test]
fn the_description_of_the_stream_is_what_the_code_says() {
    held("event.schema.json", &event_schema());
    held("events.asyncapi.json", &stream_document());
}

/// What the schema says of events of a type: the fields needed, and whether a value may be.
fn rule(schema: &Value, kind: EventKind) -> (Vec<String>, Value) {
    let rules = schema["allOf"].as_array().expect("rules");
    let rule = rules.iter().find(|rule| rule["if"]["properties"]["type"]["const"] == kind.name());
    let then = rule.map_or(Value::Null, |rule| rule["then"].clone());
    let names = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    ([names(&schema["required"]), names(&then["required"])].concat(), then["properties"]["value"].clone())
}

fn may_be(values: &Value, value: f64) -> bool {
    let within = |bounds: &Value| {
        bounds["const"].as_f64().is_none_or(|one| one == value)
            && bounds["minimum"].as_f64().is_none_or(|least| value >= least)
            && bounds["maximum"].as_f64().is_none_or(|most| value <= most)
    };
    match (values["enum"].as_array(), values["anyOf"].as_array()) {
        (Some(list), _) => list.iter().any(|one| one.as_f64() == Some(value)),
        (_, Some(list)) => list.iter().any(within),
        _ => true,
    }
}

#[test]
fn the_parser_takes_what_the_schema_allows_and_nothing_less() {
    let schema = event_schema();
    let parse = |event: &Value| Event::parse(event.to_string().as_bytes(), 65_536).map(drop);
    for kind in EventKind::ALL {
        let (needed, values) = rule(&schema, kind);
        let mut least = json!({});
        for field in &needed {
            least[field] = match field.as_str() {
                "type" => kind.name().into(),
                "at" => "2026-03-01T20:15:00Z".into(),
                "watched_s" | "value" => 1.into(),
                _ => "x1".into(),
            };
        }
        assert!(parse(&least).is_ok(), "{least}: {:?}", parse(&least));
        for field in &needed {
            let mut without = least.clone();
            without.as_object_mut().expect("an object").remove(field);
            assert!(parse(&without).is_err(), "{field} is needed: {without}");
        }
        if values.is_null() {
            continue;
        }
        for quarter in -12..=28 {
            let value = f64::from(quarter) / 4.0;
            least["value"] = json!(value);
            assert_eq!(parse(&least).is_ok(), may_be(&values, value), "{least}");
        }
    }
}
