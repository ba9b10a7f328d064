//! The actors of Nearline: the imperative shell around `nearline-model`.
//!
//! [`engine::Engine`] starts everything and is what callers hold. Each partition has one
//! [`partition_actor`], fed by a [`reader`], watched by a [`watchdog`] and kept alive by a [`supervisor`],
//! which carries out what the policy in `nearline_model::remediation` decides; the [`aggregates_actor`]
//! adds deltas up; the [`router`] takes queries to whoever can answer.
//!
//! What is deliberately absent: NATS, Redis, HTTP. The outside is reached through [`ports`].

pub mod aggregates_actor;
mod basis;
pub mod engine;
pub mod faults;
pub mod learner;
mod member_watch;
pub mod ownership;
pub mod partition_actor;
mod peers;
mod place;
pub mod ports;
pub mod reader;
pub mod redrive;
pub mod remediations;
pub mod retry;
pub mod router;
pub mod settings;
pub mod status;
pub mod supervisor;
pub mod watchdog;
mod watched;
pub mod workers;

pub use basis::Basis;
pub use engine::Engine;
pub use faults::{Faults, NotInjected};
pub use member_watch::MemberWatch;
pub use place::Threads;
pub use router::{MemberAnswer, NotReached, Source};
pub use settings::{EngineSettings, FaultProbe};
pub use status::PartitionStatus;
