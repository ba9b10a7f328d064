//! Faults as plans name them.

use serde::{Deserialize, Serialize};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A partition's actor panics.
    Panic,
    /// A partition's actor blocks its thread.
    Hang,
    /// An event on which folding panics, until the engine steps over it.
    Poison,
    /// A partition's reader brings nothing any more.
    ReaderStall,
    /// An engine is killed (SIGKILL), and started again after `for_ms`.
    NodeKill,
    /// An engine is asked to stop (SIGTERM), and started again `for_ms` after it ended.
    NodeTerm,
    /// Another engine joins, and leaves after `for_ms` (SIGTERM); 0: it stays.
    NodeJoin,
    /// One engine after the other is asked to stop and started again, each settled before the next.
    RollingRestart,
    /// An engine stands still (SIGSTOP) for `for_ms`.
    NodeStop,
    /// A server is killed (SIGKILL), and started again after `for_ms`.
    ServerKill,
    /// A server stands still (SIGSTOP) for `for_ms`.
    ServerStop,
    /// Bytes between engines and a server take `latency_ms` longer each way, for `for_ms`.
    Latency,
    /// No byte passes between engines and a server for `for_ms`; connections stay open.
    Cut,
    /// Connections between engines and a server are reset, and no new ones taken for `for_ms`.
    Reset,
    /// `bytes_per_s` pass between engines and a server on each connection, for `for_ms`.
    Bandwidth,
    /// The log's server cannot make its files any longer for `for_ms` (a limit on the size of files:
    /// `prlimit --fsize`; writes fail with EFBIG where a full disk gives ENOSPC).
    DiskFull,
}

impl FaultKind {
    /// Name in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Poison => "poison",
            Self::ReaderStall => "reader-stall",
            Self::NodeKill => "node-kill",
            Self::NodeTerm => "node-term",
            Self::NodeJoin => "node-join",
            Self::RollingRestart => "rolling-restart",
            Self::NodeStop => "node-stop",
            Self::ServerKill => "server-kill",
            Self::ServerStop => "server-stop",
            Self::Latency => "latency",
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Bandwidth => "bandwidth",
            Self::DiskFull => "disk-full",
        }
    }

    /// Whether it needs the engine's routes for faults on purpose.
    pub fn needs_chaos_routes(self) -> bool {
        matches!(self, Self::Panic | Self::Hang | Self::Poison | Self::ReaderStall)
    }

    /// Whether it is about connections, so that it may be about those of one engine.
    pub fn is_of_connections(self) -> bool {
        matches!(self, Self::Latency | Self::Cut | Self::Reset | Self::Bandwidth)
    }

    /// Whether it is about a server, so that the plan must say which.
    pub fn needs_server(self) -> bool {
        matches!(
            self,
            Self::ServerKill | Self::ServerStop | Self::Latency | Self::Cut | Self::Reset | Self::Bandwidth
        )
    }
}

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The log.
    Nats,
    /// The store.
    Redis,
}

impl Part {
    /// Name in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Redis => "redis",
        }
    }
}

/// Whose connections a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Those of one engine.
    One,
    /// Those of all.
    All,
}

/// What breaks, and how often.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// The kind.
    pub kind: FaultKind,
    /// The server, where it is about one.
    #[serde(default)]
    pub on: Option<Part>,
    /// Whose connections, where it is about connections: of one engine, or of all (the default).
    #[serde(default)]
    pub of: Option<Reach>,
    /// How often.
    #[serde(default = "once")]
    pub times: u32,
    /// How long it lasts, in milliseconds, where it lasts.
    #[serde(default = "a_second")]
    pub for_ms: u64,
    /// Added latency each way.
    #[serde(default = "fifty")]
    pub latency_ms: u64,
    /// Bytes in a second.
    #[serde(default = "slow_line")]
    pub bytes_per_s: u64,
    /// Longest time without a live answer that a partition should have; the report says what took longer.
    #[serde(default)]
    pub gap_budget_ms: Option<u64>,
}

fn once() -> u32 {
    1
}

fn a_second() -> u64 {
    1_000
}

fn fifty() -> u64 {
    50
}

fn slow_line() -> u64 {
    64 * 1024
}

impl FaultPlan {
    /// Name in reports, such as `cut redis`, or `cut redis of one` engine.
    pub fn label(&self) -> String {
        let on = self.on.map_or(String::new(), |part| format!(" {}", part.name()));
        let of = if self.of == Some(Reach::One) { " of one" } else { "" };
        format!("{}{on}{of}", self.kind.name())
    }
}
