//! What a member watched, in the order of event time.

use super::{Member, RecordTime, insert_by_time};
use crate::check_invariant;
use crate::event::Event;
use crate::identifier::Position;
use crate::settings::FoldSettings;
use crate::symbols::Symbol;
use get_size2::GetSize;

/// A title in the history: the latest time the member engaged with it.
///
/// What is told of it later, but happened earlier, does not take back what is known: each part is as new as
/// the newest event that told it.
#[derive(Debug, Clone, Default, PartialEq, GetSize)]
pub struct Watched {
    /// The title.
    pub title: Symbol,
    /// Event time, Unix milliseconds.
    pub at_ms: i64,
    /// Position of the event in the log.
    pub position: Position,
    /// Seconds watched, where a publisher told (0: unknown, or taken back).
    pub watched_s: u32,
    /// Event time at which `watched_s` was told; 0: never.
    pub watched_ms: i64,
    /// Length in seconds, where a publisher told (0: unknown).
    pub duration_s: u32,
    /// Event time at which `duration_s` was told; 0: never.
    pub duration_ms: i64,
    /// How often it was played, as far as it is known: what left the history and came back counts from one.
    pub plays: u16,
}

/// Share of a title's length from which it counts as finished: what is left are the credits.
const FINISHED_SHARE: f64 = 0.9;

/// Whether so many seconds of a title of that length are a beginning without an end; what nobody told the length of
/// cannot be said to be either.
pub(super) fn is_begun(watched_s: u32, duration_s: u32) -> bool {
    let (seconds, length) = (f64::from(watched_s), f64::from(duration_s));
    seconds > 0.0 && length > 0.0 && seconds < FINISHED_SHARE * length
}

impl Watched {
    /// Begun and not finished: a play goes on with it, and is no return.
    pub fn is_begun(&self) -> bool {
        is_begun(self.watched_s, self.duration_s)
    }

    /// Forgets milliseconds within the second.
    fn round(&mut self) {
        let at_ms = self.at_ms - self.at_ms.rem_euclid(1_000);
        for told_ms in [&mut self.watched_ms, &mut self.duration_ms] {
            if *told_ms == self.at_ms {
                *told_ms = at_ms;
            }
        }
        self.at_ms = at_ms;
    }
}

/// Latest titles of the history whose times are kept to the millisecond; those of others are kept to the second, so that
/// a long history stays small.
const EXACT_TITLES: usize = 16;

impl Member {
    /// The member engaged with `title`: it stands in the history by the latest time of it. What leaves the
    /// history was seen.
    pub(super) fn watch(&mut self, title: Symbol, record: RecordTime, settings: &FoldSettings) {
        let RecordTime { at_ms, position, .. } = record;
        let entry = match self.history.iter().rposition(|watched| watched.title == title) {
            Some(at) if at_ms < self.history[at].at_ms => return,
            Some(at) => Watched { at_ms, position, ..self.history.remove(at) },
            None => {
                let before = self.seen.len();
                self.seen.retain(|seen| *seen != title);
                let plays = u16::from(self.seen.len() < before);
                Watched { title, at_ms, position, plays, ..Watched::default() }
            }
        };
        let limit = settings.history_titles.max(1);
        if let Some(left) = insert_by_time(&mut self.history, entry, limit, |watched| watched.at_ms) {
            let most = settings.seen_titles.max(1);
            if self.seen.len() >= most {
                self.seen.drain(..=self.seen.len() - most);
            }
            self.seen.push(left.title);
        }
        if let Some(at) = self.history.len().checked_sub(EXACT_TITLES + 1) {
            self.history[at].round();
        }
        check_invariant!(
            I8,
            self.history.len() <= limit,
            "a history of {} titles, the limit is {limit}",
            self.history.len()
        );
    }

    /// `title` was played; going on with it is no further play.
    pub(super) fn count_play(&mut self, title: Symbol) {
        let known = self.history.iter_mut().rev().find(|watched| watched.title == title);
        if let Some(entry) = known.filter(|entry| entry.plays == 0 || !entry.is_begun()) {
            entry.plays = entry.plays.saturating_add(1);
        }
    }

    /// Notes how far `title` was watched and how long it is, as `event` tells.
    pub(super) fn note_progress(&mut self, title: Symbol, event: &Event<'_>, at_ms: i64) {
        let Some(entry) = self.history.iter_mut().rev().find(|watched| watched.title == title) else {
            // It is older than the whole history.
            return;
        };
        if let Some(seconds) = event.watched_s.filter(|_| at_ms >= entry.watched_ms) {
            (entry.watched_s, entry.watched_ms) = (seconds as u32, at_ms);
        }
        if let Some(seconds) = event.duration_s.filter(|_| at_ms >= entry.duration_ms) {
            (entry.duration_s, entry.duration_ms) = (seconds as u32, at_ms);
        }
    }
}
