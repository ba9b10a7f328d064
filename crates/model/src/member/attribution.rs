//! Attribution of plays to impressions, and of watching to plays, in event time, whichever arrives
//! first.
//!
//! A play belongs to the impression of the same request and title; where it names no request, to
//! the latest open impression of the title. The impression lies at most `attribution_seconds`
//! before the play, and takes one play at most. What waits for a counterpart is kept until the
//! member's newest event time has passed it by that span and `lateness_seconds`.
//!
//! An attributed play is a *quality play* if a play or progress event of the same member and title
//! tells of at least `quality_seconds` watched, at the time of the play (the play itself may tell) or
//! up to `quality_window_seconds` after it. `watched_s` is where the member stands in the title, so
//! one event may make several plays of a title quality plays, and each becomes one once. As with
//! impressions, either may come first, by up to `lateness_seconds`.

use super::make_room;
use crate::delta::{PositionBand, Showing, ShownArtwork, epoch_of};
use crate::settings::FoldSettings;
use crate::symbols::Symbol;
use get_size2::GetSize;

/// A title that was shown and may still be played.
#[derive(Debug, Clone, PartialEq, GetSize)]
pub struct Impression {
    /// Fingerprint of the request; 0: none named.
    pub request: u64,
    /// The title.
    pub title: Symbol,
    /// Event time, Unix milliseconds.
    pub at_ms: i64,
    /// Country.
    pub country: Symbol,
    /// Device.
    pub device: Symbol,
    /// Row of the page.
    pub row: Symbol,
    /// Artwork shown.
    pub artwork: Symbol,
    /// Affinity segment that the artwork was chosen for.
    pub segment: Symbol,
    /// Position in the row.
    pub position: Option<u32>,
    /// Probability with which the artwork was chosen.
    pub propensity: Option<f32>,
    /// `EXPERIMENT-VARIANT` that issued the request.
    pub variant: Symbol,
}

impl Impression {
    /// The artwork that was shown, for the counts of arms.
    pub fn artwork_shown(&self) -> ShownArtwork {
        let Self { title, artwork, segment, .. } = *self;
        ShownArtwork { title, artwork, segment, epoch: epoch_of(self.at_ms) }
    }

    /// Where it counts in the sums.
    pub fn showing(&self) -> Showing {
        Showing {
            title: self.title,
            epoch: epoch_of(self.at_ms),
            country: self.country,
            device: self.device,
            row: self.row,
            band: self.position.map(PositionBand::of),
            variant: self.variant,
        }
    }
}

/// A play whose impression has not arrived (yet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, GetSize)]
pub struct OpenPlay {
    /// Fingerprint of the request; 0: none named.
    pub request: u64,
    /// The title.
    pub title: Symbol,
    /// Event time, Unix milliseconds.
    pub at_ms: i64,
}

/// An attributed play that has not been watched for long enough (yet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, GetSize)]
pub struct TakenPlay {
    /// Event time of the play, Unix milliseconds.
    pub at_ms: i64,
    /// Where its impression counts.
    pub showing: Showing,
}

/// What may still find its counterpart, in order of arrival.
#[derive(Debug, Clone, Default, PartialEq, GetSize)]
pub struct OpenEvents {
    /// Impressions not played.
    pub impressions: Vec<Impression>,
    /// Plays not attributed.
    pub plays: Vec<OpenPlay>,
    /// Plays attributed, but not watched for long enough.
    pub taken: Vec<TakenPlay>,
    /// By title, the latest event time (Unix milliseconds) at which enough was watched.
    pub watched: Vec<(Symbol, i64)>,
}

impl OpenEvents {
    /// Takes in an impression; the event time of the play that was waiting for it, if one was.
    pub fn shown(&mut self, impression: Impression, settings: &FoldSettings) -> Option<i64> {
        // Who names the request can take no other; of the rest the earliest, since the later ones have more to choose from.
        let waiting = self
            .plays
            .iter()
            .enumerate()
            .filter(|(_, play)| belongs(&impression, play, settings))
            .min_by_key(|(at, play)| (play.request == 0, play.at_ms, *at))
            .map(|(at, _)| at);
        match waiting {
            Some(at) => Some(self.plays.remove(at).at_ms),
            None => {
                push_open(&mut self.impressions, impression, settings.open_impressions, "open_impressions");
                None
            }
        }
    }

