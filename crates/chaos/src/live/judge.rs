//! The judgement: what was acknowledged against what is in the log, in the dead letters and in the store.

use super::ChaosError;
use super::bed::{Bed, Program};
use super::plan::Plan;
use super::workload::Workload;
use nearline_backends::cluster::connect_cluster;
use nearline_model::settings::AggregateSettings;
use nearline_model::symbols::NONE;
use nearline_model::{PartitionId, Position};
use nearline_ports::{Ports, stored};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the engines may commit nothing, after the run, before all is committed.
const CAUGHT_UP: Duration = Duration::from_secs(60);
/// Dead letters read at once.
const PAGE: usize = 1_000;

/// What was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verdict {
    /// Events acknowledged.
    pub acknowledged: u64,
    /// Records in the log.
    pub in_log: u64,
    /// Acknowledged events that are not in the log, not folded, or refused without a dead letter.
    pub lost: u64,
    /// Impressions and plays counted more often than published.
    pub doubled: u64,
    /// Impressions and plays counted less often than published.
    pub uncounted: u64,
    /// Records in the dead letters.
    pub dead_lettered: u64,
    /// Those of them that were stepped over, since folding them panicked each time.
    pub stepped_over: u64,
    /// Partitions whose stored state equals the fold of the log, byte for byte.
    pub partitions_equal: u64,
    /// Partitions whose stored state does not, or could not be verified.
    pub partitions_differing: u64,
    /// What was wrong, in words.
    pub findings: Vec<String>,
}

/// Waits until all is folded, stops the engines that were started here, and judges.
///
/// # Errors
/// Where log or store cannot be read.
pub fn judge(
    plan: &Plan,
    bed: &Bed,
    program: &Program,
    workload: &Workload,
    runtime: &tokio::runtime::Handle,
) -> Result<Option<Verdict>, ChaosError> {
    let (Some(nats), Some(redis)) = (bed.nats_settings(plan), bed.redis_settings()) else {
        return Ok(None);
    };
    let mut verdict = Verdict::default();
    let acknowledged = workload.take_acknowledged();
    verdict.acknowledged = acknowledged.len() as u64;
    let (ports, stored) = runtime.block_on(async {
        let ports = connect_cluster(nats, redis).await?;
        let stored = caught_up(&ports).await?;
        Ok::<_, ChaosError>((ports, stored))
    })?;
    // Those that were started here; what they commit in the end is part of what is judged.
    verdict.findings.extend(bed.stop_engines());
    runtime.block_on(compare(&ports, &stored, &acknowledged, &mut verdict))?;
    if let Some(config) = &bed.judge_config {
        for partition in 0..plan.partitions {
            let verified = Command::new(&program.binary)
                .arg("--config")
                .arg(config)
                .args(["inspect", "partition", &partition.to_string(), "--verify"])
                .output()
                .map_err(ChaosError::system("running nearline inspect"))?;
            if verified.status.success() {
                verdict.partitions_equal += 1;
            } else {
                verdict.partitions_differing += 1;
                let text = String::from_utf8_lossy(&verified.stderr).trim().to_owned();
                verdict.findings.push(format!("I3, partition {partition}: {text}"));
            }
        }
    }
    Ok(Some(verdict))
}

