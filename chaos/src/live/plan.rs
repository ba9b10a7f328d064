//! Plans: what to run, what to break, how often. TOML.

use super::ChaosError;
use crate::dice::Dice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name in the report.
    pub name: String,
    /// Seed of the workload and of the order of faults.
    #[serde(default)]
    pub seed: u64,
    /// Engines to start.
    #[serde(default = "one")]
    pub nodes: usize,
    /// Partitions of the log.
    #[serde(default = "four")]
    pub partitions: u16,
    /// Clients.
    #[serde(default)]
    pub load: Load,
    /// Times.
    #[serde(default)]
    pub pace: Pace,
    /// Settings of the engines, as in the section `[engine]` of their configuration.
    #[serde(default)]
    pub engine: toml::Table,
    /// What breaks.
    pub faults: Vec<FaultPlan>,
    /// An engine that somebody else started; without one, engines and servers are started here.
    #[serde(default)]
    pub target: Option<Target>,
}

fn one() -> usize {
    1
}

fn four() -> u16 {
    4
}

/// What clients do, all together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// Publishers over HTTP.
    pub http_publishers: usize,
    /// Publishers over NATS.
    pub nats_publishers: usize,
    /// Events in a second.
    pub events_per_s: u64,
    /// Query clients: so many queries are under way at most.
    pub query_clients: usize,
    /// Queries in a second, whatever the answers.
    pub queries_per_s: u64,
    /// Members.
    pub members: u64,
    /// Titles.
    pub titles: u64,
    /// Of a thousand events over NATS, those that are not valid.
    pub bad_per_mille: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            http_publishers: 2,
            nats_publishers: 1,
            events_per_s: 300,
            query_clients: 8,
            queries_per_s: 100,
            members: 500,
            titles: 100,
            bad_per_mille: 5,
        }
    }
}

/// Times, in milliseconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Load before the first fault.
    pub warm_up_ms: u64,
    /// Between the recovery from one fault and the next fault.
    pub settle_ms: u64,
    /// Longest time that a recovery may take.
    pub recovery_deadline_ms: u64,
    /// A query counts as answered within this time.
    pub query_within_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { warm_up_ms: 2_000, settle_ms: 500, recovery_deadline_ms: 60_000, query_within_ms: 100 }
    }
}

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

/// What breaks, and how often.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// The kind.
    pub kind: FaultKind,
    /// The server, where it is about one.
    #[serde(default)]
    pub on: Option<Part>,
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
    /// Name in reports, such as `cut redis`.
    pub fn label(&self) -> String {
        match self.on {
            Some(part) => format!("{} {}", self.kind.name(), part.name()),
            None => self.kind.name().to_owned(),
        }
    }
}

/// An engine that somebody else started, and what of it may be broken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Base URLs of the API, one per node.
    pub http: Vec<String>,
    /// Base URLs of the operators' listeners, in the same order.
    pub admin: Vec<String>,
    /// The log's server, for publishers over NATS and for the judgement.
    #[serde(default)]
    pub nats_url: Option<String>,
    /// The store's server, for the judgement.
    #[serde(default)]
    pub redis_url: Option<String>,
    /// Faults that may be caused through the engine's own routes.
    #[serde(default)]
    pub may_break: Vec<FaultKind>,
    /// Shell commands that cause other faults, by kind, such as `node-kill = "kubectl delete pod ..."`;
    /// they return when the fault is over or heals by itself.
    #[serde(default)]
    pub commands: BTreeMap<FaultKind, String>,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`ChaosError::Plan`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, ChaosError> {
        let plan: Self =
            toml::from_str(text).map_err(|error| ChaosError::Plan(format!("cannot be read: {error}")))?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), ChaosError> {
        let wrong = |what: String| Err(ChaosError::Plan(what));
        if self.nodes == 0 || self.nodes > 16 {
            return wrong(format!("has nodes = {}; expected 1 to 16", self.nodes));
        }
        if self.partitions == 0 || self.partitions > 64 {
            return wrong(format!("has partitions = {}; expected 1 to 64", self.partitions));
        }
        let Load { http_publishers, nats_publishers, query_clients, events_per_s, queries_per_s, .. } =
            self.load;
        if http_publishers + nats_publishers == 0 || events_per_s == 0 {
            return wrong("publishes nothing: set load.http_publishers and load.events_per_s".to_owned());
        }
        if query_clients == 0 || queries_per_s == 0 {
            return wrong("asks nothing: set load.query_clients and load.queries_per_s".to_owned());
        }
        if self.load.members == 0 || self.load.titles == 0 {
            return wrong("has no members or no titles: set load.members and load.titles".to_owned());
        }
        if self.faults.is_empty() {
            return wrong("breaks nothing: add [[faults]]".to_owned());
        }
        for fault in &self.faults {
            if fault.kind.needs_server() != fault.on.is_some() {
                let expected = if fault.kind.needs_server() { "needs" } else { "takes no" };
                return wrong(format!(
                    "has a fault {} that {expected} `on = \"nats\" or \"redis\"`",
                    fault.kind.name()
                ));
            }
            if let Some(target) = &self.target
                && !target.may_break.contains(&fault.kind)
                && !target.commands.contains_key(&fault.kind)
            {
                return wrong(format!(
                    "has a fault {} that the target does not allow; name it in target.may_break or target.commands",
                    fault.kind.name()
                ));
            }
        }
        if let Some(target) = &self.target {
            if target.http.is_empty() || target.http.len() != target.admin.len() {
                return wrong("names a target without as many admin URLs as http URLs".to_owned());
            }
            if let Some(kind) = target.may_break.iter().find(|kind| !kind.needs_chaos_routes()) {
                return wrong(format!(
                    "allows {} without a command for it in target.commands: the engine cannot do that to itself",
                    kind.name()
                ));
            }
        }
        Ok(())
    }

    /// Every injection, in an order of the seed's: kinds take turns, so that each meets the others.
    pub fn injections(&self) -> Vec<&FaultPlan> {
        let mut order: Vec<&FaultPlan> =
            self.faults.iter().flat_map(|fault| std::iter::repeat_n(fault, fault.times as usize)).collect();
        let mut dice = Dice::new(self.seed);
        for at in (1..order.len()).rev() {
            order.swap(at, dice.below(at + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"a\"\n";

    #[test]
    fn a_fault_on_a_server_says_which() {
        let refused = Plan::parse(&format!("{HEAD}[[faults]]\nkind = \"cut\"\n")).expect_err("no server");
        assert!(refused.to_string().contains("cut that needs `on"), "{refused}");
        let plan = Plan::parse(&format!("{HEAD}[[faults]]\nkind = \"cut\"\non = \"redis\"\ntimes = 3\n"));
        assert_eq!(plan.expect("valid").injections().len(), 3);
    }

    #[test]
    fn a_target_is_broken_only_where_it_allows() {
        let target = "[target]\nhttp = [\"http://a\"]\nadmin = [\"http://b\"]\n";
        let text = format!("{HEAD}[[faults]]\nkind = \"node-kill\"\n{target}");
        assert!(Plan::parse(&text).expect_err("not allowed").to_string().contains("does not allow"));
        let allowed = format!("{text}commands = {{ node-kill = \"true\" }}\n");
        assert!(Plan::parse(&allowed).is_ok());
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let refused = Plan::parse(&format!("{HEAD}nods = 3\nfaults = []\n")).expect_err("unknown");
        assert!(refused.to_string().contains("nods"), "{refused}");
    }
}
