//! Names of spans, as W3C Trace Context writes them: `00-<trace>-<span>-<flags>`.

use bytes::Bytes;
use memchr::memmem;
use std::fmt;
use std::ops::RangeInclusive;

/// Which span of which trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace; not 0.
    pub trace: u128,
    /// The span; not 0.
    pub span: u64,
    /// Whether it is recorded: if not, nothing that belongs to it is.
    pub sampled: bool,
}

/// Characters of the form that every version begins with.
const LENGTH: usize = 55;
/// The field of an event, as it stands in JSON.
const FIELD: &[u8] = b"\"traceparent\"";

impl TraceContext {
    /// Reads a header or a field; `None`: it is none, and to be ignored, as the standard has it.
    pub fn parse(text: &str) -> Option<Self> {
        let (fixed, rest) = text.trim().split_at_checked(LENGTH)?;
        let part = |range: RangeInclusive<usize>| {
            let part = fixed.get(range)?;
            let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            is_hex.then_some(part)
        };
        let number = |range| u128::from_str_radix(part(range)?, 16).ok();
        let version = number(0..=1)?;
        let (trace, span, flags) = (number(3..=34)?, number(36..=51)?, number(53..=54)?);
        let dashes = [2, 35, 52].iter().all(|at| fixed.as_bytes()[*at] == b'-');
        let is_known =
            version == 0 && rest.is_empty() || version > 0 && (rest.is_empty() || rest.starts_with('-'));
        let is_one = dashes && is_known && version != 0xff && trace != 0 && span != 0;
        is_one.then_some(Self { trace, span: span as u64, sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// The trace that an event carries in its field `traceparent`, whether it is sampled or not.
pub fn carried_by(payload: &[u8]) -> Option<TraceContext> {
    let behind = &payload[memmem::find(payload, FIELD)? + FIELD.len()..];
    let value = behind.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', value)?;
    TraceContext::parse(std::str::from_utf8(&value[..end]).ok()?)
}

/// The event with the field `traceparent`. One that has the field, that is no object, or that would be longer than
/// `event_bytes`, stays as it is.
pub fn carrying(payload: Bytes, context: TraceContext, event_bytes: usize) -> Bytes {
    let field = format!("{{\"traceparent\":\"{context}\",");
    let rest = payload.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    match rest {
        Some(rest)
            if rest.first() == Some(&b'"')
                && field.len() + rest.len() <= event_bytes
                && memmem::find(rest, FIELD).is_none() =>
        {
            [field.as_bytes(), rest].concat().into()
        }
        _ => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_and_written_and_what_is_none_is_ignored() {
        let context = TraceContext::parse(TEXT).expect("it is one");
        assert_eq!((context.trace >> 64, context.span), (0x4bf92f3577b34da6, 0x00f067aa0ba902b7));
        assert!(context.sampled);
        assert_eq!(context.to_string(), TEXT);
        let changed = |at: usize, with: &str| {
            let mut text = TEXT.to_owned();
            text.replace_range(at..at + with.len(), with);
            TraceContext::parse(&text)
        };
        assert!(changed(53, "00").is_some_and(|context| !context.sampled));
        assert!(changed(0, "cc").is_some(), "of a later version");
        assert!(TraceContext::parse(&format!("cc{}-more", &TEXT[2..])).is_some());
        for none in [changed(0, "ff"), changed(3, "G"), changed(4, "B"), changed(2, "_"), changed(53, "é")] {
            assert_eq!(none, None);
        }
        assert_eq!(changed(3, &"0".repeat(32)), None, "no trace");
        assert_eq!(changed(36, &"0".repeat(16)), None, "no span");
        for none in ["", "00", &TEXT[1..], &format!("{TEXT}-more"), &format!("{TEXT}0")] {
            assert_eq!(TraceContext::parse(none), None, "{none}");
        }
    }

    #[test]
    fn an_event_carries_a_trace_and_one_that_has_one_keeps_it() {
        let context = TraceContext::parse(TEXT).expect("it is one");
        let event = |text: &'static str| carrying(Bytes::from_static(text.as_bytes()), context, 200);
        let carried = event(r#" { "id":"e1","type":"play"}"#);
        assert_eq!(carried, format!(r#"{{"traceparent":"{TEXT}","id":"e1","type":"play"}}"#));
        assert_eq!(carried_by(&carried), Some(context));
        let other =
            r#"{"id":"e1","traceparent" : "00-00000000000000000000000000000001-0000000000000002-00"}"#;
        assert_eq!(event(other), other);
        let found = carried_by(other.as_bytes()).expect("it has one");
        assert_eq!((found.trace, found.span, found.sampled), (1, 2, false));
        for kept in ["{}", "[1]", "play", "{}x", ""] {
            assert_eq!(event(kept), kept);
        }
        let long = Bytes::from(format!(r#"{{"id":"{}"}}"#, "x".repeat(180)));
        assert_eq!(carrying(long.clone(), context, 200), long, "it would be too long");
        for none in [r#"{"id":"\"traceparent\":"}"#, r#"{"traceparent":7}"#, r#"{"traceparent":"x"}"#] {
            assert_eq!(carried_by(none.as_bytes()), None, "{none}");
        }
    }
}
