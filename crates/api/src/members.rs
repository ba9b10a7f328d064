//! `/v1/members/{id}`: a member's state, and its erasure.

use nearline_model::MemberSnapshot;
use nearline_model::timestamp::format_rfc3339;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// A title that a member watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WatchedDocument {
    /// The title.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub title: Arc<str>,
    /// When, RFC 3339.
    pub at: String,
    /// Position of the event in the log.
    pub position: u64,
    /// Seconds watched; absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched_s: Option<u32>,
    /// Length in seconds; absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
}

/// A thumb or a rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpinionDocument {
    /// The title.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub title: Arc<str>,
    /// −1, 1 or 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumb: Option<i8>,
    /// 0.5 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<f32>,
}

/// An impression that may still be played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenImpressionDocument {
    /// The title.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub title: Arc<str>,
    /// When, RFC 3339.
    pub at: String,
    /// Row of the page; empty: not given.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub row: Arc<str>,
    /// Artwork shown; empty: not given.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub artwork: Arc<str>,
    /// Position in the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

/// A member's state. One that nothing is known of has empty lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberDocument {
    /// The member.
    pub member: String,
    /// `live` or `store`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub source: Cow<'static, str>,
    /// Position of the log that this state reflects.
    pub position: u64,
    /// Titles watched or rated, most recent last.
    pub history: Vec<WatchedDocument>,
    /// Titles seen before those of the history.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub seen: Vec<Arc<str>>,
    /// The member's own list.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub list: Vec<Arc<str>>,
    /// Thumbs and ratings.
    pub opinions: Vec<OpinionDocument>,
    /// Impressions that may still be played.
    pub open_impressions: Vec<OpenImpressionDocument>,
    /// Plays that wait for a late impression.
    pub open_plays: usize,
    /// Event ids remembered against duplicates.
    pub recent_ids: usize,
    /// Newest event time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<String>,
    /// When the member was erased, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<String>,
}

impl MemberDocument {
    /// The document of a state that came from `source`.
    pub fn new(source: &'static str, snapshot: MemberSnapshot) -> Self {
        let known = |seconds: u32| (seconds > 0).then_some(seconds);
        let history = snapshot.history.into_iter().map(|watched| WatchedDocument {
            title: watched.title,
            at: format_rfc3339(i64::from(watched.at_s) * 1_000),
            position: watched.position.0,
            watched_s: known(watched.watched_s),
            duration_s: known(watched.duration_s),
        });
        let opinions = snapshot.opinions.into_iter().map(|opinion| OpinionDocument {
            title: opinion.title,
            thumb: opinion.thumb,
            rating: opinion.rating,
        });
        let open = snapshot.open_impressions.into_iter().map(|shown| OpenImpressionDocument {
            title: shown.title,
            at: shown.at,
            row: shown.row,
            artwork: shown.artwork,
            position: shown.position,
        });
        Self {
            member: snapshot.member.to_string(),
            source: source.into(),
            position: snapshot.position.0,
            history: history.collect(),
            seen: snapshot.seen,
            list: snapshot.list,
            opinions: opinions.collect(),
            open_impressions: open.collect(),
            open_plays: snapshot.open_plays,
            recent_ids: snapshot.recent_ids,
            newest_at: snapshot.newest_at,
            erased_at: snapshot.erased_at,
        }
    }
}

/// An erasure that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErasureAnswer {
    /// The member.
    pub member: String,
    /// Id of the `forget` event.
    pub id: String,
    /// Its partition.
    pub partition: u16,
    /// Its position in the log: usable as `after`.
    pub position: u64,
}
