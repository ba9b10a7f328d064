//! The streams of the log: one for each partition, so that its records are numbered without a gap, and what is missing
//! is known exactly.
//!
//! Each takes two subjects. Publishers use `{prefix}.events.{member}`, which the server's subject mapping turns into
//! `{prefix}.log.{partition}` (or, where it has none, the stream of [`super::ingress`] brings along). Nodes publish on
//! `{prefix}.log.{partition}.{identity}`: a log that was made anew has another identity and takes nothing from a node
//! that knows the old one.

use super::names::{own_subject, source, stream_of, subject};
use super::{AT_ONCE, Followed, check, create, existing, found, limit};
use crate::log_identity::new_log_identity;
use crate::nats::NatsSettings;
use crate::nats::link::Links;
use async_nats::jetstream::stream;
use futures_util::{StreamExt, TryStreamExt};
use nearline_model::{PartitionId, Position};
use nearline_ports::PortError;
use std::collections::HashMap;
use std::time::Duration;

/// Which log the stream is part of, in its metadata.
pub(in crate::nats) const IDENTITY: &str = "nearline_log";
/// How many partitions that log has.
const PARTITIONS: &str = "nearline_partitions";
/// How many events its messages may hold; without it, one.
const BLOCK: &str = "nearline_block_events";
/// Where the stream goes on with what an earlier one held: the number of its first message, and the position in the
/// earlier one that it follows.
pub(in crate::nats) const FIRST: &str = "nearline_first";
pub(in crate::nats) const FOLLOWS: &str = "nearline_follows";

/// Creates the log's streams where there is none yet. Gives its identity.
pub(super) async fn prepare(links: &Links, followed: &Followed) -> Result<String, PortError> {
    let settings = &*links.settings;
    if let Some(first) = existing(links, &stream_of(settings, PartitionId(0))).await? {
        same_layout(settings, &first)?;
    }
    let look = |partition| async move { existing(links, &stream_of(settings, PartitionId(partition))).await };
    let looks: Vec<_> = (0..settings.partitions).map(look).collect();
    let streams: Vec<Option<stream::Config>> =
        futures_util::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    let missing: Vec<PartitionId> = (0..settings.partitions)
        .map(PartitionId)
        .filter(|partition| streams[usize::from(partition.0)].is_none())
        .collect();
    if !missing.is_empty() {
        refuse_another_log(settings, &missing, followed)?;
        create_missing(links, &missing, followed).await?;
    }
    let first = found(links, &stream_of(settings, PartitionId(0))).await?;
    same_layout(settings, &first)?;
    identity_of(&first).map(str::to_owned).ok_or_else(|| without_identity(&first.name))
}

/// Streams are never made anew under a store that has folded them: what they take would count as read.
fn refuse_another_log(
    settings: &NatsSettings,
    missing: &[PartitionId],
    followed: &Followed,
) -> Result<(), PortError> {
    let Some(identity) = &followed.identity else { return Ok(()) };
    let names: Vec<String> =
        missing.iter().take(3).map(|partition| stream_of(settings, *partition)).collect();
    Err(PortError::Misconfigured(format!(
        "the stored state was folded from log {identity}, of which {} of {} streams are gone ({}{}); restore them from a \
         backup, or remove the stored state to begin with an empty log",
        missing.len(),
        settings.partitions,
        names.join(", "),
        if missing.len() > names.len() { ", …" } else { "" }
    )))
}

