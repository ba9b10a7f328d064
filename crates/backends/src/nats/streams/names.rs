//! What streams are called, and the subjects that lead to them.

use crate::nats::NatsSettings;
use async_nats::jetstream::stream;
use nearline_model::PartitionId;
use nearline_model::Position;

/// Name of a partition's stream.
pub(in crate::nats) fn stream_of(settings: &NatsSettings, partition: PartitionId) -> String {
    format!("{}_{partition}", settings.stream)
}

/// The subject that the mapping leads to.
pub(super) fn subject(settings: &NatsSettings, partition: u16) -> String {
    format!("{}.log.{partition}", settings.subject_prefix)
}

/// The subject that nodes publish on.
pub(in crate::nats) fn own_subject(
    settings: &NatsSettings,
    partition: PartitionId,
    identity: &str,
) -> String {
    format!("{}.{identity}", subject(settings, partition.0))
}

/// The subjects that publishers use.
pub(super) fn subjects(settings: &NatsSettings) -> String {
    format!("{}.events.*", settings.subject_prefix)
}

/// The subjects that events are stored on, by partition.
pub(super) fn transform(settings: &NatsSettings, partitions: u16) -> String {
    format!("{}.events.{{{{partition({partitions},1)}}}}", settings.subject_prefix)
}

/// What a partition's stream draws: its events from `start` on.
pub(super) fn source(settings: &NatsSettings, partition: PartitionId, start: Position) -> stream::Source {
    stream::Source {
        name: settings.stream.clone(),
        start_sequence: Some(start.0),
        filter_subject: Some(format!("{}.events.{}", settings.subject_prefix, partition.0)),
        ..Default::default()
    }
}
