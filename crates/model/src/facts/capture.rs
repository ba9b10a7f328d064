//! Which states of members become facts, and when.
//!
//! Of a member's changes between two commits the last becomes a fact, and every one that a query was answered from: what
//! nobody saw is left out. It is made when it is superseded or committed; the state is the same all that time.

use super::{Fact, FactKind, Known, Whereabouts};
use crate::check_invariant;
use crate::event::Event;
use crate::identifier::{PartitionId, Position};
use crate::member::Member;
use crate::partition::name_table::NameTable;
use crate::symbols::Symbol;
use compact_str::CompactString;

/// What facts of members are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureSettings {
    /// The newest titles of history, list and opinions that a fact spells out: at most so many each.
    pub titles: usize,
    /// Whether every change becomes a fact, not only those that are committed or were seen.
    pub every_change: bool,
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self { titles: 20, every_change: false }
    }
}

/// The change that a member's fact will tell of.
#[derive(Debug, Clone, Default)]
struct Change {
    position: Position,
    known_at_ms: i64,
    country: CompactString,
    device: CompactString,
    /// Whether it is no fact yet.
    is_open: bool,
    /// Whether a query was answered from it.
    was_seen: bool,
}

/// A member as the cache has it.
pub(crate) struct HeldMember<'a> {
    pub slot: u32,
    pub name: &'a str,
    pub state: &'a Member,
}

/// Makes facts of a partition's members.
#[derive(Debug)]
pub(crate) struct Capture {
    partition: PartitionId,
    settings: CaptureSettings,
    /// By slot of the cache. Members with an open change are not evicted.
    changes: Vec<Change>,
    open: Vec<u32>,
    facts: Vec<Fact>,
}

impl Capture {
    pub fn new(partition: PartitionId, settings: CaptureSettings) -> Self {
        Self { partition, settings, changes: Vec::new(), open: Vec::new(), facts: Vec::new() }
    }

    /// A query is answered from the state in `slot`.
    pub fn seen(&mut self, slot: u32) {
        if let Some(change) = self.changes.get_mut(slot as usize) {
            change.was_seen = change.is_open;
        }
    }

    /// The state will change with the next event, which came at `log_ms`.
    pub fn before(&mut self, held: &HeldMember<'_>, names: &NameTable, log_ms: i64) {
        let Some(change) = self.changes.get(held.slot as usize).filter(|change| change.is_open) else {
            return;
        };
        // Times from the future are brought back even by an event that changes nothing else.
        if change.was_seen || held.state.newest_ms.max(held.state.forgotten_ms) > log_ms {
            self.close(held, names);
        }
    }

    /// The state has changed by an event.
    pub fn changed(
        &mut self,
        held: &HeldMember<'_>,
        names: &NameTable,
        event: &Event<'_>,
        position: Position,
        log_ms: i64,
    ) {
        let slot = held.slot as usize;
        if self.changes.len() <= slot {
            self.changes.resize_with(slot + 1, Change::default);
        }
        let change = &mut self.changes[slot];
        let was_open = std::mem::replace(&mut change.is_open, true);
        (change.position, change.known_at_ms, change.was_seen) = (position, log_ms, false);
        (change.country, change.device) = (event.country.as_ref().into(), event.device.as_ref().into());
        if self.settings.every_change {
            self.close(held, names);
        } else if !was_open {
            self.open.push(held.slot);
        }
    }

    /// Makes a fact of the open change.
    pub fn close(&mut self, held: &HeldMember<'_>, names: &NameTable) {
        let Some(change) = self.changes.get_mut(held.slot as usize).filter(|change| change.is_open) else {
            return;
        };
        change.is_open = false;
        let state = held.state;
        let newest = state.open.impressions.iter().max_by_key(|shown| shown.at_ms);
        let or_shown = |told: &'_ CompactString, shown: Option<Symbol>| -> CompactString {
            let shown = || shown.map_or(CompactString::default(), |symbol| (&**names.text(symbol)).into());
            if told.is_empty() { shown() } else { told.clone() }
        };
        let country = or_shown(&change.country, newest.map(|shown| shown.country));
        let device = or_shown(&change.device, newest.map(|shown| shown.device));
        let known = Known::of_state(state, |symbol| &**names.text(symbol), self.settings.titles);
        let event_at_ms = state.newest_ms.max(state.forgotten_ms);
        check_invariant!(
            I9,
            event_at_ms <= change.known_at_ms,
            "a fact of member {} tells of {event_at_ms} ms and was known at {} ms",
            held.name,
            change.known_at_ms
        );
        self.facts.push(Fact {
            member: held.name.into(),
            event_at_ms,
            known_at_ms: change.known_at_ms,
            partition: self.partition,
            position: change.position,
            ordinal: 0,
            kind: FactKind::Member,
            schema_version: Known::VERSION,
            payload: known.payload(Whereabouts { country: &country, device: &device }).into(),
        });
    }

    /// Facts that are made or will be.
    pub fn len(&self) -> usize {
        self.facts.len() + self.open.len()
    }

    /// Slots that may have an open change, by its position.
    pub fn take_open(&mut self) -> Vec<u32> {
        let mut open = std::mem::take(&mut self.open);
        open.sort_unstable_by_key(|slot| self.changes[*slot as usize].position);
        self.facts.reserve(open.len());
        open
    }

    /// The facts since the last commit, by position.
    pub fn take_facts(&mut self) -> Vec<Fact> {
        let mut facts = std::mem::take(&mut self.facts);
        // Those that queries saw, then those that were open: each by position.
        facts.sort_by_key(|fact| fact.position);
        facts
    }
}
