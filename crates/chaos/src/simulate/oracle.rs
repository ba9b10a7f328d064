//! The end of a world: everything is compared with the log, folded again from its start, and with counts
//! that were taken without the fold.

mod facts;
mod full;

use super::answers::closing;
use super::answers::states::States;
use super::asked::Asked;
use super::auditor::fold;
use super::network::Caller;
use super::node::aggregates_of;
use super::recount::Recount;
use super::scenario::{QUERY_DEADLINE_MS, TIMER_MS};
use super::world::World;
use nearline_actors::Source;
use nearline_actors::aggregates_actor::CatchUp;
use nearline_model::control::remediation::RemediationSettings;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::quarantine::Quarantine;
use nearline_model::symbols::NONE;
use nearline_model::{Aggregates, LogRecord, Member, MemberSnapshot, Partition, PartitionId, Position};
use nearline_ports::stored;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Judges a world whose faults are over and whose partitions have caught up.
pub async fn judge(world: &World) {
    let logs = world.servers.borrow().log.records.clone();
    let ends: Vec<Position> =
        logs.iter().map(|log| log.last().map_or(Position::START, |record| record.position)).collect();
    acknowledged_events_are_in_the_log(world, &logs);
    let folded: Vec<Partition> =
        (0..).zip(&logs).map(|(number, log)| fold_all(world, PartitionId(number), log)).collect();
    for (partition, ends) in folded.iter().zip(&ends) {
        stored_equals_folded(world, partition, *ends);
    }
    let expected = add_up(world, &logs, &ends);
    if let Some(learned) = learned_from_store(world, &ends).await {
        aggregates_equal(world, "those of the store", &learned, &expected);
        counts_equal(world, &logs, &learned);
    }
    nodes_aggregates_are_sums(world, &expected);
    for asked in world.asked.borrow().iter() {
        answered_in_time(world, asked);
    }
    answers_equal_folded(world, &logs);
    facts::equal_folded(world, &logs);
    closing::judge(world, &expected).await;
}

fn fold_all(world: &World, id: PartitionId, log: &[LogRecord]) -> Partition {
    let settings = world.scenario.fold();
    let event_bytes = settings.event_bytes;
    let mut partition = Partition::new(id, world.scenario.partitions, settings);
    fold(&mut partition, log, event_bytes, &quarantine_of(world, id));
    partition
}

fn quarantine_of(world: &World, id: PartitionId) -> Quarantine {
    world.servers.borrow().store.row(id).troubles.quarantine.clone()
}

/// Every event that is stepped over has crashed its owner often enough; gives their positions (I6).
fn stepped_over(world: &World) -> BTreeSet<Position> {
    let least = RemediationSettings::default().poison_attempts;
    let panics = world.panics.lock();
    let mut positions = BTreeSet::new();
    for id in (0..world.scenario.partitions).map(PartitionId) {
        for entry in quarantine_of(world, id).iter() {
            positions.insert(entry.position);
            let crashes = panics.get(&entry.position).copied().unwrap_or_default();
            if crashes < least {
                let what = format!("{id}: {} is stepped over after {crashes} crashes", entry.position);
                world.violated("I6", what);
            }
        }
    }
    positions
}

fn acknowledged_events_are_in_the_log(world: &World, logs: &[Vec<LogRecord>]) {
    let mut positions: HashMap<Position, &LogRecord> = HashMap::new();
    for log in logs {
        positions.extend(log.iter().map(|record| (record.position, record)));
    }
    for (planned, position) in world.acknowledged.borrow().iter() {
        let event = &world.planned(*planned).event;
        if positions.get(position).is_none_or(|record| record.payload != event.payload) {
            world.violated("I1", format!("{} was acknowledged at {position}, which holds another", event.id));
        }
    }
}