/// Waits until every partition is stored up to the end of its log; the positions where it is stored.
async fn caught_up(ports: &Ports) -> Result<Vec<Position>, ChaosError> {
    let (mut moved, mut before) = (Instant::now(), Vec::new());
    loop {
        let mut stored = Vec::new();
        let mut behind = false;
        for partition in (0..ports.log.partitions()).map(PartitionId) {
            let position = ports.store.position(partition).await?;
            behind |= position < ports.log.bounds(partition).await?.last;
            stored.push(position);
        }
        if !behind || moved.elapsed() > CAUGHT_UP {
            return Ok(stored);
        }
        if stored != before {
            (moved, before) = (Instant::now(), stored);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the log holds, each id once.
#[derive(Default)]
struct Held {
    ids: HashSet<String>,
    /// Impressions and plays by title.
    counts: BTreeMap<(String, &'static str), i64>,
    records: u64,
    /// Records that are refused or stepped over, by position.
    refused: BTreeSet<Position>,
}

async fn compare(
    ports: &Ports,
    stored: &[Position],
    acknowledged: &HashSet<String>,
    verdict: &mut Verdict,
) -> Result<(), ChaosError> {
    let letters = dead_letters(ports).await?;
    let mut held = Held::default();
    for (number, stored) in (0..).zip(stored) {
        read_partition(ports, PartitionId(number), *stored, &letters, &mut held).await?;
    }
    verdict.in_log = held.records;
    verdict.dead_lettered = letters.len() as u64;
    verdict.stepped_over = letters.values().filter(|reason| *reason == "poison").count() as u64;
    let missing: Vec<&String> = acknowledged.iter().filter(|id| !held.ids.contains(*id)).collect();
    let unlettered = held.refused.iter().filter(|position| !letters.contains_key(position)).count();
    verdict.lost = (missing.len() + unlettered) as u64;
    if verdict.lost > 0 {
        let some: Vec<_> = missing.iter().take(5).collect();
        verdict.findings.push(format!(
            "I1: {} acknowledged events are not folded, such as {some:?}; {unlettered} refused ones have no dead letter",
            missing.len()
        ));
    }
    let learned = stored::aggregates(ports, &AggregateSettings::default()).await?;
    let mut titles: BTreeSet<(String, &'static str)> = held.counts.keys().cloned().collect();
    let mut found: BTreeMap<(String, &'static str), i64> = BTreeMap::new();
    for number in learned.titles_after(NONE) {
        let title = learned.title_id(number).to_string();
        let epochs = learned.counters("all").and_then(|all| all.title(number)).map(|title| &title.epochs);
        let impressions: i64 =
            epochs.into_iter().flatten().map(|(_, counts)| i64::from(counts.impressions)).sum();
        for (kind, count) in [("impression", impressions), ("play", learned.plays(number) as i64)] {
            found.insert((title.clone(), kind), count);
            titles.insert((title.clone(), kind));
        }
    }
    for key in titles {
        let published = held.counts.get(&key).copied().unwrap_or_default();
        let counted = found.get(&key).copied().unwrap_or_default();
        verdict.doubled += counted.saturating_sub(published).max(0) as u64;
        verdict.uncounted += published.saturating_sub(counted).max(0) as u64;
        if counted != published && verdict.findings.len() < 20 {
            verdict
                .findings
                .push(format!("I2: {} of {}: counted {counted}, published {published}", key.1, key.0));
        }
    }
    Ok(())
}

async fn dead_letters(ports: &Ports) -> Result<HashMap<Position, String>, ChaosError> {
    let (mut letters, mut after) = (HashMap::new(), Position::START);
    loop {
        let page = ports.dead_letters.list(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(letters) };
        after = last.position;
        letters.extend(page.into_iter().map(|letter| (letter.position, letter.reason)));
    }
}

async fn read_partition(
    ports: &Ports,
    partition: PartitionId,
    stored: Position,
    letters: &HashMap<Position, String>,
    held: &mut Held,
) -> Result<(), ChaosError> {
    let last = ports.log.bounds(partition).await?.last;
    let mut reader = ports.log.open_reader(partition, Position::START).await?;
    let mut position = Position::START;
    while position < last {
        for record in reader.next_batch(4_096).await? {
            position = record.position;
            held.records += 1;
            if position > stored {
                continue;
            }
            let event: Value = serde_json::from_slice(&record.payload).unwrap_or_default();
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let kind = match &*text("type") {
                "impression" => Some("impression"),
                "play" => Some("play"),
                "yawn" => {
                    held.refused.insert(position);
                    None
                }
                _ => None,
            };
            let first = held.ids.insert(text("id"));
            let stepped_over = letters.contains_key(&position);
            if let Some(kind) = kind.filter(|_| first && !stepped_over) {
                *held.counts.entry((text("title"), kind)).or_default() += 1;
            }
        }
    }
    Ok(())
}
