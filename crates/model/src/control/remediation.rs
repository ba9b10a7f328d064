//! The remediation policy: a history of failures in, an action out.
//!
//! [`FailureHistory::judge`] decides what is done about a fault of one partition; [`NodeHistory`]
//! bounds what all partitions of a node may cost together. Both are pure: the time and the jitter's
//! seed are arguments, so that every decision can be put into a table, replayed and simulated. Who
//! carries an action out is the supervisor in `nearline-actors`.
//!
//! Two promises, held by properties in `tests/remediation.rs`: never a storm (rebuilds per time are
//! bounded, whatever fails), and never a forgotten partition (every fault leads to an action that ends:
//! a wait that is bounded, another owner, or the end of the process).

mod history;
mod record;

pub use history::{FailureHistory, NodeHistory};
pub use record::{Remediation, Standing};

use crate::identifier::Position;

/// Bounds of the policy. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemediationSettings {
    /// Wait before the first rebuild of a failed actor; doubles with each further failure.
    pub restart_backoff_ms: u64,
    /// Longest wait before a rebuild.
    pub restart_backoff_max_ms: u64,
    /// An actor that lived this long has recovered: its next failure is a first one again.
    pub recovered_after_ms: u64,
    /// Wait before the first new attempt while the store or the log is away; doubles.
    pub hold_backoff_ms: u64,
    /// Longest wait between two attempts while something is away.
    pub hold_backoff_max_ms: u64,
    /// Crashes on one event after which it is quarantined.
    pub poison_attempts: u32,
    /// Events that may be in quarantine per partition; with more, the partition holds.
    pub quarantine_max: usize,
    /// Times that a stalled reader is recreated before the actor is rebuilt with it.
    pub reader_recreations: u32,
    /// Rebuilds of all partitions together within the window, above which the node gives up.
    pub node_rebuilds: usize,
    /// Length of that window.
    pub node_window_ms: u64,
    /// Threads that may be left behind in blocked actors.
    pub leaked_threads: usize,
    /// Time for which a partition may fail to go live here, where another node would take it.
    pub give_away_after_ms: u64,
}

impl RemediationSettings {
    /// The longest wait of any action.
    pub fn longest_wait_ms(&self) -> u64 {
        let restarts = self.restart_backoff_ms.max(self.restart_backoff_max_ms);
        restarts.max(self.hold_backoff_ms).max(self.hold_backoff_max_ms)
    }
}

impl Default for RemediationSettings {
    fn default() -> Self {
        Self {
            restart_backoff_ms: 5,
            restart_backoff_max_ms: 5_000,
            recovered_after_ms: 10_000,
            hold_backoff_ms: 10,
            hold_backoff_max_ms: 1_000,
            poison_attempts: 3,
            quarantine_max: 1_000,
            reader_recreations: 3,
            node_rebuilds: 200,
            node_window_ms: 60_000,
            leaked_threads: 4,
            give_away_after_ms: 5_000,
        }
    }
}

/// What went wrong with a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The fold panicked on the event at a position.
    Poisoned {
        /// Position of the event.
        position: Position,
        /// The panic's message.
        message: String,
    },
    /// The actor panicked, at no event.
    Panicked,
    /// The actor does not move though its thread does.
    Hung,
    /// The actor's thread is stuck; counted are the threads left behind, this one included.
    Blocked {
        /// Threads left behind.
        leaked_threads: usize,
    },
    /// The log has more than the reader brings.
    ReaderStalled,
    /// The store or the log is away, says no for now, or is too slow.
    Unavailable,
    /// Another owner took the partition over.
    Fenced,
    /// What is stored was set back behind what was committed.
    RolledBack,
    /// What is stored or configured cannot be used, and trying again will not change that soon.
    Unusable,
}

impl Fault {
    /// Stable code, in metrics and records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Poisoned { .. } => "poisoned",
            Self::Panicked => "panicked",
            Self::Hung => "hung",
            Self::Blocked { .. } => "blocked",
            Self::ReaderStalled => "reader-stalled",
            Self::Unavailable => "unavailable",
            Self::Fenced => "fenced",
            Self::RolledBack => "rolled-back",
            Self::Unusable => "unusable",
        }
    }
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Drop the actor's state, wait, reload and replay.
    Restart {
        /// Wait.
        wait_ms: u64,
    },
    /// Put the event at the position into quarantine, then restart.
    Quarantine {
        /// Position of the event.
        position: Position,
        /// Crashes it has caused.
        attempts: u32,
        /// Wait.
        wait_ms: u64,
    },
    /// Leave the actor behind and build another on another thread, under a higher epoch.
    Replace {
        /// Wait.
        wait_ms: u64,
    },
    /// Drop the reader and open another where the actor stands.
    RecreateReader,
    /// Keep answering from what is there, and try again.
    Hold {
        /// Wait.
        wait_ms: u64,
    },
    /// Stop here: another owner is right.
    Stop,
    /// Give the partition to another node: this one has rebuilt too much, or cannot bring it to life.
    GiveAway,
    /// End the process with a failure, so that whoever started it starts it anew. Until it ends, the
    /// partition is tried again after the wait.
    Exit {
        /// Wait.
        wait_ms: u64,
    },
}

impl Action {
    /// Stable code, in metrics and records.
    pub fn code(self) -> &'static str {
        match self {
            Self::Restart { .. } => "restart",
            Self::Quarantine { .. } => "quarantine",
            Self::Replace { .. } => "replace",
            Self::RecreateReader => "recreate-reader",
            Self::Hold { .. } => "hold",
            Self::Stop => "stop",
            Self::GiveAway => "give-away",
            Self::Exit { .. } => "exit",
        }
    }

    /// How long to wait before it is carried out; `None`: the partition is not this node's any more.
    pub fn wait_ms(self) -> Option<u64> {
        match self {
            Self::Restart { wait_ms }
            | Self::Quarantine { wait_ms, .. }
            | Self::Replace { wait_ms }
            | Self::Hold { wait_ms }
            | Self::Exit { wait_ms } => Some(wait_ms),
            Self::RecreateReader => Some(0),
            Self::Stop | Self::GiveAway => None,
        }
    }
}
