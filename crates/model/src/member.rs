//! Member state: everything known about one member, and what each event does to it.

pub mod attribution;
mod encoding;
mod future;
mod history;
mod listed;
mod opinions;
pub mod recent_ids;
pub mod snapshot;

pub use encoding::MEMBER_VERSION;
pub use history::Watched;
pub use listed::Listed;
pub use opinions::Opinion;
pub use snapshot::MemberSnapshot;

use crate::aggregates::probes::MOST_SOURCES;
use crate::aggregates::transitions::BEGINNING;
use crate::delta::{Candidate, DeltaBuilder, PositionBand, Showing, Stage, epoch_of, is_probe, variant_of};
use crate::event::{Event, EventKind};
use crate::identifier::{Position, fingerprint};
use crate::partition::name_table::{NameTable, ShareUsed};
use crate::settings::FoldSettings;
use crate::symbols::{NONE, Symbol};
use attribution::{Impression, OpenEvents, OpenPlay, TakenPlay};
use get_size2::GetSize;
use recent_ids::RecentIds;
use smallvec::{SmallVec, smallvec};

/// Everything known about one member. Lists run from oldest to newest by event time, whatever order events
/// arrived in; of equal times the later in the log is the newer.
#[derive(Debug, Clone, Default, PartialEq, GetSize)]
pub struct Member {
    /// Titles watched or rated, each once, at most `history_titles`.
    pub history: Vec<Watched>,
    /// Titles that left the history, at most `seen_titles`, in the order in which they left.
    pub seen: Vec<Symbol>,
    /// The member's own list, at most `list_titles`.
    pub list: Vec<Listed>,
    /// Titles taken off the list, at most `list_titles`: what was put there before, but arrives later, stays
    /// off.
    pub unlisted: Vec<Listed>,
    /// Thumbs and ratings, withdrawn ones among them, at most `list_titles`.
    pub opinions: Vec<Opinion>,
    /// Impressions and plays that may still find their counterpart.
    pub open: OpenEvents,
    /// Ids of recent events, to drop duplicates.
    pub recent: RecentIds,
    /// Newest event time, Unix milliseconds.
    pub newest_ms: i64,
    /// When the member was erased (events up to then are ignored); 0: never.
    pub forgotten_ms: i64,
    /// Names (titles, devices, rows…) that were new to the partition when an event of this member brought them.
    pub introduced: u32,
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
    /// Beyond the member's share a title is refused, and everything else is counted without its name.
    fn number(event: &Event<'_>, table: &mut NameTable, introduced: &mut u32) -> Result<Self, ShareUsed> {
        let mut number = |name: &str| table.number(name, &event.member, introduced);
        Ok(Self {
            title: number(&event.title)?,
            country: number(&event.country).unwrap_or(NONE),
            device: number(&event.device).unwrap_or(NONE),
            row: number(&event.row).unwrap_or(NONE),
            artwork: number(&event.artwork).unwrap_or(NONE),
            variant: match event.kind {
                EventKind::Impression => number(variant_of(&event.request)).unwrap_or(NONE),
                _ => NONE,
            },
            segment: number(&event.segment).unwrap_or(NONE),
        })
    }
}

