//! Is what was served what is kept, and what is kept what the events tell? Of a sample of members, by hash.

use nearline_model::Position;
use std::collections::{BTreeMap, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use nearline_facts::{EventArchive, FactArchive};
use nearline_model::PartitionId;
use nearline_model::facts::{CaptureSettings, Known};
use nearline_model::identifier::partition_of;
use serde::Serialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::AuditJob;
use super::profile::batches;
use crate::backfill::{Part, refold};

/// Makes the sample's hash another one than those that deal members to variants or partitions.
const SEED: u64 = 0x000a_0d17;
/// Examples that are named.
const EXAMPLES: usize = 5;
/// Facts that are folded at a time.
const MOST_FACTS: usize = 100_000;

/// Answers held against facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Answers that were made of a member's state.
    pub answers: u64,
    /// Those whose fact is the very state.
    pub equal: u64,
    /// Those whose fact is another state: the one between was lost with a process that died before it committed, or the store was newer
    /// than the position that the answer names.
    pub unlike: u64,
    /// Some of these: member at position.
    pub examples: Vec<String>,
}

impl Served {
    pub(super) fn text(&self) -> String {
        format!("{} made of a member's state, {} of them of what is kept", self.answers, self.equal)
    }

    pub(super) fn finding(&self) -> Option<String> {
        (self.unlike > 0).then(|| {
            format!(
                "{} of {} answers were made of a state that is not kept, such as {}; a backfill into a folder of its own has every \
                 state",
                self.unlike,
                self.answers,
                self.examples.join(", ")
            )
        })
    }
}

/// Facts held against events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Refolded {
    /// Facts that were compared.
    pub facts: u64,
    /// Those that are byte for byte what the events tell.
    pub equal: u64,
    /// Some that are not: member at position.
    pub examples: Vec<String>,
    /// Partitions whose first events are gone, so that nothing can be said of their facts.
    pub cut: Vec<PartitionId>,
    /// Partitions that cannot be folded, with why.
    pub not_folded: Vec<String>,
}

impl Refolded {
    pub(super) fn text(&self) -> String {
        let told = format!("{} of {} are byte for byte what the events tell", self.equal, self.facts);
        match self.cut.len() {
            0 => told,
            1 => told + "; of one partition the first events are gone, and nothing can be said",
            many => {
                format!("{told}; of {many} partitions the first events are gone, and nothing can be said")
            }
        }
    }

    pub(super) fn finding(&self) -> Option<String> {
        let unlike = self.facts - self.equal;
        (unlike > 0 || !self.not_folded.is_empty()).then(|| {
            let examples = [&self.examples[..], &self.not_folded].concat().join(", ");
            format!("{unlike} of {} facts are not what the events tell: {examples}", self.facts)
        })
    }
}

/// Facts of the members in the sample: by member, what tells the payload and what tells the state, by position.
pub(super) struct Sampled(HashMap<String, BTreeMap<i64, Digests>>);

#[derive(Clone, Copy)]
struct Digests {
    payload: u64,
    known: i64,
}

fn is_sampled(member: &str, share: f64) -> bool {
    (xxh3_64_with_seed(member.as_bytes(), SEED) as f64) < share * u64::MAX as f64
}

pub(super) fn sampled(members: &FactArchive, share: f64) -> anyhow::Result<Sampled> {
    let mut sampled: HashMap<String, BTreeMap<i64, Digests>> = HashMap::new();
    batches(members.table(), |batch| {
        let (names, payloads) = (batch["member"].as_string::<i32>(), batch["payload"].as_binary::<i32>());
        let positions = batch["position"].as_primitive::<Int64Type>();
        let versions = batch["schema_version"].as_primitive::<Int32Type>();
        for row in (0..batch.num_rows()).filter(|row| is_sampled(names.value(*row), share)) {
            let payload = payloads.value(row);
            let version = u16::try_from(versions.value(row)).unwrap_or_default();
            let (known, _) = Known::decode(version, payload)?;
            let digests = Digests { payload: xxh3_64(payload), known: known.digest().cast_signed() };
            let facts = sampled.entry(names.value(row).to_owned()).or_default();
            facts.insert(positions.value(row), digests);
        }
        Ok(())
    })?;
    Ok(Sampled(sampled))
}

/// Holds answers to the members in the sample against their facts.
pub(super) fn served(decisions: &FactArchive, sampled: &Sampled, share: f64) -> anyhow::Result<Served> {
    let nobody = Known::default().digest().cast_signed();
    let mut served = Served::default();
    batches(decisions.table(), |batch| {
        let names = batch["member"].as_string::<i32>();
        let digests = batch["known_digest"].as_primitive::<Int64Type>();
        let positions = batch["position"].as_primitive::<Int64Type>();
        for row in firsts(batch).filter(|row| is_sampled(names.value(*row), share) && digests.is_valid(*row))
        {
            let (member, position) = (names.value(row), positions.value(row));
            let facts = sampled.0.get(member);
            let newest = facts.and_then(|facts| facts.range(..=position).next_back());
            served.answers += 1;
            if newest.map_or(nobody, |(_, digests)| digests.known) == digests.value(row) {
                served.equal += 1;
            } else {
                served.unlike += 1;
                if served.examples.len() < EXAMPLES {
                    served.examples.push(format!("{member} at {position}"));
                }
            }
        }
        Ok(())
    })?;
    Ok(served)
}

/// The first candidate of each answer.
fn firsts(batch: &RecordBatch) -> impl Iterator<Item = usize> + '_ {
    let ordinals = batch["ordinal"].as_primitive::<Int32Type>();
    (0..batch.num_rows()).filter(move |row| ordinals.value(*row) == 0)
}

/// Folds all events again, and compares the facts of the members in the sample.
pub(super) fn refolded(
    job: &AuditJob,
    events: &EventArchive,
    members: &FactArchive,
    sampled: &Sampled,
) -> anyhow::Result<Refolded> {
    let mut told: HashMap<(String, i64), u64> = HashMap::new();
    let mut refolded = Refolded::default();
    for partition in (0..events.partitions()).map(PartitionId) {
        let up_to = members.covered(partition).min(events.last(partition));
        if up_to.is_start() {
            continue;
        }
        if events.check_whole(partition).is_err() {
            refolded.cut.push(partition);
            continue;
        }
        let part = Part { partition, after: Position::START, up_to, most_facts: MOST_FACTS };
        let capture = CaptureSettings { every_change: true, ..job.capture };
        let folded = refold(events, &part, &job.fold, capture, &|_| {}, |made| {
            for fact in made.facts.iter().filter(|fact| is_sampled(&fact.member, job.sample)) {
                told.insert((fact.member.to_string(), fact.position.0.cast_signed()), xxh3_64(&fact.payload));
            }
            Ok(true)
        });
        if let Err(error) = folded {
            refolded.not_folded.push(format!("partition {partition}: {error:#}"));
        }
    }
    let is_told = |member: &str| !refolded.cut.contains(&partition_of(member, events.partitions()));
    let told_of: Vec<_> = sampled.0.iter().filter(|(member, _)| is_told(member)).collect();
    for (member, facts) in told_of {
        for (position, digests) in facts {
            refolded.facts += 1;
            if told.get(&(member.clone(), *position)) == Some(&digests.payload) {
                refolded.equal += 1;
            } else if refolded.examples.len() < EXAMPLES {
                refolded.examples.push(format!("{member} at {position}"));
            }
        }
    }
    refolded.examples.sort();
    Ok(refolded)
}
