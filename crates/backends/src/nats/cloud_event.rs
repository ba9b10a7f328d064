//! CloudEvents in binary mode: attributes are headers of the message, and its payload is the data.
//!
//! What an event must have and its data lack is taken from there: `ce-id` is the id, `ce-time` is when it happened. What the data have
//! counts. The log keeps headers, so that a record reads the same whenever it is read. Of any message the header `traceparent` is
//! taken, too, if its trace is recorded.

use async_nats::{HeaderMap, HeaderName};
use bytes::Bytes;
use nearline_ports::trace::{TraceContext, carrying};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Headers, and the fields that they stand for.
const ATTRIBUTES: [(HeaderName, &str); 2] =
    [(HeaderName::from_static("ce-id"), "id"), (HeaderName::from_static("ce-time"), "at")];
const TRACE: HeaderName = HeaderName::from_static("traceparent");

#[derive(Deserialize)]
struct Known {
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    at: Option<Value>,
}

/// A field that is there, be it null.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The event of a message: its payload, with what only its headers have. A trace is left out where the event with it
/// would be longer than `event_bytes`.
pub(super) fn event_of(headers: Option<&HeaderMap>, payload: Bytes, event_bytes: usize) -> Bytes {
    let Some(headers) = headers else { return payload };
    let [(id, _), _] = ATTRIBUTES;
    let event = match headers.get(id) {
        Some(_) => completed(headers, &payload).unwrap_or(payload),
        None => payload,
    };
    let trace = headers.get(TRACE).and_then(|value| TraceContext::parse(value.as_str()));
    match trace.filter(|trace| trace.sampled) {
        Some(trace) => carrying(event, trace, event_bytes),
        None => event,
    }
}

fn completed(headers: &HeaderMap, payload: &[u8]) -> Option<Bytes> {
    let known: Known = serde_json::from_slice(payload).ok()?;
    if [&known.id, &known.at].contains(&&Some(Value::Null)) {
        // Null is as good as absent, and a field may be there once.
        let mut fields: Map<String, Value> = serde_json::from_slice(payload).ok()?;
        fields.retain(|name, value| !value.is_null() || !["id", "at"].contains(&name.as_str()));
        return completed(headers, &serde_json::to_vec(&fields).ok()?);
    }
    let fields = payload.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
    let mut event = vec![b'{'];
    for ((header, field), is_known) in ATTRIBUTES.into_iter().zip([known.id.is_some(), known.at.is_some()]) {
        let Some(value) = headers.get(header).filter(|_| !is_known) else { continue };
        // The protocol encodes what a header may not have. Text that is not UTF-8 is no attribute.
        let value = percent_decode_str(value.as_str()).decode_utf8().ok()?;
        event.extend_from_slice(format!("\"{field}\":{},", Value::from(&*value)).as_bytes());
    }
    if fields.first() == Some(&b'}') && event.len() > 1 {
        event.pop();
    }
    event.extend_from_slice(fields);
    Some(event.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(headers: &[(&str, &str)], payload: &str) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let event = event_of(Some(&map), Bytes::copy_from_slice(payload.as_bytes()), 200);
        String::from_utf8(event.to_vec()).expect("UTF-8")
    }

    #[test]
    fn what_the_data_lack_comes_from_the_headers_and_what_they_have_stays() {
        let both = [("ce-id", "e1"), ("ce-time", "2026-03-01T20:15:00Z")];
        for (headers, payload, expected) in [
            (&both[..], r#" { "type":"play"}"#, r#"{"id":"e1","at":"2026-03-01T20:15:00Z","type":"play"}"#),
            (
                &both,
                r#"{"id":"own","type":"play"}"#,
                r#"{"at":"2026-03-01T20:15:00Z","id":"own","type":"play"}"#,
            ),
            (&both, r#"{"at":"x","id":"own"}"#, r#"{"at":"x","id":"own"}"#),
            (&both, r#"{"id":null,"at":"x"}"#, r#"{"id":"e1","at":"x"}"#),
            (&both, r#"{"at":null,"id":null}"#, r#"{"id":"e1","at":"2026-03-01T20:15:00Z"}"#),
            (&both[..1], "{}", r#"{"id":"e1"}"#),
            (&[("ce-id", "a%22b")], r#"{"type":"play"}"#, r#"{"id":"a\"b","type":"play"}"#),
            (&[("Nats-Msg-Id", "e1")], r#"{"type":"play"}"#, r#"{"type":"play"}"#),
            (&both, "play,m1", "play,m1"),
            (&both, r#"["e1"]"#, r#"["e1"]"#),
            (&both, r#"{"id":"a","id":"b"}"#, r#"{"id":"a","id":"b"}"#),
        ] {
            assert_eq!(event(headers, payload), expected, "{payload}");
        }
        let payload = Bytes::from_static(b"{}");
        assert_eq!(event_of(None, payload.clone(), 200), payload);
    }

    #[test]
    fn a_recorded_trace_comes_along_unless_the_event_has_one_or_no_room_for_it() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let carried = event(&[("traceparent", trace), ("ce-id", "e1")], r#"{"type":"play"}"#);
        assert_eq!(carried, format!(r#"{{"traceparent":"{trace}","id":"e1","type":"play"}}"#));
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(180));
        for kept in [r#"{"traceparent":"own"}"#, &long, "play"] {
            assert_eq!(event(&[("traceparent", trace)], kept), kept);
        }
        let plain = r#"{"type":"play"}"#;
        for none in [format!("{}00", &trace[..53]), "x".to_owned()] {
            assert_eq!(event(&[("traceparent", &none)], plain), plain, "{none}");
        }
    }
}
