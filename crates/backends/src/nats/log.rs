//! The log of events: a JetStream stream for each partition. From the number of a message follow those of its records, and from
//! these their positions.

use super::blocks::{self, Block, Went};
use super::consumer::{Delivered, StreamConsumer};
use super::ends::{Due, Ends, ends_before, noted};
use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use super::streams::{self, FIRST, FOLLOWS, Route, check_config, own_subject, stream_of};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Info, RawMessageErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use nearline_model::identifier::{Blocks, position_of, sequence_of};
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError, StateStore};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A leader that was just elected may still be taking in what the one before acknowledged.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Ends that are looked at together.
const LOOKS_AT_ONCE: usize = 32;
/// How long looks at store and streams may take that publishing waits for.
const LOOK_WITHIN: Duration = Duration::from_secs(3);

/// The log in JetStream.
#[derive(Clone)]
pub struct NatsLog {
    links: Arc<Links>,
    publisher: Publisher,
    identity: Arc<str>,
    ends: Arc<Ends>,
    /// Says what is committed, where there is a store.
    store: Option<Arc<dyn StateStore>>,
    /// Held by whoever looks at ends.
    looking: Arc<tokio::sync::Mutex<()>>,
    /// How often the connection had been lost when the streams were checked last.
    checked: Arc<tokio::sync::Mutex<u64>>,
}

impl NatsLog {
    pub(super) fn new(links: Arc<Links>, identity: &str, store: Option<Arc<dyn StateStore>>) -> Self {
        Self {
            publisher: Publisher::new(links.clone()),
            ends: Arc::new(Ends::new(links.settings.partitions)),
            links,
            identity: identity.into(),
            store,
            looking: Arc::default(),
            checked: Arc::default(),
        }
    }

    /// Checks all streams again after the connection was lost: the servers that are there now may be others.
    async fn check_again(&self) -> Result<(), PortError> {
        let lost = *self.links.main().disconnects.borrow();
        let mut checked = self.checked.lock().await;
        if *checked != lost {
            streams::check_all(&self.links, &self.identity).await?;
            self.ends.doubt_all();
            *checked = lost;
        }
        Ok(())
    }

    /// Those of some partitions whose streams were set back, and why nothing is published into them.
    async fn set_back_of(&self, partitions: BTreeSet<PartitionId>) -> BTreeMap<PartitionId, PortError> {
        match self.ends.due(&partitions) {
            None => {}
            Some(Due::Now) => {
                // Who comes meanwhile waits for what is found.
                let _looking = self.looking.lock().await;
                if self.ends.due(&partitions) == Some(Due::Now) {
                    self.look_at_ends().await;
                }
            }
            Some(_) => {
                if let Ok(looking) = self.looking.clone().try_lock_owned() {
                    let log = self.clone();
                    self.links.runtime().spawn(async move {
                        let _looking = looking;
                        log.look_at_ends().await;
                    });
                }
            }
        }
        let refused = partitions.into_iter().filter_map(|one| Some((one, self.ends.refusal(one)?)));
        refused.collect()
    }

    /// Looks at all ends that are due, for so long and no longer.
    async fn look_at_ends(&self) {
        let due = self.ends.all_due();
        let looks: Vec<_> = due.iter().map(|partition| self.look_at_end(*partition)).collect();
        let looked = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect::<()>();
        let _in_time = tokio::time::timeout(LOOK_WITHIN, looked).await;
        due.into_iter().for_each(|partition| self.ends.not_found_out(partition));
    }

    /// Looks whether a stream ends before what the store has committed.
    async fn look_at_end(&self, partition: PartitionId) {
        let Some(store) = &self.store else { return self.ends.found(partition, None) };
        let Ok(committed) = store.position(partition).await else { return };
        for is_last in [false, true] {
            let Ok(info) = self.info(partition).await else { return };
            let is_short = ends_before(&info, committed, partition, self.partitions(), self.blocks());
            self.ends.found(partition, is_short.then(|| set_back(&info, partition, committed)));
            if is_last || !is_short || info.config.num_replicas == 1 {
                return;
            }
            tokio::time::sleep(SECOND_LOOK).await;
        }
    }

