//! Attribution of plays to impressions, in event time, whichever arrives first.
//!
//! A play belongs to the impression of the same request and title; where it names no request, to
//! the latest open impression of the title. The impression lies at most `attribution_seconds`
//! before the play, and takes one play at most. What waits for a counterpart is kept until the
//! member's newest event time has passed it by that span and `lateness_seconds`.

use crate::settings::FoldSettings;
use crate::symbols::Symbol;

/// A title that was shown and may still be played.
#[derive(Debug, Clone, PartialEq)]
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
}

/// A play whose impression has not arrived (yet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenPlay {
    /// Fingerprint of the request; 0: none named.
    pub request: u64,
    /// The title.
    pub title: Symbol,
    /// Event time, Unix milliseconds.
    pub at_ms: i64,
}

/// What may still find its counterpart, in order of arrival.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpenEvents {
    /// Impressions not played.
    pub impressions: Vec<Impression>,
    /// Plays not attributed.
    pub plays: Vec<OpenPlay>,
}

impl OpenEvents {
    /// Takes in an impression; true if a play was waiting for it.
    pub fn shown(&mut self, impression: Impression, settings: &FoldSettings) -> bool {
        let waiting = self.plays.iter().position(|play| belongs(&impression, play, settings));
        match waiting {
            Some(at) => {
                self.plays.remove(at);
                true
            }
            None => {
                push_open(&mut self.impressions, impression, settings);
                false
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
                push_open(&mut self.plays, play, settings);
                None
            }
        }
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
    }
}

fn belongs(impression: &Impression, play: &OpenPlay, settings: &FoldSettings) -> bool {
    impression.title == play.title
        && (play.request == 0 || impression.request == play.request)
        && impression.at_ms <= play.at_ms
        && play.at_ms - impression.at_ms <= i64::from(settings.attribution_seconds) * 1_000
}

fn push_open<T>(open: &mut Vec<T>, value: T, settings: &FoldSettings) {
    if open.len() >= settings.open_impressions.max(1) {
        metrics::counter!("nearline_fold_limit_hits_total", "limit" => "open_impressions").increment(1);
        open.remove(0);
    }
    open.push(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(request: u64, title: Symbol, at_ms: i64) -> Impression {
        Impression {
            request,
            title,
            at_ms,
            country: 0,
            device: 0,
            row: 0,
            artwork: 0,
            segment: 0,
            position: None,
            propensity: None,
        }
    }

    fn play(request: u64, title: Symbol, at_ms: i64) -> OpenPlay {
        OpenPlay { request, title, at_ms }
    }

    #[test]
    fn a_play_takes_the_impression_of_its_request_once() {
        let settings = FoldSettings::default();
        let mut open = OpenEvents::default();
        open.shown(shown(7, 1, 1_000), &settings);
        open.shown(shown(8, 1, 2_000), &settings);
        assert_eq!(open.played(play(7, 1, 3_000), &settings).map(|i| i.at_ms), Some(1_000));
        assert_eq!(open.played(play(7, 1, 4_000), &settings), None);
    }

    #[test]
    fn a_play_without_request_takes_the_latest_impression_within_the_span() {
        let settings = FoldSettings::default();
        let mut open = OpenEvents::default();
        open.shown(shown(7, 1, 1_000), &settings);
        open.shown(shown(8, 1, 2_000), &settings);
        assert_eq!(open.played(play(0, 1, 3_601_500), &settings).map(|i| i.at_ms), Some(2_000));
        assert_eq!(open.played(play(0, 1, 3_601_500), &settings), None);
    }

    #[test]
    fn an_impression_that_arrives_after_its_play_is_attributed() {
        let settings = FoldSettings::default();
        let mut open = OpenEvents::default();
        assert_eq!(open.played(play(7, 1, 60_000), &settings), None);
        assert!(!open.shown(shown(7, 1, 61_000), &settings), "an impression after its play does not count");
        assert!(open.shown(shown(7, 1, 59_000), &settings));
        assert!(!open.shown(shown(7, 1, 59_000), &settings), "a play counts once");
    }

    #[test]
    fn what_can_find_no_counterpart_any_more_is_dropped() {
        let settings = FoldSettings::default();
        let mut open = OpenEvents::default();
        open.shown(shown(7, 1, 0), &settings);
        open.played(play(9, 2, 0), &settings);
        open.expire(600_000, &settings);
        assert_eq!((open.impressions.len(), open.plays.len()), (1, 1));
        open.expire(4_200_001, &settings);
        assert_eq!(open, OpenEvents::default());
    }
}
