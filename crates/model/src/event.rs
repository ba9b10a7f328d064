//! The event contract: what publishers send, parsed and validated.
//!
//! Parsing borrows from the payload; only strings with JSON escapes are copied.

mod flat;

use crate::identifier::{id_problem, is_id};
use crate::reject::{Reject, RejectReason};
use crate::timestamp::parse_rfc3339_ms;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use std::borrow::Cow;

/// What a member did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A title was shown.
    Impression,
    /// A title was started.
    Play,
    /// A title was watched up to `watched_s`; 0 takes back how far.
    Progress,
    /// Thumb: −1 down, 1 up, 2 two thumbs up; 0 takes it back.
    Thumb,
    /// Rating from 0.5 to 5; 0 takes it back.
    Rating,
    /// A title was put on the member's list.
    ListAdd,
    /// A title was taken off the member's list.
    ListRemove,
    /// The member is to be erased.
    Forget,
}

impl EventKind {
    /// Every kind, in the order of the contract.
    pub const ALL: [Self; 8] = [
        Self::Impression,
        Self::Play,
        Self::Progress,
        Self::Thumb,
        Self::Rating,
        Self::ListAdd,
        Self::ListRemove,
        Self::Forget,
    ];

    /// The name used in the contract's `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Impression => "impression",
            Self::Play => "play",
            Self::Progress => "progress",
            Self::Thumb => "thumb",
            Self::Rating => "rating",
            Self::ListAdd => "list_add",
            Self::ListRemove => "list_remove",
            Self::Forget => "forget",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "impression" => Self::Impression,
            "play" => Self::Play,
            "progress" => Self::Progress,
            "thumb" => Self::Thumb,
            "rating" => Self::Rating,
            "list_add" => Self::ListAdd,
            "list_remove" => Self::ListRemove,
            "forget" => Self::Forget,
            _ => return None,
        })
    }
}

/// A string of the payload: borrowed where JSON allows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Self {
        text.0
    }
}

/// The payload as it stands, before validation; its strings are a `T` each. Unknown fields are ignored here: facts keep
/// them.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Payload<T> {
    #[serde(default)]
    id: Option<T>,
    #[serde(default, rename = "type")]
    kind: Option<T>,
    #[serde(default)]
    member: Option<T>,
    #[serde(default)]
    title: Option<T>,
    #[serde(default)]
    at: Option<T>,
    #[serde(default)]
    request: Option<T>,
    #[serde(default)]
    row: Option<T>,
    #[serde(default)]
    position: Option<u32>,
    #[serde(default)]
    artwork: Option<T>,
    #[serde(default)]
    propensity: Option<f32>,
    #[serde(default)]
    segment: Option<T>,
    #[serde(default)]
    country: Option<T>,
    #[serde(default)]
    device: Option<T>,
    #[serde(default)]
    watched_s: Option<f64>,
    #[serde(default)]
    duration_s: Option<f64>,
    #[serde(default)]
    value: Option<f64>,
}

/// A valid event. Absent strings are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// Id, unique among all events: duplicates are dropped by it.
    pub id: Cow<'a, str>,
    /// What happened.
    pub kind: EventKind,
    /// Who did it.
    pub member: Cow<'a, str>,
    /// With which title (empty for `forget`).
    pub title: Cow<'a, str>,
    /// Event time, Unix milliseconds.
    pub at_ms: i64,
    /// The page request that showed the title.
    pub request: Cow<'a, str>,
    /// Row of the page.
    pub row: Cow<'a, str>,
    /// Position in the row, from 0.
    pub position: Option<u32>,
    /// Artwork shown.
    pub artwork: Cow<'a, str>,
    /// Probability with which the artwork was chosen, in (0, 1].
    pub propensity: Option<f32>,
    /// Affinity segment of the member that the artwork was chosen for.
    pub segment: Cow<'a, str>,
    /// Country, ISO 3166-1 alpha-2.
    pub country: Cow<'a, str>,
    /// Device.
    pub device: Cow<'a, str>,
    /// Seconds watched so far.
    pub watched_s: Option<f64>,
    /// Length of the title in seconds.
    pub duration_s: Option<f64>,
    /// Thumb or rating.
    pub value: Option<f64>,
}

/// Whether `text` is a country code: two capital letters.
pub fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

