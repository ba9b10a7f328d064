//! The log of events: one JetStream stream, one subject per partition.

use super::consumer::SubjectConsumer;
use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RawMessageErrorKind};
use async_trait::async_trait;
use nearline_actors::ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
use nearline_model::identifier::partition_of;
use nearline_model::{LogRecord, PartitionId, Position};
use std::sync::Arc;

/// The log in JetStream.
pub struct NatsLog {
    links: Arc<Links>,
    publisher: Publisher,
}

impl NatsLog {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { publisher: Publisher::new(links.clone()), links }
    }

    fn subject(&self, partition: PartitionId) -> String {
        format!("{}.events.{}", self.links.settings.subject_prefix, partition.0)
    }

    /// Refuses to read on after `after` where records may be missing behind it. JetStream counts over
    /// all partitions, so a partition that was silent meanwhile is refused too: nobody can tell.
    async fn refuse_gap(&self, partition: PartitionId, after: Position) -> Result<(), PortError> {
        let name = &self.links.settings.stream;
        let stream = self.links.main().jetstream.get_stream(name).await;
        let stream = stream.map_err(|error| self.links.unavailable("asking for the log's bounds", error))?;
        let state = &stream.cached_info().state;
        // An empty stream says it begins behind its end, or, when it is new, at 0.
        let (first, last) = (state.first_sequence.max(1), state.last_sequence);
        let damaged = |detail| Err(PortError::Damaged { what: format!("stream {name}"), detail });
        if after > last {
            return damaged(format!(
                "it ends at position {last}, but partition {partition} was read up to {after}: acknowledged \
                 events are gone, and new ones up to {after} would be taken for read; restore the stream, or \
                 create it anew with first sequence {} or higher",
                after + 1
            ));
        }
        if after == 0 && first > 1 {
            tracing::warn!(
                %partition, stream = %name, first,
                "the stream no longer holds its beginning; reading from its first position"
            );
        } else if first > after + 1 {
            return damaged(format!(
                "positions {} to {} are gone from the log, and events of partition {partition} may be among them, \
                 which was read up to {after}; restore the stream, or remove the partition's stored state to fold \
                 what is left; keep the log longer (max_bytes, max_age_seconds)",
                after + 1,
                first - 1
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl EventLog for NatsLog {
    fn partitions(&self) -> u16 {
        self.links.settings.partitions
    }

    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
        let settings = &self.links.settings;
        let partitions: Vec<_> =
            events.iter().map(|event| partition_of(&event.member, settings.partitions)).collect();
        let outgoing = events.into_iter().map(|event| {
            let mut headers = HeaderMap::new();
            headers.insert(async_nats::header::NATS_MESSAGE_ID, event.id.as_str());
            Outgoing {
                subject: format!("{}.events.{}", settings.subject_prefix, event.member),
                headers: Some(headers),
                payload: event.payload,
            }
        });
        let acks = self.publisher.publish(outgoing.collect()).await;
        let appended = acks.into_iter().zip(partitions).map(|(ack, partition)| {
            ack.map(|ack| Appended { partition, position: ack.sequence, duplicate: ack.duplicate })
        });
        appended.collect()
    }

    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError> {
        let deliver = match after {
            0 => DeliverPolicy::All,
            after => DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
        };
        let stream = &self.links.settings.stream;
        let consumer = SubjectConsumer::open(&self.links, stream, self.subject(partition), deliver).await?;
        // Asked once the consumer stands: what is retained now was retained when it was made.
        self.refuse_gap(partition, after).await?;
        Ok(Box::new(NatsReader(consumer)))
    }

    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        // Asked of the stream's leader: a follower's answer may be older than an acknowledgement.
        let failed =
            |error: &dyn std::fmt::Display| self.links.unavailable("asking for the log's bounds", error);
        let stream = self.links.main().jetstream.get_stream_no_info(&self.links.settings.stream).await;
        let stream = stream.map_err(|error| failed(&error))?;
        let subject = self.subject(partition);
        let last = match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => message.sequence,
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(LogBounds::default());
            }
            Err(error) => return Err(failed(&error)),
        };
        let first = match stream.get_first_raw_message_by_subject(&subject, 1).await {
            Ok(message) => message.sequence,
            // Dropped by the stream's limits since it was asked for the last.
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                return Ok(LogBounds::default());
            }
            Err(error) => return Err(failed(&error)),
        };
        Ok(LogBounds { first, last })
    }
}

/// A reader of one partition.
struct NatsReader(SubjectConsumer);

#[async_trait]
impl LogReader for NatsReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        let batch = self.0.next_batch(max_records).await?;
        let records = batch.into_iter().map(|delivered| LogRecord {
            position: delivered.place.position,
            log_ms: delivered.place.log_nanos.div_euclid(1_000_000),
            payload: delivered.message.payload,
        });
        Ok(records.collect())
    }
}
