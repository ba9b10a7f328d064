//! What is known of a member: the state that answers are made from, as far as a bounded record can tell it.
//!
//! It is made of the fold's state and of the snapshot that a query was answered from by the same code: equal states
//! give equal bytes, so that their digest tells whether what was served is what was kept.

use crate::member::{Member, MemberSnapshot};
use crate::symbols::Symbol;
use crate::versioned::DecodeError;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

const DAY_S: u32 = 86_400;
/// Rating, in tenths of a star, up to which a title was not liked, and from which it was.
const LOW_TENTHS: u8 = 20;
const HIGH_TENTHS: u8 = 40;

/// A title that was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownTitle<'a> {
    /// The title.
    #[serde(borrow)]
    pub title: &'a str,
    /// Event time, seconds since 1970.
    pub at_s: u32,
    /// Seconds watched; 0: unknown.
    pub watched_s: u32,
    /// Length in seconds; 0: unknown.
    pub duration_s: u32,
}

/// A thumb or a rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownOpinion<'a> {
    /// The title.
    #[serde(borrow)]
    pub title: &'a str,
    /// Thumb −1, 1 or 2; 0: none.
    pub thumb: i8,
    /// Rating in tenths of a star; 0: none.
    pub rating_tenths: u8,
}

/// Where the member was: by the event of the fact, or the newest impression that may still be played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts<'a> {
    /// Country; empty: not told.
    #[serde(borrow)]
    pub country: &'a str,
    /// Device; empty: not told.
    #[serde(borrow)]
    pub device: &'a str,
}

/// What is known of a member. Windows end at the newest title of the history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known<'a> {
    /// Titles of the history.
    pub titles: u32,
    /// Titles that were seen before those.
    pub seen: u32,
    /// Titles on the member's list.
    pub listed: u32,
    /// Titles with a thumb up, or without a thumb a rating of four stars at least.
    pub liked: u32,
    /// Titles with a thumb down, or without a thumb a rating of two stars at most.
    pub disliked: u32,
    /// Titles of the history within the last day, week, 30 days.
    pub titles_1d: u32,
    /// The same of a week.
    pub titles_7d: u32,
    /// The same of 30 days.
    pub titles_30d: u32,
    /// Seconds watched of those of the week.
    pub watched_7d_s: u32,
    /// The newest titles of the history, newest first.
    #[serde(borrow)]
    pub recent: Vec<KnownTitle<'a>>,
    /// The newest titles of the list, newest first.
    #[serde(borrow)]
    pub list: Vec<&'a str>,
    /// The newest opinions, newest first.
    #[serde(borrow)]
    pub opinions: Vec<KnownOpinion<'a>>,
}

impl<'a> Known<'a> {
    /// Version of the payload's form.
    pub const VERSION: u16 = 1;

    /// Of the fold's state, with the names that `text` gives; lists of at most `most` titles each.
    pub(crate) fn of_state(state: &Member, text: impl Fn(Symbol) -> &'a str, most: usize) -> Self {
        let history = state.history.iter().map(|watched| KnownTitle {
            title: text(watched.title),
            at_s: (watched.at_ms / 1_000) as u32,
            watched_s: watched.watched_s,
            duration_s: watched.duration_s,
        });
        let list = state.list.iter().map(|listed| text(listed.title));
        let held: Vec<KnownOpinion<'a>> = state
            .held_opinions()
            .map(|opinion| KnownOpinion {
                title: text(opinion.title),
                thumb: opinion.thumb,
                rating_tenths: opinion.rating_tenths,
            })
            .collect();
        Self::of_parts(history, state.seen.len(), list, &held, most)
    }

    /// Of the snapshot that an answer is made from.
    pub fn of_snapshot(snapshot: &'a MemberSnapshot, most: usize) -> Self {
        let history = snapshot.history.iter().map(|watched| KnownTitle {
            title: &watched.title,
            at_s: watched.at_s,
            watched_s: watched.watched_s,
            duration_s: watched.duration_s,
        });
        let list = snapshot.list.iter().map(|title| &**title);
        let held: Vec<KnownOpinion<'a>> = snapshot
            .opinions
            .iter()
            .map(|opinion| KnownOpinion {
                title: &opinion.title,
                thumb: opinion.thumb.unwrap_or_default(),
                rating_tenths: opinion.rating.map_or(0, |stars| (stars * 10.0).round() as u8),
            })
            .collect();
        Self::of_parts(history, snapshot.seen.len(), list, &held, most)
    }

    fn of_parts(
        history: impl DoubleEndedIterator<Item = KnownTitle<'a>> + ExactSizeIterator,
        seen: usize,
        list: impl DoubleEndedIterator<Item = &'a str> + ExactSizeIterator,
        held: &[KnownOpinion<'a>],
        most: usize,
    ) -> Self {
        let mut known = Self {
            titles: history.len() as u32,
            seen: seen as u32,
            listed: list.len() as u32,
            recent: Vec::with_capacity(most.min(history.len())),
            list: list.rev().take(most).collect(),
            opinions: held.iter().rev().take(most).copied().collect(),
            ..Self::default()
        };
        let mut newest_s = None;
        for watched in history.rev() {
            let age_s = newest_s.get_or_insert(watched.at_s).saturating_sub(watched.at_s);
            known.titles_1d += u32::from(age_s <= DAY_S);
            known.titles_7d += u32::from(age_s <= 7 * DAY_S);
            known.titles_30d += u32::from(age_s <= 30 * DAY_S);
            if age_s <= 7 * DAY_S {
                known.watched_7d_s = known.watched_7d_s.saturating_add(watched.watched_s);
            }
            if known.recent.len() < most {
                known.recent.push(watched);
            }
        }
        for opinion in held {
            let rated = opinion.rating_tenths;
            let likes = opinion.thumb > 0 || (opinion.thumb == 0 && rated >= HIGH_TENTHS);
            let dislikes = opinion.thumb < 0 || (opinion.thumb == 0 && (1..=LOW_TENTHS).contains(&rated));
            known.liked += u32::from(likes);
            known.disliked += u32::from(dislikes);
        }
        known
    }

    /// What tells equal ones.
    pub fn digest(&self) -> u64 {
        xxh3_64(&self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let bytes = Vec::with_capacity(64 + 24 * self.recent.len());
        postcard::to_extend(self, bytes).expect("a Vec takes every value of our own wire types")
    }

    /// The payload of a fact.
    pub fn payload(&self, whereabouts: Whereabouts<'_>) -> Vec<u8> {
        postcard::to_extend(&whereabouts, self.encode())
            .expect("a Vec takes every value of our own wire types")
    }

    /// Reads the payload of a fact.
    ///
    /// # Errors
    /// [`DecodeError`] where it is of another version, or damaged.
    pub fn decode(version: u16, payload: &'a [u8]) -> Result<(Self, Whereabouts<'a>), DecodeError> {
        const WHAT: &str = "a member's fact";
        if version != Self::VERSION {
            return Err(DecodeError::UnknownVersion {
                what: WHAT,
                version: u8::try_from(version).unwrap_or(u8::MAX),
                newest: Self::VERSION as u8,
            });
        }
        let damaged = |detail: String| DecodeError::Damaged { what: WHAT, detail };
        let (known, rest) = postcard::take_from_bytes(payload).map_err(|error| damaged(error.to_string()))?;
        let (whereabouts, rest) =
            postcard::take_from_bytes(rest).map_err(|error| damaged(error.to_string()))?;
        match rest {
            [] => Ok((known, whereabouts)),
            rest => Err(damaged(format!("{} bytes too many", rest.len()))),
        }
    }
}
