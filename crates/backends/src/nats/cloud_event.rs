//! CloudEvents in binary mode: attributes are headers of the message, and its payload is the data.
//!
//! What an event must have and its data lack is taken from there: `ce-id` is the id, `ce-time` is when it happened. What the data have
//! counts. The log keeps headers, so that a record reads the same whenever it is read.

use async_nats::HeaderMap;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Headers, and the fields that they stand for.
const ATTRIBUTES: [(&str, &str); 2] = [("ce-id", "id"), ("ce-time", "at")];

#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    id: Option<IgnoredAny>,
    #[serde(default)]
    at: Option<IgnoredAny>,
}

/// The event of a message: its payload, with what only its headers have.
pub(super) fn event_of(headers: Option<&HeaderMap>, payload: Bytes) -> Bytes {
    match headers.filter(|headers| headers.get(ATTRIBUTES[0].0).is_some()) {
        Some(headers) => completed(headers, &payload).unwrap_or(payload),
        None => payload,
    }
}

fn completed(headers: &HeaderMap, payload: &[u8]) -> Option<Bytes> {
    let known: Known = serde_json::from_slice(payload).ok()?;
    let fields = payload.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
    let mut event = vec![b'{'];
    for ((header, field), is_known) in ATTRIBUTES.into_iter().zip([known.id.is_some(), known.at.is_some()]) {
        let Some(value) = headers.get(header).filter(|_| !is_known) else { continue };
        // The protocol encodes what a header may not have. Text that is not UTF-8 is no attribute.
        let value = percent_decode_str(value.as_str()).decode_utf8().ok()?;
        event.extend_from_slice(format!("\"{field}\":{},", serde_json::Value::from(&*value)).as_bytes());
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
        let event = event_of(Some(&map), Bytes::copy_from_slice(payload.as_bytes()));
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
        assert_eq!(event_of(None, payload.clone()), payload);
    }
}
