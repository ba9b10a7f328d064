//! `[telemetry]`: traces, sent to a collector of OpenTelemetry.

use serde::{Deserialize, Serialize};

/// `[telemetry]`: traces, sent to a collector of OpenTelemetry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySection {
    /// URL of the collector, which takes OTLP over HTTP; empty: nothing is traced.
    pub endpoint: String,
    /// Share of requests, batches and commits that begin a trace though no caller asked for one.
    pub sampling: f64,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self { endpoint: String::new(), sampling: 0.01 }
    }
}
