//! A fast way through payloads of the common shape: one flat JSON object whose strings have no escapes
//! and whose numbers are whole.
//!
//! It reads nothing that `serde_json` would not read the same way: at the first thing out of the
//! common (escapes, control characters, fractions, `null`, nesting, a field twice, anything malformed) it
//! gives up, and the full parser decides. So it needs no errors of its own.

use super::{Payload, Text};
use std::borrow::Cow;

/// Most digits of a number read here: fewer than what a `f64` holds exactly.
const MAX_DIGITS: usize = 9;

const ORDINARY: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = false;
        byte += 1;
    }
    table[b'"' as usize] = false;
    table[b'\\' as usize] = false;
    table
};

/// The payload, if it is of the common shape.
pub(super) fn read(text: &str) -> Option<Payload<'_>> {
    let mut payload = Payload::default();
    walk(text, |name, value| payload.put(name, value))?;
    Some(payload)
}

/// `id` and `member`, if the payload is of the common shape up to where both are known.
pub(super) fn routing(text: &str) -> Option<(&str, &str)> {
    let (mut id, mut member) = (None, None);
    let _unfinished = walk(text, |name, value| {
        match (name, value) {
            ("id", Value::Text(text)) => id = id.or(Some(text)),
            ("member", Value::Text(text)) => member = member.or(Some(text)),
            ("id" | "member", Value::Whole(_)) => return None,
            _ => {}
        }
        (id.is_none() || member.is_none()).then_some(())
    });
    Some((id?, member?))
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    Whole(i64),
}

impl<'a> Payload<'a> {
    #[inline]
    fn put(&mut self, name: &str, value: Value<'a>) -> Option<()> {
        match value {
            Value::Text(text) => {
                let field = match name {
                    "id" => &mut self.id,
                    "type" => &mut self.kind,
                    "member" => &mut self.member,
                    "title" => &mut self.title,
                    "at" => &mut self.at,
                    "request" => &mut self.request,
                    "row" => &mut self.row,
                    "artwork" => &mut self.artwork,
                    "segment" => &mut self.segment,
                    "country" => &mut self.country,
                    "device" => &mut self.device,
                    "position" | "propensity" | "watched_s" | "duration_s" | "value" => return None,
                    _ => return Some(()),
                };
                if field.is_some() {
                    return None;
                }
                *field = Some(Text(Cow::Borrowed(text)));
            }
            Value::Whole(number) => {
                let field = match name {
                    "position" if self.position.is_none() => {
                        self.position = Some(u32::try_from(number).ok()?);
                        return Some(());
                    }
                    "watched_s" => &mut self.watched_s,
                    "duration_s" => &mut self.duration_s,
                    "value" => &mut self.value,
                    "position" | "propensity" => return None,
                    "id" | "type" | "member" | "title" | "at" | "request" | "row" | "artwork" | "segment"
                    | "country" | "device" => return None,
                    _ => return Some(()),
                };
                if field.is_some() {
                    return None;
                }
                *field = Some(number as f64);
            }
        }
        Some(())
    }
}