    /// Takes in a play; the impression it is attributed to, if that has arrived.
    pub fn played(&mut self, play: OpenPlay, settings: &FoldSettings) -> Option<Impression> {
        let shown = self
            .impressions
            .iter()
            .enumerate()
            .filter(|(_, impression)| belongs(impression, &play, settings))
            .max_by_key(|(at, impression)| (impression.at_ms, *at))
            .map(|(at, _)| at);
        match shown {
            Some(at) => Some(self.impressions.remove(at)),
            None => {
                push_open(&mut self.plays, play, settings.open_impressions, "open_impressions");
                None
            }
        }
    }

    /// Takes in that a play was attributed; true if enough of it has been watched already.
    pub fn attributed(&mut self, play: TakenPlay, settings: &FoldSettings) -> bool {
        let title = play.showing.title;
        let is_quality =
            self.watched.iter().any(|(known, at_ms)| *known == title && is_watched(&play, *at_ms, settings));
        if !is_quality {
            push_open(&mut self.taken, play, settings.open_plays, "open_plays");
        }
        is_quality
    }

    /// Takes in that enough of `title` was watched at `at_ms`; gives out the plays that this makes
    /// quality plays.
    pub fn watched(&mut self, title: Symbol, at_ms: i64, settings: &FoldSettings) -> Vec<TakenPlay> {
        // The latest time serves every play that may still arrive: it lies at or after all of them.
        match self.watched.iter_mut().find(|(known, _)| *known == title) {
            Some((_, latest_ms)) => *latest_ms = at_ms.max(*latest_ms),
            None => push_open(&mut self.watched, (title, at_ms), settings.open_plays, "open_plays"),
        }
        let now_quality =
            |play: &mut TakenPlay| play.showing.title == title && is_watched(play, at_ms, settings);
        self.taken.extract_if(.., now_quality).collect()
    }

    /// Bounds every time that is open.
    pub(super) fn leave_future(&mut self, bound: impl Fn(&mut i64)) {
        self.impressions.iter_mut().for_each(|shown| bound(&mut shown.at_ms));
        self.plays.iter_mut().for_each(|play| bound(&mut play.at_ms));
        self.taken.iter_mut().for_each(|play| bound(&mut play.at_ms));
        self.watched.iter_mut().for_each(|(_, at_ms)| bound(at_ms));
    }

    /// Drops what no event, however late, can match any more.
    pub fn expire(&mut self, newest_ms: i64, settings: &FoldSettings) {
        let late_ms = i64::from(settings.lateness_seconds) * 1_000;
        let span_ms = i64::from(settings.attribution_seconds) * 1_000;
        if self.impressions.first().is_some_and(|shown| shown.at_ms + span_ms + late_ms < newest_ms) {
            self.impressions.retain(|shown| shown.at_ms + span_ms + late_ms >= newest_ms);
        }
        if self.plays.first().is_some_and(|play| play.at_ms + late_ms < newest_ms) {
            self.plays.retain(|play| play.at_ms + late_ms >= newest_ms);
        }
        let window_ms = i64::from(settings.quality_window_seconds) * 1_000;
        if self.taken.first().is_some_and(|play| play.at_ms + window_ms + late_ms < newest_ms) {
            self.taken.retain(|play| play.at_ms + window_ms + late_ms >= newest_ms);
        }
        if self.watched.first().is_some_and(|(_, at_ms)| at_ms + late_ms < newest_ms) {
            self.watched.retain(|(_, at_ms)| at_ms + late_ms >= newest_ms);
        }
    }
}

fn belongs(impression: &Impression, play: &OpenPlay, settings: &FoldSettings) -> bool {
    impression.title == play.title
        && (play.request == 0 || impression.request == play.request)
        && impression.at_ms <= play.at_ms
        && play.at_ms - impression.at_ms <= i64::from(settings.attribution_seconds) * 1_000
}

fn is_watched(play: &TakenPlay, at_ms: i64, settings: &FoldSettings) -> bool {
    at_ms >= play.at_ms && at_ms - play.at_ms <= i64::from(settings.quality_window_seconds) * 1_000
}