fn stored_equals_folded(world: &World, folded: &Partition, end: Position) {
    let servers = world.servers.borrow();
    let (id, row) = (folded.id(), servers.store.row(folded.id()));
    if row.position != end {
        world.violated("I1", format!("{id} is stored at {}, its log ends at {end}", row.position));
    }
    if row.symbols != folded.symbols()[1..] {
        world.violated("I3", format!("{id}: stored symbols differ from the folded ones"));
    }
    if row.fold_state.as_deref().is_some_and(|stored| *stored != *folded.fold_state()) {
        world.violated("I3", format!("{id}: the stored fold state differs from the folded one"));
    }
    let expected: BTreeMap<&str, Vec<u8>> = folded
        .members()
        .filter(|(_, state)| **state != Member::default())
        .map(|(member, state)| (member, state.encode()))
        .collect();
    for (member, form) in &expected {
        if row.members.get(*member).is_none_or(|stored| stored != form) {
            world.violated("I3", format!("{id}: stored state of {member} differs from the fold of the log"));
        }
    }
    if let Some(member) = row.members.keys().find(|member| !expected.contains_key(&***member)) {
        world.violated("I3", format!("{id}: {member} is stored, but not in the log"));
    }
}

/// The sums of the logs up to `positions`.
fn add_up(world: &World, logs: &[Vec<LogRecord>], positions: &[Position]) -> Aggregates {
    let mut sums = Aggregates::new(world.scenario.partitions, world.scenario.aggregates());
    for ((number, log), position) in (0..).zip(logs).zip(positions) {
        let upto = log.partition_point(|record| record.position <= *position);
        let mut partition = fold_all(world, PartitionId(number), &log[..upto]);
        if let Some(commit) = partition.take_commit(OwnerEpoch::NONE) {
            sums.add(&commit.delta);
        }
    }
    sums
}

/// What a node that starts now learns from snapshot and outbox.
async fn learned_from_store(world: &World, ends: &[Position]) -> Option<Aggregates> {
    let ports = world.ports(Caller::Publisher);
    let loaded = match stored::aggregates_snapshot(&ports, &world.scenario.aggregates()).await {
        Ok(loaded) => loaded,
        Err(error) => {
            world.violated("I2", format!("the aggregates cannot be loaded: {error}"));
            return None;
        }
    };
    let (actor, learned) = aggregates_of(&ports, loaded);
    for (number, end) in (0..).zip(ends) {
        let partition = PartitionId(number);
        if let Ok(Err(error)) = actor.send(CatchUp(partition, *end)).await {
            world.violated("I2", format!("{partition}: what the outbox has cannot be learned: {error}"));
            return None;
        }
        let reached = learned.read().position(partition);
        if reached != *end {
            let what = format!("{partition}: snapshot and outbox reach {reached}, commits reach {end}");
            world.violated("I2", what);
            return None;
        }
    }
    drop(actor);
    let copy =
        Aggregates::decode(&learned.read().encode(), world.scenario.partitions, &world.scenario.aggregates());
    copy.map_err(|error| world.violated("I2", format!("aggregates cannot be read back: {error}"))).ok()
}

fn aggregates_equal(world: &World, whose: &str, found: &Aggregates, expected: &Aggregates) {
    // In full tables it depends on the order of the deltas what made room: what is counted by title does not.
    let differ = match world.scenario.full_tables {
        true => counted(found) != counted(expected),
        false => found.encode_contents() != expected.encode_contents(),
    };
    if differ {
        world.violated("I2", format!("aggregates ({whose}) differ from the sums of the log"));
    }
}

/// Against counts taken without the fold.
fn counts_equal(world: &World, logs: &[Vec<LogRecord>], learned: &Aggregates) {
    let planned: HashMap<_, _> = world
        .scenario
        .publishers
        .iter()
        .flatten()
        .map(|planned| (&*planned.event.payload, planned))
        .collect();
    let mut expected = Recount { refused: stepped_over(world), ..Recount::default() };
    for log in logs {
        expected.add(log, &planned);
    }
    // An event may have been stepped over before the store was rolled back, and folded after that.
    let letters: Vec<_> = world.servers.borrow().letters.letters.values().cloned().collect();
    let kept = letters
        .iter()
        .filter(|letter| letter.reason != "poison" || expected.refused.contains(&letter.position));
    let found = Recount { refused: kept.map(|letter| letter.position).collect(), ..counted(learned) };
    if found.refused != expected.refused {
        let lost: Vec<_> = expected.refused.difference(&found.refused).collect();
        let more: Vec<_> = found.refused.difference(&expected.refused).collect();
        world.violated("I1", format!("dead letters: missing at {lost:?}, not expected at {more:?}"));
    }
    if (&found.impressions, &found.plays) != (&expected.impressions, &expected.plays) {
        let what = format!(
            "effects: counted {:?} and {:?}, published {:?} and {:?}",
            found.impressions, found.plays, expected.impressions, expected.plays
        );
        world.violated("I2", what);
    }
    full::countries_keep_counting(world, learned, &expected.countries);
}

