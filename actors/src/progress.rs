//! How far a partition is and what it is doing: written by its actor and supervisor, read by queries and
//! operators.

use nearline_model::identifier::OwnerEpoch;
mod shared;

use crate::lag::Lag;
use crate::memory::MeasuredPartition;
use crate::remediations::{Begun, Remediations, Ticket};
use nearline_model::control::assignment::NodeId;
use nearline_model::control::remediation::{Action, Standing};
use nearline_model::{PartitionId, Position};
use nearline_ports::PortError;
use parking_lot::Mutex;
use serde::Serialize;
use shared::{SharedEpoch, SharedPosition};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

/// State of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum PartitionState {
    /// Being acquired and loaded.
    Starting,
    /// Folding and answering.
    Live,
    /// Waiting for the store or the log; answering from what it has.
    Holding,
    /// Failed; about to be built anew.
    Restarting,
    /// Not running any more.
    Stopped,
    /// Another node owns it.
    Elsewhere,
}

impl std::fmt::Display for PartitionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl PartitionState {
    /// Its name in answers, metrics and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Holding => "holding",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
            Self::Elsewhere => "elsewhere",
        }
    }

    fn from_number(number: u8) -> Self {
        [Self::Starting, Self::Live, Self::Holding, Self::Restarting, Self::Stopped, Self::Elsewhere][..]
            .get(usize::from(number))
            .copied()
            .unwrap_or(Self::Stopped)
    }
}

/// What an actor may be waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Hold {
    /// A commit, or the dead letters before it.
    Commit = 1,
    /// Members from the store.
    Load = 2,
    /// The log.
    Log = 4,
    /// Any answer of the store: there was none for too long.
    Answer = 8,
}

/// Number of an actor among those that a partition has had in this process. What is left of an actor
/// after it was replaced has another number than the current one, and changes nothing any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incarnation(u64);

/// A partition as operators see it.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionStatus {
    /// The partition.
    pub partition: PartitionId,
    /// What it is doing here.
    pub state: PartitionState,
    /// Node that owns it, as far as is known here.
    pub owner: Option<NodeId>,
    /// Epoch of its owner.
    pub epoch: OwnerEpoch,
    /// Position of the last record folded.
    pub folded: Position,
    /// Position of the last commit.
    pub committed: Position,
    /// Position of the last record in the log, as of the last look.
    pub log_last: Position,
    /// Records that wait to be folded.
    pub lag: u64,
    /// Milliseconds that the oldest of them may have waited; 0 when caught up.
    pub lag_ms: u64,
    /// Members in memory.
    pub cached_members: usize,
    /// Restarts since the engine started.
    pub restarts: u64,
    /// Why it failed last.
    pub last_failure: Option<String>,
    /// Records folded since the engine started.
    pub events: u64,
}

/// The progress of one partition.
///
/// The actor writes through `Progress::write`, which refuses whoever was replaced; the supervisor writes
/// directly, while there is no actor.
#[derive(Debug)]
pub struct Progress {
    /// The partition.
    pub partition: PartitionId,
    state: AtomicU8,
    /// Bits of [`Hold`].
    held: AtomicU8,
    pub(crate) epoch: SharedEpoch,
    pub(crate) folded: SharedPosition,
    /// How far it was folded here before it was built anew.
    pub(crate) had: SharedPosition,
    /// How far it was committed here before it was built anew.
    pub(crate) had_committed: SharedPosition,
    pub(crate) committed: SharedPosition,
    pub(crate) read: SharedPosition,
    pub(crate) reader_open: AtomicBool,
    pub(crate) log_last: SharedPosition,
    pub(crate) behind: Lag,
    pub(crate) cached_members: AtomicU64,
    pub(crate) memory: MeasuredPartition,
    pub(crate) restarts: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) turns: AtomicU64,
    pub(crate) pending_batches: AtomicU64,
    pub(crate) store_requests: AtomicU64,
    pub(crate) last_failure: Mutex<Option<String>>,
    incarnation: Mutex<Incarnation>,
    hold: Mutex<Option<Ticket>>,
    remediations: Arc<Remediations>,
}

impl Progress {
    /// A partition that has not started.
    pub fn new(partition: PartitionId, remediations: Arc<Remediations>) -> Self {
        Self {
            partition,
            state: AtomicU8::new(PartitionState::Starting as u8),
            held: AtomicU8::new(0),
            epoch: SharedEpoch::default(),
            folded: SharedPosition::default(),
            had: SharedPosition::default(),
            had_committed: SharedPosition::default(),
            committed: SharedPosition::default(),
            read: SharedPosition::default(),
            reader_open: AtomicBool::new(false),
            log_last: SharedPosition::default(),
            behind: Lag::default(),
            cached_members: AtomicU64::new(0),
            memory: MeasuredPartition::default(),
            restarts: AtomicU64::new(0),
            events: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            pending_batches: AtomicU64::new(0),
            store_requests: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            incarnation: Mutex::default(),
            hold: Mutex::new(None),
            remediations,
        }
    }

