//! Remediations as events: each is logged, counted and kept, with where the partition stood before and
//! after it.

use crate::retry::until_done;
use nearline_model::control::remediation::{Action, Remediation, Standing};
use nearline_model::{PartitionId, Position};
use nearline_ports::trace::Span;
use nearline_ports::{Clock, JOURNAL_ENTRIES, PortError, RemediationJournal};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Remediations in memory, for when the journal is away.
const RECENT: usize = 256;
/// Remediations that wait to be kept; with more, the newest are only logged and counted.
const WAITING: usize = 1_024;
/// Longest time that stopping waits for the journal.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);
/// Longest time that a look into the journal may take.
const LIST_DEADLINE: Duration = Duration::from_secs(2);

/// A remediation that has begun.
#[derive(Debug)]
pub struct Ticket {
    id: String,
    began: Instant,
    /// Told of where traces are recorded; over with the remediation.
    span: Span,
}

/// What is known when a remediation begins.
#[derive(Debug)]
pub struct Begun {
    /// The partition.
    pub partition: PartitionId,
    /// Code of the fault.
    pub fault: &'static str,
    /// What exactly was wrong.
    pub detail: String,
    /// What is done.
    pub action: Action,
    /// The event it is about.
    pub position: Option<Position>,
    /// Where the partition stands.
    pub before: Standing,
}

/// All remediations of this process, and the journal.
pub struct Remediations {
    recent: Mutex<VecDeque<Remediation>>,
    to_keep: mpsc::Sender<Remediation>,
    /// How many wait to be kept.
    waiting: watch::Sender<usize>,
    journal: Arc<dyn RemediationJournal>,
    clock: Arc<dyn Clock>,
    /// Part of the ids: tells processes apart.
    process: u32,
    sequence: AtomicU64,
}

impl std::fmt::Debug for Remediations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remediations").field("recent", &self.recent.lock().len()).finish_non_exhaustive()
    }
}

impl Remediations {
    /// Starts; what keeps them runs on the current arbiter.
    pub fn start(journal: Arc<dyn RemediationJournal>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let (to_keep, queue) = mpsc::channel(WAITING);
        let waiting = watch::Sender::new(0);
        actix_rt::spawn(keep(journal.clone(), queue, waiting.clone()));
        Arc::new(Self {
            recent: Mutex::default(),
            to_keep,
            waiting,
            journal,
            clock,
            process: crate::retry::random() as u32,
            sequence: AtomicU64::new(0),
        })
    }

    /// The time of day, milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// A remediation begins.
    pub fn begin(&self, begun: Begun) -> Ticket {
        let Begun { partition, fault, detail, action, position, before } = begun;
        let at_ms = self.now_ms();
        let sequence = self.sequence.fetch_add(1, Relaxed);
        // Milliseconds of this and the next centuries have 13 digits: ids sort by time.
        let id = format!("{at_ms:013}-{:08x}-{sequence:06}", self.process);
        let (position, attempts) = match action {
            Action::Quarantine { position, attempts, .. } => (Some(position), Some(attempts)),
            _ => (position, None),
        };
        let wait_ms = action.wait_ms().unwrap_or(0);
        let action = action.code();
        metrics::counter!("nearline_remediations_total", "fault" => fault, "action" => action).increment(1);
        let mut span = Span::always("remediation");
        span.set("nearline.partition", u64::from(partition.0));
        span.set("nearline.fault", fault);
        span.set("nearline.action", action);
        span.set("nearline.remediation", id.clone());
        let trace_id = span.context().map(|context| format!("{:032x}", context.trace));
        tracing::warn!(
            event = "remediation", %partition, fault, action, wait_ms, position = position.map(|at| at.0), attempts, detail, trace_id,
            epoch = before.epoch.0, folded = before.folded.0, committed = before.committed.0, "remediation begins"
        );
        let remediation = Remediation {
            id: id.clone(),
            at_ms,
            partition,
            fault: fault.to_owned(),
            detail,
            action: action.to_owned(),
            wait_ms,
            position,
            attempts,
            trace_id,
            before,
            after: None,
            took_ms: None,
        };
        let mut recent = self.recent.lock();
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(remediation.clone());
        drop(recent);
        self.keep(remediation);
        Ticket { id, began: Instant::now(), span }
    }

    /// A remediation has come to its end.
    pub fn finish(&self, mut ticket: Ticket, after: Standing) {
        ticket.span.set("nearline.outcome", after.state.clone());
        let took_ms = ticket.began.elapsed().as_millis() as u64;
        let mut recent = self.recent.lock();
        let Some(remediation) = recent.iter_mut().rev().find(|known| known.id == ticket.id) else { return };
        tracing::info!(
            event = "remediation_done", partition = %remediation.partition, fault = remediation.fault,
            action = remediation.action, took_ms, state = after.state, epoch = after.epoch.0,
            folded = after.folded.0, committed = after.committed.0, "remediation done"
        );
        metrics::histogram!("nearline_remediation_duration_seconds", "action" => remediation.action.clone())
            .record(ticket.began.elapsed());
        remediation.after = Some(after);
        remediation.took_ms = Some(took_ms);
        let remediation = remediation.clone();
        drop(recent);
        self.keep(remediation);
    }

    fn keep(&self, remediation: Remediation) {
        self.waiting.send_modify(|count| *count += 1);
        if self.to_keep.try_send(remediation).is_err() {
            self.waiting.send_modify(|count| *count -= 1);
            metrics::counter!("nearline_remediations_not_kept_total").increment(1);
        }
    }

    /// Waits until all are kept, for a moment at most.
    pub async fn flush(&self) {
        let mut waiting = self.waiting.subscribe();
        let kept = tokio::time::timeout(FLUSH_DEADLINE, waiting.wait_for(|count| *count == 0)).await;
        if kept.is_err() {
            tracing::warn!("the last remediations were not kept: the journal is away");
        }
    }

    /// The newest `limit` remediations, newest first: those of the journal, or of this process alone
    /// while the journal is away.
    pub async fn list(&self, limit: usize) -> Vec<Remediation> {
        let limit = limit.min(JOURNAL_ENTRIES);
        let mut by_id = BTreeMap::new();
        match tokio::time::timeout(LIST_DEADLINE, self.journal.list(limit)).await {
            Ok(Ok(kept)) => by_id.extend(kept.into_iter().map(|kept| (kept.id.clone(), kept))),
            Ok(Err(error)) => tracing::warn!(%error, "the journal of remediations cannot be read"),
            Err(_) => tracing::warn!("the journal of remediations does not answer"),
        }
        // What this process knows is newer than what it has kept.
        let recent = self.recent.lock();
        by_id.extend(recent.iter().map(|known| (known.id.clone(), known.clone())));
        drop(recent);
        by_id.into_values().rev().take(limit).collect()
    }
}

async fn keep(
    journal: Arc<dyn RemediationJournal>,
    mut queue: mpsc::Receiver<Remediation>,
    waiting: watch::Sender<usize>,
) {
    while let Some(remediation) = queue.recv().await {
        let hold = |error: &PortError| tracing::debug!(%error, "a remediation waits to be kept");
        if let Err(error) = until_done(|| journal.put(&remediation), hold).await {
            tracing::error!(%error, "a remediation cannot be kept");
        }
        waiting.send_modify(|count| *count -= 1);
    }
}
