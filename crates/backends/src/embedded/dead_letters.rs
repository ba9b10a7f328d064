//! Dead letters, by position.

use super::failure::{blocking, damaged};
use super::state_files::StateFiles;
use async_trait::async_trait;
use bytes::Bytes;
use fjall::PersistMode;
use nearline_model::{PartitionId, Position};
use nearline_ports::{DeadLetter, DeadLetters, PortError, Redrive};
use std::sync::Arc;

const LETTER_VERSION: u8 = 1;

/// The dead letters in a directory. They stand in one journal with the commits, before the commit that
/// steps over their events: a power cut that takes a letter takes that commit as well, and the log
/// brings both again.
pub struct EmbeddedDeadLetters {
    files: Arc<StateFiles>,
}

impl EmbeddedDeadLetters {
    pub(super) fn new(files: Arc<StateFiles>) -> Self {
        Self { files }
    }
}

#[async_trait]
impl DeadLetters for EmbeddedDeadLetters {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), PortError> {
        let files = self.files.clone();
        blocking(&self.files.what, move || {
            let mut batch = files.batch(letters.len(), PersistMode::Buffer);
            for letter in &letters {
                batch.insert(&files.dead_letters, letter.position.0.to_be_bytes(), encode(letter));
            }
            batch.commit().map_err(|error| files.failure(error))
        })
        .await
    }

    async fn list(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        if after == Position::MAX {
            return Ok(Vec::new());
        }
        let from = after.next();
        let files = self.files.clone();
        blocking(&self.files.what, move || {
            let mut letters = Vec::new();
            for guard in files.dead_letters.range(from.0.to_be_bytes()..).take(limit) {
                let (key, value) = guard.into_inner().map_err(|error| files.failure(error))?;
                let position = Position(u64::from_be_bytes(key.as_ref().try_into().unwrap_or_default()));
                letters.push(letter(position, value.into()));
            }
            Ok(letters)
        })
        .await
    }

    async fn get(&self, position: Position) -> Result<Option<DeadLetter>, PortError> {
        let files = self.files.clone();
        blocking(&self.files.what, move || {
            let key = position.0.to_be_bytes();
            let Some(value) = files.dead_letters.get(key).map_err(|error| files.failure(error))? else {
                return Ok(None);
            };
            Ok(Some(letter(position, value.into())))
        })
        .await
    }

    async fn remove(&self, position: Position) -> Result<(), PortError> {
        let files = self.files.clone();
        blocking(&self.files.what, move || {
            let mut batch = files.batch(2, files.persist);
            batch.remove(&files.dead_letters, position.0.to_be_bytes());
            batch.remove(&files.redrives, position.0.to_be_bytes());
            batch.commit().map_err(|error| files.failure(error))
        })
        .await
    }

    async fn redrive(&self, position: Position) -> Result<Option<Redrive>, PortError> {
        let files = self.files.clone();
        blocking(&self.files.what, move || {
            let stored =
                files.redrives.get(position.0.to_be_bytes()).map_err(|error| files.failure(error))?;
            let read = stored.map(|json| serde_json::from_slice(&json)).transpose();
            read.map_err(|error| damaged(&files.what, format!("redrive of position {position}: {error}")))
        })
        .await
    }

    async fn put_redrive(&self, position: Position, redrive: Redrive) -> Result<(), PortError> {
        let files = self.files.clone();
        blocking(&self.files.what, move || {
            let json = serde_json::to_vec(&redrive).expect("a struct of numbers is JSON");
            let mut batch = files.batch(1, files.persist);
            batch.insert(&files.redrives, position.0.to_be_bytes(), json);
            batch.commit().map_err(|error| files.failure(error))
        })
        .await
    }
}

/// Version (1 byte), partition (2), log time (8), lengths of reason and detail (4 each), reason,
/// detail, payload.
fn encode(letter: &DeadLetter) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(19 + letter.reason.len() + letter.detail.len() + letter.payload.len());
    bytes.push(LETTER_VERSION);
    bytes.extend_from_slice(&letter.partition.0.to_be_bytes());
    bytes.extend_from_slice(&letter.log_ms.to_be_bytes());
    for text in [&letter.reason, &letter.detail] {
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
    }
    bytes.extend_from_slice(letter.reason.as_bytes());
    bytes.extend_from_slice(letter.detail.as_bytes());
    bytes.extend_from_slice(&letter.payload);
    bytes
}

fn letter(position: Position, value: Bytes) -> DeadLetter {
    decode(position, value.clone()).unwrap_or_else(|| {
        let why = format!("{} bytes of no known form", value.len());
        DeadLetter::unreadable(PartitionId(0), position, 0, why, value)
    })
}

fn decode(position: Position, mut value: Bytes) -> Option<DeadLetter> {
    let mut take = |count: usize| (value.len() >= count).then(|| value.split_to(count));
    if take(1)?[0] != LETTER_VERSION {
        return None;
    }
    let partition = PartitionId(u16::from_be_bytes(take(2)?.as_ref().try_into().ok()?));
    let log_ms = i64::from_be_bytes(take(8)?.as_ref().try_into().ok()?);
    let reason_bytes = u32::from_be_bytes(take(4)?.as_ref().try_into().ok()?);
    let detail_bytes = u32::from_be_bytes(take(4)?.as_ref().try_into().ok()?);
    let reason = String::from_utf8(take(reason_bytes as usize)?.to_vec()).ok()?;
    let detail = String::from_utf8(take(detail_bytes as usize)?.to_vec()).ok()?;
    Some(DeadLetter { partition, position, log_ms, reason, detail, payload: value })
}
