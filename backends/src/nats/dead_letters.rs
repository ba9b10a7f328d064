//! Dead letters: one message each, on the subject of its partition and position, so that a replay
//! replaces it. The payload is the event as it was published; the headers say why it was refused.

use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use nearline_actors::ports::{DeadLetter, DeadLetters, PortError};
use nearline_model::{PartitionId, Position};
use std::sync::Arc;

const REASON: &str = "Nearline-Reason";
const DETAIL: &str = "Nearline-Detail";
const LOG_MS: &str = "Nearline-Log-Ms";
/// Size of the event, where not all of it fits beside the headers. The log has it whole.
const TRUNCATED_FROM: &str = "Nearline-Truncated-From-Bytes";
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

    fn letter(
        &self,
        partition: u16,
        position: Position,
        message: StreamMessage,
    ) -> Result<DeadLetter, PortError> {
        let header = |name: &str| message.headers.get(name).map(|value| value.as_str());
        let damaged = |detail: &str| PortError::Damaged {
            what: format!("stream {}, message {}", self.links.settings.dead_letter_stream, message.sequence),
            detail: detail.to_owned(),
        };
        let detail = header(DETAIL).ok_or_else(|| damaged("header Nearline-Detail is missing"))?;
        Ok(DeadLetter {
            partition: PartitionId(partition),
            position,
            log_ms: header(LOG_MS)
                .and_then(|ms| ms.parse().ok())
                .ok_or_else(|| damaged("header Nearline-Log-Ms is no number"))?,
            reason: header(REASON).ok_or_else(|| damaged("header Nearline-Reason is missing"))?.to_owned(),
            detail: serde_json::from_str(detail).map_err(|error| damaged(&error.to_string()))?,
            payload: message.payload.clone(),
        })
    }
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
        let failed = |error: &dyn std::fmt::Display| self.links.unavailable("listing dead letters", error);
        let name = &self.links.settings.dead_letter_stream;
        let stream = self.links.main().jetstream.get_stream_no_info(name).await;
        let stream = stream.map_err(|error| failed(&error))?;
        let filter = format!("{}.deadletters.*.*", self.links.settings.subject_prefix);
        let mut subjects = stream.info_with_subjects(filter).await.map_err(|error| failed(&error))?;
        let mut found: Vec<(Position, u16, String)> = Vec::new();
        while let Some((subject, _)) = subjects.try_next().await.map_err(|error| failed(&error))? {
            let mut tokens = subject.rsplit('.');
            let position = tokens.next().and_then(|token| token.parse().ok());
            let partition = tokens.next().and_then(|token| token.parse().ok());
            if let (Some(position), Some(partition)) = (position, partition)
                && position > after
            {
                found.push((position, partition, subject));
            }
        }
        found.sort_unstable();
        found.truncate(limit);
        let stream = &stream;
        let reads = found.into_iter().map(|(position, partition, subject)| async move {
            match stream.get_last_raw_message_by_subject(&subject).await {
                Ok(message) => self.letter(partition, position, message).map(Some),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => Err(failed(&error)),
            }
        });
        let letters: Vec<Option<DeadLetter>> =
            futures_util::stream::iter(reads).buffered(PARALLEL_READS).try_collect().await?;
        Ok(letters.into_iter().flatten().collect())
    }
}
