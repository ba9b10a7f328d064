//! The log of events: one JetStream stream, one subject per partition.

use super::consumer::{Delivered, SubjectConsumer};
use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RawMessageErrorKind};
use async_trait::async_trait;
use nearline_model::identifier::partition_of;
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A reader that nobody asked for this long, though there was more, may have been overtaken by retention.
const PAUSE: Duration = Duration::from_secs(1);
/// Positions of records given last that are remembered: of a purge, a consumer's count of what is left may
/// tell only some records later.
const REMEMBERED: usize = 1_024;
/// A leader that was just elected may still be taking in what the one before acknowledged.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// The log in JetStream.
#[derive(Clone)]
pub struct NatsLog {
    links: Arc<Links>,
    publisher: Publisher,
}

impl NatsLog {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { publisher: Publisher::new(links.clone()), links }
    }

    /// First and last position of the stream, and whether other servers have it too.
    async fn retained(&self) -> Result<(Position, Position, bool), PortError> {
        let stream = self.links.main().jetstream.get_stream(&self.links.settings.stream).await;
        let stream = stream.map_err(|error| self.links.unavailable("asking for the log's bounds", error))?;
        let info = stream.cached_info();
        // An empty stream says it begins behind its end, or, when it is new, at 0.
        Ok((info.state.first_sequence.max(1), info.state.last_sequence, info.config.num_replicas > 1))
    }

    fn subject(&self, partition: PartitionId) -> String {
        format!("{}.events.{}", self.links.settings.subject_prefix, partition.0)
    }

    /// Refuses to read on where the log now begins between two of the records given last, in order. Only where
    /// less is left than there was: then those between them were removed before they were read. Retention
    /// passes over records that were read long ago as well.
    async fn refuse_gap_within(
        &self,
        partition: PartitionId,
        given: &VecDeque<Position>,
    ) -> Result<(), PortError> {
        let (first, ..) = self.retained().await?;
        let behind = given.iter().position(|position| *position >= first).unwrap_or(given.len());
        match behind.checked_sub(1).map(|before| given[before]) {
            Some(before) if behind < given.len() && before + 1 < first => {
                self.refuse_gap(partition, before).await
            }
            _ => Ok(()),
        }
    }

    /// Refuses to read on after `after` where records may be missing behind it. JetStream counts over
    /// all partitions, so a partition that was silent meanwhile is refused too: nobody can tell.
    async fn refuse_gap(&self, partition: PartitionId, after: Position) -> Result<(), PortError> {
        let name = &self.links.settings.stream;
        let (mut first, mut last, has_replicas) = self.retained().await?;
        if after > last && has_replicas {
            tokio::time::sleep(SECOND_LOOK).await;
            (first, last, _) = self.retained().await?;
        }
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
        Ok(Box::new(NatsReader {
            log: self.clone(),
            consumer,
            taken: Vec::new(),
            partition,
            after,
            given: VecDeque::from([after]),
            pending: 0,
            returned: Instant::now(),
        }))
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
struct NatsReader {
    log: NatsLog,
    consumer: SubjectConsumer,
    /// Taken from the consumer and not yet given.
    taken: Vec<Delivered>,
    partition: PartitionId,
    /// Position of the last record given.
    after: Position,
    /// Positions of the records given last, that one included.
    given: VecDeque<Position>,
    /// Records of the partition that were behind it then.
    pending: u64,
    /// When it was given.
    returned: Instant,
}

#[async_trait]
impl LogReader for NatsReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        // A consumer goes on behind what was removed meanwhile and says nothing. Where there was more to
        // read and nobody read it, or less is left than there was, the log's bounds are looked at again.
        // What was taken before is still to be given, whatever was removed since.
        if self.pending > 0 && self.taken.is_empty() && self.returned.elapsed() > PAUSE {
            self.log.refuse_gap(self.partition, self.after).await?;
            self.returned = Instant::now();
        }
        if self.taken.is_empty() {
            self.taken = self.consumer.next_batch(max_records).await?;
        }
        let (mut after, mut pending) = (self.after, self.pending);
        for (number, place) in self.taken.iter().map(|delivered| delivered.place).enumerate() {
            if place.pending + 1 < pending {
                self.log.refuse_gap(self.partition, after).await?;
                let mut given = self.given.clone();
                given.extend(self.taken[..=number].iter().map(|delivered| delivered.place.position));
                self.log.refuse_gap_within(self.partition, &given).await?;
                let (partition, gone) = (self.partition, pending - place.pending - 1);
                tracing::warn!(%partition, after, gone, "records seem to be gone from the middle of the log");
            }
            (after, pending) = (place.position, place.pending);
        }
        // No await from here on.
        let count = self.taken.len().min(max_records.max(1));
        let batch: Vec<Delivered> = self.taken.drain(..count).collect();
        if let Some(last) = batch.last() {
            (self.after, self.pending) = (last.place.position, last.place.pending);
        }
        self.given.extend(batch.iter().map(|delivered| delivered.place.position));
        let forgotten = self.given.len().saturating_sub(REMEMBERED);
        self.given.drain(..forgotten);
        self.returned = Instant::now();
        let records = batch.into_iter().map(|delivered| LogRecord {
            position: delivered.place.position,
            log_ms: delivered.place.log_nanos.div_euclid(1_000_000),
            payload: delivered.message.payload,
        });
        Ok(records.collect())
    }
}
