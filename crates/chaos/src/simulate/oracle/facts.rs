//! Facts, whatever crashed and was replayed on the way: those of a clean fold (I3), and each true when it was known (I9).

use super::quarantine_of;
use crate::simulate::auditor::fold;
use crate::simulate::node::FACT_TITLES;
use crate::simulate::world::World;
use nearline_model::facts::CaptureSettings;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::{Fact, FactEntry, LogRecord, Partition, PartitionId, Position};
use std::collections::BTreeMap;

/// Compares what the stream holds with every change of the log, folded from its start.
pub(super) fn equal_folded(world: &World, logs: &[Vec<LogRecord>]) {
    for (number, log) in (0..).zip(logs) {
        let id = PartitionId(number);
        let clean = every_change(world, id, log);
        let servers = world.servers.borrow();
        let once = servers.store.stepped_over_once[usize::from(number)];
        let stepped_over = servers.store.row(id).troubles.quarantine.iter().map(|entry| entry.position);
        let first_stepped_over = stepped_over.chain(once).min();
        for part in servers.facts.entries.iter().filter_map(|entry| match entry {
            FactEntry::Members(part) if part.partition == id => Some(part),
            FactEntry::Members(_) | FactEntry::Decisions(_) => None,
        }) {
            for fact in &part.facts {
                // What one owner folded may be poison for the next.
                let is_certain = first_stepped_over.is_none_or(|position| fact.position < position);
                if is_certain && clean.get(&fact.position) != Some(fact) {
                    let what =
                        format!("{id}: the fact of {} at {} is not the log's", fact.member, fact.position);
                    world.violated("I3", what);
                }
                if fact.event_at_ms > fact.known_at_ms
                    || !(part.after..=part.position).contains(&fact.position)
                {
                    let what =
                        format!("{id}: the fact of {} at {} was not known then", fact.member, fact.position);
                    world.violated("I9", what);
                }
            }
        }
    }
}

fn every_change(world: &World, id: PartitionId, log: &[LogRecord]) -> BTreeMap<Position, Fact> {
    let settings = world.scenario.fold();
    let event_bytes = settings.event_bytes;
    let every = CaptureSettings { titles: FACT_TITLES, every_change: true };
    let mut partition = Partition::new(id, world.scenario.partitions, settings).capture(every);
    fold(&mut partition, log, event_bytes, &quarantine_of(world, id));
    let facts = partition.take_commit(OwnerEpoch::NONE).map(|commit| commit.facts).unwrap_or_default();
    facts.into_iter().map(|fact| (fact.position, fact)).collect()
}
