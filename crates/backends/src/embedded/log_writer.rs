//! The one thread that appends: what has queued up while it wrote is written together.

use super::duplicate_window::{DuplicateWindow, IdHash};
use super::failure::storage;
use super::log_block::{BlockBuilder, Records};
use super::log_end::LogEnd;
use super::log_files::{LogFiles, record_key};
use bytes::Bytes;
use fjall::{OwnedWriteBatch, PersistMode};
use nearline_model::{PartitionId, Position};
use nearline_ports::{Appended, PortError};
use nearline_ports::{Clock, SystemClock};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Events that are written together at most; one request is never split.
const GROUP_EVENTS: usize = 8_192;
/// Pause between two words about appends that fail.
const TOLD_AGAIN: Duration = Duration::from_secs(30);

/// An event made ready by whoever appends it, so that the writer has little left to do.
pub(super) struct PreparedEvent {
    pub(super) id: IdHash,
    pub(super) partition: PartitionId,
    /// The event as it was published.
    pub(super) payload: Bytes,
}

/// Events to append, and whom to tell.
pub(super) struct AppendRequest {
    pub(super) events: Vec<PreparedEvent>,
    pub(super) answer: oneshot::Sender<Vec<Result<Appended, PortError>>>,
}

/// Tells of failing appends: the first at once, the others now and then.
#[derive(Default)]
struct Failures {
    told: Option<Instant>,
    untold_events: usize,
}

impl Failures {
    fn failed(&mut self, error: &PortError, events: usize) {
        metrics::counter!("nearline_log_append_failures_total").increment(1);
        self.untold_events += events;
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_AGAIN) {
            let events = std::mem::take(&mut self.untold_events);
            tracing::error!(%error, events, "appending fails; those who publish are told so");
            self.told = Some(Instant::now());
        }
    }

    fn ended(&mut self) {
        if self.told.take().is_some() {
            self.untold_events = 0;
            tracing::info!("appending works again");
        }
    }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    SystemClock.now_ms()
}

pub(super) struct LogWriter {
    files: Arc<LogFiles>,
    window: DuplicateWindow,
    persist: PersistMode,
    last_ms: i64,
    /// Position of each partition's next record.
    next: Vec<Position>,
    /// Events of the group that were given a place.
    placed: usize,
    end: LogEnd,
    failures: Failures,
    /// What of the group is being put together, by partition; its records that are; and the partitions
    /// that have any.
    blocks: Vec<BlockBuilder>,
    fresh: Vec<Vec<Records>>,
    touched: Vec<PartitionId>,
}

/// Milliseconds by which the clock may fall back and records still keep in order: what NTP does. A clock that falls
/// back further was ahead before, and stamps follow it: the fold knows which to believe.
const FALL_BACK_MS: i64 = 10_000;

/// The stamp of records appended at `now_ms`, after one of `last_ms`.
fn stamp(last_ms: i64, now_ms: i64) -> i64 {
    if now_ms.saturating_add(FALL_BACK_MS) < last_ms { now_ms } else { last_ms.max(now_ms) }
}

impl LogWriter {
    /// A writer whose first record of each partition is at its `next` and not earlier than `last_ms`.
    pub(super) fn new(
        files: Arc<LogFiles>,
        window: DuplicateWindow,
        persist: PersistMode,
        last_ms: i64,
        next: Vec<Position>,
        end: LogEnd,
    ) -> Self {
        let fresh = files.partitions.iter().map(|_| Vec::new()).collect();
        let blocks = files.partitions.iter().map(|_| BlockBuilder::default()).collect();
        Self {
            files,
            window,
            persist,
            last_ms,
            next,
            placed: 0,
            end,
            blocks,
            fresh,
            touched: Vec::new(),
            failures: Failures::default(),
        }
    }

