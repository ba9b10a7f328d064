//! The newest stored form of a member, written from where the member lies.

use super::times::TimesV3;
use super::{ImpressionV1, TakenV2};
use crate::delta::Showing;
use crate::member::Member;
use crate::member::attribution::{Impression, OpenPlay, TakenPlay};
use crate::symbols::NONE;
use serde::ser::{Serialize, SerializeTuple, Serializer};

/// A member as [`MemberV4`](super::MemberV4) is stored, field by field.
pub(super) struct Written<'a>(pub &'a Member);

/// A sequence of a length that is known before it is gone through.
struct Each<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Each<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// Differences between neighbours, the first to what is `before`.
#[derive(Clone)]
struct Differences<I> {
    before: i64,
    values: I,
}

impl<I: Iterator<Item = i64>> Iterator for Differences<I> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let value = self.values.next()?;
        Some(value.wrapping_sub(std::mem::replace(&mut self.before, value)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.values.size_hint()
    }
}

impl Serialize for Written<'_> {
    /// A tuple has no length of its own: fields of structs within structs stand one behind the other.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(member) = self;
        let mut fields = serializer.serialize_tuple(19)?;
        self.first_version(&mut fields)?;
        self.quality(&mut fields)?;
        let shown = (0_u32..).zip(&member.open.impressions);
        let segments =
            shown.filter(|(_, shown)| shown.segment != NONE).map(|(at, shown)| (at, shown.segment));
        fields.serialize_element(&segments.collect::<Vec<_>>())?;
        fields.serialize_element(&TimesV3::of(member))?;
        fields.serialize_element(&member.introduced)?;
        let plays = || (0_u32..).zip(member.history.iter().map(|watched| watched.plays));
        let again = plays().filter(|(_, plays)| *plays > 1);
        fields.serialize_element(&again.collect::<Vec<_>>())?;
        let unplayed = plays().filter(|(_, plays)| *plays == 0).map(|(at, _)| at);
        fields.serialize_element(&unplayed.collect::<Vec<_>>())?;
        fields.end()
    }
}

impl Written<'_> {
    /// The fields of [`MemberV1`](super::MemberV1).
    fn first_version<T: SerializeTuple>(&self, fields: &mut T) -> Result<(), T::Error> {
        let Self(member) = self;
        let newest_ms = member.newest_ms;
        let newest_s = newest_ms / 1_000;
        let from_newest = member.history.iter().rev();
        let at_s = from_newest.clone().map(|watched| watched.at_ms.div_euclid(1_000));
        let at_s = Differences { before: newest_s, values: at_s };
        let positions = from_newest.clone().map(|watched| watched.position.0 as i64);
        let positions = Differences { before: 0, values: positions };
        let history = from_newest.zip(at_s.zip(positions));
        let progress = (0_u32..)
            .zip(&member.history)
            .filter(|(_, watched)| watched.watched_s > 0 || watched.duration_s > 0)
            .map(|(at, watched)| (at, watched.watched_s, watched.duration_s));
        let opinions = member.opinions.iter().map(|o| (o.title, o.thumb, o.rating_tenths));
        let impression = |shown: &Impression| ImpressionV1 {
            request: shown.request.to_le_bytes(),
            title: shown.title,
            at_ms: newest_ms - shown.at_ms,
            country: shown.country,
            device: shown.device,
            row: shown.row,
            artwork: shown.artwork,
            position: shown.position,
            propensity: shown.propensity,
        };
        let play = |play: &OpenPlay| (named(play.request), play.title, newest_ms - play.at_ms);
        let recent_log_s = member.recent.log_s.iter().map(|second| i64::from(*second));
        let recent_log_s = Differences { before: newest_s, values: recent_log_s };
        fields.serialize_element(&newest_ms)?;
        fields.serialize_element(&member.forgotten_ms)?;
        fields.serialize_element(&Each(
            history.map(|(watched, (at_s, position))| (watched.title, at_s as i32, position)),
        ))?;
        fields.serialize_element(&progress.collect::<Vec<_>>())?;
        fields.serialize_element(&member.seen)?;
        fields.serialize_element(&Each(member.list.iter().map(|listed| listed.title)))?;
        fields.serialize_element(&Each(opinions))?;
        fields.serialize_element(&Each(member.open.impressions.iter().map(impression)))?;
        fields.serialize_element(&Each(member.open.plays.iter().map(play)))?;
        fields.serialize_element(&Each(member.recent.ids.iter().map(|id| id.to_le_bytes())))?;
        fields.serialize_element(&Each(recent_log_s.map(|difference| difference as i32)))
    }

    /// The fields of [`QualityV2`](super::QualityV2).
    fn quality<T: SerializeTuple>(&self, fields: &mut T) -> Result<(), T::Error> {
        let Self(member) = self;
        let newest_ms = member.newest_ms;
        let shown = (0_u32..).zip(&member.open.impressions);
        let variants =
            shown.filter(|(_, shown)| shown.variant != NONE).map(|(at, shown)| (at, shown.variant));
        let taken = |play: &TakenPlay| {
            let Showing { title, epoch, country, device, row, band, variant } = play.showing;
            TakenV2 { at_ms: newest_ms - play.at_ms, title, epoch, country, device, row, band, variant }
        };
        let watched = member.open.watched.iter().map(|(title, at_ms)| (*title, newest_ms - at_ms));
        fields.serialize_element(&variants.collect::<Vec<_>>())?;
        fields.serialize_element(&Each(member.open.taken.iter().map(taken)))?;
        fields.serialize_element(&Each(watched))
    }
}

/// The fingerprint of a request, if one was named.
fn named(request: u64) -> Option<[u8; 8]> {
    (request != 0).then(|| request.to_le_bytes())
}
