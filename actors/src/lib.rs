//! The actors of Nearline: the imperative shell around `nearline-model`.
//!
//! [`engine::Engine`] starts everything and is what callers hold. Each partition has one
//! [`partition_actor`], fed by a [`reader`] and kept alive by a [`supervisor`], which watches it and carries out
//! what the policy in `nearline_model::control::remediation` decides; the [`aggregates_actor`] adds deltas up;
//! the [`router`] finds a member's state, and the [`recommender`] makes the answer.
//!
//! What is deliberately absent: NATS, Redis, HTTP, and ranking itself. The outside is reached through
//! [`nearline_ports`].

pub mod aggregates_actor;
mod background;
mod basis;
pub mod engine;
mod event_loop;
mod facts;
pub mod faults;
mod lag;
mod member_answer;
mod member_watch;
mod memory;
pub mod node;
pub mod ownership;
pub mod partition_actor;
pub mod partition_handle;
mod peers;
mod presence;
pub mod progress;
pub mod reader;
mod readiness;
pub mod recommender;
pub mod remediations;
pub mod retry;
pub mod router;
pub mod settings;
pub mod solver;
mod stored_sums;
pub mod supervisor;
mod watched;
pub mod workers;

pub use basis::Basis;
pub use engine::{Engine, NotGivenAway};
pub use event_loop::Threads;
pub use facts::{FactSettings, Offer};
pub use faults::{Faults, NotInjected};
pub use member_answer::{MemberAnswer, NotReached, Source};
pub use member_watch::MemberWatch;
pub use memory::MemorySizes;
pub use progress::{PartitionState, PartitionStatus};
pub use readiness::NotReady;
pub use recommender::{
    Answer, AnswerSettings, Given, NotAnswered, OfferedOrder, Question, TitleQuestion, TrendQuestion,
};
pub use settings::{EngineSettings, FaultProbe};
