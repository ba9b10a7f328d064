//! Event times of what a member is stored with, beside the seconds of the history.

use super::super::{Listed, Member};
use super::WHAT;
use crate::symbols::Symbol;
use crate::versioned::DecodeError;
use serde::{Deserialize, Serialize};

/// Times as ages: milliseconds before the member's newest event; `None` for a time of 0.
type Age = Option<i64>;

/// The history runs from newest to oldest, as in version 1.
#[derive(Serialize, Deserialize)]
pub(super) struct TimesV3 {
    /// Milliseconds within the second of each title of the history, ten bits each; those not told are 0.
    millis: Vec<u8>,
    /// Places in the history (from the oldest), and when was told how far a title was watched and how long it
    /// is: where that is not the time of the entry.
    told: Vec<(u32, Age, Age)>,
    /// Of each title on the list.
    list: Vec<Age>,
    unlisted: Vec<(Symbol, Age)>,
    /// Of each opinion: thumb and rating.
    opinions: Vec<(Age, Age)>,
}

impl TimesV3 {
    pub(super) fn of(member: &Member) -> Self {
        let age = |at_ms: i64| (at_ms != 0).then(|| member.newest_ms.wrapping_sub(at_ms));
        let millis = member.history.iter().rev().map(|watched| watched.at_ms.rem_euclid(1_000));
        let millis: Vec<u64> = millis.map(|millis| millis as u64).collect();
        let told_millis = millis.iter().rposition(|millis| *millis != 0).map_or(0, |last| last + 1);
        let told = member.history.iter().enumerate().filter_map(|(at, watched)| {
            let usual = usual(watched.at_ms, watched.watched_s, watched.duration_s);
            let told = (watched.watched_ms, watched.duration_ms);
            (told != usual).then(|| (at as u32, age(told.0), age(told.1)))
        });
        Self {
            millis: packed(&millis[..told_millis]),
            told: told.collect(),
            list: member.list.iter().map(|listed| age(listed.at_ms)).collect(),
            unlisted: member.unlisted.iter().map(|listed| (listed.title, age(listed.at_ms))).collect(),
            opinions: member.opinions.iter().map(|o| (age(o.thumb_ms), age(o.rating_ms))).collect(),
        }
    }

    /// Gives `member` its times.
    pub(super) fn give(self, member: &mut Member) -> Result<(), DecodeError> {
        let damaged = |detail: &str| DecodeError::Damaged { what: WHAT, detail: detail.to_owned() };
        let newest_ms = member.newest_ms;
        let time = |age: Age| age.map_or(0, |age| newest_ms.wrapping_sub(age));
        if !self.millis.len().is_multiple_of(5) || self.millis.len() > member.history.len().div_ceil(4) * 5 {
            return Err(damaged("times of its history do not fit it"));
        }
        for (watched, millis) in member.history.iter_mut().rev().zip(unpacked(&self.millis)) {
            watched.at_ms = watched.at_ms.wrapping_add(millis as i64);
        }
        member.tell_as_usual();
        for (at, watched_age, duration_age) in self.told {
            let watched = member.history.get_mut(at as usize);
            let watched =
                watched.ok_or_else(|| damaged("times of an entry that the history does not have"))?;
            (watched.watched_ms, watched.duration_ms) = (time(watched_age), time(duration_age));
        }
        if (self.list.len(), self.opinions.len()) != (member.list.len(), member.opinions.len()) {
            return Err(damaged("times of its list or opinions are missing"));
        }
        for (listed, age) in member.list.iter_mut().zip(self.list) {
            listed.at_ms = time(age);
        }
        member.unlisted =
            self.unlisted.into_iter().map(|(title, age)| Listed { title, at_ms: time(age) }).collect();
        for (opinion, (thumb, rating)) in member.opinions.iter_mut().zip(self.opinions) {
            (opinion.thumb_ms, opinion.rating_ms) = (time(thumb), time(rating));
        }
        Ok(())
    }
}

impl Member {
    /// Puts what an earlier version stored in the order of arrival into that of event time.
    pub(super) fn order_by_time(&mut self) {
        self.tell_as_usual();
        self.history.sort_by_key(|watched| watched.at_ms);
    }

    fn tell_as_usual(&mut self) {
        for watched in &mut self.history {
            (watched.watched_ms, watched.duration_ms) =
                usual(watched.at_ms, watched.watched_s, watched.duration_s);
        }
    }
}

/// When progress and length were told, as a rule: with the entry's own event, if ever.
fn usual(at_ms: i64, watched_s: u32, duration_s: u32) -> (i64, i64) {
    let told = |seconds: u32| if seconds > 0 { at_ms } else { 0 };
    (told(watched_s), told(duration_s))
}

/// Four numbers of ten bits in five bytes.
fn packed(numbers: &[u64]) -> Vec<u8> {
    let four = |four: &[u64]| four.iter().rev().fold(0_u64, |bits, number| (bits << 10) | (number & 0x3ff));
    numbers.chunks(4).flat_map(|chunk| four(chunk).to_le_bytes().into_iter().take(5)).collect()
}

/// Undoes [`packed`]; numbers that fill the last five bytes up are 0.
fn unpacked(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks(5).flat_map(|five| {
        let bits = five.iter().rev().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        (0..4).map(move |place| (bits >> (10 * place)) & 0x3ff)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(numbers in prop::collection::vec(0..1_000_u64, 0..20)) {
            let bytes = packed(&numbers);
            prop_assert_eq!(bytes.len(), numbers.len().div_ceil(4) * 5);
            let again: Vec<u64> = unpacked(&bytes).take(numbers.len()).collect();
            prop_assert_eq!(again, numbers);
        }
    }
}
