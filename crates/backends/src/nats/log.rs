//! The log of events: a JetStream stream for each partition. The number of a message is the number of the record, from
//! which its position follows.

use super::cloud_event::event_of;
use super::consumer::{Delivered, StreamConsumer};
use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use super::streams::{self, FIRST, FOLLOWS, Route, check_config, own_subject, stream_of};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::{self, Info, RawMessageErrorKind};
use async_trait::async_trait;
use nearline_model::identifier::{partition_of, position_of, sequence_of};
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

    /// The sequence number behind `after`. Refuses to read on where the stream is not what it was, where records behind
    /// `after` are gone, and where the log ends before it.
    async fn sequence_behind(&self, partition: PartitionId, after: Position) -> Result<u64, PortError> {
        let mut info = self.info(partition).await?;
        let read = sequence_of(after, partition, self.partitions());
        if read.is_some_and(|read| read > info.state.last_sequence) && info.config.num_replicas > 1 {
            tokio::time::sleep(SECOND_LOOK).await;
            info = self.info(partition).await?;
        }
        check_config(&self.links.settings, partition, &self.identity, &info.config)?;
        let name = &info.config.name;
        // An empty stream says it begins behind its end, or, when it is new, at 0.
        let (first, last) = (info.state.first_sequence.max(1), info.state.last_sequence);
        let follows = noted(&info.config, FOLLOWS).map(Position) == Some(after);
        let next = match (noted(&info.config, FIRST).filter(|_| follows), read) {
            (Some(next), _) => next,
            (None, _) if after.is_start() => 1,
            (None, Some(read)) if read <= last => read + 1,
            _ => {
                return Err(damaged(
                    name,
                    format!(
                        "it ends with message {last}, but partition {partition} was read up to position {after}: \
                         acknowledged events are gone, and new ones would be taken for read; restore the stream from a \
                         backup, or remove the partition's stored state to fold what is there"
                    ),
                ));
            }
        };
        if first <= next {
            return Ok(next);
        }
        if after.is_start() {
            tracing::warn!(
                %partition, stream = %name, first,
                "the stream no longer holds its beginning; reading from its first message"
            );
            return Ok(first);
        }
        Err(gap(name, partition, next, first))
    }
}

/// A number that the stream's metadata holds.
fn noted(config: &stream::Config, key: &str) -> Option<u64> {
    config.metadata.get(key)?.parse().ok()
}

fn damaged(stream: &str, detail: String) -> PortError {
    PortError::Damaged { what: format!("stream {stream}"), detail }
}

/// Messages from `next` on, up to the one before `found`, are gone.
fn gap(stream: &str, partition: PartitionId, next: u64, found: u64) -> PortError {
    damaged(
        stream,
        format!(
            "messages {next} to {} are gone from the log before they were read: partition {partition} was read up to \
             message {}; restore the stream, or remove the partition's stored state to fold what is left; keep the log \
             longer (max_bytes, max_age_seconds), and remove no messages from it",
            found - 1,
            next - 1
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

    async fn prove(&self) -> Result<(), PortError> {
        self.check_again().await?;
        let subject = own_subject(&self.links.settings, PartitionId(0), &self.identity);
        match streams::route(&self.links, subject).await? {
            Route::Stream(_) => Ok(()),
            Route::Nowhere => {
                Err(self.links.unavailable("proving that the log takes events", "it is gone, or another one"))
            }
            Route::Unknown => Err(self.links.unavailable("proving that the log takes events", "no answer")),
        }
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
            let position = |sequence| position_of(sequence, partition, self.partitions());
            ack.map(|ack| Appended { partition, position: position(ack.sequence), duplicate: ack.duplicate })
        });
        appended.collect()
    }

    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError> {
        let next = self.sequence_behind(partition, after).await?;
        let deliver = DeliverPolicy::ByStartSequence { start_sequence: next };
        let stream = stream_of(&self.links.settings, partition);
        let consumer = StreamConsumer::open(&self.links, &stream, None, deliver).await?;
        let (partitions, event_bytes) = (self.partitions(), self.links.settings.event_bytes);
        Ok(Box::new(NatsReader {
            consumer,
            taken: Vec::new(),
            stream,
            partition,
            partitions,
            event_bytes,
            next,
        }))
    }

    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        let Some(sequence) = sequence_of(position, partition, self.partitions()) else { return Ok(None) };
        let failed =
            |error: &dyn std::fmt::Display| self.links.unavailable("reading a record of the log", error);
        let stream =
            self.links.main().jetstream.get_stream_no_info(stream_of(&self.links.settings, partition)).await;
        let stream = stream.map_err(|error| failed(&error))?;
        match stream.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(LogRecord {
                position,
                log_ms: i64::try_from(message.time.unix_timestamp_nanos().div_euclid(1_000_000))
                    .unwrap_or(i64::MAX),
                payload: event_of(Some(&message.headers), message.payload, self.links.settings.event_bytes),
            })),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        let Info { config, state, .. } = self.info(partition).await?;
        check_config(&self.links.settings, partition, &self.identity, &config)?;
        let position = |sequence| position_of(sequence, partition, self.partitions());
        let last = match noted(&config, FIRST) {
            // Nothing came since it took over from an earlier layout.
            Some(first) if state.last_sequence < first => {
                noted(&config, FOLLOWS).map(Position).unwrap_or_default()
            }
            _ if state.last_sequence == 0 => Position::START,
            _ => position(state.last_sequence),
        };
        if last.is_start() {
            return Ok(LogBounds::default());
        }
        // An empty stream says that it begins behind its end.
        Ok(LogBounds { first: position(state.first_sequence), last })
    }
}

/// A reader of one partition.
struct NatsReader {
    consumer: StreamConsumer,
    /// Taken from the consumer and not yet given.
    taken: Vec<Delivered>,
    stream: String,
    partition: PartitionId,
    partitions: u16,
    event_bytes: usize,
    /// Number that the next record must have: a consumer goes on behind what was removed meanwhile and says nothing.
    next: u64,
}

#[async_trait]
impl LogReader for NatsReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        if self.taken.is_empty() {
            self.taken = self.consumer.next_batch(max_records).await?;
        }
        // No await from here on.
        let following =
            (self.next..).zip(&self.taken).take_while(|(next, taken)| taken.place.sequence == *next);
        let count = following.count().min(max_records.max(1));
        if let (0, Some(found)) = (count, self.taken.first()) {
            return Err(gap(&self.stream, self.partition, self.next, found.place.sequence));
        }
        let batch: Vec<Delivered> = self.taken.drain(..count).collect();
        self.next += count as u64;
        let records = batch.into_iter().map(|delivered| LogRecord {
            position: position_of(delivered.place.sequence, self.partition, self.partitions),
            log_ms: delivered.place.log_nanos.div_euclid(1_000_000),
            payload: event_of(
                delivered.message.headers.as_ref(),
                delivered.message.payload,
                self.event_bytes,
            ),
        });
        Ok(records.collect())
    }
}
