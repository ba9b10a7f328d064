//! What is left of a member that was erased, place by place: state, dead letters, quarantine, facts, and the log.
//!
//! The state is erased at once. The log is not rewritten: it holds the events until its retention is over.

use crate::{PortError, Ports, stored};
use nearline_model::event::Event;
use nearline_model::identifier::partition_of;
use nearline_model::{EventKind, LogRecord, PartitionId, Position};

/// Records, letters and facts read at once.
const PAGE: usize = 4_096;

/// What is left of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The partition.
    pub partition: PartitionId,
    /// Where the newest `forget` is in the log, as far as the log goes back; what is before it is to be gone.
    pub forgotten: Option<Position>,
    /// When the stored state says that it was erased; none: it was not.
    pub erased_at: Option<String>,
    /// Things that the stored state knows: titles, opinions, impressions.
    pub known: usize,
    /// Fingerprints of events' ids that it keeps, so that what is sent again is not taken for new.
    pub recent_ids: usize,
    /// Position that the stored state reflects at least.
    pub position: Position,
    /// Events that came after the erasure: the state knows those, rightly, but such as tell of before.
    pub later_events: usize,
    /// Events from before that the log still holds.
    pub in_log: usize,
    /// The log's time of the newest of them, Unix milliseconds.
    pub newest_in_log_ms: i64,
    /// Dead letters with events from before.
    pub letters: Vec<Position>,
    /// Events from before that are in quarantine, by position.
    pub quarantined: Vec<Position>,
    /// Facts from before that the stream still holds.
    pub facts: usize,
}

impl Erasure {
    /// Whether the state knows nothing from before the erasure.
    pub fn is_erased(&self) -> bool {
        let folded = self.forgotten.is_none_or(|forgotten| self.position >= forgotten);
        self.erased_at.is_some() && folded && (self.known == 0 || self.later_events > 0)
    }
}

/// Looks for what is left of `member`. Reads the partition's log from its beginning.
///
/// # Errors
/// The ports'.
pub async fn look(ports: &Ports, member: &str) -> Result<Erasure, PortError> {
    let partition = partition_of(member, ports.log.partitions());
    let snapshot = stored::member(ports, member, true).await?.snapshot;
    let known = snapshot.history.len()
        + snapshot.seen.len()
        + snapshot.list.len()
        + snapshot.opinions.len()
        + snapshot.open_impressions.len();
    let events = events(ports, partition, member).await?;
    let forgotten = events.iter().rfind(|event| event.is_forget).map(|event| event.position);
    // Without it in the log, all that is erased was before the log's first record.
    let before = |position: Position| forgotten.is_some_and(|forgotten| position < forgotten);
    let old: Vec<&Seen> = events.iter().filter(|event| before(event.position)).collect();
    let quarantine = ports.quarantine.troubles(partition).await?.quarantine;
    let quarantined = old.iter().filter(|event| quarantine.get(event.position).is_some());
    let letters = letters(ports, member).await?;
    let later_events = events.iter().filter(|event| forgotten < Some(event.position)).count();
    Ok(Erasure {
        partition,
        forgotten,
        erased_at: snapshot.erased_at.clone(),
        known,
        recent_ids: snapshot.recent_ids,
        position: snapshot.position,
        later_events,
        in_log: old.len(),
        newest_in_log_ms: old.iter().map(|event| event.log_ms).max().unwrap_or_default(),
        letters: letters.into_iter().filter(|position| before(*position)).collect(),
        quarantined: quarantined.map(|event| event.position).collect(),
        facts: facts(ports, member, forgotten).await?,
    })
}

struct Seen {
    position: Position,
    log_ms: i64,
    is_forget: bool,
}

/// The member's events that the log holds.
async fn events(ports: &Ports, partition: PartitionId, member: &str) -> Result<Vec<Seen>, PortError> {
    let last = ports.log.bounds(partition).await?.last;
    let mut events = Vec::new();
    if last.is_start() {
        return Ok(events);
    }
    let mut reader = ports.log.open_reader(partition, Position::START).await?;
    loop {
        let records = reader.next_batch(PAGE).await?;
        events.extend(records.iter().filter_map(|record| seen(record, member)));
        if records.last().is_none_or(|record| record.position >= last) {
            return Ok(events);
        }
    }
}

fn seen(record: &LogRecord, member: &str) -> Option<Seen> {
    let event = Event::parse(&record.payload, usize::MAX).ok().filter(|event| event.member == member)?;
    let is_forget = event.kind == EventKind::Forget;
    Some(Seen { position: record.position, log_ms: record.log_ms, is_forget })
}

/// Positions of dead letters that name the member, readable as events or not.
async fn letters(ports: &Ports, member: &str) -> Result<Vec<Position>, PortError> {
    let quoted = format!("\"{member}\"");
    let (mut found, mut after) = (Vec::new(), Position::START);
    loop {
        let page = ports.dead_letters.list(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.position;
        let named =
            page.iter().filter(|letter| memchr::memmem::find(&letter.payload, quoted.as_bytes()).is_some());
        found.extend(named.map(|letter| letter.position));
    }
}

/// Facts of the member that were known before the position.
async fn facts(ports: &Ports, member: &str, before: Option<Position>) -> Result<usize, PortError> {
    let Some(before) = before else { return Ok(0) };
    let (mut found, mut after) = (0, 0);
    loop {
        let page = ports.facts.read(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.sequence;
        let facts = page.iter().flat_map(|streamed| streamed.entry.facts());
        found += facts.filter(|fact| &*fact.member == member && fact.position < before).count();
    }
}
