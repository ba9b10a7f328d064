//! Member state: everything known about one member, and what each event does to it.

pub mod attribution;
mod encoding;
pub mod recent_ids;
pub mod snapshot;

pub use encoding::MEMBER_VERSION;
pub use snapshot::MemberSnapshot;

use crate::aggregates::transitions::BEGINNING;
use crate::check_invariant;
use crate::delta::{DeltaBuilder, Showing, Stage, variant_of};
use crate::event::{Event, EventKind};
use crate::identifier::{Position, fingerprint};
use crate::settings::FoldSettings;
use crate::symbols::{NONE, Symbol, Symbols, SymbolsFull};
use attribution::{Impression, OpenEvents, OpenPlay, TakenPlay};
use recent_ids::RecentIds;

/// A title in the history: the latest time the member engaged with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The title.
    pub title: Symbol,
    /// Event time, seconds since 1970.
    pub at_s: u32,
    /// Position of the event in the log.
    pub position: Position,
    /// Seconds watched, where a publisher told (0: unknown).
    pub watched_s: u32,
    /// Length in seconds, where a publisher told (0: unknown).
    pub duration_s: u32,
}

/// A thumb or a rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opinion {
    /// The title.
    pub title: Symbol,
    /// Thumb −1, 1 or 2; 0 where none was given.
    pub thumb: i8,
    /// Rating in tenths of a star, 5 to 50; 0 where none was given.
    pub rating_tenths: u8,
}

/// Everything known about one member. Vectors run from oldest to newest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Member {
    /// Titles watched or rated, each once, at most `history_titles`.
    pub history: Vec<Watched>,
    /// Titles that left the history, at most `seen_titles`.
    pub seen: Vec<Symbol>,
    /// The member's own list, at most `list_titles`.
    pub list: Vec<Symbol>,
    /// Thumbs and ratings, at most `list_titles`.
    pub opinions: Vec<Opinion>,
    /// Impressions and plays that may still find their counterpart.
    pub open: OpenEvents,
    /// Ids of recent events, to drop duplicates.
    pub recent: RecentIds,
    /// Newest event time, Unix milliseconds.
    pub newest_ms: i64,
    /// When the member was erased (events up to then are ignored); 0: never.
    pub forgotten_ms: i64,
}

/// What became of a well-formed event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It changed the state.
    Changed,
    /// Its id was seen before: nothing changed.
    Duplicate,
    /// It happened before the member was erased: only its id is remembered.
    BeforeErasure,
}

/// Where and when an event stands in the log: the part of the fold's context that differs by event.
#[derive(Debug, Clone, Copy)]
pub struct RecordTime {
    /// Position in the log.
    pub position: Position,
    /// Event time, bounded by the log's: Unix milliseconds.
    pub at_ms: i64,
    /// The log's own time stamp: Unix milliseconds.
    pub log_ms: i64,
}

/// Symbols of an event's strings.
struct Names {
    title: Symbol,
    country: Symbol,
    device: Symbol,
    row: Symbol,
    artwork: Symbol,
    variant: Symbol,
    segment: Symbol,
}

impl Names {
    fn intern(event: &Event<'_>, symbols: &mut Symbols) -> Result<Self, SymbolsFull> {
        Ok(Self {
            title: symbols.intern(&event.title)?,
            country: symbols.intern(&event.country)?,
            device: symbols.intern(&event.device)?,
            row: symbols.intern(&event.row)?,
            artwork: symbols.intern(&event.artwork)?,
            variant: match event.kind {
                EventKind::Impression => symbols.intern(variant_of(&event.request))?,
                _ => NONE,
            },
            segment: symbols.intern(&event.segment)?,
        })
    }
}

