//! Seeded simulation: the real engine (fold, actors, supervisors, ownership, router) over adapters in
//! memory, on one thread and in virtual time.
//!
//! One seed is one world: [`scenario`] draws what is published and what breaks; [`network`] delays,
//! loses, repeats and reorders calls; the servers ([`log`], [`store`], [`letters`], [`registry`]) keep what they
//! promise and nothing more; [`node`] runs the product; [`auditor`] checks each step and [`oracle`] the
//! end. Everything that happens is noted in a [`trace`], whose hash is the same for the same seed.
//!
//! What is deliberately absent: threads and real time, so that nothing depends on either; and the
//! product's decisions, so that nothing is proven about a copy.

pub mod auditor;
pub mod letters;
pub mod log;
pub mod mutation;
pub mod network;
pub mod node;
pub mod oracle;
mod publisher;
pub mod quarantine;
mod quiet;
mod recount;
pub mod registry;
pub mod scenario;
pub mod seeds;
pub mod servers;
pub mod store;
pub mod trace;
mod world;

pub use mutation::Mutation;
pub use seeds::{SeedsReport, simulate_seeds};
pub use world::{SeedOutcome, simulate};

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// Its name in the design: `I1` to `I7`.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
}
