//! Behaviours as events in the order of their time, written one by one.

use super::super::EventLine;
use super::{Behaviour, HOUR_MS, Names};
use hashbrown::HashSet;
use nearline_model::identifier::fingerprint;

const MINUTE_MS: i64 = 60_000;

/// What one event is made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A play of the history, at this place in it.
    History(u32),
    /// An impression, at this position.
    Shown(u32),
    /// A play of what was shown at this position.
    Clicked(u32),
}

/// Time, number of the behaviour, and which of its events.
type Step = (i64, u32, Kind);

pub(super) struct Events {
    behaviours: Vec<Behaviour>,
    names: Names,
    steps: std::vec::IntoIter<Step>,
}

impl Events {
    /// Of behaviours in the order of their time.
    pub(super) fn new(behaviours: Vec<Behaviour>, names: Names) -> Self {
        let (mut steps, mut users) = (Vec::new(), HashSet::new());
        for (number, behaviour) in (0..).zip(&behaviours) {
            if users.insert(behaviour.user) {
                add_history(number, behaviour, &mut steps);
            }
            add_shown(number, behaviour, &mut steps);
        }
        // Stable: events of one millisecond keep the order in which they were made.
        steps.sort_by_key(|(at_ms, ..)| *at_ms);
        Self { behaviours, names, steps: steps.into_iter() }
    }

    fn json(&self, (at_ms, number, kind): Step) -> String {
        let behaviour = &self.behaviours[number as usize];
        let (member, row) = (self.names.users.id(behaviour.user), behaviour.fingerprint);
        let title = |number| self.names.news.id(number);
        let request = format!("r{row:016x}");
        match kind {
            Kind::History(at) => {
                let title = title(behaviour.history[at as usize]);
                let id = fingerprint(&format!("{member} {at} {title} {at_ms}"));
                EventLine::new(format!("mind-h-{id:016x}-{at}"), "play", member, title, at_ms).json()
            }
            Kind::Shown(at) => {
                let title = title(behaviour.shown[at as usize].0);
                let line =
                    EventLine::new(format!("mind-i-{row:016x}-{at}"), "impression", member, title, at_ms);
                EventLine { request: Some(&request), position: Some(at), ..line }.json()
            }
            Kind::Clicked(at) => {
                let title = title(behaviour.shown[at as usize].0);
                let line = EventLine::new(format!("mind-p-{row:016x}-{at}"), "play", member, title, at_ms);
                EventLine { request: Some(&request), ..line }.json()
            }
        }
    }
}

/// Plays at one-minute steps, the last an hour before the member's first behaviour.
fn add_history(number: u32, first: &Behaviour, steps: &mut Vec<Step>) {
    let last = first.history.len() as i64 - 1;
    for at in 0..first.history.len() as u32 {
        let at_ms = first.at_ms - HOUR_MS - (last - i64::from(at)) * MINUTE_MS;
        steps.push((at_ms, number, Kind::History(at)));
    }
}

/// Impressions at the time of the behaviour; the first click is played a second later, the second
/// two seconds later, and so on.
fn add_shown(number: u32, behaviour: &Behaviour, steps: &mut Vec<Step>) {
    let shown = (0..).zip(&behaviour.shown);
    steps.extend(shown.clone().map(|(at, _)| (behaviour.at_ms, number, Kind::Shown(at))));
    let clicked = shown.filter(|(_, (_, clicked))| *clicked);
    let times = (behaviour.at_ms + 1_000..).step_by(1_000);
    steps.extend(times.zip(clicked).map(|(at_ms, (at, _))| (at_ms, number, Kind::Clicked(at))));
}

impl Iterator for Events {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let step = self.steps.next()?;
        Some(self.json(step))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.steps.size_hint()
    }
}

impl ExactSizeIterator for Events {}
