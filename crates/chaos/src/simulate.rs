//! Seeded simulation: the real engine (fold, actors, supervisors, ownership, router) over adapters in
//! memory, on one thread and in virtual time.
//!
//! One seed is one world: [`scenario`] draws what is published and what breaks; [`network`] delays,
//! loses, repeats and reorders calls; the [`servers`] keep what they promise and nothing more; the
//! [`adapters`] are the ports on links to them; [`node`] runs the product in a `world`; `play` lets
//! everything happen; [`auditor`] checks each step, [`answers`] each answer and [`oracle`] the end. Everything that happens is noted in a [`trace`], whose hash is the same for the same seed.
//!
//! What is deliberately absent: threads and real time, so that nothing depends on either; and the
//! product's decisions, so that nothing is proven about a copy.

pub mod adapters;
pub mod answers;
pub mod asked;
pub mod auditor;
pub mod long;
mod mutation;
pub mod network;
pub mod node;
pub mod oracle;
mod play;
mod publisher;
mod quiet;
mod recount;
pub mod scenario;
pub mod seeds;
pub mod servers;
pub mod titles;
pub mod trace;
mod world;

pub use mutation::Mutation;
pub use play::{SeedOutcome, simulate};
pub use seeds::{SeedsReport, simulate_seeds};

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// Its name in the design: `I1` to `I7`.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
}
