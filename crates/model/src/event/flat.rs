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

/// Names of fields of up to 8 bytes, as they are compared: all at once.
mod named {
    use super::word_of;

    pub const ID: u64 = word_of(b"id");
    pub const TYPE: u64 = word_of(b"type");
    pub const MEMBER: u64 = word_of(b"member");
    pub const TITLE: u64 = word_of(b"title");
    pub const AT: u64 = word_of(b"at");
    pub const REQUEST: u64 = word_of(b"request");
    pub const ROW: u64 = word_of(b"row");
    pub const POSITION: u64 = word_of(b"position");
    pub const ARTWORK: u64 = word_of(b"artwork");
    pub const SEGMENT: u64 = word_of(b"segment");
    pub const COUNTRY: u64 = word_of(b"country");
    pub const DEVICE: u64 = word_of(b"device");
    pub const VALUE: u64 = word_of(b"value");
    /// Longer names, by a number that no short name has: they begin with a control character.
    pub const PROPENSITY: u64 = 1;
    pub const WATCHED: u64 = 2;
    pub const DURATION: u64 = 3;
    pub const UNKNOWN: u64 = 4;
}

/// Up to 8 bytes as a number, the first lowest.
const fn word_of(bytes: &[u8]) -> u64 {
    let (mut word, mut at) = (0, 0);
    while at < bytes.len() {
        word |= (bytes[at] as u64) << (8 * at);
        at += 1;
    }
    word
}

/// The number that a name goes by; `rest` begins with it. Control characters, which strings here do not hold, keep
/// numbers apart.
#[inline]
fn name_word(name: &str, rest: &[u8]) -> u64 {
    match (name.len(), rest.first_chunk()) {
        (length @ 1..=8, Some(word)) => u64::from_le_bytes(*word) & (u64::MAX >> (64 - 8 * length)),
        (1..=8, None) => word_of(name.as_bytes()),
        _ => match name {
            "propensity" => named::PROPENSITY,
            "watched_s" => named::WATCHED,
            "duration_s" => named::DURATION,
            _ => named::UNKNOWN,
        },
    }
}

/// A bit for each of eight bytes that ends an ordinary stretch of a string: quote, backslash, control character.
/// Only the lowest that is set is sure (Warren: "Hacker's Delight", 6-1).
#[inline]
fn ends(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let (quote, backslash) = (word ^ (LOW * b'"' as u64), word ^ (LOW * b'\\' as u64));
    let is_quote = quote.wrapping_sub(LOW) & !quote;
    let is_backslash = backslash.wrapping_sub(LOW) & !backslash;
    let is_control = word.wrapping_sub(LOW * 0x20) & !word;
    (is_quote | is_backslash | is_control) & HIGH
}

/// The payload, if it is of the common shape.
#[inline]
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
            (named::ID, Value::Text(text)) => id = id.or(Some(text)),
            (named::MEMBER, Value::Text(text)) => member = member.or(Some(text)),
            (named::ID | named::MEMBER, Value::Whole(_)) => return None,
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
    fn put(&mut self, name: u64, value: Value<'a>) -> Option<()> {
        match value {
            Value::Text(text) => {
                let field = match name {
                    named::ID => &mut self.id,
                    named::TYPE => &mut self.kind,
                    named::MEMBER => &mut self.member,
                    named::TITLE => &mut self.title,
                    named::AT => &mut self.at,
                    named::REQUEST => &mut self.request,
                    named::ROW => &mut self.row,
                    named::ARTWORK => &mut self.artwork,
                    named::SEGMENT => &mut self.segment,
                    named::COUNTRY => &mut self.country,
                    named::DEVICE => &mut self.device,
                    named::POSITION | named::PROPENSITY | named::WATCHED | named::DURATION | named::VALUE => {
                        return None;
                    }
                    _ => return Some(()),
                };
                if field.is_some() {
                    return None;
                }
                *field = Some(Text(Cow::Borrowed(text)));
            }
            Value::Whole(number) => {
                let field = match name {
                    named::POSITION if self.position.is_none() => {
                        self.position = Some(u32::try_from(number).ok()?);
                        return Some(());
                    }
                    named::WATCHED => &mut self.watched_s,
                    named::DURATION => &mut self.duration_s,
                    named::VALUE => &mut self.value,
                    named::POSITION
                    | named::PROPENSITY
                    | named::ID
                    | named::TYPE
                    | named::MEMBER
                    | named::TITLE
                    | named::AT
                    | named::REQUEST
                    | named::ROW
                    | named::ARTWORK
                    | named::SEGMENT
                    | named::COUNTRY
                    | named::DEVICE => return None,
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
fn walk<'a>(text: &'a str, mut field: impl FnMut(u64, Value<'a>) -> Option<()>) -> Option<()> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect(b'{')?;
    loop {
        let name = cursor.string()?;
        // The name, and its closing quote, end before the cursor.
        let name = name_word(name, &text.as_bytes()[cursor.at - 1 - name.len()..]);
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
        let (from, mut rest) = (self.at, self.text.as_bytes().get(self.at..)?);
        let mut to = from;
        while let Some((word, behind)) = rest.split_first_chunk() {
            let ends = ends(u64::from_le_bytes(*word));
            if ends != 0 {
                to += ends.trailing_zeros() as usize / 8;
                return self.string_until(from, to);
            }
            (to, rest) = (to + 8, behind);
        }
        to += rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
        self.string_until(from, to)
    }

    #[inline]
    fn string_until(&mut self, from: usize, to: usize) -> Option<&'a str> {
        if self.text.as_bytes()[to] != b'"' {
            return None;
        }
        self.at = to + 1;
        self.text.get(from..to)
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
