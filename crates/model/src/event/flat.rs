//! A fast way through payloads of the common shape: one flat JSON object whose strings have no escapes
//! and whose numbers are short.
//!
//! It reads nothing that `serde_json` would not read the same way: at the first thing out of the
//! common (escapes, control characters, exponents, `null`, nesting, a field twice, anything malformed) it
//! gives up, and the full parser decides. So it needs no errors of its own.

use super::Payload;

/// Most digits of a number read here, in all: what a `f64` holds exactly, as it does the power of ten that they are divided by,
/// so that the fraction is rounded correctly (Clinger: "How to Read Floating Point Numbers Accurately", PLDI 1990).
/// `serde_json` divides the same two, where its features `float_roundtrip` and `arbitrary_precision` are off.
const MAX_DIGITS: usize = 15;

/// Ten to the power of so many digits behind the point; one at least stands before it.
const POWERS: [f64; MAX_DIGITS] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14];

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
pub(super) fn read(text: &str) -> Option<Payload<&str>> {
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
            (named::ID | named::MEMBER, Value::Number(_)) => return None,
            _ => {}
        }
        (id.is_none() || member.is_none()).then_some(())
    });
    Some((id?, member?))
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    Number(Number),
}

/// A whole number, over a power of ten.
#[derive(Clone, Copy)]
struct Number {
    digits: i64,
    /// Digits behind the point; `None`: there is no point.
    fraction: Option<usize>,
}

impl Number {
    #[inline]
    fn value(self) -> f64 {
        self.digits as f64 / POWERS[self.fraction.unwrap_or_default()]
    }
}

impl<'a> Payload<&'a str> {
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
                *field = Some(text);
            }
            Value::Number(number) => {
                let field = match name {
                    named::POSITION if self.position.is_none() && number.fraction.is_none() => {
                        self.position = Some(u32::try_from(number.digits).ok()?);
                        return Some(());
                    }
                    named::PROPENSITY if self.propensity.is_none() => {
                        self.propensity = Some(number.value() as f32);
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
                *field = Some(number.value());
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
            _ => Value::Number(cursor.number()?),
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

    /// A number of a few digits, with or without sign and fraction; no leading zero.
    #[inline]
    fn number(&mut self) -> Option<Number> {
        let is_negative = self.peek()? == b'-';
        self.at += usize::from(is_negative);
        let from = self.at;
        let whole = self.digits(0);
        let length = self.at - from;
        let (mut digits, mut fraction) = (whole, None);
        if self.text.as_bytes().get(self.at) == Some(&b'.') {
            self.at += 1;
            let from = self.at;
            digits = self.digits(whole);
            fraction = Some(self.at - from);
        }
        let all = length + fraction.unwrap_or_default();
        let leading_zero = length > 1 && self.text.as_bytes()[from] == b'0';
        // −0 is not the 0 that it would be here.
        if length == 0
            || fraction == Some(0)
            || all > MAX_DIGITS
            || leading_zero
            || is_negative && digits == 0
        {
            return None;
        }
        Some(Number { digits: if is_negative { -digits } else { digits }, fraction })
    }

    /// Digits from here on behind those of `number`. It wraps: more than [`MAX_DIGITS`] are refused afterwards.
    #[inline]
    fn digits(&mut self, mut number: i64) -> i64 {
        while let Some(digit) = self.text.as_bytes().get(self.at).filter(|byte| byte.is_ascii_digit()) {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Text, json_payload};
    use super::*;
    use proptest::prelude::*;
    use std::borrow::Cow;

    const COMMON: &str = r#"{"id":"e1","type":"impression","member":"m1","title":"t1","at":"2026-03-01T20:15:00.250Z","request":"r1","row":"top","position":3,"country":"BR","device":"tv"}"#;

    /// What is read here, as the full parser gives it.
    fn read(text: &str) -> Option<Payload<Text<'_>>> {
        let read = super::read(text)?;
        let text = |text: Option<_>| text.map(|text| Text(Cow::Borrowed(text)));
        Some(Payload {
            id: text(read.id),
            kind: text(read.kind),
            member: text(read.member),
            title: text(read.title),
            at: text(read.at),
            request: text(read.request),
            row: text(read.row),
            position: read.position,
            artwork: text(read.artwork),
            propensity: read.propensity,
            segment: text(read.segment),
            country: text(read.country),
            device: text(read.device),
            watched_s: read.watched_s,
            duration_s: read.duration_s,
            value: read.value,
        })
    }

    fn agrees(text: &str) -> Result<(), TestCaseError> {
        if let Some(fast) = read(text) {
            let full = json_payload(text);
            prop_assert!(full.as_ref().is_ok_and(|full| *full == fast), "{text}: {full:?}, read {fast:?}");
            let bits = |payload: &Payload<Text<'_>>| {
                let numbers = [payload.watched_s, payload.duration_s, payload.value];
                (numbers.map(|number| number.map(f64::to_bits)), payload.propensity.map(f32::to_bits))
            };
            prop_assert_eq!(full.as_ref().ok().map(bits), Some(bits(&fast)));
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
        // The first lies between two `f32` by so little that a `f64` does not tell.
        for fractions in [
            r#"{"propensity":1.00000017881393,"watched_s":-12.050,"duration_s":0.0,"x":1.5}"#,
            r#"{"watched_s":123456789012345,"duration_s":0.12345678901234,"value":9007199254740.99}"#,
        ] {
            assert!(read(fractions).is_some());
            agrees(fractions).expect("as the full parser reads it");
        }
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
            r#"{"watched_s":1.}"#,
            r#"{"watched_s":.5}"#,
            r#"{"watched_s":00.5}"#,
            r#"{"watched_s":-0.0}"#,
            r#"{"watched_s":1.5e3}"#,
            r#"{"watched_s":1.2.3}"#,
            r#"{"propensity":0.5,"propensity":0.5}"#,
            r#"{"x":1234567890123456}"#,
            r#"{"x":1.234567890123456}"#,
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
            field in prop::sample::select(vec!["position", "watched_s", "value", "propensity", "unknown", "id"]),
            number in "-?[0-9]{1,12}([.][0-9]{0,17})?(e-?[0-9])?",
        ) {
            agrees(&format!(r#"{{"{field}":{number}}}"#))?;
        }
    }
}
