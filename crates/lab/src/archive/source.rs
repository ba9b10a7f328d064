//! Where an archiver reads.

use std::sync::Arc;

use nearline_ports::{Clock, EventLog, FactStream, PortError, Ports, SystemClock};

use super::running;

/// A log and a stream of facts, to read from.
#[derive(Clone)]
pub struct Source {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The stream of facts.
    pub facts: Arc<dyn FactStream>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

impl From<&Ports> for Source {
    fn from(ports: &Ports) -> Self {
        Self { log: ports.log.clone(), facts: ports.facts.clone(), clock: ports.clock.clone() }
    }
}

impl Source {
    /// The log and the facts of a running engine, over its operators' listener.
    ///
    /// # Errors
    /// Nobody answers, or not as an operators' listener does.
    pub async fn running(url: &str, key: Option<&str>) -> Result<Self, PortError> {
        let (log, facts) = running::connect(url, key).await?;
        Ok(Self { log: Arc::new(log), facts: Arc::new(facts), clock: Arc::new(SystemClock) })
    }
}
