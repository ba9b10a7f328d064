//! What the macros do not say: bounds of parameters and fields, as the handlers and the fold hold them.
//!
//! One table by name, since a name means the same on every route.

use crate::http::asked::MAX_NAMED;
use crate::http::routes::public_routes;
use nearline_config::Scope;
use nearline_ranking::page::MAX_ROWS;
use serde_json::{Map, Value, json};
use utoipa::Modify;
use utoipa::openapi::OpenApi;

/// Ids of members, titles, events, artworks, devices, rows.
const ID: &str = "^[A-Za-z0-9_-]{1,64}$";
/// Up to 64 bytes: so many letters of ASCII, a quarter of any.
const GENRE: &str = r"^([ -~]{1,64}|[\s\S]{1,16})$";
const COUNTRY: &str = "^[A-Z]{2}$";

/// Tightens the document.
pub(super) struct Strict;

impl Modify for Strict {
    fn modify(&self, openapi: &mut OpenApi) {
        let mut document = serde_json::to_value(&*openapi).expect("a document is JSON");
        let paths = document["paths"].as_object_mut().expect("paths");
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
                let bounds = of_parameter(parameter["name"].as_str().unwrap_or_default());
                merge(&mut parameter["schema"], bounds);
            }
        }
        keyed(&mut document);
        let schemas = &mut document["components"]["schemas"];
        let bounded = [
            ("EventDocument", event()),
            ("OrderRequest", order()),
            ("TitleDocument", title()),
            ("TitlePatch", title()),
        ];
        for (schema, fields) in bounded {
            for (field, bounds) in fields {
                // A patch has no id.
                if let Some(property) = schemas[schema]["properties"].get_mut(field) {
                    merge(property, bounds);
                }
            }
        }
        // An event may have more fields, which are kept; of a title a misspelt one is refused.
        merge(&mut schemas["TitleDocument"], json!({ "additionalProperties": false }));
        merge(&mut schemas["TitlePatch"], json!({ "additionalProperties": false }));
        schemas["TitleBody"] = without_id(schemas["TitleDocument"].clone());
        schemas["PublishProblem"] = with_results(&schemas["Problem"], &schemas["EventsAnswer"]);
        document["paths"]["/v1/events"]["post"]["responses"]["503"]["content"]["application/problem+json"]
            ["schema"] = json!({ "$ref": "#/components/schemas/PublishProblem" });
        let body = |method: &str| format!("/{method}/requestBody/content/application~1json/schema");
        for (path, method) in [("/v1/events", "post"), ("/v1/titles", "post")] {
            // The default of `http.max_events_per_request`.
            let entries = json!({ "minItems": 1, "maxItems": 10_000 });
            merge(document["paths"][path].pointer_mut(&body(method)).expect("a body"), entries);
        }
        let beacon = "/post/requestBody/content/text~1plain/schema";
        let beacon = document["paths"]["/v1/events"].pointer_mut(beacon).expect("a body");
        merge(beacon, json!({ "pattern": "^\\s*\\{" }));
        let put = document["paths"]["/v1/titles/{id}"].pointer_mut(&body("put")).expect("a body");
        *put = json!({ "$ref": "#/components/schemas/TitleBody" });
        *openapi = serde_json::from_value(document).expect("only known keywords were added");
    }
}

/// Keys: what a caller shows, what for, and the answers to those who may not. A Nearline without keys asks for none, which is
/// what the empty requirement says.
fn keyed(document: &mut Value) {
    for route in public_routes() {
        if route.needs.is_empty() {
            continue;
        }
        let method = route.method.as_str().to_lowercase();
        ask_for_key(&mut document["paths"][route.path][method], route.needs);
    }
    let key = "`nearline key new` makes keys; of scopes `publish`, `query`, `catalogue`, or `admin` for all of them";
    document["components"]["securitySchemes"] = bearer(key);
}

/// How a key is shown.
pub(super) fn bearer(description: &str) -> Value {
    json!({ "key": { "type": "http", "scheme": "bearer", "description": description } })
}

/// A response that is a problem document.
pub(super) fn problem(description: &str) -> Value {
    json!({
        "description": description,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
    })
}

