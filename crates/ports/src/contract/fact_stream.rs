//! What every `FactStream` promises.

use super::{Fixture, soon};
use crate::{FactStream, StreamedFacts};
use nearline_model::facts::FactKind;
use nearline_model::{Fact, FactEntry, MemberFacts, PartitionId, Position, RecordMark};
use std::sync::Arc;

fn fact(position: u64, payload_bytes: usize) -> Fact {
    Fact {
        member: format!("m{position}").into(),
        event_at_ms: 1_700_000_000_000,
        known_at_ms: 1_700_000_000_000 + position as i64,
        partition: PartitionId(3),
        position: Position(position),
        ordinal: 0,
        kind: FactKind::Member,
        schema_version: 1,
        payload: vec![position as u8; payload_bytes].into(),
    }
}

fn part(after: u64, position: u64, positions: &[u64]) -> MemberFacts {
    let facts = positions.iter().map(|position| fact(*position, 200)).collect();
    MemberFacts {
        partition: PartitionId(3),
        after: Position(after),
        position: Position(position),
        mark: RecordMark::new(position),
        facts,
    }
}

async fn all(stream: &Arc<dyn FactStream>) -> Vec<StreamedFacts> {
    let mut entries: Vec<StreamedFacts> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.sequence);
        let more = soon("entries", stream.read(after, 3)).await.expect("entries");
        if more.is_empty() {
            return entries;
        }
        assert!(more.len() <= 3, "{} entries for 3", more.len());
        entries.extend(more);
    }
}

fn members(entries: &[StreamedFacts]) -> Vec<&MemberFacts> {
    let members = entries.iter().filter_map(|entry| match &entry.entry {
        FactEntry::Members(members) => Some(members),
        FactEntry::Decisions(_) => None,
    });
    members.collect()
}

pub async fn an_empty_stream_has_no_entries(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert_eq!(all(&ports.facts).await, []);
    assert_eq!(ports.facts.last().await.expect("the last"), 0);
}

pub async fn entries_come_back_in_order_as_they_were_put(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let parts = [part(0, 40, &[4, 8, 40]), part(40, 44, &[]), part(44, 400, &[48, 400])];
    for part in &parts {
        ports.facts.put(part.clone()).await.expect("put");
    }
    let decision = Fact { kind: FactKind::Page, ..fact(48, 30) };
    ports.facts.put_decisions(vec![decision.clone()]).await.expect("put");
    ports.facts.put_decisions(Vec::new()).await.expect("nothing to put");
    let entries = all(&ports.facts).await;
    let last = ports.facts.last().await.expect("the last");
    assert_eq!(Some(last), entries.last().map(|entry| entry.sequence));
    assert_eq!(members(&entries), parts.iter().collect::<Vec<_>>());
    assert_eq!(entries.last().map(|entry| &entry.entry), Some(&FactEntry::Decisions(vec![decision])));
    assert!(entries.is_sorted_by(|a, b| a.sequence < b.sequence));
}

pub async fn facts_survive_reopening_and_numbers_go_on(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    ports.facts.put(part(0, 40, &[4, 8, 40])).await.expect("put");
    let before = all(&ports.facts).await;
    let identity = ports.facts.identity().await.expect("an identity");
    assert!(!identity.is_empty());
    drop(ports);
    let ports = fixture.ports().await;
    assert_eq!(all(&ports.facts).await, before);
    assert_eq!(ports.facts.identity().await.expect("an identity"), identity);
    ports.facts.put(part(40, 44, &[44])).await.expect("put");
    let after = all(&ports.facts).await;
    assert_eq!(after[..before.len()], before);
    assert!(after[before.len()].sequence > before[before.len() - 1].sequence);
}

pub async fn what_a_replay_puts_again_is_there_once_at_least(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    for part in [part(0, 40, &[4, 8, 40]), part(0, 40, &[4, 8, 40]), part(0, 20, &[4, 20])] {
        ports.facts.put(part).await.expect("put");
    }
    let entries = all(&ports.facts).await;
    let found = members(&entries);
    assert!(found.contains(&&part(0, 40, &[4, 8, 40])));
    assert!(found.contains(&&part(0, 20, &[4, 20])));
}

pub async fn a_large_part_covers_all_of_it_whatever_it_is_cut_into(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let facts: Vec<Fact> = (1..=3_000).map(|at| fact(at * 4, 1_000)).collect();
    let large = MemberFacts { facts: facts.clone(), ..part(0, 12_003, &[]) };
    soon("the large part", ports.facts.put(large)).await.expect("put");
    let entries = all(&ports.facts).await;
    let parts = members(&entries);
    let mut covered = Position::START;
    for part in &parts {
        assert_eq!(part.after, covered);
        covered = part.position;
    }
    assert_eq!(covered, Position(12_003));
    let found: Vec<Fact> = parts.into_iter().flat_map(|part| part.facts.clone()).collect();
    assert!(found == facts, "{} of {} facts came back", found.len(), facts.len());
}
