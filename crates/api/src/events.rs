//! `POST /v1/events`.

use nearline_ports::Appended;
use nearline_ports::publish::Published;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// An event as publishers send it. Further fields are kept and ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventDocument {
    /// Id, unique among all events: `[A-Za-z0-9_-]{1,64}`.
    pub id: String,
    /// `impression`, `play`, `progress`, `thumb`, `rating`, `list_add`, `list_remove` or `forget`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The member: an id.
    pub member: String,
    /// The title: an id; not needed by `forget`.
    pub title: Option<String>,
    /// When it happened: RFC 3339 with an offset.
    pub at: String,
    /// The page request that showed the title: an id.
    pub request: Option<String>,
    /// Row of the page: an id.
    pub row: Option<String>,
    /// Position in the row, from 0.
    pub position: Option<u32>,
    /// Artwork shown: an id.
    pub artwork: Option<String>,
    /// Probability with which the artwork was chosen, above 0, at most 1.
    pub propensity: Option<f32>,
    /// Segment that the artwork was chosen for, as it was answered: an id.
    pub segment: Option<String>,
    /// Country, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Device: an id.
    pub device: Option<String>,
    /// Seconds watched so far; needed by `progress`.
    pub watched_s: Option<f64>,
    /// Length of the title in seconds.
    pub duration_s: Option<f64>,
    /// Thumb (−1, 1, 2) or rating (0.5 to 5).
    pub value: Option<f64>,
}

/// What became of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// It is in the log.
    Accepted,
    /// Its id is in the log already; nothing was stored.
    Duplicate,
    /// The member has another event of this id in the log, which stands; nothing was stored.
    Conflict,
    /// It is not valid and was not stored: sending it again does not help.
    Rejected,
    /// The log did not acknowledge it: send it again with the same id.
    Unavailable,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventResult {
    /// Its index, from 0, in a JSON array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its line, from 1, in NDJSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What became of it.
    pub status: EventStatus,
    /// Partition it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// Position in the log: usable as `after` in queries for its member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Stable code of why it was not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub reason: Option<Cow<'static, str>>,
    /// What exactly was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of all events of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventsAnswer {
    /// Events stored.
    pub accepted: usize,
    /// Events that had been stored before.
    pub duplicates: usize,
    /// Events not stored, since their member has another event of the same id.
    pub conflicts: usize,
    /// Events refused.
    pub rejected: usize,
    /// Each event, in the order sent.
    pub results: Vec<EventResult>,
}

impl EventResult {
    /// What became of the event at this index or on this line.
    pub fn new(index: Option<usize>, line: Option<usize>, published: Published) -> Self {
        let mut result = Self {
            index,
            line,
            status: EventStatus::Unavailable,
            partition: None,
            position: None,
            reason: None,
            detail: None,
        };
        match published {
            Published::Accepted(appended) => result.stored(EventStatus::Accepted, appended),
            Published::Duplicate(first) => result.stored(EventStatus::Duplicate, first),
            Published::Conflict(other) => {
                result.stored(EventStatus::Conflict, other);
                result.reason = Some("id-conflict".into());
                result.detail = Some(format!(
                    "the member has another event of this id, at position {}: give each event an id of its own",
                    other.position
                ));
            }
            Published::Rejected(reject) => {
                result.status = EventStatus::Rejected;
                result.reason = Some(reject.reason.code().into());
                result.detail = Some(reject.detail);
            }
            Published::Unavailable(error) => {
                result.reason = Some("log-unavailable".into());
                result.detail = Some(error.to_string());
            }
        }
        result
    }

    fn stored(&mut self, status: EventStatus, place: Appended) {
        self.status = status;
        self.partition = Some(place.partition.0);
        self.position = Some(place.position.0);
    }
}
