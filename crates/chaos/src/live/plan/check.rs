//! What a plan must be like before anything is started.

use super::{ChaosError, FaultKind, Load, Plan};
use nearline_model::identifier::MAX_BLOCK;

/// Engines of one plan.
const MOST_NODES: usize = 16;
/// Events of one publisher on their way: its client library stops beyond 5,000.
const MOST_OUTSTANDING: usize = 4_000;

impl Plan {
    pub(super) fn check(&self) -> Result<(), ChaosError> {
        let wrong = |what: String| Err(ChaosError::Plan(what));
        if self.nodes == 0 || self.nodes + self.spares() > MOST_NODES {
            return wrong(format!(
                "has nodes = {} and {} more that join; expected 1 to {MOST_NODES} together",
                self.nodes,
                self.spares()
            ));
        }
        if !(400..=30_000).contains(&self.lease_ms) {
            return wrong(format!("has lease_ms = {}; expected 400 to 30000", self.lease_ms));
        }
        if self.pace.probe_every_ms == 0 {
            return wrong("has pace.probe_every_ms = 0; expected at least 1".to_owned());
        }
        if self.load.nats_outstanding == 0 || self.load.nats_outstanding > MOST_OUTSTANDING {
            return wrong(format!(
                "has load.nats_outstanding = {}; expected 1 to {MOST_OUTSTANDING}: the client library waits for good beyond 5,000",
                self.load.nats_outstanding
            ));
        }
        if self.partitions == 0 || self.partitions > 64 {
            return wrong(format!("has partitions = {}; expected 1 to 64", self.partitions));
        }
        if self.block_events == 0 || self.block_events > MAX_BLOCK {
            return wrong(format!("has block_events = {}; expected 1 to {MAX_BLOCK}", self.block_events));
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
        self.check_faults()?;
        self.check_target()
    }

    fn check_faults(&self) -> Result<(), ChaosError> {
        let wrong = |what: String| Err(ChaosError::Plan(what));
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
            if fault.of.is_some() && !fault.kind.is_of_connections() {
                return wrong(format!(
                    "has a fault {} that takes no `of`: it is not about connections",
                    fault.kind.name()
                ));
            }
            if fault.kind == FaultKind::RollingRestart && self.nodes == 1 && self.target.is_none() {
                return wrong("has a rolling-restart of a single node; set nodes = 2 or more".to_owned());
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
        Ok(())
    }

    fn check_target(&self) -> Result<(), ChaosError> {
        let wrong = |what: String| Err(ChaosError::Plan(what));
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
}
