//! Stored form of a member: version byte, then differences in variable-length integers.

mod times;
mod written;

use super::attribution::{Impression, OpenEvents, OpenPlay, TakenPlay};
use super::recent_ids::RecentIds;
use super::{Listed, Member, Opinion, Watched};
use crate::Position;
use crate::delta::{PositionBand, Showing};
use crate::symbols::{NONE, Symbol};
use crate::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};
use times::TimesV3;
use written::Written;

/// Newest version of a stored member.
pub const MEMBER_VERSION: u8 = 4;

const WHAT: &str = "member state";

/// Version 1. The history runs from newest to oldest, and times and positions are differences to the
/// entry before (the first time to `newest_ms`), so that they take one to three bytes; fingerprints
/// are stored as they are, since they do not compress.
#[derive(Deserialize)]
struct MemberV1 {
    newest_ms: i64,
    forgotten_ms: i64,
    history: Vec<(Symbol, i32, i64)>,
    progress: Vec<(u32, u32, u32)>,
    seen: Vec<Symbol>,
    list: Vec<Symbol>,
    opinions: Vec<(Symbol, i8, u8)>,
    impressions: Vec<ImpressionV1>,
    plays: Vec<(Option<[u8; 8]>, Symbol, i64)>,
    recent_ids: Vec<[u8; 8]>,
    recent_log_s: Vec<i32>,
}

#[derive(Serialize, Deserialize)]
struct ImpressionV1 {
    request: [u8; 8],
    title: Symbol,
    at_ms: i64,
    country: Symbol,
    device: Symbol,
    row: Symbol,
    artwork: Symbol,
    position: Option<u32>,
    propensity: Option<f32>,
}

/// Version 2: version 1 and, behind it, what it did not know.
#[derive(Deserialize)]
struct MemberV2 {
    before: MemberV1,
    quality: QualityV2,
    /// Places among the open impressions whose artwork was chosen for a segment, and the segment.
    segments: Vec<(u32, Symbol)>,
}

/// Experiment variants and plays on their way to be quality plays.
#[derive(Default, Deserialize)]
struct QualityV2 {
    /// Place among the open impressions, variant: of those that have one.
    variants: Vec<(u32, Symbol)>,
    taken: Vec<TakenV2>,
    watched: Vec<(Symbol, i64)>,
}

#[derive(Serialize, Deserialize)]
struct TakenV2 {
    at_ms: i64,
    title: Symbol,
    epoch: u32,
    country: Symbol,
    device: Symbol,
    row: Symbol,
    band: Option<PositionBand>,
    variant: Symbol,
}

/// Version 3: version 2 and, behind it, the times of what it knew without.
#[derive(Deserialize)]
struct MemberV3 {
    before: MemberV2,
    times: TimesV3,
    /// Names that the member brought into the partition's table.
    introduced: u32,
}

/// Version 4: version 3 and, behind it, plays.
#[derive(Deserialize)]
struct MemberV4 {
    before: MemberV3,
    /// Places in the history, from the oldest, of titles played more than once, with how often; a title that is
    /// not here was played once.
    again: Vec<(u32, u16)>,
    /// Places of titles that were not played: they are known by something else.
    unplayed: Vec<u32>,
}

/// Undoes [`written::Differences`].
fn sums(start: i64, differences: impl Iterator<Item = i64>) -> impl Iterator<Item = i64> {
    differences.scan(start, |sum, difference| {
        *sum = sum.wrapping_add(difference);
        Some(*sum)
    })
}

impl MemberV1 {
    /// The history from oldest to newest, in seconds.
    fn history(&self) -> Result<Vec<Watched>, DecodeError> {
        let newest_s = self.newest_ms / 1_000;
        let at_s = sums(newest_s, self.history.iter().map(|(_, at_s, _)| i64::from(*at_s)));
        let positions = sums(0, self.history.iter().map(|(_, _, position)| *position));
        let mut history: Vec<Watched> = self
            .history
            .iter()
            .zip(at_s.zip(positions))
            .map(|((title, _, _), (at_s, position))| Watched {
                title: *title,
                at_ms: at_s.saturating_mul(1_000),
                position: Position(position as u64),
                plays: 1,
                ..Watched::default()
            })
            .collect();
        history.reverse();
        for &(at, watched_s, duration_s) in &self.progress {
            let what = || format!("progress of entry {at}, which the history does not have");
            let entry = entry(&mut history, at, what)?;
            (entry.watched_s, entry.duration_s) = (watched_s, duration_s);
        }
        Ok(history)
    }