/// What sums hold by title.
fn counted(sums: &Aggregates) -> Recount {
    let mut counted = Recount::default();
    for number in sums.titles_after(NONE) {
        let title = sums.title_id(number).to_string();
        let epochs = sums.counters("all").and_then(|all| all.title(number)).map(|title| &title.epochs);
        let impressions = epochs.into_iter().flatten().map(|(_, counts)| u64::from(counts.impressions)).sum();
        for (counts, count) in
            [(&mut counted.impressions, impressions), (&mut counted.plays, sums.plays(number))]
        {
            if count > 0 {
                counts.insert(title.clone(), count);
            }
        }
    }
    counted
}

fn nodes_aggregates_are_sums(world: &World, all: &Aggregates) {
    for (number, engine) in world.engines.borrow().iter().enumerate() {
        if let Some(engine) = engine {
            aggregates_equal(world, &format!("node {number}"), &engine.aggregates().read(), all);
        }
    }
}

fn answered_in_time(world: &World, asked: &Asked) {
    let Asked { partition, member, after, took_ms, answer, .. } = asked;
    if took_ms.is_some_and(|took_ms| took_ms > QUERY_DEADLINE_MS + TIMER_MS) {
        world.violated("I7", format!("a query of {member} took {took_ms:?} ms"));
    }
    match answer {
        None if after.is_start() => {
            world.violated("I7", format!("a query of {member} in {partition} was not answered"));
        }
        Some((source, snapshot)) => {
            let position = snapshot.as_ref().map_or(Position::START, |snapshot| snapshot.position);
            if position < *after {
                let what = format!("a query of {member} after {after} was answered as of {position}");
                world.violated("I7", what);
            }
            if (*source == Source::Popular) == snapshot.is_some() {
                world.violated("I7", format!("an answer for {member} says {source:?} wrongly"));
            }
        }
        None => {}
    }
}

/// Live answers of owners equal the fold of the log up to the position that they name.
fn answers_equal_folded(world: &World, logs: &[Vec<LogRecord>]) {
    let asked = world.asked.borrow();
    for (number, log) in (0..).zip(logs) {
        let id = PartitionId(number);
        let of_owners = asked.iter().filter(|asked| asked.partition == id && asked.owned);
        let mut answers: Vec<(&Asked, &MemberSnapshot)> = of_owners
            .filter_map(|asked| match &asked.answer {
                Some((Source::Live, Some(snapshot))) => Some((asked, snapshot)),
                _ => None,
            })
            .collect();
        answers.sort_by_key(|(_, snapshot)| snapshot.position);
        let quarantine = quarantine_of(world, id);
        let states = || States::new(world.scenario.partitions, world.scenario.fold());
        let mut in_the_end = states();
        for (asked, answer) in answers {
            let (member, position) = (&*answer.member, answer.position);
            let is_fold = |states: &mut States, quarantine: &Quarantine| {
                states.at(id, log, quarantine, (member, true), position) == *answer
            };
            // What was folded once and stepped over since was in answers of then.
            let was_fold = || asked.quarantine != quarantine && is_fold(&mut states(), &asked.quarantine);
            if !is_fold(&mut in_the_end, &quarantine) && !was_fold() {
                let what = format!("{id}: the answer for {member} as of {position} is not the fold");
                world.violated("I3", what);
            }
        }
    }
}