/// An operation for keys of one of the scopes `needs`, and the answers to those who may not.
pub(super) fn ask_for_key(operation: &mut Value, needs: &[Scope]) {
    let keys = needs.iter().map(|needs| json!({ "key": [needs.name()] }));
    operation["security"] = std::iter::once(json!({})).chain(keys).collect();
    let responses = operation["responses"].as_object_mut().expect("responses");
    responses.insert("401".into(), problem("No key was shown, or it is not known, or it has ended"));
    also(responses, "403", "The key is not for this");
    responses.entry("429").or_insert_with(|| problem("More requests a second than the key is for"));
}

/// One more reason for a status that is a problem.
pub(super) fn also(responses: &mut Map<String, Value>, status: &str, why: &str) {
    let known = responses.remove(status);
    let known = known.map_or(String::new(), |known| {
        format!(". Or: {}", known["description"].as_str().unwrap_or_default())
    });
    responses.insert(status.to_owned(), problem(&format!("{why}{known}")));
}

/// A title as it is put: its id is in the path.
fn without_id(mut title: Value) -> Value {
    title["properties"].as_object_mut().expect("fields").remove("id");
    title["required"].as_array_mut().expect("a list").retain(|field| field != "id");
    title["description"] =
        "A title as it is put. Its id is in the path; where the body has one, too, it is the same.".into();
    title
}

/// A problem that says of each event what became of it, unless the request failed as a whole.
fn with_results(problem: &Value, answer: &Value) -> Value {
    let mut fields = answer["properties"].clone();
    fields["unavailable"] =
        json!({ "type": "integer", "minimum": 0, "description": "Events that the log did not acknowledge." });
    let mut schema = problem.clone();
    schema["allOf"].as_array_mut().expect("parts").push(json!({ "type": "object", "properties": fields }));
    schema["description"] =
        "The log did not acknowledge some events. `results` says what became of each; absent where none was tried.".into();
    schema
}

fn merge(schema: &mut Value, bounds: Value) {
    if let (Some(schema), Value::Object(bounds)) = (schema.as_object_mut(), bounds) {
        schema.extend(bounds);
    }
}

fn of_parameter(name: &str) -> Value {
    match name {
        "id" | "device" => json!({ "pattern": ID }),
        "country" => json!({ "pattern": COUNTRY }),
        "exclude" => json!({ "pattern": "^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64})*$" }),
        // The default of `http.max_limit`.
        "limit" => json!({ "maximum": 200 }),
        "rows" => json!({ "maximum": MAX_ROWS }),
        "max_maturity" => json!({ "maximum": 120 }),
        "cursor" => json!({ "pattern": "^[A-Za-z0-9_-]+$" }),
        "filter" | "boost" => json!({ "minLength": 1 }),
        "by" => json!({ "enum": ["likeness", "next"] }),
        _ => Value::Null,
    }
}

fn event() -> Vec<(&'static str, Value)> {
    let id = || json!({ "pattern": ID });
    let seconds = || json!({ "minimum": 0, "maximum": 10_000_000 });
    let kinds = ["impression", "play", "progress", "thumb", "rating", "list_add", "list_remove", "forget"];
    vec![
        ("id", id()),
        ("type", json!({ "enum": kinds })),
        ("member", id()),
        ("title", id()),
        ("at", json!({ "format": "date-time" })),
        ("request", id()),
        ("row", id()),
        ("artwork", id()),
        ("propensity", json!({ "exclusiveMinimum": 0, "maximum": 1 })),
        ("segment", id()),
        ("country", json!({ "pattern": COUNTRY })),
        ("device", id()),
        ("watched_s", seconds()),
        ("duration_s", seconds()),
        ("value", json!({ "minimum": -1, "maximum": 5 })),
    ]
}

fn order() -> Vec<(&'static str, Value)> {
    let ids = json!({ "type": "string", "pattern": ID });
    vec![("titles", json!({ "maxItems": MAX_NAMED, "items": ids }))]
}

fn title() -> Vec<(&'static str, Value)> {
    vec![
        ("id", json!({ "pattern": ID })),
        ("name", json!({ "maxLength": 1_024 })),
        ("genres", json!({ "maxItems": 64, "items": { "type": "string", "pattern": GENRE } })),
        ("year", json!({ "maximum": u16::MAX })),
        ("maturity", json!({ "maximum": u8::MAX })),
        ("countries", json!({ "maxItems": 256, "items": { "type": "string", "pattern": COUNTRY } })),
        ("artworks", json!({ "maxItems": 256, "items": { "type": "string", "pattern": ID } })),
    ]
}
