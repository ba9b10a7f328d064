//! Problem documents (RFC 9457): every error of the API, with a stable `type`.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};
use std::num::NonZeroU16;

/// What kind of problem: decides `type`, `title` and `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// No such route.
    RouteNotFound,
    /// The route does not take this method.
    MethodNotAllowed,
    /// An id in the path is no id.
    InvalidId,
    /// A query parameter has an impossible value.
    InvalidParameter,
    /// A query parameter that the route does not know.
    UnknownParameter,
    /// The body is no JSON of the expected shape.
    MalformedBody,
    /// A title in the body is not valid.
    InvalidTitle,
    /// The body has a content type or encoding that is not taken.
    UnsupportedMediaType,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// There are more entries in the body than the limit.
    TooManyEntries,
    /// The body did not arrive in time.
    BodyTimeout,
    /// A page of another origin sent it, which is not named.
    OriginNotAllowed,
    /// Nothing is known of the title.
    TitleNotFound,
    /// A filter or a boost is no valid expression.
    InvalidExpression,
    /// A filter and a boost took more steps than a request may.
    ExpressionTooCostly,
    /// A cursor is damaged, too old, or not of this member and route.
    InvalidCursor,
    /// There is no such experiment.
    ExperimentNotFound,
    /// As many live rows are open as may be.
    TooManySubscribers,
    /// The log of the member's partition has no such position.
    PositionUnknown,
    /// The state is not as new as the position asked for.
    PositionNotReached,
    /// Bodies take as much room as they may.
    TooManyBodies,
    /// More queries at once than are taken.
    TooManyQueries,
    /// A serving thread comes to its requests too late.
    Behind,
    /// The log is away.
    LogUnavailable,
    /// What is asked for is not in the log any more, or damaged there.
    LogDamaged,
    /// Positions of another log are meant.
    OtherLog,
    /// The catalogue's store is away.
    CatalogueUnavailable,
    /// The member's state cannot be read right now.
    StateUnavailable,
    /// The request is for another host.
    Misdirected,
    /// A page of another site asks for it.
    ForeignOrigin,
    /// No key was shown, where one is asked for.
    KeyMissing,
    /// The key is none that is known.
    KeyUnknown,
    /// The key has ended.
    KeyEnded,
    /// The key is not for this.
    ScopeMissing,
    /// More requests a second than the key is for.
    TooManyRequests,
    /// A partition has to stay where it is.
    PartitionStays,
    /// There is no such dead letter.
    LetterNotFound,
    /// A dead letter's event has no readable id or member.
    LetterUnpublishable,
    /// What came is no HTTP request.
    MalformedRequest,
    /// The head of a request did not arrive in time.
    HeadTimeout,
    /// The request's head is larger than is read.
    HeadTooLarge,
    /// The start waits for a server that is away.
    Starting,
    /// A mistake of ours.
    Internal,
}

