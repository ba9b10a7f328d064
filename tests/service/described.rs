//! Holds answers against a description: required fields are there, those that are there are described, and of the type that is said.

use serde_json::{Map, Value};

/// Checks that `value` is as `schema` of `document` says.
pub fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(reference.trim_start_matches('#')).expect("a known schema");
        return check(document, found, value, at);
    }
    if let Some(kinds) = schema["oneOf"].as_array() {
        return check(document, one_of(kinds, value, at), value, at);
    }
    check_type(schema, value, at);
    if let Some(items) = value.as_array() {
        assert!(schema["items"].is_object(), "{at}: a list where {schema} is documented");
        for (n, item) in items.iter().enumerate() {
            check(document, &schema["items"], item, &format!("{at}[{n}]"));
        }
    }
    let Some(value) = value.as_object() else { return };
    let mut known = Map::new();
    let mut parts = vec![schema];
    while let Some(part) = parts.pop() {
        if let Some(reference) = part["$ref"].as_str() {
            parts.push(document.pointer(reference.trim_start_matches('#')).expect("a known schema"));
        }
        parts.extend(part["allOf"].as_array().into_iter().flatten());
        for name in part["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            assert!(value.contains_key(name), "{at}: `{name}` is required and absent");
        }
        known.extend(part["properties"].as_object().cloned().unwrap_or_default());
    }
    let others = &schema["additionalProperties"];
    let is_open = others == true || at.contains("openapi") || is_problem(&known);
    for (name, value) in value {
        match known.get(name) {
            Some(schema) => check(document, schema, value, &format!("{at}.{name}")),
            None if others.is_object() => check(document, others, value, &format!("{at}.{name}")),
            None => assert!(is_open, "{at}: `{name}` is not documented"),
        }
    }
}

/// The schema that is meant: nothing, or something, or one of several kinds that say which they are.
fn one_of<'a>(kinds: &'a [Value], value: &Value, at: &str) -> &'a Value {
    let is_nothing = |kind: &&Value| kind["type"] == "null";
    let found = match kinds.iter().any(|kind| is_nothing(&kind)) {
        true => kinds.iter().find(|kind| is_nothing(kind) == value.is_null()),
        false => kinds.iter().find(|kind| kind["properties"]["kind"]["enum"][0] == value["kind"]),
    };
    found.unwrap_or_else(|| panic!("{at}: {value} is of no documented kind"))
}

/// Checks the type and, where they are told, the words.
fn check_type(schema: &Value, value: &Value, at: &str) {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let takes = |kind: &Value| kind == is || (kind == "number" && is == "integer");
    match &schema["type"] {
        // Parts are put together, or anything goes.
        Value::Null => {}
        Value::Array(kinds) => assert!(kinds.iter().any(takes), "{at}: {value} is none of {kinds:?}"),
        kind => assert!(takes(kind), "{at}: {value} is no {kind}"),
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value} is none of {words:?}");
    }
}

/// Problem documents may have more members than are documented (RFC 9457, section 3.2).
fn is_problem(properties: &Map<String, Value>) -> bool {
    ["type", "title", "status", "detail"].iter().all(|name| properties.contains_key(*name))
}
