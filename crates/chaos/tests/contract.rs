//! The simulated adapters against the contract that the real ones pass: what the simulation proves must not
//! rest on promises that nobody else keeps. They keep no journal.

#[path = "contract/simulated.rs"]
mod simulated;
