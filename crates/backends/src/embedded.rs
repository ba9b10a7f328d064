//! The ports in one directory on disk, with no server: a log, a store, dead letters and a catalogue,
//! for one process at a time.
//!
//! Below the directory are `lock`, `format.json` (what the directory was made with), `log-end` (how far the log
//! was acknowledged) and two `fjall` databases, `log` and `state`. They are two so that a large commit of state never stands in the way
//! of an append.
//!
//! What is deliberately absent: other processes. They go through NATS and Redis.

mod aggregates_snapshot;
mod catalogue;
mod clean_stop;
mod damage;
mod database;
mod dead_letters;
mod directory;
mod directory_watch;
mod duplicate_window;
mod examine;
mod facts;
mod failure;
mod journal;
mod log;
mod log_block;
mod log_end;
mod log_files;
mod log_reader;
mod log_retention;
mod log_tail;
mod log_verify;
mod log_writer;
mod membership;
mod partition_row;
mod quarantine;
mod remediation_journal;
mod repair;
mod state_files;
mod store;

pub use catalogue::EmbeddedCatalogue;
pub use dead_letters::EmbeddedDeadLetters;
pub use directory_watch::{DirectoryWatch, takes_writes};
pub use examine::examine;
pub use facts::EmbeddedFacts;
pub use log::EmbeddedLog;
pub use membership::EmbeddedMembership;
pub use quarantine::EmbeddedQuarantine;
pub use remediation_journal::EmbeddedJournal;
pub use repair::{Gone, Repaired, repair};
pub use store::EmbeddedStore;

use crate::threads::SystemThreads;
use directory::Directory;
use log_end::LogEnd;
use nearline_ports::{PortError, Ports, SystemClock};
use state_files::StateFiles;
use std::path::PathBuf;
use std::sync::Arc;

/// When an append counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncPolicy {
    /// On disk: every group of appends is synced before it is acknowledged. Survives power loss.
    #[default]
    EachBatch,
    /// In the operating system's hands: survives the end of the process (SIGKILL), not power loss.
    Os,
}

impl SyncPolicy {
    fn mode(self) -> fjall::PersistMode {
        match self {
            Self::EachBatch => fjall::PersistMode::SyncData,
            Self::Os => fjall::PersistMode::Buffer,
        }
    }
}

/// How to open a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// The directory; made if it is not there.
    pub directory: PathBuf,
    /// Number of partitions; fixed once the directory is made.
    pub partitions: u16,
    /// When an append counts as stored.
    pub sync: SyncPolicy,
    /// How long the log remembers event ids, seconds.
    pub duplicate_window_seconds: u64,
    /// How many event ids the log remembers at most.
    pub duplicate_window_ids: usize,
    /// How many of the newest events the log keeps, in equal parts for the partitions; 0 keeps all. What the store has not committed is
    /// kept whatever its age.
    pub retention_events: u64,
    /// Bytes of facts that are kept at most, the newest ones.
    pub fact_bytes: u64,
}

impl EmbeddedSettings {
    /// The default settings for `directory`: 16 partitions, synced, everything kept.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            partitions: 16,
            sync: SyncPolicy::default(),
            duplicate_window_seconds: 120,
            duplicate_window_ids: 262_144,
            retention_events: 0,
            fact_bytes: 1 << 30,
        }
    }
}

/// Opens a directory, or makes it. It is free again when all handles, readers included, are dropped.
///
/// # Errors
/// [`PortError::Misconfigured`] if the directory is open already, was made with another number of
/// partitions, or by a version with another format; [`PortError::Damaged`] if its data cannot be read, or more of
/// the log is gone than a record that was not acknowledged (nothing is changed then: see [`repair()`]);
/// [`PortError::Unavailable`] on any other failure of the file system.
pub fn open(settings: EmbeddedSettings) -> Result<Ports, PortError> {
    open_watched(settings, DirectoryWatch::default())
}

/// As [`open`]; `watch` tells when a write has failed, and the directory must be opened anew to take more, and when
/// it is free again.
///
/// # Errors
/// As [`open`].
pub fn open_watched(settings: EmbeddedSettings, watch: DirectoryWatch) -> Result<Ports, PortError> {
    let directory = Directory::open(&settings.directory, settings.partitions)?;
    let directory = Arc::new(directory.telling(watch));
    let end = LogEnd::read(&settings.directory)?;
    damage::check(&settings.directory, end.as_ref(), settings.sync)?;
    let state = damage::guarded(|| StateFiles::open(&directory, settings.partitions, settings.sync))?;
    let state = Arc::new(state);
    let log = damage::guarded(|| EmbeddedLog::open(&directory, &settings, end, state.committed.clone()))?;
    Ok(Ports {
        clock: Arc::new(SystemClock),
        threads: Arc::new(SystemThreads),
        log: Arc::new(log),
        event_requests: None,
        store: Arc::new(EmbeddedStore::new(state.clone())),
        dead_letters: Arc::new(EmbeddedDeadLetters::new(state.clone())),
        facts: Arc::new(EmbeddedFacts::new(&directory, settings.fact_bytes)),
        catalogue: Arc::new(EmbeddedCatalogue::new(state.clone())),
        membership: Arc::new(EmbeddedMembership::default()),
        quarantine: Arc::new(EmbeddedQuarantine::new(state.clone())),
        remediations: Arc::new(EmbeddedJournal::new(state)),
    })
}
