//! The HTTP client that publishes and looks at engines, blocking.

use std::time::Duration;

/// An HTTP client whose requests end within `timeout`.
pub fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .max_idle_connections_per_host(4)
        .build()
        .into()
}