impl<'a> Event<'a> {
    /// Parses and validates one payload of at most `max_bytes` bytes.
    ///
    /// # Errors
    /// A [`Reject`] with the first thing that is wrong, naming the field.
    pub fn parse(payload: &'a [u8], max_bytes: usize) -> Result<Self, Reject> {
        if payload.len() > max_bytes {
            return Err(Reject::new(
                RejectReason::TooLarge,
                format!("event has {} bytes; at most {max_bytes} are taken", payload.len()),
            ));
        }
        let text = text_of(payload)?;
        match flat::read(text) {
            Some(raw) => Self::validated(raw),
            None => Self::validated(json_payload(text)?),
        }
    }

    #[inline]
    fn validated<T: Into<Cow<'a, str>>>(raw: Payload<T>) -> Result<Self, Reject> {
        let kind_name = required(raw.kind, "type")?;
        let kind = EventKind::from_name(&kind_name).ok_or_else(|| {
            Reject::new(
                RejectReason::UnknownType,
                format!(
                    "`type` is {:?}; expected one of {}",
                    shorten(&kind_name),
                    EventKind::ALL.map(EventKind::name).join(", ")
                ),
            )
        })?;
        let id = required_id(raw.id, "id")?;
        let member = required_id(raw.member, "member")?;
        let title = match kind {
            EventKind::Forget => optional_id(raw.title, "title")?,
            _ => required_id(raw.title, "title")?,
        };
        let at_ms = parse_rfc3339_ms(&required(raw.at, "at")?)
            .map_err(|why| Reject::new(RejectReason::InvalidTime, format!("`at` {why}")))?;
        let country = raw.country.map(Into::into).unwrap_or_default();
        if !country.is_empty() && !is_country(&country) {
            return Err(invalid(format!(
                "`country` is {:?}; expected two capital letters, such as BR",
                shorten(&country)
            )));
        }
        let event = Self {
            id,
            kind,
            member,
            title,
            at_ms,
            request: optional_id(raw.request, "request")?,
            row: optional_id(raw.row, "row")?,
            position: raw.position,
            artwork: optional_id(raw.artwork, "artwork")?,
            propensity: raw.propensity,
            segment: optional_id(raw.segment, "segment")?,
            country,
            device: optional_id(raw.device, "device")?,
            watched_s: raw.watched_s,
            duration_s: raw.duration_s,
            value: raw.value,
        };
        event.check_values()?;
        Ok(event)
    }

    fn check_values(&self) -> Result<(), Reject> {
        if let Some(propensity) = self.propensity
            && !(propensity > 0.0 && propensity <= 1.0)
        {
            return Err(invalid(format!("`propensity` is {propensity}; expected above 0, at most 1")));
        }
        for (name, value) in [("watched_s", self.watched_s), ("duration_s", self.duration_s)] {
            if let Some(seconds) = value
                && !(0.0..=1e7).contains(&seconds)
            {
                return Err(invalid(format!("`{name}` is {seconds}; expected 0 to 10,000,000 seconds")));
            }
        }
        match (self.kind, self.value) {
            (EventKind::Thumb, Some(value)) if [-1.0, 0.0, 1.0, 2.0].contains(&value) => Ok(()),
            (EventKind::Thumb, Some(value)) => Err(invalid(format!(
                "`value` of a thumb is {value}; expected -1, 1 or 2, or 0 to take the thumb back"
            ))),
            (EventKind::Rating, Some(value)) if value == 0.0 || (0.5..=5.0).contains(&value) => Ok(()),
            (EventKind::Rating, Some(value)) => Err(invalid(format!(
                "`value` of a rating is {value}; expected 0.5 to 5, or 0 to take the rating back"
            ))),
            (EventKind::Thumb | EventKind::Rating, None) => Err(missing("value")),
            (EventKind::Progress, _) if self.watched_s.is_none() => Err(missing("watched_s")),
            _ => Ok(()),
        }
    }
}

/// Checked once here, so that no parser checks every string again.
#[inline]
fn text_of(payload: &[u8]) -> Result<&str, Reject> {
    std::str::from_utf8(payload)
        .map_err(|error| Reject::new(RejectReason::MalformedJson, format!("payload is no UTF-8: {error}")))
}

fn json_payload(text: &str) -> Result<Payload<Text<'_>>, Reject> {
    // The parser would take an array for an object, its values in the order of the fields.
    if let Some(found) = no_object(text.as_bytes()) {
        let detail = format!("an event is {found}; expected one JSON object, {{\"id\":…}}");
        return Err(Reject::new(RejectReason::MalformedJson, detail));
    }
    // What begins otherwise is no object, whatever a field's parser would make of its beginning.
    if !text.trim_ascii_start().starts_with('{')
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
    {
        return Err(json_reject(error));
    }
    serde_json::from_str(text).map_err(json_reject)
}