async fn create_missing(
    links: &Links,
    missing: &[PartitionId],
    followed: &Followed,
) -> Result<(), PortError> {
    let settings = &*links.settings;
    let earlier = earlier_layout(links, followed).await?;
    // The first of them decides between nodes that begin in the same moment.
    let first = PartitionId(0);
    if missing.contains(&first) {
        create(links, config(settings, first, &new_log_identity(), followed, earlier)).await?;
    }
    let found = found(links, &stream_of(settings, first)).await?;
    let identity = identity_of(&found).ok_or_else(|| without_identity(&found.name))?.to_owned();
    let mut creations = Vec::with_capacity(missing.len());
    for partition in missing.iter().copied().filter(|partition| *partition != first) {
        creations.push(create(links, config(settings, partition, &identity, followed, earlier)));
    }
    futures_util::stream::iter(creations).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

/// The last position of the one stream that held all partitions, where state was folded from it.
async fn earlier_layout(links: &Links, followed: &Followed) -> Result<Option<Position>, PortError> {
    let settings = &*links.settings;
    if followed.positions.iter().all(|position| position.is_start()) {
        return Ok(None);
    }
    let Some(found) = existing(links, &settings.stream).await? else {
        return Err(PortError::Misconfigured(format!(
            "the store holds state up to position {}, but there is no log: neither stream {} nor those of its \
             partitions; restore them, or remove the stored state to begin with an empty log",
            followed.positions.iter().max().copied().unwrap_or_default(),
            settings.stream
        )));
    };
    check::ingress(settings, &found)?;
    let stream = links.main().jetstream.get_stream(&settings.stream).await;
    let stream = stream.map_err(|error| links.unavailable("asking for the log's end", error))?;
    let last = stream.cached_info().state.last_sequence;
    tracing::warn!(
        stream = %settings.stream, last,
        "the log becomes one stream for each partition; each goes on behind what its state has folded"
    );
    Ok(Some(Position(last)))
}

fn config(
    settings: &NatsSettings,
    partition: PartitionId,
    identity: &str,
    followed: &Followed,
    earlier: Option<Position>,
) -> stream::Config {
    let mut metadata = HashMap::from([
        (IDENTITY.to_owned(), identity.to_owned()),
        (PARTITIONS.to_owned(), settings.partitions.to_string()),
    ]);
    if settings.block_events > 1 {
        metadata.insert(BLOCK.to_owned(), settings.block_events.to_string());
    }
    let follows = followed.position(partition);
    // Its position is beyond all that were given.
    let first_sequence = earlier.map(|last| last.max(follows).0 / u64::from(settings.partitions) + 2);
    if let Some(first) = first_sequence {
        metadata.insert(FIRST.to_owned(), first.to_string());
        metadata.insert(FOLLOWS.to_owned(), follows.to_string());
    }
    stream::Config {
        description: Some("Nearline: events of one partition".into()),
        subjects: vec![subject(settings, partition.0), own_subject(settings, partition, identity)],
        duplicate_window: Duration::from_secs(settings.duplicate_window_seconds),
        max_bytes: limit(settings.max_bytes.div_ceil(u64::from(settings.partitions))),
        max_age: Duration::from_secs(settings.max_age_seconds),
        compression: Some(stream::Compression::None),
        metadata,
        first_sequence,
        sources: earlier.map(|_| vec![source(settings, partition, follows.next())]),
        ..super::durable(settings, &stream_of(settings, partition))
    }
}

/// Checks a partition's stream, as it is now, against the settings and the log that it must be part of.
pub(super) async fn check(links: &Links, partition: PartitionId, identity: &str) -> Result<(), PortError> {
    let settings = &*links.settings;
    let found = found(links, &stream_of(settings, partition)).await?;
    check_config(settings, partition, identity, &found)
}

/// The same of a configuration that was read.
pub(in crate::nats) fn check_config(
    settings: &NatsSettings,
    partition: PartitionId,
    identity: &str,
    found: &stream::Config,
) -> Result<(), PortError> {
    match identity_of(found) {
        Some(other) if other == identity => {}
        Some(other) => {
            return Err(PortError::Damaged {
                what: format!("stream {}", found.name),
                detail: format!(
                    "it is part of log {other}, this node follows log {identity}: the stream was made anew, and its \
                     positions mean nothing here; restore the stream from a backup, or remove the stored state to fold \
                     the new log from its beginning, and start the nodes again"
                ),
            });
        }
        None => return Err(without_identity(&found.name)),
    }
    same_layout(settings, found)?;
    let wanted = config(settings, partition, identity, &Followed::default(), None);
    check::log(settings, &wanted, found)
}

pub(super) fn identity_of(found: &stream::Config) -> Option<&str> {
    found.metadata.get(IDENTITY).map(String::as_str)
}

fn without_identity(name: &str) -> PortError {
    PortError::Misconfigured(format!(
        "stream {name} does not say which log it is part of (metadata {IDENTITY}): it was not made by Nearline; remove it, \
         so that it is made, or name another stream (nats.stream)"
    ))
}

/// Positions follow from both.
fn same_layout(settings: &NatsSettings, found: &stream::Config) -> Result<(), PortError> {
    if !found.metadata.contains_key(IDENTITY) {
        return Ok(());
    }
    let noted = |key| found.metadata.get(key).map_or("1", String::as_str);
    let (partitions, block) = (noted(PARTITIONS), noted(BLOCK));
    if partitions != settings.partitions.to_string() {
        return Err(PortError::Misconfigured(format!(
            "stream {} is part of a log of {partitions} partitions, configured are {}; set the partitions to {partitions} or \
             name another stream",
            found.name, settings.partitions
        )));
    }
    if block != settings.block_events.max(1).to_string() {
        return Err(PortError::Misconfigured(format!(
            "stream {} is part of a log whose messages hold up to {block} events, configured are {}; set nats.block_events to \
             {block} or name another stream",
            found.name, settings.block_events
        )));
    }
    Ok(())
}