    /// Where an event of a block is.
    fn appended(&self, block: &Block, place: usize, ack: &PublishAck) -> Appended {
        let records = u16::try_from(block.len()).unwrap_or(u16::MAX);
        let number = self.blocks().numbers(ack.sequence, records).start() + place as u64;
        let position = position_of(number, block.partition, self.partitions());
        Appended { partition: block.partition, position, duplicate: ack.duplicate }
    }

    /// The records of a message.
    fn records(
        &self,
        partition: PartitionId,
        message: u64,
        log_ms: i64,
        (headers, payload): (Option<&HeaderMap>, Bytes),
    ) -> impl Iterator<Item = LogRecord> + use<> {
        let (blocks, partitions) = (self.blocks(), self.partitions());
        let events = blocks::events_of(headers, payload, blocks, self.links.settings.event_bytes);
        let numbers = blocks.numbers(message, u16::try_from(events.len()).unwrap_or(u16::MAX));
        numbers.zip(events).map(move |(number, payload)| LogRecord {
            position: position_of(number, partition, partitions),
            log_ms,
            payload,
        })
    }

    async fn info(&self, partition: PartitionId) -> Result<Info, PortError> {
        // Asked of the stream's leader: a follower's answer may be older than an acknowledgement.
        let stream = self.links.main().jetstream.get_stream(stream_of(&self.links.settings, partition)).await;
        let stream = stream.map_err(|error| self.links.unavailable("asking for the log's bounds", error))?;
        let info = stream.cached_info().clone();
        self.ends.see(partition, &info);
        Ok(info)
    }