/// `id` and `member` of a payload: all that publishing needs. Only these two are looked at closely; the
/// fold checks the rest.
///
/// # Errors
/// A [`Reject`] where the payload is no JSON object, or one of the two is absent or no id.
pub fn routing_of(payload: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>), Reject> {
    let text = text_of(payload)?;
    if let Some((id, member)) = flat::routing(text)
        && is_id(id)
        && is_id(member)
    {
        return Ok((Cow::Borrowed(id), Cow::Borrowed(member)));
    }
    let Payload { id, member, .. } = json_payload(text)?;
    Ok((required_id(id, "id")?, required_id(member, "member")?))
}

/// What `json` is, where that is well-formed (an array may not be) but no object; `None` for an object, and for what the parser had better complain
/// about.
pub fn no_object(json: &[u8]) -> Option<&'static str> {
    let found = match json.trim_ascii_start().first()? {
        b'[' => return Some("an array"),
        b'"' => "a string",
        b'0'..=b'9' | b'-' => "a number",
        b't' | b'f' => "true or false",
        b'n' => "null",
        _ => return None,
    };
    // A line of CSV begins like one of these, too.
    serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok().then_some(found)
}

fn json_reject(error: serde_json::Error) -> Reject {
    match error.classify() {
        serde_json::error::Category::Data => Reject::new(RejectReason::InvalidField, error.to_string()),
        _ => {
            let told = error.to_string();
            let hint =
                if told.starts_with("trailing characters") { "; expected nothing behind it" } else { "" };
            let detail = format!("payload is no JSON object: {told}{hint}");
            Reject::new(RejectReason::MalformedJson, detail)
        }
    }
}

#[inline]
fn required<'a>(text: Option<impl Into<Cow<'a, str>>>, field: &str) -> Result<Cow<'a, str>, Reject> {
    text.map(Into::into).ok_or_else(|| missing(field))
}

#[inline]
fn required_id<'a>(text: Option<impl Into<Cow<'a, str>>>, field: &str) -> Result<Cow<'a, str>, Reject> {
    let id = required(text, field)?;
    if is_id(&id) {
        return Ok(id);
    }
    let problem = id_problem(&id).unwrap_or_default();
    Err(Reject::new(RejectReason::InvalidId, format!("`{field}` {problem}")))
}

#[inline]
fn optional_id<'a>(text: Option<impl Into<Cow<'a, str>>>, field: &str) -> Result<Cow<'a, str>, Reject> {
    match text {
        None => Ok(Cow::Borrowed("")),
        some => required_id(some, field),
    }
}

fn missing(field: &str) -> Reject {
    Reject::new(RejectReason::MissingField, format!("`{field}` is absent"))
}

fn invalid(detail: String) -> Reject {
    Reject::new(RejectReason::InvalidValue, detail)
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Event<'_>, Reject> {
        Event::parse(json.as_bytes(), 65_536)
    }

    #[test]
    fn a_full_event_is_read_without_copying() {
        let json = r#"{"id":"e1","type":"impression","member":"m1","title":"t1","at":"2026-03-01T20:15:00.250Z",
            "request":"r1","row":"top","position":3,"artwork":"a1","propensity":0.25,"country":"BR","device":"tv",
            "anything":{"else":[1,2]}}"#;
        let event = parse(json).expect("valid");
        assert_eq!((event.kind, &*event.title, event.position), (EventKind::Impression, "t1", Some(3)));
        assert!(matches!(event.title, Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_strings_are_read_too() {
        let event =
            parse(r#"{"id":"\u00651","type":"play","member":"m1","title":"t1","at":"2026-03-01T20:15:00Z"}"#);
        assert_eq!(event.expect("valid").id, "e1");
    }

    #[test]
    fn what_is_no_object_is_refused_as_what_it_is() {
        let fields = r#"["e1","play","m1","t1","2026-03-01T20:15:00Z"]"#;
        for (json, found) in [
            (fields, "an array"),
            ("[]", "an array"),
            (" [{}]", "an array"),
            ("\"e1\"", "a string"),
            ("17", "a number"),
            ("null", "null"),
            ("t12,ana,5", "payload is no JSON object"),
            ("17,42,3", "payload is no JSON object"),
            ("\"abc\",d", "payload is no JSON object"),
        ] {
            for reject in [parse(json).expect_err(json), routing_of(json.as_bytes()).expect_err(json)] {
                assert_eq!(reject.reason, RejectReason::MalformedJson);
                assert!(reject.detail.contains(found), "{json}: {}", reject.detail);
            }
        }
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
        }
    }
}