impl Member {
    /// Applies one event.
    ///
    /// # Errors
    /// [`ShareUsed`] where a title is new to the partition and the member has brought too many; the state is
    /// then unchanged.
    pub fn apply(
        &mut self,
        event: &Event<'_>,
        record: RecordTime,
        names: &mut NameTable,
        settings: &FoldSettings,
        delta: &mut DeltaBuilder,
    ) -> Result<Applied, ShareUsed> {
        self.leave_future(record.log_ms, settings);
        let id = fingerprint(&event.id);
        let log_s = (record.log_ms / 1_000) as u32;
        if self.recent.contains(id, log_s, settings) {
            return Ok(Applied::Duplicate);
        }
        // Of what the log's clock bounds, all at the same time, the later in the log is the later.
        let is_bounded = event.at_ms > record.at_ms;
        let is_before =
            record.at_ms < self.forgotten_ms || (record.at_ms == self.forgotten_ms && !is_bounded);
        let erases_again =
            || erases_again(event.kind, (record.at_ms, record.log_ms), self.forgotten_ms, settings);
        if self.forgotten_ms > 0 && is_before && !erases_again() {
            self.recent.insert(id, log_s, settings);
            return Ok(Applied::BeforeErasure);
        }
        if event.kind == EventKind::Forget {
            self.erase(record.at_ms.max(self.forgotten_ms));
            delta.erase(&event.member);
            self.recent.insert(id, log_s, settings);
            return Ok(Applied::Changed);
        }
        let names = Names::number(event, names, &mut self.introduced)?;
        self.recent.insert(id, log_s, settings);
        self.newest_ms = self.newest_ms.max(record.at_ms);
        self.open.expire(self.newest_ms, settings);
        match event.kind {
            EventKind::Impression => self.impression(event, &names, record, settings, delta),
            EventKind::Play => self.play(event, &names, record, settings, delta),
            EventKind::Progress => {
                self.watch(names.title, record, settings);
                self.note_progress(names.title, event, record.at_ms);
                self.watched_enough(event, names.title, record, settings, delta);
            }
            EventKind::Thumb => {
                let thumb = event.value.unwrap_or_default() as i8;
                self.think(names.title, settings, |opinion| opinion.thumb(thumb, record.at_ms));
            }
            EventKind::Rating => self.rate(event, &names, record, settings, delta),
            EventKind::ListAdd => self.put_on_list(names.title, record.at_ms, settings),
            EventKind::ListRemove => self.take_off_list(names.title, record.at_ms, settings),
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
        delta.played(names.title, record.at_ms, names.country, names.device);
        let play = OpenPlay {
            request: request_fingerprint(&event.request),
            title: names.title,
            at_ms: record.at_ms,
        };
        if let Some(shown) = self.open.played(play, settings) {
            self.attribute(shown.showing(), record.at_ms, settings, delta);
            delta.arm(shown.artwork_shown(), 0, 1);
            self.contest(event, &shown, record, delta);
        }
        self.watched_enough(event, names.title, record, settings, delta);
        self.transition_to(event, names.title, record, settings, delta);
        self.watch(names.title, record, settings);
        self.count_play(names.title);
        self.note_progress(names.title, event, record.at_ms);
    }

    /// A rating. One of a title that is not in the history counts as a play, since most who rate have watched,
    /// unless it is low, which is no sign of interest: the title is known from then on, and that is all.
    fn rate(
        &mut self,
        event: &Event<'_>,
        names: &Names,
        record: RecordTime,
        settings: &FoldSettings,
        delta: &mut DeltaBuilder,
    ) {
        let rating_tenths = (event.value.unwrap_or_default() * 10.0).round() as u8;
        self.think(names.title, settings, |opinion| opinion.rate(rating_tenths, record.at_ms));
        if rating_tenths == 0 {
            return;
        }
        let is_known = self.history.iter().any(|watched| watched.title == names.title);
        if !is_known && !opinions::is_low(rating_tenths) {
            self.transition_to(event, names.title, record, settings, delta);
            delta.played(names.title, record.at_ms, names.country, names.device);
        }
        self.watch(names.title, record, settings);
        if !is_known && !opinions::is_low(rating_tenths) {
            self.count_play(names.title);
        }
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

    /// Titles that were watched before, the latest first, without `title` and the member's dislikes.
    fn sources_of(&self, title: Symbol, record: RecordTime) -> impl Iterator<Item = Symbol> + '_ {
        let negative = self.opinions.iter().filter(|opinion| opinion.is_negative());
        let disliked: Vec<Symbol> = negative.map(|opinion| opinion.title).collect();
        let before = self.history.iter().rev().filter(move |watched| watched.at_ms <= record.at_ms);
        let sources = before.map(|watched| watched.title);
        sources.filter(move |from| *from != title && !disliked.contains(from))
    }

    /// Records what `shown` was played in the place of: what the same request showed and was not played. Without a
    /// request it is not known what stood beside it.
    fn contest(&self, event: &Event<'_>, shown: &Impression, record: RecordTime, delta: &mut DeltaBuilder) {
        if shown.request == 0 {
            return;
        }
        let open = || self.open.impressions.iter().filter(|open| open.at_ms <= record.at_ms);
        let candidate = |shown: &Impression| Candidate {
            title: shown.title,
            band: shown.position.map(PositionBand::of),
            shown_before: 0,
        };
        let mut candidates: SmallVec<[Candidate; 32]> = smallvec![candidate(shown)];
        candidates.extend(open().filter(|open| open.request == shown.request).map(candidate));
        if candidates.len() < 2 {
            return;
        }
        for elsewhere in open().filter(|open| open.request != shown.request) {
            for candidate in candidates.iter_mut().filter(|candidate| candidate.title == elsewhere.title) {
                candidate.shown_before = candidate.shown_before.saturating_add(1);
            }
        }
        let at = (record.position, (shown.at_ms / 1_000) as u32);
        delta.contest(&event.member, at, candidates[0], &candidates[1..], self.sources_of(NONE, record));
    }

    /// Records the transition to `title` at `at_ms` from the titles of the history that were watched before
    /// it, the latest first, and the member's dislikes left out; before the first of them stands the beginning
    /// ([`BEGINNING`]), as if it were a title. What a member comes back to is no transition: it says nothing of what
    /// is chosen anew, and is recorded as a probe alone.
    fn transition_to(
        &self,
        event: &Event<'_>,
        title: Symbol,
        record: RecordTime,
        settings: &FoldSettings,
        delta: &mut DeltaBuilder,
    ) {
        let before = || self.history.iter().rev().filter(|watched| watched.at_ms <= record.at_ms);
        if self.seen.is_empty() && before().next().is_none() {
            delta.open(title, record.at_ms);
        }
        let known = self.history.iter().find(|watched| watched.title == title);
        let is_repeat = known.is_some_and(|known| known.plays > 0) || self.seen.contains(&title);
        // Who goes on with a title chooses none.
        let is_probe = is_probe(record.position) && !known.is_some_and(Watched::is_begun);
        if is_repeat && !is_probe {
            return;
        }
        let beginning = self.seen.is_empty().then_some(BEGINNING);
        let sources = || self.sources_of(title, record).chain(beginning);
        let window = if is_repeat { 0 } else { settings.transition_window };
        let left = self.seen.iter().rev().copied().filter(|seen| *seen != title);
        let most = if is_probe { MOST_SOURCES.saturating_sub(window + 1) } else { 0 };
        let known: Vec<Symbol> = sources().skip(window).chain(left).take(most).collect();
        if delta.transition(title, sources().take(window), &known) && is_probe {
            let done = before().filter(|watched| !watched.is_begun());
            let again = delta.return_to(title, done.map(|w| (w.title, w.plays)), &self.seen);
            let again = is_repeat.then(|| again.unwrap_or(u32::MAX));
            delta.probe(&event.member, record.position, epoch_of(record.at_ms), again);
        }
    }

    /// Erases everything but the ids of recent events (fingerprints, which keep redelivered events
    /// from coming back), the time of erasure, and how many names the member brought. Where the client's clock is behind, so that
    /// what is erased is of later than its erasure, that time stays too: by event time, an earlier state is not the newer one.
    fn erase(&mut self, at_ms: i64) {
        let (recent, introduced) = (std::mem::take(&mut self.recent), self.introduced);
        let newest_ms = if self.newest_ms > at_ms { self.newest_ms } else { 0 };
        *self = Self { recent, introduced, forgotten_ms: at_ms, newest_ms, ..Self::default() };
    }
}

/// Whether an event from before the last erasure is one more `forget`, of a client whose clock is behind. What comes later than
/// events do is taken for an older one that comes again: it must not take what is newer.
///
/// Times are Unix milliseconds: the event's, bounded by the log's, and the log's.
pub fn erases_again(
    kind: EventKind,
    (at_ms, log_ms): (i64, i64),
    forgotten_ms: i64,
    settings: &FoldSettings,
) -> bool {
    kind == EventKind::Forget
        && at_ms < forgotten_ms
        && log_ms.saturating_sub(at_ms) <= i64::from(settings.lateness_seconds) * 1_000
}

/// Makes room for one more, and half of what there is: there are as many lists as members, most of a few entries.
fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(1 + list.len() / 2);
    }
}

/// Puts `value` behind all that are not newer, as `time` says; beyond `limit` the oldest goes, and is given
/// back.
fn insert_by_time<T>(list: &mut Vec<T>, value: T, limit: usize, time: impl Fn(&T) -> i64) -> Option<T> {
    let at_ms = time(&value);
    let place = list.iter().rposition(|known| time(known) <= at_ms).map_or(0, |before| before + 1);
    if list.len() < limit.max(1) {
        make_room(list);
        list.insert(place, value);
        return None;
    }
    // Without growing beyond the limit, even for a moment.
    match place.checked_sub(1) {
        None => Some(value),
        Some(place) => {
            let oldest = list.remove(0);
            list.insert(place, value);
            Some(oldest)
        }
    }
}

/// Fingerprint of a request id; 0 stands for "no request named".
fn request_fingerprint(request: &str) -> u64 {
    if request.is_empty() { 0 } else { fingerprint(request).max(1) }
}
