//! A member's state with its names spelled out: what queries rank by and people read.

use super::Member;
use crate::identifier::Position;
use crate::symbols::{NONE, Symbol};
use crate::timestamp::format_rfc3339;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A title of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedTitle {
    /// The title.
    pub title: Arc<str>,
    /// Event time, seconds since 1970.
    pub at_s: u32,
    /// Position of the event in the log.
    pub position: Position,
    /// Seconds watched; 0: unknown.
    pub watched_s: u32,
    /// Length in seconds; 0: unknown.
    pub duration_s: u32,
    /// How often it was played, as far as it is known.
    #[serde(default)]
    pub plays: u16,
}

impl WatchedTitle {
    /// Begun and not finished; what nobody told the length of cannot be said to be either.
    pub fn is_begun(&self) -> bool {
        super::history::is_begun(self.watched_s, self.duration_s)
    }
}

/// A thumb or a rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TitleOpinion {
    /// The title.
    pub title: Arc<str>,
    /// Thumb −1, 1 or 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb: Option<i8>,
    /// Rating, 0.5 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<f32>,
}

/// An impression that may still be played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenImpression {
    /// The title.
    pub title: Arc<str>,
    /// Event time, RFC 3339.
    pub at: String,
    /// Row of the page.
    pub row: Arc<str>,
    /// Artwork shown.
    pub artwork: Arc<str>,
    /// Position in the row.
    pub position: Option<u32>,
}

/// A member's state at a position of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberSnapshot {
    /// The member.
    pub member: Arc<str>,
    /// Position of the partition's log that this state reflects.
    pub position: Position,
    /// Titles watched or rated, most recent last.
    pub history: Vec<WatchedTitle>,
    /// Titles seen before those of the history.
    pub seen: Vec<Arc<str>>,
    /// The member's own list.
    pub list: Vec<Arc<str>>,
    /// Thumbs and ratings.
    pub opinions: Vec<TitleOpinion>,
    /// Impressions that may still be played.
    pub open_impressions: Vec<OpenImpression>,
    /// Plays that wait for a late impression.
    pub open_plays: usize,
    /// Event ids remembered against duplicates.
    pub recent_ids: usize,
    /// Newest event time, RFC 3339; absent for a member without events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<String>,
    /// When the member was erased, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<String>,
}

impl Member {
    /// The symbols that a snapshot spells out, each once, in ascending order; with `complete`, those of open
    /// impressions, too.
    pub fn named_symbols(&self, complete: bool) -> Vec<Symbol> {
        let shown = if complete { self.open.impressions.as_slice() } else { &[] };
        let mut symbols: Vec<Symbol> = self
            .history
            .iter()
            .map(|watched| watched.title)
            .chain(self.seen.iter().copied())
            .chain(self.list.iter().map(|listed| listed.title))
            .chain(self.held_opinions().map(|opinion| opinion.title))
            .chain(shown.iter().flat_map(|shown| [shown.title, shown.row, shown.artwork]))
            .filter(|symbol| *symbol != NONE)
            .collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    }
}

impl MemberSnapshot {
    /// Titles that are nothing new to the member: those of the history, then those seen before.
    pub fn known(&self) -> impl Iterator<Item = &Arc<str>> {
        self.history.iter().map(|watched| &watched.title).chain(&self.seen)
    }

    /// Titles with a thumb down, in the order of the opinions.
    pub fn disliked(&self) -> impl DoubleEndedIterator<Item = &Arc<str>> {
        self.opinions.iter().filter(|opinion| opinion.thumb == Some(-1)).map(|opinion| &opinion.title)
    }

    /// `state` with the names of its symbols, as `text` gives them. With `complete`, open impressions are
    /// spelled out too (ranking needs none of them).
    pub fn new(
        member: &str,
        position: Position,
        state: &Member,
        text: impl Fn(Symbol) -> Arc<str>,
        complete: bool,
    ) -> Self {
        let time = |ms: i64| (complete && ms > 0).then(|| format_rfc3339(ms));
        let watched = |watched: &super::Watched| WatchedTitle {
            title: text(watched.title),
            at_s: (watched.at_ms / 1_000) as u32,
            position: watched.position,
            watched_s: watched.watched_s,
            duration_s: watched.duration_s,
            plays: watched.plays,
        };
        let shown = |shown: &super::Impression| OpenImpression {
            title: text(shown.title),
            at: format_rfc3339(shown.at_ms),
            row: text(shown.row),
            artwork: text(shown.artwork),
            position: shown.position,
        };
        Self {
            member: Arc::from(member),
            position,
            history: state.history.iter().map(watched).collect(),
            seen: state.seen.iter().map(|title| text(*title)).collect(),
            list: state.list.iter().map(|listed| text(listed.title)).collect(),
            opinions: state
                .held_opinions()
                .map(|opinion| TitleOpinion {
                    title: text(opinion.title),
                    thumb: (opinion.thumb != 0).then_some(opinion.thumb),
                    rating: (opinion.rating_tenths != 0).then(|| f32::from(opinion.rating_tenths) / 10.0),
                })
                .collect(),
            open_impressions: if complete {
                state.open.impressions.iter().map(shown).collect()
            } else {
                Vec::new()
            },
            open_plays: state.open.plays.len(),
            recent_ids: state.recent.len(),
            newest_at: time(state.newest_ms),
            erased_at: time(state.forgotten_ms),
        }
    }
}