/// Goes over the fields of an object of the common shape.
#[inline]
fn walk<'a>(text: &'a str, mut field: impl FnMut(&str, Value<'a>) -> Option<()>) -> Option<()> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect(b'{')?;
    loop {
        let name = cursor.string()?;
        cursor.expect(b':')?;
        let value = match cursor.peek()? {
            b'"' => Value::Text(cursor.string()?),
            _ => Value::Whole(cursor.whole()?),
        };
        field(name, value)?;
        match cursor.peek()? {
            b',' => cursor.at += 1,
            b'}' => break,
            _ => return None,
        }
    }
    cursor.at += 1;
    (cursor.at == text.len()).then_some(())
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte that is no space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while *bytes.get(self.at)? == b' ' {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let length = rest.iter().position(|byte| !ORDINARY[usize::from(*byte)])?;
        if rest[length] != b'"' {
            return None;
        }
        let text = self.text.get(self.at..self.at + length)?;
        self.at += length + 1;
        Some(text)
    }

    /// A whole number without sign of a few digits, or with one; no leading zero.
    #[inline]
    fn whole(&mut self) -> Option<i64> {
        let is_negative = self.peek()? == b'-';
        self.at += usize::from(is_negative);
        let rest = self.text.as_bytes().get(self.at..)?;
        let digits = rest.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
        let leading_zero = rest.first() == Some(&b'0') && (digits > 1 || is_negative);
        if digits == 0 || digits > MAX_DIGITS || leading_zero {
            return None;
        }
        let number = rest[..digits].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        self.at += digits;
        Some(if is_negative { -number } else { number })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Event, json_payload};
    use super::*;
    use proptest::prelude::*;

    const COMMON: &str = r#"{"id":"e1","type":"impression","member":"m1","title":"t1","at":"2026-03-01T20:15:00.250Z","request":"r1","row":"top","position":3,"country":"BR","device":"tv"}"#;

    fn agrees(text: &str) -> Result<(), TestCaseError> {
        if let Some(fast) = read(text) {
            let full = json_payload(text);
            prop_assert!(full.as_ref().is_ok_and(|full| *full == fast), "{text}: {full:?}, read {fast:?}");
            if let Some((id, member)) = routing(text) {
                prop_assert_eq!(Some(id), fast.id.as_ref().map(|id| &*id.0));
                prop_assert_eq!(Some(member), fast.member.as_ref().map(|member| &*member.0));
            }
        }
        Ok(())
    }

    #[test]
    fn the_common_shape_is_read_here() {
        assert_eq!(read(COMMON), json_payload(COMMON).ok());
        assert!(read(COMMON).is_some());
        assert_eq!(routing(COMMON), Some(("e1", "m1")));
        let spaced = r#"{ "id": "e1" , "watched_s": 120, "value": -1, "unknown": "x", "other": 7 }"#;
        assert!(read(spaced).is_some() && read(spaced) == json_payload(spaced).ok());
        assert!(Event::parse(COMMON.as_bytes(), 1_000).is_ok());
    }

    #[test]
    fn everything_else_is_left_to_the_full_parser() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"id":"a\u0062"}"#,
            r#"{"id":null}"#,
            r#"{"id":1}"#,
            r#"{"position":"1"}"#,
            r#"{"position":-1}"#,
            r#"{"position":1.0}"#,
            r#"{"watched_s":1e3}"#,
            r#"{"watched_s":01}"#,
            r#"{"watched_s":-0}"#,
            r#"{"position":1,"position":1}"#,
            r#"{"id":"a","id":"a"}"#,
            r#"{"x":{}}"#,
            r#"{"x":true}"#,
            r#"{"id":"a"}}"#,
            r#"{"id":"a"} "#,
            r#"{"id":"a",}"#,
            r#"{"id":"a""#,
            r#"{"id":"a"#,
            "{\"id\":\"a\n\"}",
            r#"{"propensity":1}"#,
            r#"{"x":12345678901}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_here_the_full_parser_reads_the_same(
            at in 0..COMMON.len(), with in prop::sample::select(vec!["", "\"", "\\", ",", "}", "{", "0", "1", "-", ".", "e", ":", " ", "\n", "é"]), remove in 0..4_usize,
        ) {
            let end = (at + remove).min(COMMON.len());
            agrees(&format!("{}{with}{}", &COMMON[..at], &COMMON[end..]))?;
        }

        #[test]
        fn numbers_are_read_as_the_full_parser_reads_them(
            field in prop::sample::select(vec!["position", "watched_s", "value", "unknown", "id"]), number in "-?[0-9]{1,12}",
        ) {
            agrees(&format!(r#"{{"{field}":{number}}}"#))?;
        }
    }
}
