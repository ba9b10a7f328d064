//! Request bodies: read within limits, and split into entries.

use super::body_room::{Body, BodyRoom, Place};
use super::problem::{Problem, ProblemKind};
use super::state::ApiState;
use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::{Bytes, Payload};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use nearline_config::HttpSection;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::io::Read;
use std::time::Duration;

/// Bytes that the beginning of a body gets room for.
const FIRST_BYTES: usize = 4_096;

/// How entries are written in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// One JSON array, or a single object.
    Json,
    /// One JSON object a line.
    Lines,
}

/// Checks that a body is a JSON merge patch (RFC 7396), or says that it is JSON.
pub fn is_merge_patch(request: &HttpRequest) -> Result<(), Problem> {
    let (full, essence) = content_type(request);
    if matches!(essence.as_str(), "application/merge-patch+json" | "application/json") {
        return Ok(());
    }
    let detail = format!("content type is {full:?}; expected application/merge-patch+json (RFC 7396)");
    Err(Problem::new(ProblemKind::UnsupportedMediaType, detail))
}

/// The content type in full, and without its parameters.
fn content_type(request: &HttpRequest) -> (&str, String) {
    let full = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    (full, full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

impl BodyFormat {
    /// The format by the content type.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let refuse = |detail: String| Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
        let (full, essence) = content_type(request);
        match essence.as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Self::Lines),
            "" => {
                refuse("there is no content type; expected application/json or application/x-ndjson".into())
            }
            _ => refuse(format!(
                "content type is {full:?}; expected application/json (an array or one object) or \
                 application/x-ndjson (one object a line)"
            )),
        }
    }
}

/// Whether the body is what `navigator.sendBeacon` sends: text, or a blob without a type. What is in it must be
/// found by looking.
pub fn is_beacon(request: &HttpRequest) -> bool {
    match request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default()) {
        None => true,
        Some(full) => {
            let essence = full.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("text/plain")
        }
    }
}

/// Reads a whole body, decompressed. It takes its room among all bodies until it is dropped.
pub async fn read(request: &HttpRequest, payload: Payload, state: &ApiState) -> Result<Body, Problem> {
    let named = request.headers().get_all(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    let encoding = Encoding::named(named)?;
    let (limits, mut place) = (&state.config.http, state.bodies.place());
    let body = read_raw(request, payload, limits, &mut place).await?;
    unpacked(body, encoding, place, limits.max_body_bytes).await
}

/// Reads a body of at most `most` bytes, as it comes, without a place among those of publishers: of callers that are not known yet.
pub async fn read_few(
    request: &HttpRequest,
    payload: Payload,
    state: &ApiState,
    most: usize,
) -> Result<Bytes, Problem> {
    let limits = HttpSection { max_body_bytes: most, ..state.config.http.clone() };
    read_raw(request, payload, &limits, &mut BodyRoom::new(2 * most).place()).await
}

/// Takes a body that is here already, decompressed, as [`read`] does.
pub async fn take(body: Bytes, content_encoding: Option<&str>, state: &ApiState) -> Result<Body, Problem> {
    let encoding = Encoding::named(content_encoding.into_iter())?;
    let (most, mut place) = (state.config.http.max_body_bytes, state.bodies.place());
    place.grow(body.len())?;
    if body.len() > most {
        return Err(too_large(most));
    }
    unpacked(body, encoding, place, most).await
}

async fn unpacked(body: Bytes, encoding: Encoding, mut place: Place, most: usize) -> Result<Body, Problem> {
    match encoding {
        Encoding::Identity => Ok(Body::new(body, place)),
        Encoding::Gzip => {
            place.grow(most)?;
            // Takes its time: not on the thread that serves others.
            let unpacked = actix_web::web::block(move || {
                let unpacked = unpack(&body, most)?;
                place.shrink(unpacked.len());
                Ok(Body::new(unpacked, place))
            });
            unpacked.await.unwrap_or_else(|error| Err(Problem::new(ProblemKind::Internal, error.to_string())))
        }
    }
}

enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// The one that `names` come to.
    fn named<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, Problem> {
        let named: Vec<&str> =
            names.map(str::trim).filter(|name| !name.eq_ignore_ascii_case("identity")).collect();
        match named[..] {
            [] => Ok(Self::Identity),
            [name] if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                Ok(Self::Gzip)
            }
            _ => {
                let named = named.join(", ");
                let detail =
                    format!("content encoding {named:?} is not taken; send gzip, or the body as it is");
                Err(Problem::new(ProblemKind::UnsupportedMediaType, detail))
            }
        }
    }
}

/// The body in `packed`, of one gzip member or several, of at most `most` bytes: no more is unpacked.
fn unpack(packed: &[u8], most: usize) -> Result<Bytes, Problem> {
    let mut body = Vec::with_capacity(packed.len().saturating_mul(4).min(most));
    let read = MultiGzDecoder::new(packed).take(most as u64 + 1).read_to_end(&mut body);
    read.map_err(|error| {
        Problem::new(ProblemKind::MalformedBody, format!("the body cannot be decompressed: {error}"))
    })?;
    if body.len() > most { Err(too_large(most)) } else { Ok(body.into()) }
}

