//! The actors of Nearline: the imperative shell around `nearline-model`.
//!
//! What is deliberately absent: NATS, Redis, HTTP. The outside is reached through [`ports`].

pub mod ports;
