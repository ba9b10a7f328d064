//! Decisions from Nearline's own events: each impression with `artwork` and `propensity` is one, and a
//! play attributed to it, by the rules of the fold, is its reward.
//!
//! Policies that learn are scored on members they did not learn from: members are split in two halves
//! by a hash, and each half is scored by what the other taught (cross-fitting), through the code that
//! serves: the same aggregates, beliefs and probabilities.

use super::{LineError, Logged};
use crate::off_policy::{Prediction, Round};
use hashbrown::HashMap;
use nearline_model::Position;
use nearline_model::delta::{ArmCell, ArmCounts, Cell, Counts, epoch_of};
use nearline_model::identifier::fingerprint;
use nearline_model::member::attribution::{Impression, OpenEvents, OpenPlay};
use nearline_model::member::erases_again;
use nearline_model::member::recent_ids::RecentIds;
use nearline_model::settings::AggregateSettings;
use nearline_model::symbols::{NONE, Symbol, Symbols};
use nearline_model::{Aggregates, Delta, Event, EventKind, FoldSettings, PartitionId, Title};
use nearline_ranking::artwork::{expected_rates, offered, policy, probabilities};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Impressions that are no decision, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// They name no artwork.
    pub without_artwork: usize,
    /// They name an artwork but not the probability it was chosen with.
    pub without_propensity: usize,
    /// The title has one artwork: there was nothing to decide.
    pub without_choice: usize,
    /// The artwork is none of the title's in the catalogue.
    pub not_in_catalogue: usize,
    /// Their id came before, of the same member, as the fold remembers ids (other events are counted, too).
    pub duplicates: usize,
    /// The member was erased afterwards.
    pub erased: usize,
    /// They are no valid events: dead letters of the engine's log (other events are counted, too).
    pub refused: usize,
}

/// One impression that was a decision.
#[derive(Debug, Clone)]
struct Decision {
    half: usize,
    title: Symbol,
    artwork: Symbol,
    segment: Symbol,
    at_ms: i64,
    propensity: f64,
    is_taken: bool,
    /// The member was erased.
    is_erased: bool,
}

/// What is known of a member.
#[derive(Debug, Default)]
struct Known {
    /// What may still find its counterpart.
    open: OpenEvents,
    /// Ids of recent events.
    recent: RecentIds,
    /// Newest event time.
    newest_ms: i64,
    /// When the member was erased: events up to then are ignored.
    erased_ms: Option<i64>,
}

/// An impression as attribution gives it back: member, title, request, time and artwork.
type Shown = (u64, Symbol, u64, i64, Symbol);

/// Decisions of a log of events.
#[derive(Debug)]
pub struct ArtworkLog {
    settings: FoldSettings,
    names: Symbols,
    decisions: Vec<Decision>,
    /// By member.
    known: HashMap<u64, Known>,
    shown: HashMap<Shown, Vec<usize>>,
    /// Impressions left out.
    pub skipped: Skipped,
}

impl ArtworkLog {
    /// A log without events, to add to.
    pub fn new(settings: &FoldSettings) -> Self {
        Self {
            settings: settings.clone(),
            names: Symbols::new(usize::MAX - 1),
            decisions: Vec::new(),
            known: HashMap::new(),
            shown: HashMap::new(),
            skipped: Skipped::default(),
        }
    }

