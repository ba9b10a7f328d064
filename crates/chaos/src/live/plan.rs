//! Plans: what to run, what to break, how often. TOML.

mod check;
mod fault;

pub use fault::{FaultKind, FaultPlan, Part, Reach};

use super::ChaosError;
use nearline_audience::dice::Dice;
use serde::Deserialize;
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
    /// Events that one message of the log may hold (`nats.block_events`); publishers over NATS fill them.
    #[serde(default = "one_event")]
    pub block_events: u16,
    /// Silence after which the other engines take an engine's partitions (`node.lease_ms`).
    #[serde(default = "two_seconds")]
    pub lease_ms: u64,
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

fn one_event() -> u16 {
    1
}

fn four() -> u16 {
    4
}

fn two_seconds() -> u64 {
    2_000
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
    /// A query that one engine has not answered after so long is put to another one as well, and the first
    /// answer counts; 0: never. An engine that refuses the connection is left for another at once.
    pub hedge_ms: u64,
    /// Events of one publisher over NATS that may wait for their acknowledgement.
    pub nats_outstanding: usize,
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
            hedge_ms: 33,
            nats_outstanding: 1_000,
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
    /// Between two questions of the prober to one partition: the resolution of gaps.
    pub probe_every_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            warm_up_ms: 2_000,
            settle_ms: 500,
            recovery_deadline_ms: 60_000,
            query_within_ms: 100,
            probe_every_ms: 10,
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

    /// Engines to start besides `nodes`, once a fault lets them join: those that stay, and one for those
    /// that leave again.
    pub fn spares(&self) -> usize {
        let joins = self.faults.iter().filter(|fault| fault.kind == FaultKind::NodeJoin);
        let (leaving, staying): (Vec<_>, Vec<_>) = joins.partition(|fault| fault.for_ms > 0);
        usize::from(!leaving.is_empty()) + staying.iter().map(|fault| fault.times as usize).sum::<usize>()
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
    fn a_fault_of_one_engine_is_told_apart_and_is_about_connections() {
        let text = format!("{HEAD}[[faults]]\nkind = \"cut\"\non = \"nats\"\nof = \"one\"\n");
        assert_eq!(Plan::parse(&text).expect("valid").faults[0].label(), "cut nats of one");
        let refused = Plan::parse(&format!("{HEAD}[[faults]]\nkind = \"panic\"\nof = \"one\"\n"));
        assert!(refused.expect_err("no connection").to_string().contains("takes no `of`"));
    }

    #[test]
    fn engines_that_join_and_leave_share_one_place_and_those_that_stay_have_their_own() {
        let join = |times: u32, for_ms: u64| {
            format!("[[faults]]\nkind = \"node-join\"\ntimes = {times}\nfor_ms = {for_ms}\n")
        };
        let spares = |text: &str| Plan::parse(&format!("{HEAD}nodes = 3\n{text}")).map(|plan| plan.spares());
        assert_eq!(spares(&join(5, 1_000)).expect("valid"), 1);
        assert_eq!(spares(&(join(5, 1_000) + &join(2, 0))).expect("valid"), 3);
        assert!(spares(&join(14, 0)).is_err(), "17 engines");
    }

    #[test]
    fn a_rolling_restart_needs_several_nodes() {
        let fault = "[[faults]]\nkind = \"rolling-restart\"\n";
        let refused = Plan::parse(&format!("{HEAD}{fault}")).expect_err("one node");
        assert!(refused.to_string().contains("single node"), "{refused}");
        assert!(Plan::parse(&format!("{HEAD}nodes = 2\n{fault}")).is_ok());
    }

    #[test]
    fn the_plans_that_come_with_nearline_are_valid() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/chaos");
        let paths =
            std::fs::read_dir(directory).expect("the plans").map(|entry| entry.expect("an entry").path());
        for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
            let text = std::fs::read_to_string(&path).expect("readable");
            Plan::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
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
