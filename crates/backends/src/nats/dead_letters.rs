//! Dead letters: one message each, on the subject of its partition and position, so that a replay
//! replaces it. The payload is the event as it was published; the headers say why it was refused.

use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use nearline_model::{PartitionId, Position};
use nearline_ports::{DeadLetter, DeadLetters, PortError, Redrive};
use std::sync::Arc;

const REASON: &str = "Nearline-Reason";
const DETAIL: &str = "Nearline-Detail";
const LOG_MS: &str = "Nearline-Log-Ms";
/// Size of the event, where not all of it fits beside the headers. The log has it whole.
const TRUNCATED_FROM: &str = "Nearline-Truncated-From-Bytes";
/// Token of redrives in place of a partition's number.
const REDRIVES: &str = "redrives";
const HEADER_ROOM_BYTES: usize = 512;
const PARALLEL_READS: usize = 64;

/// The dead letters in JetStream.
pub struct NatsDeadLetters {
    links: Arc<Links>,
    publisher: Publisher,
}

impl NatsDeadLetters {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { publisher: Publisher::new(links.clone()), links }
    }

    async fn stream(&self, doing: &str) -> Result<Stream<()>, PortError> {
        let name = &self.links.settings.dead_letter_stream;
        let stream = self.links.main().jetstream.get_stream_no_info(name).await;
        stream.map_err(|error| self.links.unavailable(doing, error))
    }

    /// The last message on a subject.
    async fn last(
        &self,
        doing: &str,
        stream: &Stream<()>,
        subject: &str,
    ) -> Result<Option<StreamMessage>, PortError> {
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.links.unavailable(doing, error)),
        }
    }

    /// Subjects of letters that match `filter`, with partition and position, by position.
    async fn letters(
        &self,
        doing: &str,
        stream: &Stream<()>,
        filter: &str,
    ) -> Result<Vec<(Position, u16, String)>, PortError> {
        let filter = format!("{}.deadletters.{filter}", self.links.settings.subject_prefix);
        let failed = |error: &dyn std::fmt::Display| self.links.unavailable(doing, error);
        let mut subjects = stream.info_with_subjects(filter).await.map_err(|error| failed(&error))?;
        let mut found = Vec::new();
        while let Some((subject, _)) = subjects.try_next().await.map_err(|error| failed(&error))? {
            let mut tokens = subject.rsplit('.');
            let position = tokens.next().and_then(number).map(Position);
            let partition = tokens.next().and_then(number).and_then(|token| u16::try_from(token).ok());
            if let (Some(position), Some(partition)) = (position, partition)
                && partition < self.links.settings.partitions
            {
                found.push((position, partition, subject));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn redrive_subject(&self, position: Position) -> String {
        // In the place of a partition's number, so that it fits the subjects of the stream.
        format!("{}.deadletters.{REDRIVES}.{position}", self.links.settings.subject_prefix)
    }

    fn outgoing(&self, letter: DeadLetter) -> Outgoing {
        let mut headers = HeaderMap::new();
        // As JSON: a header holds no line breaks.
        let detail = serde_json::to_string(&letter.detail).expect("a string is always JSON");
        let room = self.links.main().client.max_payload().saturating_sub(HEADER_ROOM_BYTES + detail.len());
        headers.insert(REASON, letter.reason.as_str());
        headers.insert(DETAIL, detail.as_str());
        headers.insert(LOG_MS, letter.log_ms.to_string().as_str());
        let mut payload = letter.payload;
        if payload.len() > room {
            headers.insert(TRUNCATED_FROM, payload.len().to_string().as_str());
            payload.truncate(room);
        }
        let prefix = &self.links.settings.subject_prefix;
        let subject = format!("{prefix}.deadletters.{}.{}", letter.partition.0, letter.position);
        Outgoing { subject, headers: Some(headers), payload }
    }
}

/// A number as it is printed: what is read otherwise cannot be asked for by it.
fn number(token: &str) -> Option<u64> {
    token.parse().ok().filter(|number: &u64| number.to_string() == token)
}

/// Whoever may publish may put anything onto the stream: what is no letter hides no other.
fn letter(partition: u16, position: Position, message: StreamMessage) -> DeadLetter {
    let partition = PartitionId(partition);
    read_letter(partition, position, &message).unwrap_or_else(|why| {
        let log_ms = (message.time.unix_timestamp_nanos() / 1_000_000) as i64;
        let why = format!("message {}: {why}", message.sequence);
        DeadLetter::unreadable(partition, position, log_ms, why, message.payload.clone())
    })
}

fn read_letter(
    partition: PartitionId,
    position: Position,
    message: &StreamMessage,
) -> Result<DeadLetter, String> {
    let header = |name: &str| {
        let value = message.headers.get(name).map(|value| value.as_str());
        value.ok_or_else(|| format!("header {name} is missing"))
    };
    Ok(DeadLetter {
        partition,
        position,
        log_ms: header(LOG_MS)?.parse().map_err(|_| format!("header {LOG_MS} is no number"))?,
        reason: header(REASON)?.to_owned(),
        detail: serde_json::from_str(header(DETAIL)?).map_err(|error| format!("header {DETAIL}: {error}"))?,
        payload: message.payload.clone(),
    })
}

#[async_trait]
impl DeadLetters for NatsDeadLetters {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), PortError> {
        let outgoing = letters.into_iter().map(|letter| self.outgoing(letter)).collect();
        for ack in self.publisher.publish(outgoing).await {
            ack?;
        }
        Ok(())
    }

    async fn list(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        const DOING: &str = "listing dead letters";
        let stream = &self.stream(DOING).await?;
        let mut found = self.letters(DOING, stream, "*.*").await?;
        found.retain(|(position, ..)| *position > after);
        found.truncate(limit);
        let reads = found.into_iter().map(|(position, partition, subject)| async move {
            let message = self.last(DOING, stream, &subject).await?;
            Ok::<_, PortError>(message.map(|message| letter(partition, position, message)))
        });
        let letters: Vec<Option<DeadLetter>> =
            futures_util::stream::iter(reads).buffered(PARALLEL_READS).try_collect().await?;
        Ok(letters.into_iter().flatten().collect())
    }

    async fn get(&self, position: Position) -> Result<Option<DeadLetter>, PortError> {
        const DOING: &str = "reading a dead letter";
        let stream = self.stream(DOING).await?;
        let found = self.letters(DOING, &stream, &format!("*.{position}")).await?;
        let Some((position, partition, subject)) = found.into_iter().next() else { return Ok(None) };
        let message = self.last(DOING, &stream, &subject).await?;
        Ok(message.map(|message| letter(partition, position, message)))
    }

    async fn remove(&self, position: Position) -> Result<(), PortError> {
        const DOING: &str = "dropping a dead letter";
        let filter = format!("{}.deadletters.*.{position}", self.links.settings.subject_prefix);
        let stream = self.stream(DOING).await?;
        let purged = stream.purge().filter(filter).await;
        purged.map(|_| ()).map_err(|error| self.links.unavailable(DOING, error))
    }

    async fn redrive(&self, position: Position) -> Result<Option<Redrive>, PortError> {
        const DOING: &str = "reading a redrive";
        let stream = self.stream(DOING).await?;
        let subject = self.redrive_subject(position);
        let Some(message) = self.last(DOING, &stream, &subject).await? else { return Ok(None) };
        serde_json::from_slice(&message.payload).map(Some).map_err(|error| PortError::Damaged {
            what: format!("stream {}, subject {subject}", self.links.settings.dead_letter_stream),
            detail: error.to_string(),
        })
    }

    async fn put_redrive(&self, position: Position, redrive: Redrive) -> Result<(), PortError> {
        let outgoing = Outgoing {
            subject: self.redrive_subject(position),
            headers: None,
            payload: serde_json::to_vec(&redrive).expect("a struct of numbers is JSON").into(),
        };
        for ack in self.publisher.publish(vec![outgoing]).await {
            ack?;
        }
        Ok(())
    }
}