    /// Takes the events that wait for others.
    fn open_events(
        &mut self,
        quality: QualityV2,
        segments: Vec<(u32, Symbol)>,
    ) -> Result<OpenEvents, DecodeError> {
        let newest_ms = self.newest_ms;
        let impressions = std::mem::take(&mut self.impressions).into_iter().map(|shown| Impression {
            request: u64::from_le_bytes(shown.request),
            title: shown.title,
            at_ms: newest_ms - shown.at_ms,
            country: shown.country,
            device: shown.device,
            row: shown.row,
            artwork: shown.artwork,
            segment: NONE,
            position: shown.position,
            propensity: shown.propensity,
            variant: NONE,
        });
        let mut impressions: Vec<Impression> = impressions.collect();
        for (at, variant) in quality.variants {
            let what = || format!("variant of open impression {at}, which is not there");
            entry(&mut impressions, at, what)?.variant = variant;
        }
        for (at, segment) in segments {
            let what = || format!("segment of open impression {at}, which is not there");
            entry(&mut impressions, at, what)?.segment = segment;
        }
        let taken = quality.taken.into_iter().map(|play| {
            let TakenV2 { at_ms, title, epoch, country, device, row, band, variant } = play;
            let showing = Showing { title, epoch, country, device, row, band, variant };
            TakenPlay { at_ms: newest_ms - at_ms, showing }
        });
        let plays = std::mem::take(&mut self.plays).into_iter().map(|(request, title, at_ms)| OpenPlay {
            request: request.map_or(0, u64::from_le_bytes),
            title,
            at_ms: newest_ms - at_ms,
        });
        let watched = quality.watched.into_iter().map(|(title, at_ms)| (title, newest_ms - at_ms));
        Ok(OpenEvents {
            impressions,
            plays: plays.collect(),
            taken: taken.collect(),
            watched: watched.collect(),
        })
    }
}

/// The entry at a place that a stored form names.
fn entry<T>(
    entries: &mut [T],
    at: u32,
    what_is_missing: impl FnOnce() -> String,
) -> Result<&mut T, DecodeError> {
    let missing = || DecodeError::Damaged { what: WHAT, detail: what_is_missing() };
    entries.get_mut(at as usize).ok_or_else(missing)
}

/// A stored form of any version.
struct Form {
    before: MemberV2,
    /// Times, and names that the member brought; `None`: versions 1 and 2.
    newer: Option<(TimesV3, u32)>,
    /// Plays of entries of the history that are not one.
    plays: Vec<(u32, u16)>,
}

impl Form {
    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (version, body) = versioned::split(WHAT, MEMBER_VERSION, bytes)?;
        let form = |before, newer| Self { before, newer, plays: Vec::new() };
        Ok(match version {
            1 => {
                let (before, quality) = (versioned::decode(WHAT, body)?, QualityV2::default());
                form(MemberV2 { before, quality, segments: Vec::new() }, None)
            }
            2 => form(versioned::decode(WHAT, body)?, None),
            3 => {
                let MemberV3 { before, times, introduced } = versioned::decode(WHAT, body)?;
                form(before, Some((times, introduced)))
            }
            _ => {
                let MemberV4 { before, again, unplayed } = versioned::decode(WHAT, body)?;
                let plays = unplayed.into_iter().map(|at| (at, 0)).chain(again).collect();
                let MemberV3 { before, times, introduced } = before;
                Self { before, newer: Some((times, introduced)), plays }
            }
        })
    }
}

impl Member {
    /// The stored form. The same state always gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        versioned::encode(MEMBER_VERSION, &Written(self))
    }

    /// The same behind `bytes`.
    pub(crate) fn encode_behind(&self, bytes: Vec<u8>) -> Vec<u8> {
        versioned::encode_behind(bytes, MEMBER_VERSION, &Written(self))
    }

    /// Reads a stored form of any version.
    ///
    /// # Errors
    /// [`DecodeError`] for a version from the future or damaged bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Form { before, newer, plays } = Form::read(bytes)?;
        let MemberV2 { before: mut wire, quality, segments } = before;
        let newest_s = wire.newest_ms / 1_000;
        let history = wire.history()?;
        let open = wire.open_events(quality, segments)?;
        let recent_log_s = sums(newest_s, wire.recent_log_s.into_iter().map(i64::from));
        let opinion =
            |(title, thumb, rating_tenths)| Opinion { title, thumb, rating_tenths, ..Opinion::default() };
        let mut member = Self {
            history,
            seen: wire.seen,
            list: wire.list.into_iter().map(|title| Listed { title, at_ms: 0 }).collect(),
            unlisted: Vec::new(),
            opinions: wire.opinions.into_iter().map(opinion).collect(),
            open,
            recent: RecentIds {
                ids: wire.recent_ids.into_iter().map(u64::from_le_bytes).collect(),
                log_s: recent_log_s.map(|second| second as u32).collect(),
            },
            newest_ms: wire.newest_ms,
            forgotten_ms: wire.forgotten_ms,
            introduced: 0,
        };
        match newer {
            None => member.order_by_time(),
            Some((times, introduced)) => {
                times.give(&mut member)?;
                member.introduced = introduced;
            }
        }
        member.give_plays(plays)?;
        Ok(member)
    }

    fn give_plays(&mut self, plays: Vec<(u32, u16)>) -> Result<(), DecodeError> {
        for (at, plays) in plays {
            let what = || format!("plays of entry {at}, which the history does not have");
            entry(&mut self.history, at, what)?.plays = plays;
        }
        Ok(())
    }
}
