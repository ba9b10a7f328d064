//! Whether what is stored fits the settings and the log, without taking anything over: for `nearline doctor`.

use crate::finding::Finding;
use crate::{PortError, Ports, stored};
use nearline_model::identifier::sequence_of;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, PartitionId};

const PART: &str = "state";

/// Looks at the state of every partition and at the sums.
pub async fn stored(ports: &Ports, fold: &FoldSettings, aggregates: &AggregateSettings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let advice = "do what the message says; until then the engine does not start, or holds the partition";
    if let Err(error) = stored::check_fold(ports, fold).await {
        findings.push(Finding::fail(PART, error.to_string(), advice));
    }
    if let Err(error) = sums(ports, aggregates).await {
        findings.push(Finding::fail(PART, error.to_string(), advice));
    }
    let mut begun_late = 0;
    for partition in (0..ports.log.partitions()).map(PartitionId) {
        // What is committed and what the log has are asked for one after the other: once more before it is said.
        let looked = match against_log(ports, partition).await {
            Ok(Against::Fits) => Ok(Against::Fits),
            _ => against_log(ports, partition).await,
        };
        match looked {
            Ok(Against::Fits) => {}
            Ok(Against::BeginningGone) => begun_late += 1,
            Ok(Against::Wrong(says)) => findings.push(Finding::fail(PART, says, advice)),
            Err(error) => findings.push(Finding::fail(PART, error.to_string(), advice)),
        }
    }
    if begun_late > 0 {
        let says = format!(
            "{begun_late} partitions have no state yet, and their log no longer begins at its beginning: what was before is not counted"
        );
        let advice = "restore the log if it should be; keep it longer (nats.max_age_seconds, nats.max_bytes, embedded.retention_events)";
        findings.push(Finding::warn(PART, says, advice));
    }
    if findings.is_empty() {
        let says = format!("state of {} partitions fits the settings and the log", ports.log.partitions());
        findings.push(Finding::ok(PART, says));
    }
    findings
}

/// A partition's state beside its log.
enum Against {
    Fits,
    BeginningGone,
    Wrong(String),
}

/// Whether the stored sums can be read with these settings. They may be large: not on the thread that asks.
async fn sums(ports: &Ports, settings: &AggregateSettings) -> Result<(), PortError> {
    let Some(snapshot) = ports.store.load_aggregates().await? else { return Ok(()) };
    let (partitions, settings) = (ports.log.partitions(), settings.clone());
    let reading = move || Aggregates::decode(&snapshot.bytes, partitions, &settings).map(drop);
    match tokio::task::spawn_blocking(reading).await {
        Ok(read) => read.map_err(stored::damaged_snapshot),
        Err(error) => Err(stored::damaged_snapshot(error)),
    }
}

async fn against_log(ports: &Ports, partition: PartitionId) -> Result<Against, PortError> {
    let stored = ports.store.position(partition).await?;
    let bounds = ports.log.bounds(partition).await?;
    let number = |position| sequence_of(position, partition, ports.log.partitions());
    let (Some(first), Some(last), Some(stored_number)) =
        (number(bounds.first), number(bounds.last), number(stored))
    else {
        // Positions of an earlier layout, which partitions shared.
        return Ok(Against::Fits);
    };
    let is_behind = first > stored_number && !ports.log.blocks().follows(stored_number, first);
    Ok(match (stored.is_start(), is_behind) {
        (true, true) => Against::BeginningGone,
        (false, true) => Against::Wrong(format!(
            "partition {partition} is stored at position {stored}, and its log begins at {}: events between are gone before they \
             were counted; restore the log, or fold what is left into an empty store",
            bounds.first
        )),
        _ if stored_number > last => Against::Wrong(format!(
            "partition {partition} is stored at position {stored}, and its log ends at {}: restore the log, or fold what is left \
             into an empty store",
            bounds.last
        )),
        _ => Against::Fits,
    })
}
