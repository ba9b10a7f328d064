//! The documents of the HTTP API: what is sent and what is answered, in the words of its users.
//!
//! What is deliberately absent: handlers, calculations, actix. A document is made of values that are worked
//! out elsewhere.

pub mod artwork;
#[cfg(feature = "caller")]
pub mod caller;
pub mod dead_letters;
pub mod events;
pub mod experiments;
pub mod home;
pub mod insights;
pub mod log;
pub mod members;
pub mod operators;
pub mod order;
pub mod reason;
pub mod recommendations;
pub mod titles;
pub mod trending;