fn too_large(most: usize) -> Problem {
    let detail = format!("at most {most} bytes are taken, decompressed; send several requests");
    Problem::new(ProblemKind::BodyTooLarge, detail).with("max_body_bytes", most)
}

async fn read_raw(
    request: &HttpRequest,
    mut payload: Payload,
    limits: &HttpSection,
    place: &mut Place,
) -> Result<Bytes, Problem> {
    let most = limits.max_body_bytes;
    let too_large = || too_large(most);
    let announced =
        request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > most) {
        return Err(too_large());
    }
    let all = async {
        // What is announced is believed as it comes: room is taken for what is here.
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| {
                Problem::new(ProblemKind::MalformedBody, format!("the body broke off: {error}"))
            })?;
            if body.len() + chunk.len() > most {
                return Err(too_large());
            }
            let needed = body.len() + chunk.len();
            if needed > body.capacity() {
                let ahead = (2 * needed).clamp(FIRST_BYTES.min(most), most).min(announced.unwrap_or(most));
                let capacity = needed.max(ahead);
                place.grow(capacity - body.capacity())?;
                body.reserve_exact(capacity - body.len());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(body))
    };
    let deadline = Duration::from_millis(limits.body_timeout_ms);
    tokio::time::timeout(deadline, all).await.unwrap_or_else(|_| {
        Err(Problem::new(ProblemKind::BodyTimeout, format!("waited {} ms", limits.body_timeout_ms)))
    })
}

/// A body that is one JSON object. The parser alone would take an array for one, its values in the order of the
/// fields.
pub fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if let Some(found) = nearline_model::event::no_object(body) {
        let detail = format!("the body is {found}; expected one JSON object");
        return Err(Problem::new(ProblemKind::MalformedBody, detail));
    }
    serde_json::from_slice(body).map_err(malformed)
}

/// Entries of a body and how they are numbered.
pub struct Entries<'a> {
    /// The format they came in.
    pub format: BodyFormat,
    /// Number (index from 0 in an array, line from 1 otherwise) and text of each entry.
    pub entries: Vec<(usize, &'a [u8])>,
}

impl<'a> Entries<'a> {
    /// Splits a body of which nobody said what it is: an array, an object, or one object a line.
    pub fn split_beacon(body: &'a Bytes, most: usize) -> Result<Self, Problem> {
        let is_whole =
            body.trim_ascii_start().starts_with(b"[") || serde_json::from_slice::<&RawValue>(body).is_ok();
        let format = if is_whole { BodyFormat::Json } else { BodyFormat::Lines };
        Self::split(format, body, most)
    }

    /// Splits a body; its entries are not looked into.
    pub fn split(format: BodyFormat, body: &'a Bytes, most: usize) -> Result<Self, Problem> {
        let entries: Vec<(usize, &[u8])> = match format {
            BodyFormat::Lines => body
                .split(|byte| *byte == b'\n')
                .enumerate()
                .map(|(at, line)| (at + 1, line.trim_ascii()))
                .filter(|(_, line)| !line.is_empty())
                .collect(),
            BodyFormat::Json if body.trim_ascii_start().starts_with(b"[") => {
                let values: Vec<&RawValue> = serde_json::from_slice(body).map_err(malformed)?;
                values.into_iter().map(|value| value.get().as_bytes()).enumerate().collect()
            }
            BodyFormat::Json => {
                let value: &RawValue = serde_json::from_slice(body).map_err(malformed)?;
                if !value.get().starts_with('{') {
                    let detail = "the body is neither an array nor an object; expected [{…}, …] or {…}";
                    return Err(Problem::new(ProblemKind::MalformedBody, detail));
                }
                vec![(0, value.get().as_bytes())]
            }
        };
        if entries.is_empty() {
            return Err(Problem::new(
                ProblemKind::MalformedBody,
                "the body has no entries; send at least one",
            ));
        }
        if entries.len() > most {
            let detail =
                format!("{} entries; at most {most} are taken: send several requests", entries.len());
            return Err(Problem::new(ProblemKind::TooManyEntries, detail).with("max_entries", most));
        }
        Ok(Self { format, entries })
    }

    /// Index and line of an entry: one of the two is given, by the format.
    pub fn numbers(&self, number: usize) -> (Option<usize>, Option<usize>) {
        match self.format {
            BodyFormat::Json => (Some(number), None),
            BodyFormat::Lines => (None, Some(number)),
        }
    }
}

/// The problem of a body that is no JSON.
pub fn malformed(error: serde_json::Error) -> Problem {
    Problem::new(
        ProblemKind::MalformedBody,
        format!("the body is no valid JSON of the expected shape: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;

    proptest::proptest! {
        #[test]
        fn whatever_comes_as_a_body_is_split_or_refused(bytes in vec(0_u8..=255, 0..200), json in "[\\[\\]{}\",:0-9a ntrue\\n\\\\]{0,80}") {
            for body in [Bytes::from(bytes), Bytes::from(json)] {
                for format in [BodyFormat::Json, BodyFormat::Lines] {
                    if let Ok(split) = Entries::split(format, &body, 10) {
                        assert!((1..=10).contains(&split.entries.len()));
                    }
                }
                let _split = Entries::split_beacon(&body, 10);
                let _unpacked = unpack(&body, 1_000);
            }
        }
    }
}
