//! The log of events: a JetStream stream for each partition, whose positions are dense.

use super::consumer::{Delivered, StreamConsumer};
use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use super::streams::{self, FIRST, FOLLOWS, check_config, own_subject, stream_of};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::{Info, RawMessageErrorKind};
use async_trait::async_trait;
use nearline_model::identifier::partition_of;
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
use std::sync::Arc;
use std::time::Duration;

/// A leader that was just elected may still be taking in what the one before acknowledged.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// The log in JetStream.
#[derive(Clone)]
pub struct NatsLog {
    links: Arc<Links>,
    publisher: Publisher,
    identity: Arc<str>,
    /// How often the connection had been lost when the streams were checked last.
    checked: Arc<tokio::sync::Mutex<u64>>,
}

impl NatsLog {
    pub(super) fn new(links: Arc<Links>, identity: &str) -> Self {
        Self {
            publisher: Publisher::new(links.clone()),
            links,
            identity: identity.into(),
            checked: Arc::default(),
        }
    }

    /// Checks all streams again after the connection was lost: the servers that are there now may be others.
    async fn check_again(&self) -> Result<(), PortError> {
        let lost = *self.links.main().disconnects.borrow();
        let mut checked = self.checked.lock().await;
        if *checked != lost {
            streams::check_all(&self.links, &self.identity).await?;
            *checked = lost;
        }
        Ok(())
    }

    async fn info(&self, partition: PartitionId) -> Result<Info, PortError> {
        // Asked of the stream's leader: a follower's answer may be older than an acknowledgement.
        let stream = self.links.main().jetstream.get_stream(stream_of(&self.links.settings, partition)).await;
        let stream = stream.map_err(|error| self.links.unavailable("asking for the log's bounds", error))?;
        Ok(stream.cached_info().clone())
    }

    /// The position behind `after`. Refuses to read on where the stream is not what it was, where records behind
    /// `after` are gone, and where the log ends before it.
    async fn position_behind(&self, partition: PartitionId, after: Position) -> Result<Position, PortError> {
        let mut info = self.info(partition).await?;
        if after > info.state.last_sequence && info.config.num_replicas > 1 {
            tokio::time::sleep(SECOND_LOOK).await;
            info = self.info(partition).await?;
        }
        check_config(&self.links.settings, partition, &self.identity, &info.config)?;
        let number = |key: &str| info.config.metadata.get(key).and_then(|text| text.parse::<Position>().ok());
        let went_on = number(FIRST).filter(|_| number(FOLLOWS) == Some(after));
        let next = went_on.unwrap_or(after + 1);
        // An empty stream says it begins behind its end, or, when it is new, at 0.
        let (first, last) = (info.state.first_sequence.max(1), info.state.last_sequence);
        if after > last {
            return Err(damaged(
                &info.config.name,
                format!(
                    "it ends at position {last}, but partition {partition} was read up to {after}: acknowledged events \
                     are gone, and new ones up to {after} would be taken for read; restore the stream from a backup, \
                     or remove the partition's stored state to fold what is there"
                ),
            ));
        }
        if first <= next {
            return Ok(next);
        }
        if after == 0 {
            tracing::warn!(
                %partition, stream = %info.config.name, first,
                "the stream no longer holds its beginning; reading from its first position"
            );
            return Ok(first);
        }
        Err(gap(&info.config.name, partition, after, next, first))
    }
}

fn damaged(stream: &str, detail: String) -> PortError {
    PortError::Damaged { what: format!("stream {stream}"), detail }
}

fn gap(stream: &str, partition: PartitionId, after: Position, next: Position, found: Position) -> PortError {
    damaged(
        stream,
        format!(
            "positions {next} to {} are gone from the log before they were read: partition {partition} was read up to \
             {after}; restore the stream, or remove the partition's stored state to fold what is left; keep the log \
             longer (max_bytes, max_age_seconds), and remove no messages from it",
            found - 1
        ),
    )
}

#[async_trait]
impl EventLog for NatsLog {
    fn partitions(&self) -> u16 {
        self.links.settings.partitions
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
        if let Err(error) = self.check_again().await {
            return vec![Err(error); events.len()];
        }
        let settings = &self.links.settings;
        let partitions: Vec<_> =
            events.iter().map(|event| partition_of(&event.member, settings.partitions)).collect();
        let outgoing = events.into_iter().zip(&partitions).map(|(event, partition)| {
            let mut headers = HeaderMap::new();
            // An id is the member's own. No id holds a slash, so that one publisher's never meets another's.
            let id = format!("{}/{}", event.member, event.id);
            headers.insert(async_nats::header::NATS_MESSAGE_ID, id.as_str());
            Outgoing {
                subject: own_subject(settings, *partition, &self.identity),
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
        let next = self.position_behind(partition, after).await?;
        let deliver = DeliverPolicy::ByStartSequence { start_sequence: next };
        let stream = stream_of(&self.links.settings, partition);
        let consumer = StreamConsumer::open(&self.links, &stream, None, deliver).await?;
        Ok(Box::new(NatsReader { consumer, taken: Vec::new(), stream, partition, after, next }))
    }

    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        if position == 0 {
            return Ok(None);
        }
        let failed =
            |error: &dyn std::fmt::Display| self.links.unavailable("reading a record of the log", error);
        let stream =
            self.links.main().jetstream.get_stream_no_info(stream_of(&self.links.settings, partition)).await;
        let stream = stream.map_err(|error| failed(&error))?;
        match stream.get_raw_message(position).await {
            Ok(message) => Ok(Some(LogRecord {
                position,
                log_ms: i64::try_from(message.time.unix_timestamp_nanos().div_euclid(1_000_000))
                    .unwrap_or(i64::MAX),
                payload: message.payload,
            })),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        let state = self.info(partition).await?.state;
        if state.messages == 0 {
            return Ok(LogBounds::default());
        }
        Ok(LogBounds { first: state.first_sequence, last: state.last_sequence })
    }
}

/// A reader of one partition.
struct NatsReader {
    consumer: StreamConsumer,
    /// Taken from the consumer and not yet given.
    taken: Vec<Delivered>,
    stream: String,
    partition: PartitionId,
    /// Position of the last record given.
    after: Position,
    /// Position that the next one must have: a consumer goes on behind what was removed meanwhile and says nothing.
    next: Position,
}

#[async_trait]
impl LogReader for NatsReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        if self.taken.is_empty() {
            self.taken = self.consumer.next_batch(max_records).await?;
        }
        // No await from here on.
        let following =
            (self.next..).zip(&self.taken).take_while(|(next, taken)| taken.place.position == *next);
        let count = following.count().min(max_records.max(1));
        if let (0, Some(found)) = (count, self.taken.first()) {
            return Err(gap(&self.stream, self.partition, self.after, self.next, found.place.position));
        }
        let batch: Vec<Delivered> = self.taken.drain(..count).collect();
        if let Some(last) = batch.last() {
            (self.after, self.next) = (last.place.position, last.place.position + 1);
        }
        let records = batch.into_iter().map(|delivered| LogRecord {
            position: delivered.place.position,
            log_ms: delivered.place.log_nanos.div_euclid(1_000_000),
            payload: delivered.message.payload,
        });
        Ok(records.collect())
    }
}