impl Member {
    /// Applies one event.
    ///
    /// # Errors
    /// [`SymbolsFull`] where a new title or device finds no room; the state is then unchanged.
    pub fn apply(
        &mut self,
        event: &Event<'_>,
        record: RecordTime,
        symbols: &mut Symbols,
        settings: &FoldSettings,
        delta: &mut DeltaBuilder,
    ) -> Result<Applied, SymbolsFull> {
        let id = fingerprint(&event.id);
        let log_s = (record.log_ms / 1_000) as u32;
        if self.recent.contains(id, log_s, settings) {
            return Ok(Applied::Duplicate);
        }
        if self.forgotten_ms > 0 && record.at_ms <= self.forgotten_ms {
            self.recent.insert(id, log_s, settings);
            return Ok(Applied::BeforeErasure);
        }
        if event.kind == EventKind::Forget {
            self.erase(record.at_ms);
            self.recent.insert(id, log_s, settings);
            return Ok(Applied::Changed);
        }
        let names = Names::intern(event, symbols)?;
        self.recent.insert(id, log_s, settings);
        self.newest_ms = self.newest_ms.max(record.at_ms);
        self.open.expire(self.newest_ms, settings);
        match event.kind {
            EventKind::Impression => self.impression(event, &names, record, settings, delta),
            EventKind::Play => self.play(event, &names, record, settings, delta),
            EventKind::Progress => {
                let watched = self.watch(names.title, record, settings);
                self.note_progress(watched, event);
                self.watched_enough(event, names.title, record, settings, delta);
            }
            EventKind::Thumb => {
                self.opinion(names.title, settings).thumb = event.value.unwrap_or_default() as i8;
            }
            EventKind::Rating => {
                self.opinion(names.title, settings).rating_tenths =
                    (event.value.unwrap_or_default() * 10.0).round() as u8;
                if !self.history.iter().any(|watched| watched.title == names.title) {
                    self.transition_to(names.title, settings, delta);
                    self.watch(names.title, record, settings);
                    delta.count(names.title, record.at_ms, names.country, names.device).plays += 1;
                }
            }
            EventKind::ListAdd => {
                if !self.list.contains(&names.title) {
                    push_bounded(&mut self.list, names.title, settings.list_titles);
                }
            }
            EventKind::ListRemove => self.list.retain(|title| *title != names.title),
            EventKind::Forget => {}
        }
        Ok(Applied::Changed)
    }

    fn impression(
        &mut self,
        event: &Event<'_>,
        names: &Names,
        record: RecordTime,
        settings: &FoldSettings,
        delta: &mut DeltaBuilder,
    ) {
        let impression = Impression {
            request: request_fingerprint(&event.request),
            title: names.title,
            at_ms: record.at_ms,
            country: names.country,
            device: names.device,
            row: names.row,
            artwork: names.artwork,
            segment: names.segment,
            position: event.position,
            propensity: event.propensity,
            variant: names.variant,
        };
        let showing = impression.showing();
        let artwork = impression.artwork_shown();
        delta.stage(Stage::Shown, &showing);
        delta.arm(artwork, 1, 0);
        if let Some(play_ms) = self.open.shown(impression, settings) {
            self.attribute(showing, play_ms, settings, delta);
            delta.arm(artwork, 0, 1);
        }
    }

    fn play(
        &mut self,
        event: &Event<'_>,
        names: &Names,
        record: RecordTime,
        settings: &FoldSettings,
        delta: &mut DeltaBuilder,
    ) {
        delta.count(names.title, record.at_ms, names.country, names.device).plays += 1;
        let play = OpenPlay {
            request: request_fingerprint(&event.request),
            title: names.title,
            at_ms: record.at_ms,
        };
        if let Some(shown) = self.open.played(play, settings) {
            self.attribute(shown.showing(), record.at_ms, settings, delta);
            delta.arm(shown.artwork_shown(), 0, 1);
        }
        self.watched_enough(event, names.title, record, settings, delta);
        self.transition_to(names.title, settings, delta);
        let watched = self.watch(names.title, record, settings);
        self.note_progress(watched, event);
    }

