//! Gauges of what is not counted where it happens: set, or written, when Prometheus asks.
//!
//! The series of single partitions are written by hand: the recorder keeps a gauge for good that was set once, and a
//! partition that went elsewhere would stay here with its last value.

use super::state::ApiState;
use crate::telemetry::help;
use nearline_actors::{PartitionState, PartitionStatus};
use std::fmt::Write;

/// All states, so that each has its number, also 0.
const STATES: [PartitionState; 6] = [
    PartitionState::Starting,
    PartitionState::Live,
    PartitionState::Holding,
    PartitionState::Restarting,
    PartitionState::Stopped,
    PartitionState::Elsewhere,
];

/// Sets what the recorder renders.
pub(super) fn refresh(state: &ApiState, partitions: &[PartitionStatus]) {
    let engine = &state.engine;
    metrics::gauge!("nearline_memory_bytes", "kind" => "request_bodies").set(state.bodies.used() as f64);
    if let Some(resident) = resident_bytes() {
        metrics::gauge!("nearline_memory_bytes", "kind" => "resident").set(resident as f64);
    }
    for (kind, bytes) in engine.memory().kinds() {
        metrics::gauge!("nearline_memory_bytes", "kind" => kind).set(bytes as f64);
    }
    for state in STATES {
        let count = partitions.iter().filter(|status| status.state == state).count();
        metrics::gauge!("nearline_partitions", "state" => state.name()).set(count as f64);
    }
    metrics::gauge!("nearline_ready").set(if engine.is_ready() { 1.0 } else { 0.0 });
    let sizes = engine.sizes();
    metrics::gauge!("nearline_catalogue_titles").set(sizes.catalogue_titles as f64);
    metrics::gauge!("nearline_aggregates_titles").set(sizes.titles as f64);
    metrics::gauge!("nearline_aggregates_transitions").set(sizes.transitions as f64);
    for size in engine.tables() {
        metrics::gauge!("nearline_aggregates_table_entries", "table" => size.table).set(size.entries as f64);
        metrics::gauge!("nearline_aggregates_table_limit", "table" => size.table).set(size.limit as f64);
    }
}

/// Memory that the process has in use, where the operating system tells it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1_024)
}

/// The series of those partitions that this node runs, as Prometheus reads them.
pub(super) fn of_partitions(partitions: &[PartitionStatus]) -> String {
    let here: Vec<_> = partitions.iter().filter(|status| status.state != PartitionState::Elsewhere).collect();
    let mut text = String::new();
    if here.is_empty() {
        return text;
    }
    let mut gauge = |name: &str, value: &dyn Fn(&PartitionStatus) -> f64| {
        let help = help(name);
        // Writing to a string cannot fail.
        let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        for status in &here {
            let _infallible =
                writeln!(text, "{name}{{partition=\"{}\"}} {}", status.partition, value(status));
        }
    };
    gauge("nearline_partition_live", &|status| f64::from(status.state == PartitionState::Live));
    gauge("nearline_partition_epoch", &|status| status.epoch.0 as f64);
    gauge("nearline_partition_folded_position", &|status| status.folded.0 as f64);
    gauge("nearline_partition_committed_position", &|status| status.committed.0 as f64);
    gauge("nearline_partition_lag_positions", &|status| status.lag as f64);
    gauge("nearline_partition_lag_seconds", &|status| status.lag_ms as f64 / 1_000.0);
    gauge("nearline_partition_cached_members", &|status| status.cached_members as f64);
    text
}
