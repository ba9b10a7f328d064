//! Facts that a running engine captures: those of a clean fold of its log, and what its answers were made from.

use crate::bed::{Bed, DEADLINE, PARTITIONS, audience_events, eventually, run};
use async_trait::async_trait;
use nearline_actors::{Engine, EngineSettings, FactSettings, Question};
use nearline_model::Position;
use nearline_model::facts::{CaptureSettings, Decision, Known};
use nearline_model::identifier::OwnerEpoch;
use nearline_model::partition::Batch;
use nearline_model::{Fact, FactEntry, FoldSettings, MemberFacts, Partition, PartitionId};
use nearline_ports::{FactStream, PortError, StreamedFacts};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

const TITLES: usize = 7;

fn settings() -> EngineSettings {
    EngineSettings {
        facts: FactSettings { capture: true, titles: TITLES, ..FactSettings::default() },
        commit_events: 60,
        commit_interval_ms: 20,
        chaos: true,
        ..EngineSettings::default()
    }
}

/// Facts by member, those of each by position.
type Facts = BTreeMap<Box<str>, BTreeMap<Position, Fact>>;

fn by_member(facts: impl IntoIterator<Item = Fact>) -> Facts {
    let mut found = Facts::new();
    for fact in facts {
        found.entry(fact.member.clone()).or_default().insert(fact.position, fact);
    }
    found
}

/// Every change, as a clean fold of the log tells it.
async fn clean(bed: &Bed) -> Facts {
    let mut facts = Vec::new();
    for id in (0..PARTITIONS).map(PartitionId) {
        let every = CaptureSettings { titles: TITLES, every_change: true };
        let mut partition = Partition::new(id, PARTITIONS, FoldSettings::default()).capture(every);
        let last = bed.ports.log.bounds(id).await.expect("bounds").last;
        let mut reader = bed.ports.log.open_reader(id, Position::START).await.expect("a reader");
        while partition.folded() < last {
            let records = reader.next_batch(1_000).await.expect("records");
            let (admitted, missing) = partition.admit(Batch::parse(records, 65_536));
            missing.into_iter().for_each(|slot| partition.loaded(slot, None).expect("nothing is stored"));
            partition.fold(admitted, |_, _| {});
        }
        facts.extend(partition.take_commit(OwnerEpoch(1)).map(|commit| commit.facts).unwrap_or_default());
    }
    by_member(facts)
}

/// What the stream holds.
async fn streamed(bed: &Bed) -> (Vec<MemberFacts>, Vec<Fact>) {
    let (mut members, mut decisions, mut after) = (Vec::new(), Vec::new(), 0);
    loop {
        let entries = bed.ports.facts.read(after, 100).await.expect("the stream is read");
        let Some(last) = entries.last() else { return (members, decisions) };
        after = last.sequence;
        for streamed in entries {
            match streamed.entry {
                FactEntry::Members(part) => members.push(part),
                FactEntry::Decisions(some) => decisions.extend(some),
            }
        }
    }
}

/// Publishes, and asks for members whose events are just being folded.
async fn publish_and_ask(bed: &Bed, engine: &Engine, seed: u64, events: usize) -> usize {
    let mut asked = 0;
    let events = audience_events(events, 60, seed);
    for batch in events.chunks(25) {
        let members: Vec<String> = batch.iter().take(5).map(|event| event.member.clone()).collect();
        bed.append(batch.to_vec()).await;
        for member in members {
            let question = Question { member, limit: 10, ..Question::default() };
            engine.recommend(&question).await.expect("no position was asked for");
            engine.page(&question, 4).await.expect("no position was asked for");
            asked += 2;
        }
    }
    engine.caught_up().await.expect("caught up");
    asked
}

/// Each partition's parts follow one another: nothing is left out, up to the end of the log.
async fn assert_nothing_left_out(bed: &Bed, parts: &[MemberFacts]) {
    for id in (0..PARTITIONS).map(PartitionId) {
        let mut covered = Position::START;
        for part in parts.iter().filter(|part| part.partition == id) {
            assert!(part.after <= covered, "a gap from {covered} to {} in {id}", part.after);
            covered = covered.max(part.position);
        }
        assert_eq!(covered, bed.ports.log.bounds(id).await.expect("bounds").last, "{id}");
    }
}

fn digest(facts: &Facts, decision: &Fact) -> u64 {
    let known = facts.get(&decision.member);
    let newest = known.and_then(|facts| facts.range(..=decision.position).next_back());
    newest.map_or(Known::default().digest(), |(_, fact)| {
        Known::decode(fact.schema_version, &fact.payload).expect("readable").0.digest()
    })
}

/// Answers of the partitions' actors that were not made from what these facts tell.
fn unlike(facts: &Facts, decisions: &[Fact]) -> Vec<String> {
    let mut unlike = Vec::new();
    for fact in decisions {
        let decision = Decision::decode(&fact.payload).expect("readable");
        if &*decision.source == "live" && decision.known != Some(digest(facts, fact)) {
            unlike.push(format!("{} at {}", fact.member, fact.position));
        }
    }
    unlike
}