    /// Reads events, one JSON object a line, in the order of the log.
    ///
    /// # Errors
    /// The first line that is no event.
    pub fn read(text: &str, settings: &FoldSettings) -> Result<Self, LineError> {
        let mut log = Self::new(settings);
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let added = log.add(line.as_bytes(), i64::MAX);
            added.map_err(|problem| LineError::new(at + 1, format!("is no event: {problem}")))?;
        }
        Ok(log)
    }

    /// Adds the next event of the log, whose own time stamp bounds the event's.
    ///
    /// # Errors
    /// What is wrong with the event.
    pub fn add(&mut self, payload: &[u8], log_ms: i64) -> Result<(), String> {
        let mut event = Event::parse(payload, self.settings.event_bytes).map_err(|reject| reject.detail)?;
        event.at_ms = event.at_ms.min(log_ms);
        let (member, id) = (fingerprint(&event.member), fingerprint(&event.id));
        let known = self.known.entry(member).or_default();
        // Without the log's time ids are remembered by their number alone.
        let log_s = if log_ms == i64::MAX { 0 } else { (log_ms / 1_000) as u32 };
        if known.recent.contains(id, log_s, &self.settings) {
            self.skipped.duplicates += 1;
            return Ok(());
        }
        known.recent.insert(id, log_s, &self.settings);
        let erases_again =
            |erased_ms| erases_again(event.kind, (event.at_ms, log_ms), erased_ms, &self.settings);
        if known.erased_ms.is_some_and(|erased_ms| event.at_ms <= erased_ms && !erases_again(erased_ms)) {
            self.skipped.erased += usize::from(event.kind == EventKind::Impression);
            return Ok(());
        }
        known.newest_ms = event.at_ms.max(known.newest_ms);
        known.open.expire(known.newest_ms, &self.settings);
        match event.kind {
            EventKind::Impression => self.shown(member, &event),
            EventKind::Play => self.played(member, &event),
            EventKind::Forget => {
                self.erase(member, event.at_ms);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn shown(&mut self, member: u64, event: &Event<'_>) -> Result<(), String> {
        let impression = self.impression(event)?;
        let shown = key(member, &impression);
        if let Some(decision) = self.decision(member, event, &impression) {
            self.shown.entry(shown).or_default().push(decision);
        }
        let known = self.known.entry(member).or_default();
        if known.open.shown(impression, &self.settings).is_some() {
            self.take(&shown);
        }
        Ok(())
    }

    fn played(&mut self, member: u64, event: &Event<'_>) -> Result<(), String> {
        let play = OpenPlay { request: request(event), title: self.name(&event.title)?, at_ms: event.at_ms };
        let known = self.known.entry(member).or_default();
        if let Some(impression) = known.open.played(play, &self.settings) {
            self.take(&key(member, &impression));
        }
        Ok(())
    }

    /// Nothing that the member did before counts.
    fn erase(&mut self, member: u64, at_ms: i64) {
        let known = self.known.entry(member).or_default();
        known.open = OpenEvents::default();
        known.erased_ms = known.erased_ms.max(Some(at_ms));
        for (_, decisions) in self.shown.extract_if(|shown, _| shown.0 == member) {
            self.skipped.erased += decisions.len();
            decisions.into_iter().for_each(|decision| self.decisions[decision].is_erased = true);
        }
    }

    /// A play was attributed to this impression: if it was a decision, it is rewarded.
    fn take(&mut self, shown: &Shown) {
        let decisions = self.shown.get(shown).map(Vec::as_slice).unwrap_or_default();
        if let Some(decision) = decisions.iter().find(|decision| !self.decisions[**decision].is_taken) {
            self.decisions[*decision].is_taken = true;
        }
    }

    fn name(&mut self, text: &str) -> Result<Symbol, String> {
        self.names.intern(text).map_err(|full| full.to_string())
    }

    fn impression(&mut self, event: &Event<'_>) -> Result<Impression, String> {
        Ok(Impression {
            request: request(event),
            title: self.name(&event.title)?,
            at_ms: event.at_ms,
            country: NONE,
            device: NONE,
            row: NONE,
            artwork: self.name(&event.artwork)?,
            segment: self.name(&event.segment)?,
            position: event.position,
            propensity: event.propensity,
            variant: NONE,
        })
    }

    /// Keeps an impression that was a decision, and gives its place.
    fn decision(&mut self, member: u64, event: &Event<'_>, impression: &Impression) -> Option<usize> {
        if impression.artwork == NONE {
            self.skipped.without_artwork += 1;
            return None;
        }
        let Some(propensity) = event.propensity else {
            self.skipped.without_propensity += 1;
            return None;
        };
        self.decisions.push(Decision {
            half: (member >> 63) as usize,
            title: impression.title,
            artwork: impression.artwork,
            segment: impression.segment,
            at_ms: impression.at_ms,
            propensity: f64::from(propensity),
            is_taken: false,
            is_erased: false,
        });
        Some(self.decisions.len() - 1)
    }

    /// Decisions that count.
    pub fn len(&self) -> usize {
        self.counted().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counted().next().is_none()
    }

    fn counted(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|decision| !decision.is_erased)
    }

    /// Rounds for each policy: `uniform`; `best`, the artwork of each title that is taken most;
    /// `segment`, the one that the segment takes most; and `thompson`, as Nearline serves. `titles` is
    /// the catalogue; of titles it does not have, the artworks of the log count.
    pub fn policies(&mut self, titles: Vec<Title>, settings: &AggregateSettings, floor: f64) -> Vec<Logged> {
        let catalogue = self.catalogue(titles);
        let taught = [0, 1].map(|half| self.taught_by(half, settings));
        let names = ["uniform", "best", "segment", "thompson"];
        let mut logged = names.map(|policy| Logged { policy: policy.to_owned(), rounds: Vec::new() });
        let mut known: HashMap<(usize, Symbol, Symbol), Policies> = HashMap::new();
        for decision in self.decisions.iter().filter(|decision| !decision.is_erased) {
            let title = &catalogue[&decision.title];
            if offered(title).nth(1).is_none() {
                self.skipped.without_choice += 1;
                continue;
            }
            let artwork = self.names.text(decision.artwork);
            let Some(at) = offered(title).position(|known| *known == **artwork) else {
                self.skipped.not_in_catalogue += 1;
                continue;
            };
            let segment = self.names.text(decision.segment);
            let aggregates = &taught[1 - decision.half];
            let policies = known
                .entry((decision.half, decision.title, decision.segment))
                .or_insert_with(|| Policies::of(aggregates, title, segment, floor));
            for (logged, distribution) in logged.iter_mut().zip(&policies.distributions) {
                let expected = distribution.iter().zip(&policies.rates).map(|(p, rate)| p * rate).sum();
                logged.rounds.push(Round {
                    reward: f64::from(u8::from(decision.is_taken)),
                    propensity: decision.propensity,
                    policy: distribution[at],
                    prediction: Some(Prediction { logged: policies.rates[at], policy: expected }),
                });
            }
        }
        logged.into()
    }

    fn catalogue(&self, titles: Vec<Title>) -> HashMap<Symbol, Title> {
        let mut shown: HashMap<Symbol, BTreeSet<&str>> = HashMap::new();
        for decision in self.counted() {
            shown.entry(decision.title).or_default().insert(self.names.text(decision.artwork));
        }
        let title = |(name, artworks): (Symbol, BTreeSet<&str>)| {
            let id = self.names.text(name).to_string();
            (name, Title { id, artworks: artworks.into_iter().collect(), ..Title::default() })
        };
        let mut catalogue: HashMap<Symbol, Title> = shown.into_iter().map(title).collect();
        for title in titles.into_iter().filter(|title| !title.artworks.is_empty()) {
            if let Some(known) = self.names.get(&title.id).and_then(|name| catalogue.get_mut(&name)) {
                *known = title;
            }
        }
        catalogue
    }

    /// Aggregates that know the decisions of one half of the members.
    fn taught_by(&self, half: usize, settings: &AggregateSettings) -> Aggregates {
        let mut aggregates = Aggregates::new(1, settings.clone());
        let own = || self.counted().filter(|decision| decision.half == half);
        let newest = own().map(|decision| epoch_of(decision.at_ms)).max().unwrap_or(0);
        let counts = Counts::default();
        let cell = |title: Symbol| Cell { title: title.0, epoch: newest, country: 0, device: 0, counts };
        let mut titles: Vec<Symbol> = own().map(|decision| decision.title).collect();
        titles.sort_unstable();
        titles.dedup();
        let arms = own().map(|decision| ArmCell {
            title: decision.title.0,
            artwork: decision.artwork.0,
            segment: decision.segment.0,
            epoch: epoch_of(decision.at_ms),
            counts: ArmCounts { impressions: 1, takes: u32::from(decision.is_taken) },
        });
        aggregates.add(&Delta {
            partition: PartitionId(0),
            after: Position::START,
            position: Position(1),
            strings: self.names.since(0).to_vec(),
            cells: titles.into_iter().map(cell).collect(),
            arms: arms.collect(),
            ..Delta::default()
        });
        aggregates
    }
}

/// Distributions over a title's artworks, and the rates expected of them.
struct Policies {
    distributions: [Vec<f64>; 4],
    rates: Vec<f64>,
}

impl Policies {
    fn of(aggregates: &Aggregates, title: &Title, segment: &Arc<str>, floor: f64) -> Self {
        let rates = expected_rates(aggregates, title, segment);
        let unit = f64::from(policy::UNIT);
        let thompson =
            probabilities(aggregates, title, segment, floor).into_iter().map(|p| f64::from(p) / unit);
        Self {
            distributions: [
                vec![1.0 / rates.len() as f64; rates.len()],
                all_on_highest(&expected_rates(aggregates, title, "")),
                all_on_highest(&rates),
                thompson.collect(),
            ],
            rates,
        }
    }
}

fn all_on_highest(rates: &[f64]) -> Vec<f64> {
    let mut highest = 0;
    for (at, rate) in rates.iter().enumerate() {
        if *rate > rates[highest] {
            highest = at;
        }
    }
    (0..rates.len()).map(|at| f64::from(u8::from(at == highest))).collect()
}

fn request(event: &Event<'_>) -> u64 {
    if event.request.is_empty() { 0 } else { fingerprint(&event.request).max(1) }
}

fn key(member: u64, impression: &Impression) -> Shown {
    (member, impression.title, impression.request, impression.at_ms, impression.artwork)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, kind: &str, member: &str, minute: u32) -> String {
        let shown = match kind {
            "impression" => r#","title":"t","artwork":"a","propensity":0.5"#,
            "play" => r#","title":"t""#,
            _ => "",
        };
        format!(
            r#"{{"id":"{id}","type":"{kind}","member":"{member}","at":"2026-03-01T20:{minute:02}:00Z"{shown}}}"#
        )
    }

    #[test]
    fn ids_are_told_apart_by_member_and_what_is_erased_counts_no_more() {
        let lines = [
            line("1", "impression", "ana", 1),
            line("1", "impression", "bob", 1),
            line("1", "impression", "bob", 1),
            line("2", "play", "bob", 2),
            line("3", "forget", "ana", 3),
            line("4", "impression", "ana", 2),
            line("5", "play", "ana", 4),
            line("6", "impression", "ana", 5),
        ];
        let log = ArtworkLog::read(&lines.join("\n"), &FoldSettings::default()).expect("events");
        assert_eq!((log.skipped.duplicates, log.skipped.erased), (1, 2));
        let taken: Vec<bool> = log.counted().map(|decision| decision.is_taken).collect();
        assert_eq!(taken, [true, false], "what bob was shown, and what ana was shown after she was erased");
    }
}
