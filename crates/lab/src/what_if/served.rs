//! What was served: whether the titles that were played had been shown before.

use std::collections::VecDeque;

use hashbrown::HashMap;
use nearline_model::{Event, EventKind};

use crate::evaluate::summary::Outcome;
use crate::evaluate::timed_event::TimedEvent;

/// Plays that were asked about, and what had been shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Served {
    /// Plays that were asked about.
    pub plays: usize,
    /// Those of members who had been shown anything within the window.
    pub after_impressions: usize,
    /// Those of titles that had been shown to the member within the window.
    pub of_shown: usize,
}

impl Served {
    /// What had been shown before the plays of `outcomes`, within so many milliseconds.
    pub fn of(events: &[TimedEvent], outcomes: &[Outcome], window_ms: i64, event_bytes: usize) -> Self {
        let mut served = Self::default();
        let mut shown: HashMap<String, VecDeque<(i64, String)>> = HashMap::new();
        let mut asked = outcomes.iter().map(|outcome| outcome.event).peekable();
        for (number, timed) in events.iter().enumerate() {
            let Ok(event) = Event::parse(&timed.payload, event_bytes) else { continue };
            if asked.next_if_eq(&number).is_some() {
                served.plays += 1;
                let before = shown.get(&*event.member).into_iter().flatten();
                let before = before.filter(|(at_ms, _)| timed.at_ms - at_ms <= window_ms);
                let (mut any, mut this) = (false, false);
                before.for_each(|(_, title)| (any, this) = (true, this || **title == *event.title));
                served.after_impressions += usize::from(any);
                served.of_shown += usize::from(this);
            }
            if event.kind == EventKind::Impression {
                let mine = shown.entry_ref(&*event.member).or_default();
                while mine.front().is_some_and(|(at_ms, _)| timed.at_ms - at_ms > window_ms) {
                    mine.pop_front();
                }
                mine.push_back((timed.at_ms, event.title.to_string()));
            }
        }
        served
    }
}
