//! Traces: whether they are recorded, and where they go.
//!
//! What a span is, and how events carry its trace, is in [`nearline_ports::trace`]; here are the settings, and behind the feature
//! `otlp` the way to a collector of OpenTelemetry.

#[cfg(feature = "otlp")]
mod otlp;

use nearline_config::Config;
#[cfg(feature = "otlp")]
use std::sync::Arc;
#[cfg(feature = "otlp")]
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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

/// Whether this program can send traces where it is configured to.
///
/// # Errors
/// [`TracesError::NotBuilt`].
pub fn is_built_for(config: &Config) -> Result<(), TracesError> {
    let endpoint = &config.telemetry.endpoint;
    if cfg!(feature = "otlp") || endpoint.is_empty() {
        return Ok(());
    }
    Err(TracesError::NotBuilt(endpoint.clone()))
}

/// Records traces from now on, if a collector is configured. Later calls in one process change nothing.
///
/// # Errors
/// [`TracesError`]: what is configured, and what is wrong with it.
pub fn install(config: &Config) -> Result<(), TracesError> {
    is_built_for(config)?;
    #[cfg(feature = "otlp")]
    if !config.telemetry.endpoint.is_empty() {
        let lots = Lots::default();
        lots.set(config.telemetry.sampling);
        install_with(config, Arc::new(lots))?;
    }
    Ok(())
}

/// The same, with lots that are drawn as whoever holds them says.
#[cfg(feature = "otlp")]
pub(crate) fn install_with(config: &Config, lots: Arc<Lots>) -> Result<(), TracesError> {
    nearline_ports::trace::install(Box::new(otlp::open(config, lots)?));
    Ok(())
}

/// Which of what no caller asked for is recorded.
#[cfg(feature = "otlp")]
#[derive(Debug, Default)]
pub(crate) struct Lots {
    /// Bits of the share.
    share: AtomicU64,
    #[cfg(feature = "bench")]
    drawn: AtomicU64,
}

#[cfg(feature = "otlp")]
impl Lots {
    pub(crate) fn set(&self, share: f64) {
        self.share.store(share.to_bits(), Relaxed);
    }

    fn draw(&self) -> bool {
        #[cfg(feature = "bench")]
        self.drawn.fetch_add(1, Relaxed);
        rand::random::<f64>() < f64::from_bits(self.share.load(Relaxed))
    }

    /// How often it was asked.
    #[cfg(feature = "bench")]
    pub(crate) fn drawn(&self) -> u64 {
        self.drawn.load(Relaxed)
    }
}
