//! Live chaos: real servers, real processes, faults on purpose, and a judgement.
//!
//! [`plan`] says what to break; [`bed`] runs NATS, Redis and engines with a [`proxy`] on every connection
//! between them, or finds engines that somebody else started; [`publish`] and [`query`] are the
//! clients, behind a [`balancer`]; [`prober`] measures gaps; [`inject`] breaks things and waits until they work again; [`judge`] compares what was
//! acknowledged with what is stored; [`report`] and [`html`] tell.
//!
//! What is deliberately absent: anything that makes the engine's life easier, such as clients that
//! wait until it is well again. They do what clients in production do: try another engine.

pub mod agent;
pub mod answered;
pub mod balancer;
pub mod bed;
pub mod html;
pub mod http;
pub mod inject;
pub mod judge;
pub mod monitor;
pub mod percentile;
pub mod plan;
pub mod prober;
pub mod proxy;
pub mod publish;
pub mod query;
pub mod report;
mod run;
pub mod seconds;
pub mod workload;

pub use plan::Plan;
pub use report::Report;
pub use run::{Told, run};

/// Why a plan could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// The plan is not usable.
    #[error("the plan {0}")]
    Plan(String),
    /// A server could not be started.
    #[error(transparent)]
    Server(#[from] nearline_servers::ServerError),
    /// An engine could not be started.
    #[error("{0}")]
    Engine(String),
    /// Log or store could not be read.
    #[error("judging: {0}")]
    Port(#[from] nearline_ports::PortError),
    /// The system said no.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ChaosError {
    fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::System { what, source }
    }
}