    /// From now on no earlier actor writes here; the number of the next one. `withdraw` takes the earlier one
    /// out of reach, before the next one can be put there.
    pub(crate) fn take_over(&self, withdraw: impl FnOnce()) -> Incarnation {
        let mut incarnation = self.incarnation.lock();
        incarnation.0 += 1;
        self.held.store(0, Relaxed);
        self.end_hold();
        self.pending_batches.store(0, Relaxed);
        self.store_requests.store(0, Relaxed);
        withdraw();
        *incarnation
    }

    /// Lets the current actor write; whether it is the current one.
    pub(crate) fn write(&self, incarnation: Incarnation, write: impl FnOnce(&Self)) -> bool {
        let current = self.incarnation.lock();
        let is_current = *current == incarnation;
        if is_current {
            write(self);
        }
        is_current
    }

    /// Whether the actor of this number is the current one.
    pub(crate) fn is_current(&self, incarnation: Incarnation) -> bool {
        *self.incarnation.lock() == incarnation
    }

    /// The log ends at `last`, as seen at `now_ms`.
    pub(crate) fn see_log(&self, last: Position, now_ms: i64) {
        // What others fold does not wait here.
        let folded = match self.state() {
            PartitionState::Elsewhere => Position::MAX,
            _ => self.folded.load(),
        };
        self.behind.looked(now_ms, folded >= self.log_last.load(), folded >= last);
        self.log_last.store(last);
    }

    /// It is run here from now on: what it is behind counts from then, as nobody has looked at its log for a while.
    pub(crate) fn arrive(&self, now_ms: i64) {
        if self.state() == PartitionState::Elsewhere {
            self.see_log(self.log_last.load(), now_ms);
        }
        self.set_state(PartitionState::Starting);
    }

    pub(crate) fn set_state(&self, state: PartitionState) {
        self.state.store(state as u8, Relaxed);
    }

    /// The current actor waits for what is away; it goes on answering.
    pub(crate) fn hold(&self, incarnation: Incarnation, what: Hold, error: &PortError, wait_ms: u64) {
        self.write(incarnation, |progress| {
            let before = progress.standing();
            let held = progress.held.fetch_or(what as u8, Relaxed);
            if held == 0 {
                *progress.last_failure.lock() = Some(error.to_string());
                let begun = Begun {
                    partition: progress.partition,
                    fault: "unavailable",
                    detail: error.to_string(),
                    action: Action::Hold { wait_ms },
                    position: None,
                    before,
                };
                *progress.hold.lock() = Some(progress.remediations.begin(begun));
            }
        });
    }

    /// What was away is back.
    pub(crate) fn resume(&self, incarnation: Incarnation, what: Hold) {
        if self.held.load(Relaxed) & what as u8 == 0 {
            return;
        }
        self.write(incarnation, |progress| {
            let held = progress.held.fetch_and(!(what as u8), Relaxed);
            if held & !(what as u8) == 0 {
                progress.end_hold();
            }
        });
    }

    fn end_hold(&self) {
        if let Some(ticket) = self.hold.lock().take() {
            self.remediations.finish(ticket, self.standing());
        }
    }

    /// State now.
    pub fn state(&self) -> PartitionState {
        match PartitionState::from_number(self.state.load(Relaxed)) {
            PartitionState::Live if self.held.load(Relaxed) != 0 => PartitionState::Holding,
            state => state,
        }
    }

    /// Where the partition stands, for records of remediations.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            state: self.state().name().to_owned(),
            epoch: self.epoch.load(),
            folded: self.folded.load(),
            committed: self.committed.load(),
        }
    }

    /// As operators see it, run by `owner`.
    pub(crate) fn status(&self, owner: Option<NodeId>, now_ms: i64) -> PartitionStatus {
        let folded = self.folded.load();
        let log_last = self.log_last.load();
        // What another node has folded is not known here.
        let lag = match self.state() {
            PartitionState::Elsewhere => 0,
            _ => log_last.since(folded),
        };
        PartitionStatus {
            partition: self.partition,
            state: self.state(),
            owner,
            epoch: self.epoch.load(),
            folded,
            committed: self.committed.load(),
            log_last: log_last.max(folded),
            lag,
            lag_ms: if lag == 0 { 0 } else { self.behind.age_ms(now_ms) },
            cached_members: self.cached_members.load(Relaxed) as usize,
            restarts: self.restarts.load(Relaxed),
            last_failure: self.last_failure.lock().clone(),
            events: self.events.load(Relaxed),
        }
    }
}