    /// Writes until there is nobody left to append.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<AppendRequest>) {
        while let Some(request) = requests.blocking_recv() {
            let mut events = request.events.len();
            let mut group = vec![request];
            while events < GROUP_EVENTS {
                let Ok(request) = requests.try_recv() else { break };
                events += request.events.len();
                group.push(request);
            }
            self.write(group, events);
        }
    }

    fn write(&mut self, group: Vec<AppendRequest>, events: usize) {
        let first = self.next.clone();
        self.placed = 0;
        self.last_ms = stamp(self.last_ms, now_ms());
        self.window.expire(self.last_ms);
        self.files.window_bytes.store(self.window.memory_bytes(), Ordering::Relaxed);
        let mut batch =
            OwnedWriteBatch::with_capacity(self.files.database.clone(), self.blocks.len().min(events))
                .durability(Some(self.persist));
        let mut outcomes = Vec::with_capacity(group.len());
        for request in group {
            let outcome = request.events.into_iter().map(|event| self.place(event, &mut batch)).collect();
            outcomes.push((request.answer, outcome));
        }
        for at in 0..self.touched.len() {
            self.close_block(self.touched[at], &mut batch);
        }
        match batch.commit() {
            Ok(()) => {
                // Before anybody hears of it: what was acknowledged is known to be there.
                if self.placed > 0 {
                    self.end.reached(self.fresh.iter().map(|fresh| fresh.last().map(Records::last)));
                }
                self.failures.ended();
                self.publish();
            }
            Err(error) => {
                let error = storage(&self.files.what, error);
                // Whatever failed: the database takes no more writes.
                self.files.directory.watch.tell(&error);
                self.failures.failed(&error, events);
                self.window.forget_newest(self.placed);
                for partition in self.touched.drain(..) {
                    self.blocks[usize::from(partition.0)].clear();
                    self.fresh[usize::from(partition.0)].clear();
                }
                for outcome in outcomes.iter_mut().flat_map(|(_, outcome): &mut (_, Vec<_>)| outcome) {
                    // A duplicate of an event stored earlier stands.
                    let is_new =
                        |appended: &Appended| appended.position >= first[usize::from(appended.partition.0)];
                    if outcome.as_ref().is_ok_and(is_new) {
                        *outcome = Err(error.clone());
                    }
                }
            }
        }
        for (answer, outcome) in outcomes {
            // Whoever asked may have gone; the events are stored all the same.
            answer.send(outcome).ok();
        }
    }

    /// Gives one event its place, unless it has one already.
    fn place(&mut self, event: PreparedEvent, batch: &mut OwnedWriteBatch) -> Result<Appended, PortError> {
        if let Some((partition, position)) = self.window.place(event.id) {
            return Ok(Appended { partition, position, duplicate: true });
        }
        let PreparedEvent { id, partition, payload } = event;
        let at = usize::from(partition.0);
        let position = self.next[at];
        self.next[at] = position.further(self.next.len() as u64);
        self.placed += 1;
        if self.blocks[at].is_empty() && self.fresh[at].is_empty() {
            self.touched.push(partition);
        }
        self.blocks[at].push(position, self.last_ms, id, &payload);
        if self.blocks[at].is_full() {
            self.close_block(partition, batch);
        }
        self.window.remember(id, partition, position, self.last_ms);
        Ok(Appended { partition, position, duplicate: false })
    }

    /// Puts what was collected for a partition into the batch.
    fn close_block(&mut self, partition: PartitionId, batch: &mut OwnedWriteBatch) {
        let at = usize::from(partition.0);
        if self.blocks[at].is_empty() {
            return;
        }
        let (records, value) = self.blocks[at].take();
        batch.insert(&self.files.records, record_key(partition, records.first()), value);
        self.fresh[at].push(records);
    }

    /// Shows the readers what is stored now.
    fn publish(&mut self) {
        for partition in self.touched.drain(..) {
            let fresh = &mut self.fresh[usize::from(partition.0)];
            let log = &self.files.partitions[usize::from(partition.0)];
            let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else { continue };
            let (first, last) = (first.first(), last.last());
            log.tail.lock().extend(fresh.drain(..));
            // Fails where there is a first record already, which stays the first.
            log.first.compare_exchange(0, first.0, Ordering::AcqRel, Ordering::Acquire).ok();
            log.last.send_replace(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn stamps_keep_in_order_over_small_steps_back_and_follow_a_clock_that_was_far_ahead() {
        for (last_ms, now_ms, expected) in [
            (0, 5, 5),
            (1_000_000, 1_000_001, 1_000_001),
            (1_000_000, 990_000, 1_000_000),
            (1_000_000, 989_999, 989_999),
        ] {
            assert_eq!(stamp(last_ms, now_ms), expected, "{last_ms}, {now_ms}");
        }
    }
}