impl ProblemKind {
    /// `type`, title and status.
    pub fn parts(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::RouteNotFound => ("/problems/route-not-found", "There is no such route", 404),
            Self::MethodNotAllowed => {
                ("/problems/method-not-allowed", "The route does not take this method", 405)
            }
            Self::Misdirected => ("/problems/misdirected", "The request is for another host", 421),
            Self::ForeignOrigin => ("/problems/foreign-origin", "A page of another site asks for this", 403),
            Self::KeyMissing => ("/problems/key-missing", "A key is asked for", 401),
            Self::KeyUnknown => ("/problems/key-unknown", "The key is not known", 401),
            Self::KeyEnded => ("/problems/key-ended", "The key has ended", 401),
            Self::ScopeMissing => ("/problems/scope-missing", "The key is not for this", 403),
            Self::TooManyRequests => ("/problems/too-many-requests", "Too many requests for this key", 429),
            Self::InvalidId => ("/problems/invalid-id", "An id is not valid", 400),
            Self::InvalidParameter => ("/problems/invalid-parameter", "A query parameter is not valid", 400),
            Self::UnknownParameter => ("/problems/unknown-parameter", "A query parameter is not known", 400),
            Self::MalformedBody => ("/problems/malformed-body", "The body cannot be read", 400),
            Self::InvalidTitle => ("/problems/invalid-title", "The title is not valid", 400),
            Self::UnsupportedMediaType => {
                ("/problems/unsupported-media-type", "The content type is not taken", 415)
            }
            Self::BodyTooLarge => ("/problems/body-too-large", "The body is too large", 413),
            Self::TooManyEntries => ("/problems/too-many-entries", "The body has too many entries", 413),
            Self::OriginNotAllowed => ("/problems/origin-not-allowed", "This origin may not send this", 403),
            Self::BodyTimeout => ("/problems/body-timeout", "The body did not arrive in time", 408),
            Self::TitleNotFound => ("/problems/title-not-found", "Nothing is known of the title", 404),
            Self::InvalidExpression => {
                ("/problems/invalid-expression", "A filter or boost is not a valid expression", 400)
            }
            Self::ExpressionTooCostly => {
                ("/problems/expression-too-costly", "Filter and boost take too many steps", 400)
            }
            Self::InvalidCursor => ("/problems/invalid-cursor", "The cursor is not valid here", 400),
            Self::ExperimentNotFound => {
                ("/problems/experiment-not-found", "There is no such experiment", 404)
            }
            Self::TooManySubscribers => {
                ("/problems/too-many-subscribers", "As many live rows are open as may be", 503)
            }
            Self::PositionUnknown => {
                ("/problems/position-unknown", "The log has no such position for this member", 400)
            }
            Self::PositionNotReached => {
                ("/problems/position-not-reached", "The state is not that new yet", 503)
            }
            Self::TooManyBodies => ("/problems/too-many-bodies", "Bodies take as much room as they may", 429),
            Self::TooManyQueries => ("/problems/too-many-queries", "Too many queries are under way", 429),
            Self::Behind => ("/problems/behind", "The node is behind with its answers", 429),
            Self::LogUnavailable => ("/problems/log-unavailable", "The log is not available right now", 503),
            Self::LogDamaged => ("/problems/log-damaged", "The log does not hold what is asked for", 500),
            Self::OtherLog => ("/problems/other-log", "Another log is meant", 409),
            Self::CatalogueUnavailable => {
                ("/problems/catalogue-unavailable", "The catalogue does not take titles right now", 503)
            }
            Self::StateUnavailable => {
                ("/problems/state-unavailable", "The member's state cannot be read right now", 503)
            }
            Self::PartitionStays => ("/problems/partition-stays", "The partition is not given away", 409),
            Self::LetterNotFound => ("/problems/letter-not-found", "There is no such dead letter", 404),
            Self::LetterUnpublishable => {
                ("/problems/letter-unpublishable", "The event cannot be published again", 409)
            }
            Self::MalformedRequest => ("/problems/malformed-request", "The request cannot be read", 400),
            Self::HeadTooLarge => ("/problems/head-too-large", "The head is too large", 431),
            Self::HeadTimeout => ("/problems/head-timeout", "The head did not arrive in time", 408),
            Self::Starting => ("/problems/starting", "The service has not started yet", 503),
            Self::Internal => ("/problems/internal", "Something went wrong", 500),
        }
    }
}

/// A problem document.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Stable identifier of the kind of problem: `/problems/<code>`.
    #[serde(rename = "type")]
    pub type_uri: &'static str,
    /// The kind of problem, in words.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What exactly was wrong, and what is expected.
    pub detail: String,
    /// The path that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// More members, by kind of problem.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object, additional_properties))]
    pub more: Box<Map<String, Value>>,
    /// Methods that the route takes.
    #[serde(skip)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub allow: Option<Box<str>>,
    /// Seconds after which to try again, where it is not one.
    #[serde(skip)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub retry_after_s: Option<NonZeroU16>,
}

impl Problem {
    /// A problem of `kind`.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let (type_uri, title, status) = kind.parts();
        Self {
            type_uri,
            title,
            status,
            detail: detail.into(),
            instance: None,
            more: Box::default(),
            allow: None,
            retry_after_s: None,
        }
    }

    /// The same with one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.more.insert(name.to_owned(), value);
        self
    }

    /// The same with the path that was asked.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.instance = Some(path.to_owned());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if matches!(self.status, 429 | 503) {
            let seconds = self.retry_after_s.map_or(1, NonZeroU16::get);
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if self.status == 401 {
            response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"nearline\""));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((ALLOW, &**allow));
        }
        let body = serde_json::to_vec(self).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }
}
