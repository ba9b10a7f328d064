//! Reading what is stored, without the engine: a member, and the sums.

use crate::{OutboxEntry, PortError, Ports};
use futures_util::future::try_join_all;
use nearline_model::aggregates::Added;
use nearline_model::identifier::partition_of;
use nearline_model::settings::{AggregateSettings, FoldSettings, differences};
use nearline_model::symbols::Symbol;
use nearline_model::{Aggregates, Delta, Member, MemberSnapshot, PartitionId, Position};
use std::collections::HashMap;
use std::sync::Arc;

/// Deltas read from the outbox at once.
const OUTBOX_PAGE: usize = 64;

/// A member as it is stored.
#[derive(Debug, Clone)]
pub struct StoredMember {
    /// Its state; its position is one that the state reflects at least.
    pub snapshot: MemberSnapshot,
    /// Bytes of the stored form; 0: nothing is stored of the member.
    pub bytes: usize,
}

/// A member's state, with names; that of somebody new where nothing is stored. With `complete`, open
/// impressions are spelled out too. Only the names that the state holds are read.
///
/// # Errors
/// The store's, and [`PortError::Damaged`] where the stored form cannot be read.
pub async fn member(ports: &Ports, member: &str, complete: bool) -> Result<StoredMember, PortError> {
    let partition = partition_of(member, ports.log.partitions());
    let store = &ports.store;
    // The position first: what is read of the member then is at least as new. Its names last: symbols are
    // only ever added.
    let position = store.position(partition).await?;
    let stored = store.load_members(partition, &[Box::from(member)]).await?.into_iter().next().flatten();
    let damaged = |detail: String| PortError::Damaged {
        what: format!("the stored state of member {member} in partition {partition}"),
        detail,
    };
    let state = match &stored {
        Some(bytes) => Member::decode(bytes).map_err(|error| damaged(error.to_string()))?,
        None => Member::default(),
    };
    let symbols = state.named_symbols(complete);
    let names = store.names(partition, &symbols).await?;
    let mut texts: HashMap<Symbol, Arc<str>> = HashMap::with_capacity(symbols.len());
    for (symbol, name) in symbols.into_iter().zip(names) {
        let name = name.ok_or_else(|| damaged(format!("it holds symbol {}, which has no name", symbol.0)))?;
        texts.insert(symbol, name);
    }
    let text = |symbol| texts.get(&symbol).cloned().unwrap_or_default();
    let snapshot = MemberSnapshot::new(member, position, &state, text, complete);
    Ok(StoredMember { snapshot, bytes: stored.map_or(0, |bytes| bytes.len()) })
}

/// Refuses state of any partition that was folded with other settings than `now`: it would go on as neither.
///
/// # Errors
/// The store's, and [`PortError::Misconfigured`] with what differs.
pub async fn check_fold(ports: &Ports, now: &FoldSettings) -> Result<(), PortError> {
    let partitions = (0..ports.log.partitions()).map(PartitionId);
    let kept = try_join_all(partitions.map(|partition| ports.store.fold_settings(partition))).await?;
    for (partition, kept) in (0..).map(PartitionId).zip(kept) {
        kept.map_or(Ok(()), |kept| same_settings(partition, &kept, now))?;
    }
    Ok(())
}

/// Refuses state of a partition that was folded with the settings `kept`, if `now` are others.
///
/// # Errors
/// [`PortError::Misconfigured`] with what differs.
pub fn same_settings(partition: PartitionId, kept: &str, now: &FoldSettings) -> Result<(), PortError> {
    let kept: FoldSettings = serde_json::from_str(kept).map_err(|error| PortError::Damaged {
        what: format!("stored fold settings of {partition}"),
        detail: error.to_string(),
    })?;
    if kept == *now {
        return Ok(());
    }
    let differ = differences("fold", &kept, now);
    Err(PortError::Misconfigured(format!(
        "the state of {partition} was folded with other settings: {differ}; set them back, or fold the log anew with these (`nearline \
         refold`, every node stopped)"
    )))
}

/// The sums as a node that starts now learns them: the stored snapshot, and what was committed since.
///
/// # Errors
/// The store's, and [`PortError::Damaged`] where a delta or the snapshot cannot be read, or deltas are missing.
pub async fn aggregates(ports: &Ports, settings: &AggregateSettings) -> Result<Aggregates, PortError> {
    let mut aggregates = aggregates_snapshot(ports, settings).await?;
    for partition in (0..ports.log.partitions()).map(PartitionId) {
        add_outbox(ports, &mut aggregates, partition).await?;
    }
    Ok(aggregates)
}

/// The stored snapshot of the sums, or empty ones.
///
/// # Errors
/// The store's, and [`PortError::Damaged`] where the snapshot cannot be read.
pub async fn aggregates_snapshot(
    ports: &Ports,
    settings: &AggregateSettings,
) -> Result<Aggregates, PortError> {
    let partitions = ports.log.partitions();
    match ports.store.load_aggregates().await? {
        None => Ok(Aggregates::new(partitions, settings.clone())),
        Some(snapshot) => Aggregates::decode(&snapshot.bytes, partitions, settings).map_err(damaged_snapshot),
    }
}

/// Why the stored snapshot of the sums cannot be read.
pub fn damaged_snapshot(detail: impl ToString) -> PortError {
    PortError::Damaged { what: "snapshot of the aggregates".into(), detail: detail.to_string() }
}

/// Adds all that `partition` has in the outbox beyond what `aggregates` reflect.
///
/// # Errors
/// The store's, and [`PortError::Damaged`] where a delta cannot be read or one is missing before it.
pub async fn add_outbox(
    ports: &Ports,
    aggregates: &mut Aggregates,
    partition: PartitionId,
) -> Result<(), PortError> {
    loop {
        let page = outbox_page(ports, partition, aggregates.position(partition)).await?;
        if page.is_empty() {
            return Ok(());
        }
        for delta in &page {
            if let Added::Gap { after } = aggregates.add(delta) {
                return Err(PortError::Damaged {
                    what: format!("outbox of {partition}"),
                    detail: format!(
                        "a delta begins at position {}, the aggregates end at {after}; rebuild them",
                        delta.after
                    ),
                });
            }
        }
    }
}

/// The next deltas of a partition after `after`, in order; none: there are none yet.
///
/// # Errors
/// The store's, and [`PortError::Damaged`] where a delta cannot be read.
pub async fn outbox_page(
    ports: &Ports,
    partition: PartitionId,
    after: Position,
) -> Result<Vec<Delta>, PortError> {
    let entries = ports.store.outbox(partition, after, OUTBOX_PAGE).await?;
    let read = |entry: &OutboxEntry| {
        Delta::decode(&entry.delta).map_err(|error| PortError::Damaged {
            what: format!("outbox of {partition} at position {}", entry.position),
            detail: error.to_string(),
        })
    };
    entries.iter().map(read).collect()
}