async fn what_was_served_is_what_was_captured(bed: Bed) {
    let engine = bed.engine(settings()).await;
    let asked = publish_and_ask(&bed, &engine, 1, 3_000).await;
    engine.stop().await;
    let (parts, decisions) = streamed(&bed).await;
    assert_nothing_left_out(&bed, &parts).await;
    assert_eq!(decisions.len(), asked, "every answer is a decision");
    let (clean, captured) = (clean(&bed).await, by_member(parts.into_iter().flat_map(|part| part.facts)));
    for (member, facts) in &captured {
        for (position, fact) in facts {
            assert_eq!(Some(fact), clean[member].get(position), "{member} at {position}");
        }
    }
    let live = decisions.iter().filter(|fact| !fact.position.is_start()).count();
    assert!(live * 10 > asked * 9, "{live} of {asked} answers were made with the member's state");
    assert_eq!(unlike(&captured, &decisions), [""; 0], "answers that were not made from captured facts");
    let shown: usize = decisions
        .iter()
        .map(|fact| Decision::decode(&fact.payload).expect("readable").candidates.len())
        .sum();
    assert!(shown > asked, "{shown} candidates in {asked} answers");
}

async fn crashes_repeat_facts_and_lose_none(bed: Bed) {
    let engine = bed.engine(settings()).await;
    for round in 0..4 {
        publish_and_ask(&bed, &engine, 10 + round, 600).await;
        bed.append(audience_events(200, 60, 20 + round)).await;
        for partition in (0..PARTITIONS).map(PartitionId) {
            engine.inject_panic(partition).expect("allowed");
        }
        eventually("all partitions are live again", || engine.is_ready()).await;
    }
    engine.caught_up().await.expect("caught up");
    engine.stop().await;
    let (parts, decisions) = streamed(&bed).await;
    assert_nothing_left_out(&bed, &parts).await;
    let clean = clean(&bed).await;
    for fact in parts.iter().flat_map(|part| &part.facts) {
        assert_eq!(
            Some(fact),
            clean[&fact.member].get(&fact.position),
            "{} at {}",
            fact.member,
            fact.position
        );
    }
    assert_eq!(unlike(&clean, &decisions), [""; 0], "answers that no moment of the log accounts for");
}

/// A stream that can be away.
struct Flaky {
    stream: Arc<dyn FactStream>,
    is_away: AtomicBool,
    refused: AtomicU64,
}

impl Flaky {
    fn there(&self) -> Result<&dyn FactStream, PortError> {
        if self.is_away.load(SeqCst) {
            self.refused.fetch_add(1, SeqCst);
            return Err(PortError::Unavailable { what: "the stream".into(), detail: "it is away".into() });
        }
        Ok(&*self.stream)
    }
}

#[async_trait]
impl FactStream for Flaky {
    async fn identity(&self) -> Result<String, PortError> {
        self.there()?.identity().await
    }

    async fn put(&self, facts: MemberFacts) -> Result<(), PortError> {
        self.there()?.put(facts).await
    }

    async fn put_decisions(&self, decisions: Vec<Fact>) -> Result<(), PortError> {
        self.there()?.put_decisions(decisions).await
    }

    async fn last(&self) -> Result<u64, PortError> {
        self.there()?.last().await
    }

    async fn read(&self, after: u64, most: usize) -> Result<Vec<StreamedFacts>, PortError> {
        self.there()?.read(after, most).await
    }
}

async fn a_stream_that_is_away_holds_nothing_up_and_leaves_a_gap_that_is_seen(mut bed: Bed) {
    let flaky = Arc::new(Flaky {
        stream: bed.ports.facts.clone(),
        is_away: AtomicBool::new(true),
        refused: AtomicU64::new(0),
    });
    bed.ports.facts = flaky.clone();
    let engine = bed.engine(settings()).await;
    bed.append(audience_events(2_000, 60, 1)).await;
    bed.assert_state_is_fold_of_log(&engine, &settings()).await;
    let refused = flaky.refused.load(SeqCst);
    assert!((1..200).contains(&refused), "it is left alone for a while: asked {refused} times");

    flaky.is_away.store(false, SeqCst);
    let before = bed.ports.log.bounds(PartitionId(0)).await.expect("bounds").last;
    let started = Instant::now();
    let parts = loop {
        bed.append(audience_events(50, 60, 100 + started.elapsed().as_millis() as u64)).await;
        engine.caught_up().await.expect("caught up");
        let parts = streamed(&bed).await.0;
        if (0..PARTITIONS).all(|id| parts.iter().any(|part| part.partition == PartitionId(id))) {
            break parts;
        }
        assert!(started.elapsed() < DEADLINE, "facts go on when the stream is back");
    };
    let first = parts.iter().find(|part| part.partition == PartitionId(0)).expect("just seen");
    assert!(first.after >= before, "the part says that nothing before {} is in it", first.after);
    engine.stop().await;
}

#[test]
fn a_stream_that_is_away_holds_nothing_up_embedded() {
    run(async {
        a_stream_that_is_away_holds_nothing_up_and_leaves_a_gap_that_is_seen(Bed::embedded()).await
    });
}

#[test]
fn what_was_served_is_what_was_captured_embedded() {
    run(async { what_was_served_is_what_was_captured(Bed::embedded()).await });
}

#[test]
fn what_was_served_is_what_was_captured_on_nats_and_redis() {
    run(async { what_was_served_is_what_was_captured(Bed::cluster().await).await });
}

#[test]
fn crashes_repeat_facts_and_lose_none_embedded() {
    run(async { crashes_repeat_facts_and_lose_none(Bed::embedded()).await });
}

#[test]
fn crashes_repeat_facts_and_lose_none_on_nats_and_redis() {
    run(async { crashes_repeat_facts_and_lose_none(Bed::cluster().await).await });
}
