//! The stream of events, for those who publish on NATS: a JSON Schema of the event, and an AsyncAPI document around it.
//!
//! What each type of event needs is asked of the parser itself.

use nearline_model::{Event, EventKind, RejectReason};
use serde_json::{Map, Value, json};

/// Far above what an event here has.
const MOST_BYTES: usize = 65_536;

/// JSON Schema (2020-12) of an event.
pub(super) fn event_schema(event: &Value) -> Value {
    let mut schema = self::event(event);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Event".into();
    schema
}

/// The event as HTTP has it, with what its type needs.
fn event(event: &Value) -> Value {
    let mut schema = event.clone();
    let rules = EventKind::ALL.into_iter().filter_map(|kind| {
        let mut then = Map::new();
        let needs = needed(kind);
        if !needs.is_empty() {
            then.insert("required".into(), json!(needs));
        }
        if let Some(values) = values(kind) {
            then.insert("properties".into(), json!({ "value": values }));
        }
        let is = json!({ "properties": { "type": { "const": kind.name() } }, "required": ["type"] });
        (!then.is_empty()).then(|| json!({ "if": is, "then": then }))
    });
    schema["allOf"] = rules.collect();
    schema
}

/// Fields without which the parser takes no event of `kind`, beside those that every event needs.
fn needed(kind: EventKind) -> Vec<&'static str> {
    let whole = json!({
        "id": "e1", "type": kind.name(), "member": "m1", "title": "t1", "at": "2026-03-01T20:15:00Z", "request": "r1",
        "row": "top", "position": 0, "artwork": "a1", "propensity": 0.5, "segment": "s1", "country": "BR", "device": "tv",
        "watched_s": 60, "duration_s": 600, "value": 1,
    });
    let fields = [
        "title",
        "request",
        "row",
        "position",
        "artwork",
        "propensity",
        "segment",
        "country",
        "device",
        "watched_s",
        "duration_s",
        "value",
    ];
    let is_needed = |field: &&str| {
        let mut without = whole.clone();
        without.as_object_mut().expect("an object").remove(*field);
        let payload = without.to_string();
        Event::parse(payload.as_bytes(), MOST_BYTES)
            .is_err_and(|reject| reject.reason == RejectReason::MissingField)
    };
    fields.into_iter().filter(is_needed).collect()
}

/// What `value` may be, where the type says.
fn values(kind: EventKind) -> Option<Value> {
    match kind {
        EventKind::Thumb => Some(json!({ "enum": [-1, 0, 1, 2] })),
        EventKind::Rating => Some(json!({ "anyOf": [{ "const": 0 }, { "minimum": 0.5, "maximum": 5 }] })),
        _ => None,
    }
}

/// AsyncAPI 3 document of the stream that publishers send to.
pub(super) fn stream_document(event: &Value) -> Value {
    let event = self::event(event);
    let mut data = event.clone();
    data["required"] = json!(["type", "member"]);
    data["description"] =
        "An event; `id` and `at` may be those of the attributes `ce-id` and `ce-time`.".into();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Nearline: the stream of events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What members do, published by any NATS client with JetStream. Only what is acknowledged is safe.",
            "license": { "name": "Apache-2.0" }
        },
        "defaultContentType": "application/json",
        "servers": {
            "nats": { "host": "127.0.0.1:4222", "protocol": "nats", "description": "NATS with JetStream, 2.10 or newer" }
        },
        "channels": {
            "events": {
                "address": "nearline.events.{member}",
                "description": "The start of the subject is nats.subject_prefix. The server finds the member's partition.",
                "parameters": { "member": { "description": "The member: 1 to 64 of A-Z, a-z, 0-9, _ and -; the event's own `member`" } },
                "messages": {
                    "event": { "$ref": "#/components/messages/event" },
                    "cloudEvent": { "$ref": "#/components/messages/cloudEvent" }
                }
            }
        },
        "operations": {
            "foldEvents": {
                "action": "receive",
                "channel": { "$ref": "#/channels/events" },
                "summary": "Fold what members do, each event once",
                "messages": [{ "$ref": "#/channels/events/messages/event" }, { "$ref": "#/channels/events/messages/cloudEvent" }]
            }
        },
        "components": {
            "messages": messages(),
            "schemas": { "event": event, "data": data }
        }
    })
}

/// Both forms that an event comes in.
fn messages() -> Value {
    let id = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" });
    let headers = json!({
        "type": "object",
        "properties": {
            "Nats-Msg-Id": { "type": "string", "description": "MEMBER/ID: what the stream drops duplicates by" }
        }
    });
    let attributes = json!({
        "type": "object",
        "required": ["ce-specversion", "ce-type", "ce-source", "ce-id"],
        "properties": {
            "ce-specversion": { "type": "string", "const": "1.0" },
            "ce-type": { "type": "string", "description": "Not looked at: the data's `type` counts" },
            "ce-source": { "type": "string", "description": "Not looked at" },
            "ce-id": id.clone(),
            "ce-time": { "type": "string", "format": "date-time" }
        }
    });
    json!({
        "event": {
            "name": "event", "title": "Event", "contentType": "application/json",
            "headers": headers,
            "payload": { "$ref": "#/components/schemas/event" },
            "examples": [{
                "name": "play",
                "payload": { "id": "e1", "type": "play", "member": "m17", "title": "t3", "at": "2026-03-01T20:15:00Z" }
            }]
        },
        "cloudEvent": {
            "name": "cloudEvent", "title": "CloudEvent in binary mode", "contentType": "application/json",
            "headers": attributes,
            "payload": { "$ref": "#/components/schemas/data" },
            "examples": [{
                "name": "play",
                "headers": { "ce-specversion": "1.0", "ce-type": "com.example.played", "ce-source": "/tv", "ce-id": "e1",
                             "ce-time": "2026-03-01T20:15:00Z" },
                "payload": { "type": "play", "member": "m17", "title": "t3" }
            }]
        }
    })
}
