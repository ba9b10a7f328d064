//! Streams: created where they are missing, checked where they are there.

use super::NatsSettings;
use super::link::Links;
use super::membership;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::{ErrorCode, kv, stream};
use nearline_ports::{JOURNAL_ENTRIES, PortError};
use std::time::Duration;

/// Subject that all of a stream's events are published and stored on.
pub(super) fn event_subjects(settings: &NatsSettings) -> String {
    format!("{}.events.*", settings.subject_prefix)
}

/// Creates or checks the streams of events, dead letters and titles.
pub(super) async fn prepare_all(links: &Links) -> Result<(), PortError> {
    let settings = &*links.settings;
    match existing(links, &settings.stream).await? {
        Some(found) => check_events(settings, &found)?,
        None => {
            create(links, events_config(settings)).await?;
            // Another node may have created it in the same moment, configured otherwise.
            let found = existing(links, &settings.stream).await?;
            check_events(
                settings,
                &found.ok_or_else(|| links.unavailable("creating a stream", "it is gone"))?,
            )?;
        }
    }
    if existing(links, &settings.dead_letter_stream).await?.is_none() {
        create(links, dead_letters_config(settings)).await?;
    }
    if existing(links, &settings.remediation_stream).await?.is_none() {
        create(links, remediations_config(settings)).await?;
    }
    if existing(links, &format!("KV_{}", settings.catalogue_bucket)).await?.is_none() {
        let config = kv::Config {
            bucket: settings.catalogue_bucket.clone(),
            description: "Nearline: the catalogue of titles".into(),
            history: 1,
            num_replicas: settings.replicas,
            ..Default::default()
        };
        let created = links.main().jetstream.create_key_value(config).await;
        created.map_err(|error| links.unavailable("creating the catalogue's bucket", error))?;
    }
    if existing(links, &format!("KV_{}", settings.nodes_bucket)).await?.is_none() {
        let config = kv::Config {
            bucket: settings.nodes_bucket.clone(),
            description: "Nearline: the nodes and what they hold".into(),
            history: membership::HISTORY,
            max_age: membership::FORGOTTEN_AFTER,
            num_replicas: settings.replicas,
            ..Default::default()
        };
        let created = links.main().jetstream.create_key_value(config).await;
        created.map_err(|error| links.unavailable("creating the nodes' bucket", error))?;
    }
    Ok(())
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

fn events_config(settings: &NatsSettings) -> stream::Config {
    stream::Config {
        name: settings.stream.clone(),
        description: Some("Nearline: events, by partition".into()),
        subjects: vec![event_subjects(settings)],
        subject_transform: Some(stream::SubjectTransform {
            source: event_subjects(settings),
            destination: transform(settings, settings.partitions),
        }),
        storage: stream::StorageType::File,
        retention: stream::RetentionPolicy::Limits,
        num_replicas: settings.replicas,
        duplicate_window: Duration::from_secs(settings.duplicate_window_seconds),
        max_bytes: limit(settings.max_bytes),
        max_messages: -1,
        max_messages_per_subject: -1,
        max_age: Duration::from_secs(settings.max_age_seconds),
        allow_direct: true,
        compression: Some(stream::Compression::None),
        ..Default::default()
    }
}

fn dead_letters_config(settings: &NatsSettings) -> stream::Config {
    stream::Config {
        name: settings.dead_letter_stream.clone(),
        description: Some("Nearline: refused events, with the reason".into()),
        subjects: vec![format!("{}.deadletters.*.*", settings.subject_prefix)],
        storage: stream::StorageType::File,
        retention: stream::RetentionPolicy::Limits,
        num_replicas: settings.replicas,
        max_messages: -1,
        max_bytes: -1,
        // A replay writes a letter again: the last one stays.
        max_messages_per_subject: 1,
        allow_direct: true,
        ..Default::default()
    }
}

fn remediations_config(settings: &NatsSettings) -> stream::Config {
    stream::Config {
        name: settings.remediation_stream.clone(),
        description: Some("Nearline: remediations, the newest of them".into()),
        subjects: vec![format!("{}.remediations.*", settings.subject_prefix)],
        storage: stream::StorageType::File,
        retention: stream::RetentionPolicy::Limits,
        num_replicas: settings.replicas,
        max_messages: JOURNAL_ENTRIES as i64,
        max_messages_per_subject: 1,
        max_bytes: -1,
        allow_direct: true,
        ..Default::default()
    }
}

fn limit(bytes: u64) -> i64 {
    if bytes == 0 { -1 } else { i64::try_from(bytes).unwrap_or(i64::MAX) }
}

fn transform(settings: &NatsSettings, partitions: u16) -> String {
    format!("{}.events.{{{{partition({partitions},1)}}}}", settings.subject_prefix)
}

fn check_events(settings: &NatsSettings, found: &stream::Config) -> Result<(), PortError> {
    let name = &settings.stream;
    let subjects = vec![event_subjects(settings)];
    if found.subjects != subjects {
        return Err(PortError::Misconfigured(format!(
            "stream {name} has the subjects {:?}, configured are {subjects:?}; name another stream or another \
             subject prefix",
            found.subjects
        )));
    }
    let destination = found.subject_transform.as_ref().map(|transform| transform.destination.as_str());
    match destination.and_then(|destination| partitions_of(settings, destination)) {
        Some(partitions) if partitions == u64::from(settings.partitions) => Ok(()),
        Some(partitions) => Err(PortError::Misconfigured(format!(
            "stream {name} has {partitions} partitions, configured are {}; set the partitions to {partitions} or \
             name another stream",
            settings.partitions
        ))),
        None => Err(PortError::Misconfigured(format!(
            "stream {name} stores events on {:?}, expected {:?}; name another stream",
            destination.unwrap_or("the subjects they are published on"),
            transform(settings, settings.partitions)
        ))),
    }
}

/// The N of a transform `….{{partition(N,1)}}`.
fn partitions_of(settings: &NatsSettings, destination: &str) -> Option<u64> {
    let compact: String = destination.chars().filter(|c| !c.is_whitespace()).collect();
    let call =
        compact.strip_prefix(&format!("{}.events.{{{{", settings.subject_prefix))?.strip_suffix("}}")?;
    let call = call.to_ascii_lowercase();
    call.strip_prefix("partition(")?.strip_suffix(",1)")?.parse().ok()
}
