//! `[remediation]` and `[chaos]`: what is done about faults, and whether they may be made on purpose.
//! Each key is described in `config/default.toml`.

use nearline_actors::EngineSettings;
use serde::{Deserialize, Serialize};

/// `[remediation]`: what is done about faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RemediationSection {
    /// Crashes on one event after which it is stepped over.
    pub poison_attempts: u32,
    /// Events that may be stepped over per partition.
    pub quarantine_max: usize,
    /// Milliseconds without a sign of life after which an actor is replaced.
    pub hang_ms: u64,
    /// Milliseconds after which a reader that brings nothing, though the log has more, is recreated.
    pub reader_stall_ms: u64,
    /// Threads that may be left behind in blocked actors before the process ends.
    pub leaked_threads: usize,
    /// Rebuilds of all partitions within the window before the process ends; at least four each.
    pub node_rebuilds: usize,
    /// Seconds of that window.
    pub node_window_seconds: u64,
    /// Milliseconds for which a partition may fail to go live before another node is to try.
    pub give_away_after_ms: u64,
}

impl Default for RemediationSection {
    fn default() -> Self {
        let EngineSettings { hang_ms, reader_stall_ms, remediation, .. } = EngineSettings::default();
        Self {
            poison_attempts: remediation.poison_attempts,
            quarantine_max: remediation.quarantine_max,
            hang_ms,
            reader_stall_ms,
            leaked_threads: remediation.leaked_threads,
            node_rebuilds: remediation.node_rebuilds,
            node_window_seconds: remediation.node_window_ms / 1_000,
            give_away_after_ms: remediation.give_away_after_ms,
        }
    }
}

/// `[chaos]`: faults on purpose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChaosSection {
    /// Whether the operators' listener, on loopback only, takes faults.
    pub enabled: bool,
}
