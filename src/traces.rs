//! Traces: whether they are recorded, and where they go.
//!
//! What a span is, and how events carry its trace, is in [`nearline_ports::trace`]; here are the settings, and behind the feature
//! `otlp` the way to a collector of OpenTelemetry.

#[cfg(feature = "otlp")]
mod otlp;

use nearline_config::Config;

/// Why traces cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The program cannot.
    #[error(
        "`telemetry.endpoint` is {0:?}, but this program was built without the feature `otlp`; build it with `cargo build --release \
         --features otlp`, or leave the endpoint empty"
    )]
    NotBuilt(String),
    /// The collector cannot be called.
    #[error("`telemetry.endpoint` is {0:?}: {1}")]
    Endpoint(String, String),
}

/// Records traces from now on, if a collector is configured. Later calls in one process change nothing.
///
/// # Errors
/// [`TracesError`]: what is configured, and what is wrong with it.
pub fn install(config: &Config) -> Result<(), TracesError> {
    let endpoint = &config.telemetry.endpoint;
    if endpoint.is_empty() {
        return Ok(());
    }
    #[cfg(feature = "otlp")]
    return otlp::install(config);
    #[cfg(not(feature = "otlp"))]
    Err(TracesError::NotBuilt(endpoint.clone()))
}
