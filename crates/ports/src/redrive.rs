//! Publishing the event of a dead letter again, once.
//!
//! Between publishing it and noting that it was published, anything may end. So what is to be done is
//! noted first, with the end of the partition's log: whoever finds such a note without an outcome looks
//! for the event behind that end before publishing it. Two who do so at the same moment publish under
//! one id, of which the log keeps one.

use crate::publish::append_one;
use crate::{DeadLetter, NewEvent, PortError, Ports, Redrive};
use nearline_model::event::Event;
use nearline_model::identifier::partition_of;
use nearline_model::{PartitionId, Position};
use std::time::Duration;

/// Records read at once while looking for an event.
const SCAN_RECORDS: usize = 4_096;
/// Longest time that one read of the log may take while looking for an event.
const SCAN_DEADLINE: Duration = Duration::from_secs(10);

/// What came of a redrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redriven {
    /// Where the event stands now.
    pub position: Position,
    /// Whether an earlier call had published it.
    pub already: bool,
}

/// Why a letter's event was not published again.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// There is no such letter.
    #[error("there is no dead letter of position {0}; `nearline dead-letters list` shows those there are")]
    NoLetter(Position),
    /// The event has no readable id or member: nobody knows where it belongs.
    #[error(
        "the event at position {position} cannot be published again: {detail}; publish a corrected event"
    )]
    Unpublishable {
        /// The letter.
        position: Position,
        /// What is wrong with it.
        detail: String,
    },
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Publishes the event of the letter at `position` again: exactly once, however often it is called and
/// wherever a call breaks off.
///
/// # Errors
/// [`RedriveError`]; after [`RedriveError::Port`], call again.
pub async fn redrive(
    ports: &Ports,
    position: Position,
    event_bytes: usize,
) -> Result<Redriven, RedriveError> {
    let letter = ports.dead_letters.get(position).await?.ok_or(RedriveError::NoLetter(position))?;
    let (member, partition) = addressee(&letter, ports.log.partitions(), event_bytes)?;
    let noted = ports.dead_letters.redrive(position).await?;
    let log_last = match noted {
        Some(Redrive { position: Some(position), .. }) => return Ok(Redriven { position, already: true }),
        Some(Redrive { log_last, position: None }) => {
            if let Some(found) = find(ports, partition, log_last, &letter).await? {
                let done = Redrive { log_last, position: Some(found) };
                ports.dead_letters.put_redrive(position, done).await?;
                return Ok(Redriven { position: found, already: true });
            }
            log_last
        }
        None => {
            let log_last = ports.log.bounds(partition).await?.last;
            ports.dead_letters.put_redrive(position, Redrive { log_last, position: None }).await?;
            log_last
        }
    };
    // Not the event's own id: the log may still know that of the refused record.
    let id = format!("redrive-{position}");
    let event = NewEvent { member, id, payload: letter.payload.clone() };
    let appended = append_one(&*ports.log, event).await?;
    let done = Redrive { log_last, position: Some(appended.position) };
    ports.dead_letters.put_redrive(position, done).await?;
    metrics::counter!("nearline_dead_letters_redriven_total").increment(1);
    Ok(Redriven { position: appended.position, already: appended.duplicate })
}

/// Member and partition of a letter's event.
fn addressee(
    letter: &DeadLetter,
    partitions: u16,
    event_bytes: usize,
) -> Result<(String, PartitionId), RedriveError> {
    match Event::parse(&letter.payload, event_bytes) {
        Ok(event) => Ok((event.member.to_string(), partition_of(&event.member, partitions))),
        Err(reject) => {
            Err(RedriveError::Unpublishable { position: letter.position, detail: reject.to_string() })
        }
    }
}

/// The first record behind `after` that is the letter's event, byte for byte.
async fn find(
    ports: &Ports,
    partition: PartitionId,
    after: Position,
    letter: &DeadLetter,
) -> Result<Option<Position>, PortError> {
    let bounds = ports.log.bounds(partition).await?;
    let last = bounds.last;
    if last <= after || (after.is_start() && bounds.is_emptied()) {
        return Ok(None);
    }
    let mut reader = ports.log.open_reader(partition, after).await?;
    loop {
        let reading = tokio::time::timeout(SCAN_DEADLINE, reader.next_batch(SCAN_RECORDS));
        let records = reading.await.map_err(|_| PortError::Unavailable {
            what: "the log".into(),
            detail: format!("nothing read of {partition} within {} s", SCAN_DEADLINE.as_secs()),
        })??;
        for record in &records {
            if record.position != letter.position && record.payload == letter.payload {
                return Ok(Some(record.position));
            }
        }
        if records.last().is_none_or(|record| record.position >= last) {
            return Ok(None);
        }
    }
}