    /// Counts a play at `play_ms` for its impression.
    fn attribute(
        &mut self,
        showing: Showing,
        play_ms: i64,
        settings: &FoldSettings,
        delta: &mut DeltaBuilder,
    ) {
        delta.stage(Stage::Taken, &showing);
        if self.open.attributed(TakenPlay { at_ms: play_ms, showing }, settings) {
            delta.stage(Stage::Quality, &showing);
        }
    }

    /// Counts the plays that become quality plays by what `event` tells was watched.
    fn watched_enough(
        &mut self,
        event: &Event<'_>,
        title: Symbol,
        record: RecordTime,
        settings: &FoldSettings,
        delta: &mut DeltaBuilder,
    ) {
        if event.watched_s.is_some_and(|seconds| seconds >= f64::from(settings.quality_seconds)) {
            for play in self.open.watched(title, record.at_ms, settings) {
                delta.stage(Stage::Quality, &play.showing);
            }
        }
    }

    /// Records the transition from the latest other titles of the history to `title`; before the first of
    /// them stands the beginning ([`BEGINNING`]), as if it were a title.
    fn transition_to(&self, title: Symbol, settings: &FoldSettings, delta: &mut DeltaBuilder) {
        let sources = self.history.iter().rev().map(|watched| watched.title).filter(|from| *from != title);
        let beginning = self.seen.is_empty().then_some(BEGINNING);
        delta.transition(title, sources.chain(beginning).take(settings.transition_window));
    }

    /// Puts `title` at the end of the history and returns its record there.
    fn watch(&mut self, title: Symbol, record: RecordTime, settings: &FoldSettings) -> usize {
        let mut entry = Watched {
            title,
            at_s: (record.at_ms / 1_000) as u32,
            position: record.position,
            watched_s: 0,
            duration_s: 0,
        };
        if let Some(at) = self.history.iter().rposition(|watched| watched.title == title) {
            let before = self.history.remove(at);
            (entry.watched_s, entry.duration_s) = (before.watched_s, before.duration_s);
        } else {
            self.seen.retain(|seen| *seen != title);
        }
        if self.history.len() >= settings.history_titles.max(1) {
            let left = self.history.remove(0);
            push_bounded(&mut self.seen, left.title, settings.seen_titles);
        }
        self.history.push(entry);
        check_invariant!(
            I8,
            self.history.len() <= settings.history_titles.max(1),
            "a history of {} titles, the limit is {}",
            self.history.len(),
            settings.history_titles
        );
        self.history.len() - 1
    }

    fn note_progress(&mut self, watched: usize, event: &Event<'_>) {
        let entry = &mut self.history[watched];
        if let Some(seconds) = event.watched_s {
            entry.watched_s = seconds as u32;
        }
        if let Some(seconds) = event.duration_s {
            entry.duration_s = seconds as u32;
        }
    }

    fn opinion(&mut self, title: Symbol, settings: &FoldSettings) -> &mut Opinion {
        let before = self.opinions.iter().position(|opinion| opinion.title == title);
        let opinion = match before {
            Some(at) => self.opinions.remove(at),
            None => Opinion { title, thumb: 0, rating_tenths: 0 },
        };
        push_bounded(&mut self.opinions, opinion, settings.list_titles);
        let last = self.opinions.len() - 1;
        &mut self.opinions[last]
    }

    /// Erases everything but the ids of recent events (fingerprints, which keep redelivered events
    /// from coming back) and the time of erasure.
    fn erase(&mut self, at_ms: i64) {
        *self = Self { recent: std::mem::take(&mut self.recent), forgotten_ms: at_ms, ..Self::default() };
    }
}

fn push_bounded<T>(list: &mut Vec<T>, value: T, limit: usize) {
    let limit = limit.max(1);
    if list.len() >= limit {
        list.drain(..=list.len() - limit);
    }
    list.push(value);
}

/// Fingerprint of a request id; 0 stands for "no request named".
fn request_fingerprint(request: &str) -> u64 {
    if request.is_empty() { 0 } else { fingerprint(request).max(1) }
}
