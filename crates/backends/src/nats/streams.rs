//! Streams: created where they are missing, checked where they are there.

mod check;
mod facts;
mod ingress;
mod log;
mod names;

pub(super) use facts::{fact_identity, last_fact, prepare_facts};
pub(super) use ingress::{Route, route};
pub(super) use log::{FIRST, FOLLOWS, check_config};
pub(super) use names::{own_subject, stream_of};

use super::NatsSettings;
use super::link::Links;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::{ErrorCode, kv, stream};
use futures_util::{StreamExt, TryStreamExt};
use nearline_model::{PartitionId, Position};
use nearline_ports::{JOURNAL_ENTRIES, PortError};
use std::time::Duration;

/// Streams that are asked for, or created, at the same time.
const AT_ONCE: usize = 32;

/// Announcements kept of each node: watchers that are behind must see all of them.
const NODE_HISTORY: i64 = 32;
/// Age after which an announcement is dropped.
const NODE_FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

/// What the store of state already has of a log, so that no other is made in its place.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    /// The log that the state was folded from; `None`: nothing is stored, or by a version that did not keep it.
    pub identity: Option<String>,
    /// Position of each partition's state; missing ones count as 0.
    pub positions: Vec<Position>,
}

impl Followed {
    fn position(&self, partition: PartitionId) -> Position {
        self.positions.get(usize::from(partition.0)).copied().unwrap_or_default()
    }
}

/// Creates or checks all streams and buckets, and finds out how events published on NATS reach the log. Gives the
/// log's identity.
pub(super) async fn prepare_all(links: &Links, followed: &Followed) -> Result<String, PortError> {
    let settings = &*links.settings;
    let identity = log::prepare(links, followed).await?;
    ingress::prepare(links).await?;
    for config in [dead_letters_config(settings), remediations_config(settings)] {
        if existing(links, &config.name).await?.is_none() {
            create(links, config).await?;
        }
    }
    for bucket in [catalogue_bucket(settings), nodes_bucket(settings)] {
        if existing(links, &format!("KV_{}", bucket.bucket)).await?.is_none() {
            create_bucket(links, bucket).await?;
        }
    }
    check_all(links, &identity).await?;
    Ok(identity)
}

/// Checks everything that durability and exactness rest on, as it is now.
///
/// # Errors
/// [`PortError::Misconfigured`] and [`PortError::Damaged`] where it does not fit, saying what to do.
pub(super) async fn check_all(links: &Links, identity: &str) -> Result<(), PortError> {
    let settings = &*links.settings;
    let checks: Vec<_> = (0..settings.partitions)
        .map(|partition| log::check(links, PartitionId(partition), identity))
        .collect();
    let () = futures_util::stream::iter(checks).buffer_unordered(AT_ONCE).try_collect().await?;
    if let Some(found) = existing(links, &settings.stream).await? {
        check::ingress(settings, &found)?;
    }
    for wanted in [dead_letters_config(settings), remediations_config(settings)] {
        check::kept(&wanted, &found(links, &wanted.name).await?)?;
    }
    for bucket in [catalogue_bucket(settings), nodes_bucket(settings)] {
        check::bucket(&bucket, &found(links, &format!("KV_{}", bucket.bucket)).await?)?;
    }
    Ok(())
}

/// How a stream stands to the settings.
pub(super) enum Standing {
    /// As it must be.
    Fits,
    /// It is made at the start.
    Missing,
    /// Why it cannot be used, or not be looked at.
    Wrong(PortError),
}

/// Every stream and the stream behind every bucket, by name; nothing is made or changed.
pub(super) async fn standings(links: &Links) -> Vec<(String, Standing)> {
    let settings = &*links.settings;
    let mut standings = Vec::new();
    let mut note = |name: String, looked: Result<Option<Result<(), PortError>>, PortError>| {
        standings.push((
            name,
            match looked {
                Ok(Some(Ok(()))) => Standing::Fits,
                Ok(None) => Standing::Missing,
                Ok(Some(Err(error))) | Err(error) => Standing::Wrong(error),
            },
        ));
    };
    let names: Vec<_> =
        (0..settings.partitions).map(|partition| stream_of(settings, PartitionId(partition))).collect();
    let looks: Vec<_> = names.iter().map(|name| existing(links, name)).collect();
    let found: Vec<_> = futures_util::stream::iter(looks).buffered(AT_ONCE).collect().await;
    let identity =
        found.iter().find_map(|found| log::identity_of(found.as_ref().ok()?.as_ref()?)).map(str::to_owned);
    for ((name, found), partition) in names.into_iter().zip(found).zip(0..) {
        let identity = identity.as_deref().unwrap_or_default();
        let check = |config| check_config(settings, PartitionId(partition), identity, &config);
        note(name, found.map(|found| found.map(check)));
    }
    if let Some(found) = existing(links, &settings.stream).await.transpose() {
        note(settings.stream.clone(), found.map(|found| Some(check::ingress(settings, &found))));
    }
    for wanted in [dead_letters_config(settings), remediations_config(settings)] {
        let found = existing(links, &wanted.name).await;
        note(wanted.name.clone(), found.map(|found| found.map(|found| check::kept(&wanted, &found))));
    }
    for bucket in [catalogue_bucket(settings), nodes_bucket(settings)] {
        let name = format!("KV_{}", bucket.bucket);
        let found = existing(links, &name).await;
        note(name, found.map(|found| found.map(|found| check::bucket(&bucket, &found))));
    }
    standings
}

