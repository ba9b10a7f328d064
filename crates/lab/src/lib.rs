//! The off-line rooms: what recommendations and policies would have been worth, on events of the past.
//!
//! What is deliberately absent: the engine. Events are folded and titles ranked by the code that serves,
//! without actors, ports or servers.

pub mod archive;
pub mod audit;
pub mod backfill;
pub mod cli;
pub mod evaluate;
#[cfg(feature = "object-stores")]
mod object_store;
pub mod off_policy;
pub mod places;
pub mod state;
pub mod stratify;
pub mod what_if;
