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
pub(super) fn stream_document(schemas: &Value) -> Value {
    let event = event(&schemas["EventDocument"]);
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
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": messages(),
            "schemas": {
                "event": event,
                "data": data,
                "EventsAnswer": schemas["EventsAnswer"],
                "EventResult": schemas["EventResult"],
                "EventStatus": schemas["EventStatus"],
                "Problem": schemas["Problem"]
            }
        }
    })
}

/// Where publishers send to, and where answers go.
fn channels() -> Value {
    json!({
        "events": {
            "address": "nearline.events.{member}",
            "description": "The start of the subject is nats.subject_prefix. The server finds the member's partition.",
            "parameters": { "member": { "description": "The member: 1 to 64 of A-Z, a-z, 0-9, _ and -; the event's own `member`" } },
            "messages": {
                "event": { "$ref": "#/components/messages/event" },
                "cloudEvent": { "$ref": "#/components/messages/cloudEvent" },
                "block": { "$ref": "#/components/messages/block" }
            }
        },
        "publish": {
            "address": "nearline.publish",
            "description": "Requests of many events, of any members. The start of the subject is nats.subject_prefix. One of the nodes answers.",
            "messages": { "batch": { "$ref": "#/components/messages/batch" } }
        },
        "answers": {
            "address": null,
            "description": "Where the request says.",
            "messages": {
                "results": { "$ref": "#/components/messages/results" },
                "problem": { "$ref": "#/components/messages/problem" }
            }
        }
    })
}

/// What the engine does with what they send.
fn operations() -> Value {
    json!({
        "foldEvents": {
            "action": "receive",
            "channel": { "$ref": "#/channels/events" },
            "summary": "Fold what members do, each event once",
            "messages": [
                { "$ref": "#/channels/events/messages/event" },
                { "$ref": "#/channels/events/messages/cloudEvent" },
                { "$ref": "#/channels/events/messages/block" }
            ]
        },
        "publishEvents": {
            "action": "receive",
            "channel": { "$ref": "#/channels/publish" },
            "summary": "Put many events into the log, and say of each what became of it",
            "messages": [{ "$ref": "#/channels/publish/messages/batch" }],
            "reply": {
                "address": { "location": "$message.header#/reply", "description": "The request's own inbox" },
                "channel": { "$ref": "#/channels/answers" },
                "messages": [{ "$ref": "#/channels/answers/messages/results" }, { "$ref": "#/channels/answers/messages/problem" }]
            }
        }
    })
}

/// The forms that events come in.
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
    let event = json!({
        "name": "event", "title": "Event", "contentType": "application/json",
        "headers": headers,
        "payload": { "$ref": "#/components/schemas/event" },
        "examples": [{
            "name": "play",
            "payload": { "id": "e1", "type": "play", "member": "m17", "title": "t3", "at": "2026-03-01T20:15:00Z" }
        }]
    });
    let cloud_event = json!({
        "name": "cloudEvent", "title": "CloudEvent in binary mode", "contentType": "application/json",
        "headers": attributes,
        "payload": { "$ref": "#/components/schemas/data" },
        "examples": [{
            "name": "play",
            "headers": { "ce-specversion": "1.0", "ce-type": "com.example.played", "ce-source": "/tv", "ce-id": "e1",
                         "ce-time": "2026-03-01T20:15:00Z" },
            "payload": { "type": "play", "member": "m17", "title": "t3" }
        }]
    });
    let [batch, results, problem] = request_messages();
    json!({
        "event": event, "cloudEvent": cloud_event, "block": block(),
        "batch": batch, "results": results, "problem": problem
    })
}

/// Several events in one message.
fn block() -> Value {
    json!({
        "name": "block", "title": "Block of events", "contentType": "application/x-ndjson",
        "summary": "Several events of the member, one a line, where the log takes them (nats.block_events)",
        "headers": { "type": "object", "required": ["Nearline-Events"], "properties": {
            "Nearline-Events": { "type": "string", "pattern": "^[0-9]{1,4}$", "description": "How many: 2 to nats.block_events" },
            "Nats-Msg-Id": { "type": "string", "description": "MEMBER/FIRST ID/LAST ID: what the stream drops the block by if it comes again" }
        } },
        "payload": { "type": "string", "description": "Events, one a line" },
        "examples": [{
            "name": "plays",
            "headers": { "Nearline-Events": "2", "Nats-Msg-Id": "m17/e1/e2" },
            "payload": "{\"id\":\"e1\",\"type\":\"play\",\"member\":\"m17\",\"title\":\"t3\",\"at\":\"2026-03-01T20:15:00Z\"}\n{\"id\":\"e2\",\"type\":\"play\",\"member\":\"m17\",\"title\":\"t4\",\"at\":\"2026-03-01T20:16:00Z\"}"
        }]
    })
}

/// A request to publish, and both kinds of answers.
fn request_messages() -> [Value; 3] {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let batch = json!({
        "name": "batch", "title": "Events to publish", "contentType": "application/json",
        "summary": "An array, a single event, or NDJSON",
        "headers": { "type": "object", "properties": { "Content-Encoding": { "type": "string", "enum": ["gzip", "identity"] } } },
        "payload": { "oneOf": [
            { "type": "array", "minItems": 1, "items": { "$ref": "#/components/schemas/event" } },
            { "$ref": "#/components/schemas/event" }
        ] },
        "examples": [{
            "name": "play",
            "payload": [{ "id": "e1", "type": "play", "member": "m17", "title": "t3", "at": "2026-03-01T20:15:00Z" }]
        }]
    });
    let results = json!({
        "name": "results", "title": "What became of each event", "contentType": "application/json",
        "payload": { "$ref": "#/components/schemas/EventsAnswer" }
    });
    let problem = json!({
        "name": "problem", "title": "Why they were not taken, or not all of them", "contentType": "application/problem+json",
        "headers": { "type": "object", "required": ["Nats-Service-Error", "Nats-Service-Error-Code"], "properties": {
            "Nats-Service-Error": text("The problem's title"),
            "Nats-Service-Error-Code": text("The status that HTTP has for it")
        } },
        "payload": { "$ref": "#/components/schemas/Problem" }
    });
    [batch, results, problem]
}