/// Makes the bucket of the nodes anew where it is gone; whether it was.
pub(super) async fn restore_nodes_bucket(links: &Links) -> Result<bool, PortError> {
    let bucket = nodes_bucket(&links.settings);
    if existing(links, &format!("KV_{}", bucket.bucket)).await?.is_some() {
        return Ok(false);
    }
    create_bucket(links, bucket).await?;
    Ok(true)
}

async fn found(links: &Links, name: &str) -> Result<stream::Config, PortError> {
    existing(links, name)
        .await?
        .ok_or_else(|| links.unavailable(&format!("looking up stream {name}"), "it is gone"))
}

async fn existing(links: &Links, name: &str) -> Result<Option<stream::Config>, PortError> {
    match links.main().jetstream.get_stream(name).await {
        Ok(found) => Ok(Some(found.cached_info().config.clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(ref code) if code.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Ok(None)
            }
            GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => {
                Err(PortError::Misconfigured(format!("{name:?} is no name for a stream")))
            }
            _ => Err(links.unavailable(&format!("looking up stream {name}"), error)),
        },
    }
}

async fn create(links: &Links, config: stream::Config) -> Result<(), PortError> {
    use async_nats::jetstream::context::CreateStreamErrorKind as Kind;
    let name = config.name.clone();
    match links.main().jetstream.create_stream(config).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            Kind::JetStream(ref code) if code.error_code() == ErrorCode::STREAM_NAME_EXIST => Ok(()),
            // Such as subjects that another stream has: an answer, not an absence.
            Kind::JetStream(ref code) if code.code() == 400 => {
                Err(PortError::Misconfigured(format!("stream {name} cannot be created: {code}")))
            }
            _ => Err(links.unavailable(&format!("creating stream {name}"), error)),
        },
    }
}

async fn create_bucket(links: &Links, bucket: kv::Config) -> Result<(), PortError> {
    let doing = format!("creating the bucket {}", bucket.bucket);
    let created = links.main().jetstream.create_key_value(bucket).await;
    created.map(drop).map_err(|error| links.unavailable(&doing, error))
}

fn catalogue_bucket(settings: &NatsSettings) -> kv::Config {
    kv::Config {
        bucket: settings.catalogue_bucket.clone(),
        description: "Nearline: the catalogue of titles".into(),
        history: 1,
        num_replicas: settings.replicas,
        ..Default::default()
    }
}

fn nodes_bucket(settings: &NatsSettings) -> kv::Config {
    kv::Config {
        bucket: settings.nodes_bucket.clone(),
        description: "Nearline: the nodes and what they hold".into(),
        history: NODE_HISTORY,
        max_age: NODE_FORGOTTEN_AFTER,
        num_replicas: settings.replicas,
        ..Default::default()
    }
}

/// A stream on disk that loses nothing on its own: without limits, on as many servers as are set.
fn durable(settings: &NatsSettings, name: &str) -> stream::Config {
    stream::Config {
        name: name.to_owned(),
        storage: stream::StorageType::File,
        retention: stream::RetentionPolicy::Limits,
        num_replicas: settings.replicas,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_bytes: -1,
        allow_direct: true,
        ..Default::default()
    }
}

fn dead_letters_config(settings: &NatsSettings) -> stream::Config {
    stream::Config {
        description: Some("Nearline: refused events, with the reason".into()),
        subjects: vec![format!("{}.deadletters.*.*", settings.subject_prefix)],
        // A replay writes a letter again: the last one stays.
        max_messages_per_subject: 1,
        ..durable(settings, &settings.dead_letter_stream)
    }
}

fn remediations_config(settings: &NatsSettings) -> stream::Config {
    stream::Config {
        description: Some("Nearline: remediations, the newest of them".into()),
        subjects: vec![format!("{}.remediations.*", settings.subject_prefix)],
        max_messages: JOURNAL_ENTRIES as i64,
        max_messages_per_subject: 1,
        ..durable(settings, &settings.remediation_stream)
    }
}

fn limit(bytes: u64) -> i64 {
    if bytes == 0 { -1 } else { i64::try_from(bytes).unwrap_or(i64::MAX) }
}