fn push_open<T>(open: &mut Vec<T>, value: T, limit: usize, name: &'static str) {
    if open.len() >= limit.max(1) {
        metrics::counter!("nearline_fold_limit_hits_total", "limit" => name).increment(1);
        open.remove(0);
    }
    make_room(open);
    open.push(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::NONE;

    fn shown(request: u64, title: Symbol, at_ms: i64) -> Impression {
        Impression {
            request,
            title,
            at_ms,
            country: NONE,
            device: NONE,
            row: NONE,
            artwork: NONE,
            segment: NONE,
            position: None,
            propensity: None,
            variant: NONE,
        }
    }

    fn play(request: u64, title: Symbol, at_ms: i64) -> OpenPlay {
        OpenPlay { request, title, at_ms }
    }

    #[test]
    fn a_play_takes_the_impression_of_its_request_once() {
        let settings = FoldSettings::default();
        let mut open = OpenEvents::default();
        open.shown(shown(7, Symbol(1), 1_000), &settings);
        open.shown(shown(8, Symbol(1), 2_000), &settings);
        assert_eq!(open.played(play(7, Symbol(1), 3_000), &settings).map(|i| i.at_ms), Some(1_000));
        assert_eq!(open.played(play(7, Symbol(1), 4_000), &settings), None);
    }

    #[test]
    fn a_play_without_request_takes_the_latest_impression_within_the_span() {
        let settings = FoldSettings::default();
        let mut open = OpenEvents::default();
        open.shown(shown(7, Symbol(1), 1_000), &settings);
        open.shown(shown(8, Symbol(1), 2_000), &settings);
        assert_eq!(open.played(play(0, Symbol(1), 3_601_500), &settings).map(|i| i.at_ms), Some(2_000));
        assert_eq!(open.played(play(0, Symbol(1), 3_601_500), &settings), None);
    }

    #[test]
    fn an_impression_that_arrives_after_its_play_is_attributed() {
        let settings = FoldSettings::default();
        let mut open = OpenEvents::default();
        assert_eq!(open.played(play(7, Symbol(1), 60_000), &settings), None);
        assert_eq!(
            open.shown(shown(7, Symbol(1), 61_000), &settings),
            None,
            "an impression after its play does not count"
        );
        assert_eq!(open.shown(shown(7, Symbol(1), 59_000), &settings), Some(60_000));
        assert_eq!(open.shown(shown(7, Symbol(1), 59_000), &settings), None, "a play counts once");
    }

    #[test]
    fn of_plays_that_wait_the_one_with_fewest_impressions_to_choose_from_is_served() {
        let settings = FoldSettings::default();
        let title = Symbol(1);
        let mut open = OpenEvents::default();
        for at_ms in [800_000, 700_000] {
            assert_eq!(open.played(play(0, title, at_ms), &settings), None);
        }
        assert_eq!(open.shown(shown(7, title, 600_000), &settings), Some(700_000));
        assert_eq!(open.shown(shown(8, title, 750_000), &settings), Some(800_000), "both, as in order");
        assert_eq!(open.played(play(0, title, 700_000), &settings), None);
        assert_eq!(open.played(play(9, title, 800_000), &settings), None);
        assert_eq!(open.shown(shown(9, title, 600_000), &settings), Some(800_000), "it can take no other");
    }

    #[test]
    fn what_can_find_no_counterpart_any_more_is_dropped() {
        let settings = FoldSettings::default();
        let mut open = OpenEvents::default();
        open.shown(shown(7, Symbol(1), 0), &settings);
        open.played(play(9, Symbol(2), 0), &settings);
        open.expire(600_000, &settings);
        assert_eq!((open.impressions.len(), open.plays.len()), (1, 1));
        open.expire(4_200_001, &settings);
        assert_eq!(open, OpenEvents::default());
    }

    #[test]
    fn a_play_becomes_a_quality_play_once_whichever_arrives_first() {
        let settings = FoldSettings::default();
        let window_ms = i64::from(settings.quality_window_seconds) * 1_000;
        let taken = |at_ms| TakenPlay { at_ms, showing: shown(7, Symbol(1), at_ms).showing() };
        let mut open = OpenEvents::default();
        assert!(!open.attributed(taken(1_000), &settings));
        assert!(open.watched(Symbol(2), 1_500, &settings).is_empty(), "another title");
        assert!(open.watched(Symbol(1), 999, &settings).is_empty(), "before the play");
        assert!(open.watched(Symbol(1), 1_001 + window_ms, &settings).is_empty(), "too long after it");
        assert_eq!(open.watched(Symbol(1), 1_000 + window_ms, &settings), [taken(1_000)]);
        assert!(open.watched(Symbol(1), 1_000 + window_ms, &settings).is_empty(), "once");
        assert!(open.attributed(taken(900 + window_ms), &settings), "the play arrived after the progress");
    }
}
