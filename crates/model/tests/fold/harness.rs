//! A partition with a store in memory, and streams of events for it.

use nearline_model::facts::CaptureSettings;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::identifier::partition_of;
use nearline_model::partition::{Batch, Commit, Folded, Lookup};
use nearline_model::timestamp::format_rfc3339;
use nearline_model::{
    Aggregates, Delta, FoldSettings, LogRecord, MemberFacts, MemberSnapshot, Partition, PartitionId,
    Position, RejectReason,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// 2026-03-01T00:00:00Z.
pub const START_MS: i64 = 1_772_323_200_000;

/// Limits small enough that short streams reach them.
pub fn small_limits() -> FoldSettings {
    FoldSettings {
        history_titles: 4,
        seen_titles: 5,
        list_titles: 3,
        recent_ids: 12,
        open_impressions: 4,
        open_plays: 2,
        transition_window: 3,
        symbols_per_partition: 20,
        ..FoldSettings::default()
    }
}

/// One event as JSON; `fields` are added to it.
pub fn event(id: &str, kind: &str, member: &str, title: &str, at_ms: i64, fields: Value) -> Value {
    let mut event =
        json!({"id": id, "type": kind, "member": member, "title": title, "at": format_rfc3339(at_ms)});
    for (name, value) in fields.as_object().into_iter().flatten() {
        event[name] = value.clone();
    }
    event
}

pub fn record(position: u64, log_ms: i64, event: &Value) -> LogRecord {
    LogRecord { position: Position(position), log_ms, payload: event.to_string().into() }
}

/// What is left when a log is folded: equal logs must leave equal bytes.
#[derive(Debug, PartialEq)]
pub struct Left {
    pub members: BTreeMap<Box<str>, Vec<u8>>,
    pub symbols: Vec<Arc<str>>,
    pub fold_state: Option<Vec<u8>>,
    pub position: Position,
}

/// A partition and its store.
pub struct Harness {
    pub partition: Partition,
    pub settings: FoldSettings,
    partitions: u16,
    pub store: Left,
    in_flight: VecDeque<Commit>,
    pub deltas: Vec<Arc<Delta>>,
    /// Facts of commits that were taken, whether the store has them or not: they are in the stream before.
    pub streamed: Vec<MemberFacts>,
    capture: Option<CaptureSettings>,
    unpacked: Option<usize>,
    pub counted: Folded,
}

impl Harness {
    pub fn new(id: u16, partitions: u16, settings: FoldSettings) -> Self {
        Self {
            partition: Partition::new(PartitionId(id), partitions, settings.clone()),
            settings,
            partitions,
            store: Left {
                members: BTreeMap::new(),
                symbols: Vec::new(),
                fold_state: None,
                position: Position::START,
            },
            in_flight: VecDeque::new(),
            deltas: Vec::new(),
            streamed: Vec::new(),
            capture: None,
            unpacked: None,
            counted: Folded::default(),
        }
    }

    pub fn capture(mut self, settings: CaptureSettings) -> Self {
        self.capture = Some(settings);
        self.partition = self.partition.capture(settings);
        self
    }

    /// Members lie in their stored form between commits.
    pub fn packing(mut self, unpacked: usize) -> Self {
        self.unpacked = Some(unpacked);
        self.partition.unpack_at_most(unpacked);
        self
    }

    pub fn fold(&mut self, records: &[LogRecord]) -> Folded {
        let batch = Batch::parse(records.to_vec(), self.settings.event_bytes);
        let (admitted, missing) = self.partition.admit(batch);
        assert_eq!(self.partition.is_ready(&admitted), missing.is_empty());
        for slot in missing {
            let stored = self.store.members.get(self.partition.member_in(slot));
            self.partition.loaded(slot, stored.map(Vec::as_slice)).expect("what was stored is readable");
        }
        assert!(self.partition.is_ready(&admitted));
        let folded = self.partition.fold(admitted, |_, _| {});
        self.counted.changed += folded.changed;
        self.counted.duplicates += folded.duplicates;
        self.counted.before_erasure += folded.before_erasure;
        self.counted.ahead += folded.ahead;
        self.counted.behind += folded.behind;
        self.counted.clamped += folded.clamped;
        self.counted.rejected.extend(folded.rejected.iter().cloned());
        folded
    }

    /// Takes a commit and sends it on its way.
    pub fn take(&mut self) {
        let Some(commit) = self.partition.take_commit(OwnerEpoch(1)) else { return };
        self.streamed.push(MemberFacts {
            partition: commit.partition,
            after: commit.expected,
            position: commit.position,
            mark: commit.mark,
            facts: commit.facts.clone(),
        });
        self.in_flight.push_back(commit);
    }

    /// The store takes the oldest commit on its way.
    pub fn confirm(&mut self) {
        let Some(commit) = self.in_flight.pop_front() else { return };
        assert_eq!(commit.expected, self.store.position, "commits follow each other");
        assert_eq!(commit.first_symbol as usize, self.store.symbols.len() + 1, "symbols leave no gap");
        assert_eq!(Delta::decode(&commit.delta_bytes).as_ref(), Ok(&*commit.delta));
        self.store.position = commit.position;
        self.store.symbols.extend(commit.symbols.iter().cloned());
        self.store.fold_state = Some(commit.fold_state.clone());
        self.store.members.extend(commit.members.iter().map(|(name, form)| (name.clone(), form.to_vec())));
        self.deltas.push(commit.delta.clone());
        self.partition.committed(&commit);
    }

    pub fn commit(&mut self) {
        self.take();
        while !self.in_flight.is_empty() {
            self.confirm();
        }
    }

    /// Loses everything that the store has not taken.
    pub fn restart(&mut self) {
        self.in_flight.clear();
        self.partition = Partition::restore(
            self.partition.id(),
            self.partitions,
            self.settings.clone(),
            self.store.position,
            &self.store.symbols,
            self.store.fold_state.as_deref(),
        )
        .expect("stored symbols are in place");
        if let Some(settings) = self.capture {
            let fresh = Partition::new(self.partition.id(), self.partitions, self.settings.clone());
            self.partition = std::mem::replace(&mut self.partition, fresh).capture(settings);
        }
        if let Some(unpacked) = self.unpacked {
            self.partition.unpack_at_most(unpacked);
        }
    }

    pub fn snapshot(&mut self, member: &str) -> MemberSnapshot {
        if let Lookup::Missing(slot) = self.partition.lookup(member, true) {
            let stored = self.store.members.get(member).map(Vec::as_slice);
            self.partition.loaded(slot, stored).expect("what was stored is readable");
        }
        match self.partition.lookup(member, true) {
            Lookup::Ready(snapshot) => *snapshot,
            other => panic!("{other:?}"),
        }
    }

    pub fn add_to(&self, aggregates: &mut Aggregates) {
        for delta in &self.deltas {
            aggregates.add(delta);
        }
    }
}

/// Folds a log of one partition in one batch with one commit.
pub fn fold_at_once(records: &[LogRecord], settings: FoldSettings) -> Harness {
    let mut harness = Harness::new(0, 1, settings);
    harness.fold(records);
    harness.commit();
    harness
}

/// Folds events of one member `m`, ten seconds apart; each is given by its type, title and fields.
pub fn fold_events(settings: FoldSettings, events: &[(&str, &str, Value)]) -> Harness {
    let mut records = Vec::new();
    for (at, (kind, title, fields)) in events.iter().enumerate() {
        let at_ms = START_MS + at as i64 * 10_000;
        let event = event(&format!("e{at}"), kind, "m", title, at_ms, fields.clone());
        records.push(record(at as u64 + 1, at_ms, &event));
    }
    fold_at_once(&records, settings)
}

pub fn reasons(folded: &Folded) -> Vec<RejectReason> {
    folded.rejected.iter().map(|rejected| rejected.reject.reason).collect()
}

/// One step of a random stream.
#[derive(Debug, Clone)]
pub struct Step {
    kind: usize,
    member: u8,
    title: u8,
    request: u8,
    gap_s: i64,
    late_s: i64,
    /// Redelivers the record this many places back instead.
    repeat: Option<usize>,
}

pub fn steps(most: usize, longest_gap_s: i64) -> impl Strategy<Value = Vec<Step>> {
    // Impressions and plays are most of it; forget is rare; 9 is no known type.
    let kind = prop::sample::select(vec![0, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 9]);
    let step = (
        kind,
        0..5_u8,
        0..9_u8,
        0..4_u8,
        0..longest_gap_s,
        -60..120_i64,
        prop::option::weighted(0.2, 1..9_usize),
    )
        .prop_map(|(kind, member, title, request, gap_s, late_s, repeat)| Step {
            kind,
            member,
            title,
            request,
            gap_s,
            late_s,
            repeat,
        });
    prop::collection::vec(step, 1..most)
}

/// Events in the order of the log, each with its member, at the log's time.
pub fn stream(steps: &[Step]) -> Vec<(String, LogRecord)> {
    const KINDS: [&str; 8] =
        ["impression", "play", "progress", "thumb", "rating", "list_add", "list_remove", "forget"];
    let mut log_ms = START_MS;
    let mut log: Vec<(String, LogRecord)> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        log_ms += step.gap_s * 1_000;
        // Positions have gaps, as those of one partition do.
        let position = at as u64 * 3 + 1;
        if let Some(earlier) = step.repeat.and_then(|back| log.len().checked_sub(back)) {
            let (member, record) = log[earlier].clone();
            log.push((member, LogRecord { position: Position(position), log_ms, ..record }));
            continue;
        }
        let member = format!("m{}", step.member);
        let device = ["tv", "phone"][usize::from(step.title % 2)];
        let mut fields = json!({"device": device, "watched_s": 60 * i64::from(step.request)});
        if step.title % 3 > 0 {
            fields["country"] = json!(["", "BR", "JP"][usize::from(step.title % 3)]);
        }
        if step.request > 0 {
            let variant = ["", "", "-x-home-a", "-x-home-b"][usize::from(step.request)];
            fields["request"] = json!(format!("r{}{variant}", step.request));
            fields["row"] = json!(format!("row{}", step.member % 3));
            fields["position"] = json!(u32::from(step.member) * 9);
        }
        if step.request != 2 {
            fields["artwork"] = json!(format!("t{}-a{}", step.title, step.request % 2));
            fields["propensity"] = json!(0.5);
        }
        if step.late_s % 3 > 0 {
            fields["segment"] = json!(["", "drama", "comedy"][(step.late_s % 3) as usize]);
        }
        match step.kind {
            3 => fields["value"] = json!([-1, 1, 2][usize::from(step.request % 3)]),
            4 => fields["value"] = json!(0.5 + f64::from(step.request)),
            _ => {}
        }
        let kind = KINDS.get(step.kind).copied().unwrap_or("yawn");
        let title = format!("t{}", step.title);
        let event = event(&format!("e{at}"), kind, &member, &title, log_ms - step.late_s * 1_000, fields);
        log.push((member, record(position, log_ms, &event)));
    }
    log
}

pub fn records(log: &[(String, LogRecord)]) -> Vec<LogRecord> {
    log.iter().map(|(_, record)| record.clone()).collect()
}

/// The records of one partition among `partitions`.
#[allow(dead_code, reason = "the tests of answers use it")]
pub fn records_of(log: &[(String, LogRecord)], partition: u16, partitions: u16) -> Vec<LogRecord> {
    let own = log.iter().filter(|(member, _)| partition_of(member, partitions).0 == partition);
    own.map(|(_, record)| record.clone()).collect()
}