    /// The first message with records behind `after`. Refuses to read on where the stream is not what it was, where records
    /// behind `after` are gone, and where the log ends before it.
    async fn message_behind(&self, partition: PartitionId, after: Position) -> Result<u64, PortError> {
        let mut info = self.info(partition).await?;
        let blocks = self.blocks();
        let number = sequence_of(after, partition, self.partitions());
        let read = number.map(|number| blocks.message_of(number));
        if ends_before(&info, after, partition, self.partitions(), blocks) && info.config.num_replicas > 1 {
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
            (None, Some(read)) if read <= last => {
                read + u64::from(number.is_none_or(|number| blocks.is_last(number)))
            }
            _ => {
                self.ends.doubt(partition);
                return Err(set_back(&info, partition, after));
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

/// It ends before `read`.
pub(super) fn set_back(info: &Info, partition: PartitionId, read: Position) -> PortError {
    damaged(
        &info.config.name,
        format!(
            "it ends with message {}, but partition {partition} was read up to position {read}: acknowledged events are gone, and \
             new ones would be taken for read; restore the stream from a backup, or give the engines an empty store (another \
             redis.key_prefix) to fold what is there",
            info.state.last_sequence
        ),
    )
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
             message {}; restore the stream, or give the engines an empty store (another redis.key_prefix) to fold what is \
             left; keep the log longer (max_bytes, max_age_seconds), and remove no messages from it",
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

    fn blocks(&self) -> Blocks {
        Blocks::of(self.links.settings.block_events)
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
        let (dealt, went) =
            blocks::deal(&events, settings.partitions, self.blocks(), self.links.main().client.max_payload());
        let refused = self.set_back_of(dealt.iter().map(|block| block.partition).collect()).await;
        let taken = dealt.iter().filter(|block| !refused.contains_key(&block.partition));
        let outgoing = taken.map(|block| {
            let (headers, payload) = block.message(&events);
            let subject = own_subject(settings, block.partition, &self.identity);
            Outgoing { subject, headers: Some(headers), payload }
        });
        let mut acks = self.publisher.publish(outgoing.collect()).await.into_iter();
        let no_answer = || Err(self.links.unavailable("publishing", "no answer"));
        let ack = |block: &Block| match refused.get(&block.partition) {
            Some(error) => Err(error.clone()),
            None => acks.next().unwrap_or_else(no_answer),
        };
        let outcomes_of: Vec<_> = dealt.iter().map(ack).collect();
        let acks: Vec<_> = dealt.iter().zip(outcomes_of).collect();
        let mut outcomes: Vec<Result<Appended, PortError>> = Vec::with_capacity(went.len());
        for went in went {
            outcomes.push(match went {
                Went::Into { block, place } => match &acks[block] {
                    (block, Ok(ack)) => Ok(self.appended(block, place, ack)),
                    (_, Err(error)) => Err(error.clone()),
                },
                Went::AsRepeated(first) => {
                    outcomes[first].clone().map(|first| Appended { duplicate: true, ..first })
                }
            });
        }
        outcomes
    }

    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError> {
        let next = self.message_behind(partition, after).await?;
        let deliver = DeliverPolicy::ByStartSequence { start_sequence: next };
        let stream = stream_of(&self.links.settings, partition);
        let consumer = StreamConsumer::open(&self.links, &stream, None, deliver).await?;
        Ok(Box::new(NatsReader {
            log: self.clone(),
            consumer,
            taken: Vec::new(),
            records: VecDeque::new(),
            stream,
            partition,
            after,
            next,
        }))
    }

    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        let Some(number) = sequence_of(position, partition, self.partitions()) else { return Ok(None) };
        let failed =
            |error: &dyn std::fmt::Display| self.links.unavailable("reading a record of the log", error);
        let stream =
            self.links.main().jetstream.get_stream_no_info(stream_of(&self.links.settings, partition)).await;
        let stream = stream.map_err(|error| failed(&error))?;
        match stream.get_raw_message(self.blocks().message_of(number)).await {
            Ok(message) => {
                let log_nanos = message.time.unix_timestamp_nanos();
                let log_ms = i64::try_from(log_nanos.div_euclid(1_000_000)).unwrap_or(i64::MAX);
                let mut records = self.records(
                    partition,
                    message.sequence,
                    log_ms,
                    (Some(&message.headers), message.payload),
                );
                Ok(records.find(|record| record.position == position))
            }
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        let Info { config, state, .. } = self.info(partition).await?;
        check_config(&self.links.settings, partition, &self.identity, &config)?;
        let blocks = self.blocks();
        let position = |number| position_of(number, partition, self.partitions());
        let last = match noted(&config, FIRST) {
            // Nothing came since it took over from an earlier layout.
            Some(first) if state.last_sequence < first => {
                noted(&config, FOLLOWS).map(Position).unwrap_or_default()
            }
            _ if state.last_sequence == 0 => Position::START,
            _ => position(*blocks.numbers(state.last_sequence, 1).end()),
        };
        if last.is_start() {
            return Ok(LogBounds::default());
        }
        // An empty stream says that it begins behind its end.
        Ok(LogBounds { first: position(blocks.first_number(state.first_sequence)), last })
    }
}

/// A reader of one partition.
struct NatsReader {
    log: NatsLog,
    consumer: StreamConsumer,
    /// Taken from the consumer and not yet looked into.
    taken: Vec<Delivered>,
    /// Taken out of messages and not yet given.
    records: VecDeque<LogRecord>,
    stream: String,
    partition: PartitionId,
    /// What was read before: maybe a part of the first message.
    after: Position,
    /// Number that the next message must have: a consumer goes on behind what was removed meanwhile and says nothing.
    next: u64,
}

impl NatsReader {
    /// Looks into the messages that were taken, up to the first that is not the next one.
    fn look_into_taken(&mut self) -> Result<(), PortError> {
        let following =
            (self.next..).zip(&self.taken).take_while(|(next, taken)| taken.place.sequence == *next);
        let count = following.count();
        if let (0, Some(found)) = (count, self.taken.first()) {
            return Err(gap(&self.stream, self.partition, self.next, found.place.sequence));
        }
        self.next += count as u64;
        for Delivered { message, place } in self.taken.drain(..count) {
            let log_ms = place.log_nanos.div_euclid(1_000_000);
            let held = (message.headers.as_ref(), message.payload);
            let records = self.log.records(self.partition, place.sequence, log_ms, held);
            self.records.extend(records.filter(|record| record.position > self.after));
        }
        Ok(())
    }
}

#[async_trait]
impl LogReader for NatsReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        while self.records.is_empty() {
            if self.taken.is_empty() {
                self.taken = self.consumer.next_batch(max_records).await?;
            }
            // No await between what is taken and what is given.
            self.look_into_taken()?;
        }
        let given = self.records.len().min(max_records.max(1));
        Ok(self.records.drain(..given).collect())
    }
}
